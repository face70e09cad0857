"""The article, played in its order."""

from pytest_bdd import scenarios

scenarios(
    "blue_green.feature",
    "automation.feature",
    "self_healing.feature",
    "unhappy.feature",
    "browser.feature",
)
