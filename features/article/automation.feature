Feature: Automation with Ansible and Jenkins
  One command, and then no command at all, does what was done by hand before.

  Background:
    Given the lab is at its baseline
    And users ask for /api/v1/books 50 times a second

  @step-3
  Scenario: Ansible deploys the next release
    All that was typed by hand is in one playbook now: it finds out which color is live, starts the other one, tests it on
    its own address, sends users there and stops the old one. It also gives Consul a check of the service, as users see
    it: from now on somebody looks whether it answers.

    When swarm-master runs
      """
      ansible-playbook /vagrant/ansible/books-service.yml -i /vagrant/ansible/hosts/prod
      """
    When swarm-master runs
      """
      curl http://localhost:8500/v1/kv/services/books-service/color?raw
      curl http://10.100.199.200/api/v1/books | jq .
      docker ps -a | grep booksservice
      """
    Then the output shows green and booksservice_green_1
    And `docker ps -a` shows booksservice_green_1 Up
    And `docker ps -a` shows booksservice_blue_1 Exited
    And users get the live color
    And the idle color is stopped
    And Consul checks the service
    And users were served 1.0 by blue, then 1.1 by green
    And no request fails

  @step-4
  Scenario: Jenkins runs the playbook
    The job books-service of Jenkins runs the same playbook on its node cd, so that nobody has to type it. In a browser:
    http://10.100.199.200:8080/, books-service, Build Now. In a terminal the same takes a crumb, without which Jenkins
    takes no post. The build takes some seconds; its console shows the playbook.

    When swarm-master runs
      """
      crumb=$(curl -s http://10.100.199.200:8080/crumbIssuer/api/json | jq -r '.crumbRequestField + ": " + .crumb')
      curl -f -X POST -H "$crumb" http://10.100.199.200:8080/job/books-service/build
      """
    Then Jenkins brought the live color out
    And users get the live color
    And the idle color is stopped
    And Consul's check of books-service passes
    And users were served 1.0 by blue, then 1.1 by green
    And no request fails

  Scenario: Jenkins deploys, and the service's definition is as printed
    When Jenkins deploys books-service
    Then the deployment succeeds
    And its output says "TASK [service : It passes its direct test]"
    And Consul says that books-service is green
    And Consul's check of books-service passes
    When swarm-master runs
      """
      cat /etc/consul.d/service-books-service.json
      cat /etc/consul.d/watchers.json
      cat /data/consul/scripts/redeploy_service.sh
      """
    Then the output shows "id": "api", "http": "http://10.100.199.200/api/v1/books" and is critical
    And no request fails

  Scenario: The same release again
    When Ansible deploys books-service with -e release=1.0
    Then the deployment succeeds
    And Consul says that books-service is green
    And users were served 1.0 by blue, then 1.0 by green
    And no request fails

  Scenario: Five deployments in a row
    When Jenkins deploys books-service
    And Jenkins deploys books-service
    And Jenkins deploys books-service
    And Jenkins deploys books-service
    And Jenkins deploys books-service
    Then the deployment succeeds
    And Consul says that books-service is green
    And no request fails

  Scenario: books-fe goes out by the same role
    When Jenkins deploys books-fe
    Then the deployment succeeds
    When swarm-master runs
      """
      curl -f http://10.100.199.200/
      """
    Then the output shows <title>Books</title>
    And no request fails

  Scenario: Ansible does nothing when all is well
    When swarm-master runs
      """
      ansible-playbook /vagrant/ansible/infra.yml -i /vagrant/ansible/hosts/prod
      ansible-playbook /vagrant/ansible/jenkins.yml -i /vagrant/ansible/hosts/prod
      """
    Then both plays changed nothing
    And no request fails
