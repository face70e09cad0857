Feature: The second release goes out with no downtime
  The article runs its second release beside the first, tests it on its own address, and only then
  lets nginx send the users there.

  Background:
    Given the lab is at its baseline
    And users ask for /api/v1/books 50 times a second

  @step-1
  Scenario: The second release runs beside the first
    Blue is what users get. The second release comes as green, in parallel: Compose pulls its image and starts it, and
    Swarm finds a node for it. Users know nothing of it yet. docker ps shows both colors, and on which nodes they are.
    Consul knows the new container's address and port from Registrator, so that it can be tested there before any user is
    sent to it: ask http://ADDRESS:PORT/api/v1/books with what the last command says.

    When swarm-master runs
      """
      cd /data/compose/config/books-service
      docker-compose pull green
      docker-compose rm -f green
      docker-compose up -d green
      docker ps | grep booksservice
      """
    Then the output shows booksservice_blue_1 and booksservice_green_1
    When Consul knows books-service-green and its address is asked for books directly
    Then it lists the three books
    When swarm-master runs
      """
      curl http://localhost:8500/v1/catalog/service/books-service-green | jq .
      """
    Then green runs beside blue
    And Consul knows where green is
    And users get blue
    And users were served only 1.0 by blue
    And no request fails

  @step-2
  Scenario: Users are sent to the second release
    First the live color is noted in Consul, where the next deployment reads it. Then consul-template writes nginx's file
    anew, from a template with the addresses that Consul knows of green, and tells nginx to read it: from that moment on
    users get green. Nobody asks blue any more, so it is stopped. The last commands show what users get, and both colors.

    Given step 1 is done
    # Its container runs before it listens; as in the article, it is asked before users are sent to it.
    When Consul knows books-service-green and its address is asked for books directly
    Then it lists the three books
    When swarm-master runs
      """
      curl -X PUT -d 'green' http://localhost:8500/v1/kv/services/books-service/color
      sudo consul-template -consul localhost:8500 -template "/data/nginx/templates/books-service-green-upstream.conf.ctmpl:/data/nginx/upstreams/books-service.conf:docker kill -s HUP nginx" -once
      """
    # nginx reads its file in its own time, which on a busy host is longer than Swarm needs to stop blue.
    Then users get green
    When swarm-master runs
      """
      docker stop booksservice_blue_1
      """
    And swarm-master runs
      """
      curl http://10.100.199.200/api/v1/books | jq .
      """
    Then it lists the three books
    When swarm-master runs
      """
      docker ps -a | grep booksservice
      """
    Then `docker ps -a` shows booksservice_green_1 Up
    And `docker ps -a` shows booksservice_blue_1 Exited
    And Consul says that books-service is green
    And blue is stopped
    And users were served 1.0 by blue, then 1.1 by green
    And no request fails

  Scenario: The second release by `lab deploy`
    When release 1.1 of books-service is deployed by hand
    Then the deployment succeeds
    And `docker ps -a` shows booksservice_green_1 Up
    And `docker ps -a` shows booksservice_blue_1 Exited
    And users were served 1.0 by blue, then 1.1 by green
    And no request fails

  Scenario: A release whose image is missing leaves the live color live
    When release 9.9 of books-service is deployed by hand
    Then the deployment is refused with "books-service stays on blue"
    And Consul says that books-service is blue
    And `docker ps -a` shows booksservice_blue_1 Up
    And users were served only 1.0 by blue
    And no request fails
