Feature: The whole lab goes back to a checkpoint
  Containers, records, Consul, Jenkins, registry and upstreams of all nodes, as they were at one moment.

  Background:
    Given the lab is at its baseline
    And Jenkins has deployed books-service
    And the lab is saved as a checkpoint

  @deadline-600
  Scenario: What came after a checkpoint is undone as a whole
    When release 1.0 of books-service is deployed by hand
    And a book is written and another is deleted
    And Jenkins deploys books-service
    And release 1.0 of books-service is deployed by hand
    And the lab is restored to the checkpoint
    Then the books are as they were saved
    And the builds of Jenkins are as they were saved
    And the live color and its release are as they were saved
    And Consul's check of books-service passes
    And Consul's catalogue equals the running containers
