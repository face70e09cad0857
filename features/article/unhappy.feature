Feature: A deployment that goes wrong leaves the live color live

  Background:
    Given the lab is at its baseline
    And users ask for /api/v1/books 50 times a second

  Scenario Outline: A release that cannot go live: <what>
    Given a release <release> of books-service that <what>
    When Ansible deploys books-service with -e release=<release>
    Then the deployment is refused with "<said>"
    And Consul says that books-service is blue
    And `docker ps -a` shows booksservice_blue_1 Up
    And users were served only 1.0 by blue
    And no request fails

    Examples:
      | release | what                 | said                      |
      | 9.9     | has no image         | manifest for              |
      | 0.500   | answers 500          | failed its direct test    |
      | 0.0     | never answers        | failed its direct test    |

  Scenario Outline: nginx does not follow a cut-over: <who> deploys
    Given the master has nginx's settings broken for up to 120 seconds
    When <deployment>
    Then the deployment is refused with "does not answer at http://10.100.199.200/api/v1/books"
    And Consul says that books-service is blue
    And nginx's upstream is blue
    And `docker ps -a` shows booksservice_blue_1 Up
    And users were served only 1.0 by blue
    And no request fails

    Examples:
      | who     | deployment                                       |
      | Ansible | Ansible deploys books-service                    |
      | a hand  | release 1.1 of books-service is deployed by hand |

  Scenario: Nothing of the other color is known to Consul
    When swarm-master runs
      """
      sudo consul-template -consul localhost:8500 -template "/data/nginx/templates/books-service-green-upstream.conf.ctmpl:/data/nginx/upstreams/books-service.conf:docker kill -s HUP nginx" -once
      cat /data/nginx/upstreams/books-service.conf
      """
    Then the output shows server 10.100.199.
    And users were served only 1.0 by blue
    And no request fails

  Scenario: Consul is down during a deployment
    Given the master has its Consul agent stopped for up to 120 seconds
    When Ansible deploys books-service
    Then the deployment is refused with "Consul does not answer at http://localhost:8500"
    And `docker ps -a` shows booksservice_blue_1 Up
    And users were served only 1.0 by blue
    And no request fails

  Scenario: A deployment lost Consul in its cut-over: Consul notes a color that does not serve
    Given swarm-master has run
      """
      curl -X PUT -d green http://localhost:8500/v1/kv/services/books-service/color
      """
    When release 1.1 of books-service is deployed by hand
    Then the deployment is refused with "Consul notes green as live, but blue serves the users"
    When Ansible deploys books-service
    Then Consul says that books-service is green
    And `docker ps -a` shows booksservice_green_1 Up
    And users were served 1.0 by blue, then 1.1 by green
    And no request fails

  Scenario: A playbook that fails is a red build
    Given a release 0.500 of books-service that answers 500
    And the master has the releases of books-service hidden for up to 240 seconds
    When Jenkins deploys books-service
    Then the deployment is refused with "FAILURE"
    And its output says "failed its direct test"
    And users were served only 1.0 by blue
    And no request fails

  Scenario: Two deployments at once
    When two deployments of books-service are started at once
    Then the deployment succeeds
    And Consul says that books-service is blue
    And `docker ps -a` shows booksservice_blue_1 Up
    And `docker ps -a` shows booksservice_green_1 Exited
    And no request fails

  Scenario: A deployment took longer than its lock
    Given the master loses the lock of the next deployment of books-service for up to 120 seconds
    When Ansible deploys books-service
    Then the deployment is refused with "the lock of this deployment could not be renewed"
    And Consul says that books-service is blue
    And `docker ps -a` shows booksservice_blue_1 Up
    And users were served only 1.0 by blue
    And no request fails

  Scenario Outline: A playbook with a wrong <variable>
    When Ansible deploys books-service with -e <words>
    Then the deployment is refused with "<variable>"
    And users were served only 1.0 by blue
    And no request fails

    Examples:
      | variable         | words                          |
      | container_image= | '{"container_image": ""}'      |
      | container_name=  | container_name=no-such-service |
      | http_address=    | http_address=/                 |

  Scenario: The color in Consul is neither blue nor green
    Given swarm-master has run
      """
      curl -X PUT -d purple http://localhost:8500/v1/kv/services/books-service/color
      """
    When Ansible deploys books-service
    Then the deployment is refused with "color=purple"
    And users were served only 1.0 by blue
    And no request fails
