Feature: Faults that the lab's own healing outlasts
  The fault stays; Consul notices, Jenkins deploys, and users are served long before its end.

  Background:
    Given the lab is at its baseline
    And Jenkins has deployed books-service
    And the lab is steady
    And users ask for /api/v1/books 20 times a second

  Scenario Outline: <fault> and stays so
    When <fault> for up to 120 seconds
    Then the service answers again within <seconds> seconds of the fault
    And Consul's check of books-service passes
    And the healing has ended
    When the fault is healed
    Then the lab is steady again within 60 seconds
    And no book is lost
    And Consul's catalogue equals the running containers

    Examples:
      | fault                            | seconds |
      | the live color is paused         | 70      |
      | the live color has its port blocked | 70   |
