from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import waiting
from lab.errors import TimedOut
from lab.waiting import wait_until


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
    assert str(caught.value) == (f"n1: waited 0 s for the book\n  last seen: {seen}\n  try next:  lab status")


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
