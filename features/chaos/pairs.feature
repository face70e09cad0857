Feature: Two faults at once
  The pair is chosen by the seed: `pytest features/chaos --seed N --pairs 5` repeats it.

  Scenario: Two faults of the seed's choice
    Given the lab is at its baseline
    And the lab is steady
    And users ask for /api/v1/books 20 times a second
    And users write books 5 times a second
    When both faults of the pair are injected for 6 seconds
    Then the lab is steady again within 90 seconds
    And every acknowledged book is still there
    And the longest outage is at most 25 seconds
    And Consul's catalogue equals the running containers
