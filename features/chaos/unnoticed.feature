Feature: What breaks without any user noticing
  Nothing of these is in the way of a request, so no request fails; afterwards all of it is back.

  Background:
    Given the lab is at its baseline
    And the lab is steady
    And users ask for /api/v1/books 20 times a second

  Scenario Outline: <component>: <fault>
    When <fault> for 4 seconds
    Then the lab is steady again within 60 seconds
    And no request fails
    And Consul's catalogue equals the running containers

    Examples:
      | component      | fault                                              |
      | Consul server  | the master has its Consul agent stopped            |
      | Consul server  | the master has its Consul agent killed             |
      | Consul client  | the node of the live color has its Consul agent stopped |
      | Registrator    | all but the master have their Registrator stopped  |
      | Registrator    | registrator on swarm-node-01 is killed             |
      | Registrator    | registrator on swarm-node-02 is paused             |
      | Swarm manager  | the Swarm manager is stopped                       |
      | Swarm manager  | the Swarm manager is paused                        |
      | Swarm join     | swarm-node on swarm-node-01 is killed              |
      | Swarm join     | swarm-node on swarm-node-03 is paused              |
      | Jenkins        | Jenkins is killed                                  |
      | Jenkins        | Jenkins is paused                                  |
      | a node         | a spare node loses power                           |
      | a node         | a spare node is halted                             |
      | a node         | a spare node freezes                               |
      | a node         | a spare node is isolated                           |
      | a node         | a spare node loses 50 % of its packets             |
      | a node         | a spare node is refused by DNS                     |
      | a node         | a spare node has 256 MiB of memory taken           |
      | Docker daemon  | a spare node has its Docker daemon stopped         |
      | Docker daemon  | a spare node has its Docker daemon killed          |

  Scenario Outline: The idle color, running beside the live one: <fault>
    Given the idle color runs beside the live one
    When the idle color <fault> for 4 seconds
    Then the lab is steady again within 30 seconds
    And no request fails
    And users were served only 1.0 by blue
    And Consul's catalogue equals the running containers

    Examples:
      | fault      |
      | is stopped |
      | is killed  |
      | is removed |

  Scenario: The idle color, running beside the live one, is paused
    Given the idle color runs beside the live one
    When the idle color is paused for 4 seconds
    Then the lab is steady again within 30 seconds
    And no request fails
    And users were served only 1.0 by blue
