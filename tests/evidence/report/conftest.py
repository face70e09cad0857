from __future__ import annotations

import pytest

from evidence.report import page
from evidence.report.model import Scenario

DRAWN: dict[tuple[object, ...], str] = {}
draw = page.pictures.timeline


def drawn(scenario: Scenario) -> str:
    """A scenario's picture; one that was drawn before is not drawn again."""
    begin, seconds = scenario.begin, scenario.seconds
    shown = (begin, seconds, scenario.answers, scenario.faults, scenario.builds, scenario.events)
    # By its words, since a damaged fact may be anything and is drawn as it reads.
    key = (scenario.folder, repr(shown))
    if key not in DRAWN:
        DRAWN[key] = draw(scenario)
    return DRAWN[key]


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is around the pictures: equal ones are drawn once."""
    monkeypatch.setattr(page.pictures, "timeline", drawn)
