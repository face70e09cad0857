Feature: A page shows the lab live
  `lab board`, in a headless Chromium: what breaks is on the page while it is broken, and so is who needs help.

  Background:
    Given the lab is at its baseline
    And the board is open in a browser

  Scenario: A fault, what users feel of it, and its end
    Then the board says steady
    And it shows requests by blue
    When the live color is paused for up to 120 seconds
    Then the board says a fault is open
    And it lists pause among the open faults
    And it shows requests failed
    When the fault is healed
    Then the board says steady
    And it lists no open fault
    And it shows requests by blue
    And it shows no requests failed of the last 10 seconds

  Scenario: An attendee's step, and a deployment by hand
    When a lab reports to the board as Zoë <b>
    Then the board shows Zoë <b> at step 1 of 5, without booksservice_green_1
    When a lab reports to the board as zoë <B>
    Then that report is refused with exit code 2: "somebody else reports"
    When release 1.1 of books-service is deployed by hand
    Then the board shows green live
    And it shows requests by green

  Scenario: It is read on a phone, on a projector, in the dark and by keyboard
    When a lab reports to the board as Ada
    Then the board shows Ada at step 1 of 5, without booksservice_green_1
    And every word of it has a contrast of 4.5 to 1, light and dark
    And it fits widths of 390 and 1920
    And the first key leads past its head
    And nothing on it moves for who wants no motion

  Scenario: The board goes away and comes back
    Then its probe runs
    When the board is killed
    Then its page says "The board does not answer"
    And its probe has ended
    When the board is opened again
    Then its page says nothing of that
    When the board is ended with Ctrl-C
    Then its page says "The board has ended"
