Feature: The system heals itself
  Consul notices, Jenkins is called, Ansible deploys; nobody else has a hand in it.

  Background:
    Given the lab is at its baseline
    And Jenkins has deployed books-service
    And users ask for /api/v1/books 20 times a second

  Scenario Outline: The live color is <how>
    When the live color is <how> for up to 120 seconds
    Then Consul notices within 20 seconds
    And the service answers again within 40 seconds of the fault
    And Consul's check of books-service passes
    And the healing has ended
    And Jenkins ran 1 build more
    And the watchers' log says ">>> "
    And the watchers' log says "Triggering Jenkins job http://10.100.199.200:8080/job/books-service/build"
    And no book is lost
    And Consul's catalogue equals the running containers

    Examples:
      | how     |
      | stopped |
      | killed  |
      | removed |

  Scenario: Two services are critical at once
    Given Jenkins has deployed books-fe
    When the live color of books-fe is killed for up to 120 seconds
    And the live color is killed for up to 120 seconds
    Then both services pass their checks again within 90 seconds of the fault
    And the watchers' log says "books-fe: passes its check again"
    And the watchers' log says "books-service: passes its check again"

  Scenario: A service that cannot be healed is not tried for ever
    Given a release 0.500 of books-service that answers 500
    And the master has the releases of books-service hidden for up to 240 seconds
    When the live color is removed for up to 240 seconds
    Then the watchers' log says "try 1 did not help, the next one comes in 5 s"
    And the watchers' log says "try 2 did not help, the next one comes in 10 s"
    When the first fault is healed
    Then the service answers again within 180 seconds of the fault

  Scenario: The idle color is stopped
    Given the idle color runs beside the live one
    When the idle color is stopped for up to 120 seconds
    Then nothing is seen in 15 seconds of Consul's checks
    And Jenkins ran 0 builds more
    And no request fails
    And Consul's catalogue equals the running containers

  Scenario: The database is stopped and its data is still there
    When the database is stopped for up to 120 seconds
    Then Consul notices within 20 seconds
    And the service answers again within 50 seconds of the fault
    And Consul's check of books-service passes
    And no book is lost

  Scenario: nginx is stopped
    When nginx is stopped for up to 120 seconds
    Then Consul notices within 20 seconds
    And the service answers again within 40 seconds of the fault
    And no book is lost

  Scenario: The node of the live color dies and comes back
    When the node of the live color loses power for up to 240 seconds
    Then Consul notices within 30 seconds
    And the service answers again within 90 seconds of the fault
    And Consul's check of books-service passes
    And the live color is on another node
    When the fault is healed
    Then Consul's catalogue equals the running containers

  Scenario: The node of the database dies and comes back
    Given the last backup has every book
    When the node of the database loses power for up to 240 seconds
    Then Consul notices within 30 seconds
    And the service answers again within 120 seconds of the fault
    And Consul's check of books-service passes
    And the database is on another node
    And no book is lost
    When the fault is healed
    Then Consul's catalogue equals the running containers
    And no book is lost

  Scenario: The database moves to a node that kept one of an earlier life
    Given every other node has a database of an earlier life
    And a book is added
    And the last backup has every book
    When the node of the database loses power for up to 240 seconds
    Then the service answers again within 120 seconds of the fault
    And the database is on another node
    And the added book is kept
    And no other book is lost

  Scenario: A book newer than the last backup is lost with its node
    The database's volume is the node's own, as in the article: what was written after the last backup is gone.

    Given the last backup has every book
    And the master has its backups stopped for up to 300 seconds
    And a book is added
    When the node of the database loses power for up to 240 seconds
    Then the service answers again within 120 seconds of the fault
    And the added book is lost
    And no other book is lost

  Scenario: The master's Consul agent is restarted
    When the master has its Consul agent restarted for up to 60 seconds
    Then Consul's check of books-service passes
    And Jenkins ran 0 builds more
    And no request fails
    And Consul's catalogue equals the running containers

  Scenario: Registrator is dead while a container moves
    When all but the master have their Registrator stopped for up to 240 seconds
    And the live color is removed for up to 240 seconds
    Then Consul notices within 20 seconds
    When the first fault is healed
    Then the service answers again within 120 seconds of the fault
    And Consul's catalogue equals the running containers

  Scenario: Jenkins is stopped and then the service
    When Jenkins is stopped for up to 180 seconds
    And the live color is killed for up to 180 seconds
    Then the watchers' log says "Jenkins does not answer"
    And the service answers again within 90 seconds of the fault
