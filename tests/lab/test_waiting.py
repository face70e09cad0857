from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import waiting
from lab.errors import ConfigError, TimedOut
from lab.waiting import SLOW_HOST, in_words, limit, wait_until


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)


def answers(*given: object) -> Callable[[], object]:
    """A check that gives these one after the other; exceptions are raised."""
    left = list(given)

    def check() -> object:
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return check


def test_the_first_true_answer_is_returned() -> None:
    assert wait_until(answers(None, 0, [], "here"), 5, "it") == "here"


def test_an_exception_counts_as_not_yet() -> None:
    assert wait_until(answers(OSError("refused"), ValueError(), "here"), 5, "it") == "here"


def test_a_check_is_asked_once_even_without_time() -> None:
    assert wait_until(answers("here"), 0, "it") == "here"


@pytest.mark.parametrize(
    ("given", "seen"),
    [(None, "None"), ([], "[]"), (OSError("refused"), "OSError: refused")],
)
def test_a_timeout_carries_what_was_last_seen(given: object, seen: str) -> None:
    with pytest.raises(TimedOut) as caught:
        wait_until(answers(given), 0, "the book", node="n1", try_next="lab status")
    assert str(caught.value) == (
        f"n1: waited 0 s for the book\n  last seen: {seen}\n  try next:  lab status; {SLOW_HOST}"
    )


def test_a_timeout_carries_the_evidence_asked_once() -> None:
    asked: list[str] = []

    def evidence() -> str:
        asked.append("asked")
        return "its last log lines"

    with pytest.raises(TimedOut) as caught:
        wait_until(answers(*[None] * 100_000), 0.01, "it", evidence=evidence)
    assert caught.value.last_seen == "None\nits last log lines"
    assert asked == ["asked"]


def test_evidence_that_cannot_be_had_does_not_hide_the_timeout() -> None:
    def evidence() -> str:
        raise OSError("connection broke")

    with pytest.raises(TimedOut) as caught:
        wait_until(answers(None), 0, "it", evidence=evidence)
    assert caught.value.last_seen == "None\nno evidence: connection broke"


def test_an_interrupt_is_not_taken_for_not_yet() -> None:
    with pytest.raises(KeyboardInterrupt):
        wait_until(answers(KeyboardInterrupt()), 5, "it")


# --- slow hosts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "factor"), [("1", 1), ("3", 3), ("2.5", 2.5), ("100", 100), ("", 1)])
def test_every_limit_is_stretched_by_one_factor(
    said: str, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", said)
    assert (waiting.patience(), waiting.stretched(10)) == (factor, 10 * factor)
    assert float(limit(4)) == 4 * factor
    assert waiting.slowed(60) * factor == pytest.approx(60)


# Numbers here, and others or none to lab/host.sh and to the Vagrantfile.
OF_PYTHON_ALONE = ["\uff13", "1_0", "+3", "3\n", " 3", "1e1"]


@pytest.mark.parametrize(
    "said", ["0", "0.5", "-1", "101", "three", "nan", "inf", "1e9", " ", *OF_PYTHON_ALONE]
)
def test_a_factor_that_makes_no_sense_is_refused_with_what_would(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", said)
    with pytest.raises(ConfigError, match="LAB_PATIENCE is") as caught:
        waiting.patience()
    assert caught.value.try_next == "a number from 1 to 100, such as LAB_PATIENCE=3"


def test_without_patience_a_limit_is_the_word_that_it_always_was() -> None:
    assert (limit(4), limit(0.5), in_words(9)) == ("4", "0.5", "9 s")


def test_a_stretched_limit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PATIENCE", "3")
    assert in_words(9) == "27 s (9 s, stretched by LAB_PATIENCE)"


class Clock:
    """Both clocks of waiting: each look at one of them and each pause take a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(waiting.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(waiting.time, "time", lambda: self.now)
        monkeypatch.setattr(waiting.time, "sleep", self.sleep)

    def sleep(self, _: float) -> None:
        self.now += 1


@pytest.mark.parametrize(("factor", "ago", "waited"), [("1", 0, 10), ("3", 0, 30), ("1", 4, 6), ("3", 4, 26)])
def test_a_time_out_comes_when_the_stretched_time_since_its_beginning_is_over(
    factor: str, ago: float, waited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", factor)
    clock = Clock(monkeypatch)
    with pytest.raises(TimedOut, match=f"waited {10 * int(factor)} s .*for it"):
        wait_until(lambda: False, 10, "it", since=clock.now - ago)
    assert clock.now == 1000 + waited


@pytest.mark.parametrize("result", [[], None, 0, "x"])
def test_a_call_is_tried_again_until_it_does_not_raise_whatever_it_returns(
    result: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    answers = iter([ValueError("not yet"), result])

    def call() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert waiting.retry(call, 5, "an answer") == result


# --- who is told --------------------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """What the observer was told, by a clock on which each pause is a second."""
    Clock(monkeypatch)
    heard: list[tuple[str, float]] = []
    monkeypatch.setattr(waiting, "observer", lambda what, seconds: heard.append((what, seconds)))
    return heard


def test_the_end_of_a_wait_is_told_with_its_seconds(told: list[tuple[str, float]]) -> None:
    wait_until(answers(None, None, "here"), 5, "it")
    assert told == [("it", 2.0)]


def test_a_wait_that_timed_out_is_told_too(told: list[tuple[str, float]]) -> None:
    with pytest.raises(TimedOut):
        wait_until(lambda: None, 5, "it")
    assert told == [("it", 5.0)]


def test_a_wait_that_was_interrupted_is_told_too(told: list[tuple[str, float]]) -> None:
    with pytest.raises(KeyboardInterrupt):
        wait_until(answers(None, KeyboardInterrupt()), 5, "it")
    assert told == [("it", 1.0)]


@pytest.mark.parametrize(
    ("patience", "took", "pause"),
    [(1, 0.0, 0.2), (1, 0.1, 0.2), (1, 0.7, 0.7), (1, 5.0, 1.0), (3, 0.1, 0.2), (3, 2.0, 2.0), (3, 5.0, 3.0)],
)
def test_a_check_pauses_as_long_as_it_took_and_not_for_ever(
    patience: int, took: float, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(waiting.PATIENCE, str(patience))
    monkeypatch.setattr(waiting, "PAUSE", 0.2)
    clock = Clock(monkeypatch)
    paused: list[float] = []
    monkeypatch.setattr(waiting.time, "sleep", paused.append)
    given = answers(None, "here")

    def check() -> object:
        clock.now += took
        return given()

    wait_until(check, 60, "it")
    assert paused == [pytest.approx(pause)]
