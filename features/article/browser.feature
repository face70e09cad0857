Feature: What one sees in a browser
  The pages of the article in a headless Chromium: the books, Jenkins and Consul.

  Background:
    Given the lab is at its baseline

  Scenario: books-fe lists the books
    When Jenkins deploys books-fe
    Then the deployment succeeds
    When a browser opens http://10.100.199.200/
    Then the page lists the three books
    And it says which release of books-fe serves it, on which color and node
    And it fits a phone

  Scenario: A build of the page's own turns blue
    When a browser opens http://10.100.199.200:8080/
    Then it lists the jobs books-fe and books-service
    And it shows the node cd online
    When a browser opens http://10.100.199.200:8080/
    And it clicks books-service > Build Now
    Then the build's ball blinks and turns blue
    And the build ran on the node cd
    And `docker ps -a` shows booksservice_green_1 Up

  Scenario: The node cd is added by hand
    Given Jenkins' settings are put back in the end
    When a browser opens http://10.100.199.200:8080/computer/cd/
    And it clicks Delete Slave
    And it presses Yes
    Then Jenkins has no node cd
    When a browser opens http://10.100.199.200:8080/
    And it clicks Manage Hudson > Manage Nodes > New Node
    And it types cd as Node name
    And it selects Dumb Slave
    And it presses OK
    And it types /data/jenkins/slaves/cd as Remote FS root
    And it selects Launch slave agents on Unix machines via SSH
    And it types 10.100.199.200 as Host
    And it presses Advanced...
    And it types vagrant as Username
    And it types vagrant as Password
    And it presses Save
    Then it shows the node cd online
    When a browser opens http://10.100.199.200:8080/
    And it clicks books-fe > Build Now
    Then the build's ball blinks and turns blue
    And the build ran on the node cd

  Scenario: Jenkins keeps all it has when its container is restarted
    Given Jenkins has deployed books-fe
    When Jenkins' container is restarted
    Then Jenkins has the jobs and builds it had
    When a browser opens http://10.100.199.200:8080/
    Then it lists the jobs books-fe and books-service
    And it shows the node cd online
    When Jenkins deploys books-fe
    Then the deployment succeeds

  Scenario: Consul's page of the service says that its check passes
    Given Jenkins has deployed books-service
    Then Consul's check of books-service passes
    When a browser opens http://10.100.199.200:8500/ui/
    And it clicks books-service
    Then the page says "All service checks passing"
