from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence.answers import Answer
from evidence.entries import of
from evidence.runs import Run
from lab import config, environment, waiting
from lab.errors import TimedOut
from scenarios.steps import verdicts as phrases
from scenarios.steps.world import Story

LAB = config.load(config.LAB_FILE)
SERVICE = LAB.main_service.name


def answer(at: float, error: str | None = None, color: str = "blue") -> Answer:
    return Answer(at, at, at + 0.01, None, "1.0", color, "n1", error, "fail" if error else "ok")


FINE = [answer(n) for n in range(100)]
BROKEN = [*FINE[:50], answer(50, "refused"), answer(51, "refused"), *FINE[52:]]


class FakeProbe:
    """A probe whose answers come one a look; it also writes."""

    def __init__(self, answers: list[Answer], grows: bool = True) -> None:
        self._left, self._told, self._grows = list(answers), list(answers[:1]), grows

    @property
    def answers(self) -> list[Answer]:
        if self._grows:
            self._told = self._left[: len(self._told) + 10]
        return self._told

    def stop(self) -> list[Answer]:
        return self._left


class FakeWriter:
    def __init__(self, acknowledged: set[str], present: set[str]) -> None:
        self.acknowledged, self._present, self.stopped = acknowledged, present, False

    def present(self) -> set[str]:
        return self._present

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def told() -> dict[str, object]:
    return {}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)


def story(answers: list[Answer] | None = None, writer: FakeWriter | None = None) -> Story:
    probe: Any = FakeProbe(answers) if answers is not None else None
    written: Any = writer
    return Story(probe=probe, writer=written)


def test_no_request_fails() -> None:
    phrases.no_request_fails(story(FINE))
    with pytest.raises(AssertionError, match="2 failed"):
        phrases.no_request_fails(story(BROKEN))


@pytest.mark.parametrize(("limit", "holds"), [(2, True), (1, False)])
def test_at_most_so_many_requests_fail(limit: int, holds: bool) -> None:
    if holds:
        phrases.few_requests_fail(story(BROKEN), limit)
    else:
        with pytest.raises(AssertionError, match="2 failed"):
            phrases.few_requests_fail(story(BROKEN), limit)


@pytest.mark.parametrize(("limit", "holds"), [(2.0, True), (1.9, False)])
def test_the_longest_outage_has_a_limit(limit: float, holds: bool) -> None:
    if holds:
        phrases.outage_is_short(story(BROKEN), limit)
    else:
        with pytest.raises(AssertionError, match=r"longest outage 2\.00 s"):
            phrases.outage_is_short(story(BROKEN), limit)


def test_without_users_nothing_can_be_told(told: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="no users were asking"):
        phrases.no_request_fails(story())
    with pytest.raises(AssertionError, match="no users were writing"):
        phrases.books_are_there(story(), told.__setitem__)


def test_answers_must_come_after_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    silent: Any = FakeProbe(FINE, grows=False)
    monkeypatch.setattr(phrases, "FELT_WITHIN", 0.05)
    with pytest.raises(TimedOut, match="answers after the last step"):
        phrases.settled(Story(probe=silent))


def test_every_acknowledged_book_must_be_listed(told: dict[str, object]) -> None:
    phrases.books_are_there(story(writer=FakeWriter({"a", "b"}, {"a", "b", "c"})), told.__setitem__)
    assert told == {"acknowledged": 2, "lost": 0}
    with pytest.raises(AssertionError, match=r"1 of 2 acknowledged books are gone, such as \['b'\]"):
        phrases.books_are_there(story(writer=FakeWriter({"a", "b"}, {"a"})), told.__setitem__)


def test_no_acknowledged_book_is_no_pass(told: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="nothing can be told"):
        phrases.books_are_there(story(writer=FakeWriter(set(), set())), told.__setitem__)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(environment, "STATE", tmp_path)
    begun = Run(LAB, "pytest", None, tmp_path / "runs")
    begun.begin("First")
    return begun


def test_users_were_never_served_by_a_stale_color(run: Run) -> None:
    with pytest.raises(AssertionError, match="never seen"):
        phrases.never_stale(LAB, story(FINE), run)
    run.journal.add(of("consul", 0, **{"color_of": SERVICE, "now": "blue"}))
    phrases.never_stale(LAB, story(FINE), run)
    with pytest.raises(AssertionError, match="1 answers of a color"):
        phrases.never_stale(LAB, story([*FINE, answer(100, color="green")]), run)


def test_consuls_checks_do_not_flap(run: Run) -> None:
    facts = {"node": "m", "check": "api"}
    run.journal.add(of("consul", **facts, was="passing", now="critical"))
    phrases.no_flapping(run)
    run.journal.add(of("consul", **facts, was="critical", now="passing"))
    run.journal.add(of("consul", **facts, was="passing", now="critical"))
    with pytest.raises(AssertionError, match="more than once"):
        phrases.no_flapping(run)


def test_served_in_turn() -> None:
    answers = [*FINE[:50], *[answer(n, color="green") for n in range(50, 100)]]
    phrases.served_in_turn(story(answers), "1.0 by blue", "1.0 by green")
    with pytest.raises(AssertionError):
        phrases.served_only(story(answers), "1.0 by blue")
    phrases.served_only(story(FINE), "1.0 by blue")


def test_a_step_that_fails_says_what_it_saw() -> None:
    with pytest.raises(AssertionError, match=r"(?s)1\.0 by blue.*1\.1 by green"):
        phrases.served_only(story(FINE), "1.1 by green")


@pytest.mark.parametrize(("factor", "passes"), [("1", False), ("3", True)])
def test_an_outage_may_be_longer_on_a_slow_host(
    factor: str, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", factor)
    seen = story(BROKEN)
    if passes:
        phrases.outage_is_short(seen, 1)
    else:
        with pytest.raises(AssertionError, match="at most 1 s"):
            phrases.outage_is_short(seen, 1)


def test_a_stretched_limit_is_told_with_its_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", "3")
    with pytest.raises(AssertionError, match=r"at most 0\.3 s \(0\.1 s, stretched by LAB_PATIENCE\)"):
        phrases.outage_is_short(story(BROKEN), 0.1)
