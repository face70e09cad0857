Feature: The article's service comes back by itself
  Consul sees that it does not answer, has Jenkins called, and Jenkins runs the playbook again.

  Background:
    Given the lab is at its baseline
    And Jenkins has deployed books-service
    And users ask for /api/v1/books 20 times a second

  @step-5
  Scenario: A service that is stopped heals
    Consul's check asks for the books as users do, every few seconds. When they do not come, Consul calls a script, which
    has Jenkins build the service's job, and the playbook brings out the color that is not live. Stop both colors, since
    only one of them serves users, and then keep your hands off. The last command shows what Consul and the healing have
    said so far; type it again after some seconds.

    When swarm-master runs
      """
      docker ps | grep booksservice
      docker stop booksservice_green_1
      docker stop booksservice_blue_1
      docker ps -a
      cat /data/consul/logs/watchers.log
      """
    Then the service was healed
    And users get the live color
    And the watchers' log says "Triggering Jenkins job http://10.100.199.200:8080/job/books-service/build"
    And Consul's check of books-service passes
    And no book is lost
