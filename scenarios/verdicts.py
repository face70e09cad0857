"""What a list of answers says: pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.probe import Answer


def failures(answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.failed]


def longest_outage(answers: Sequence[Answer]) -> float:
    """Seconds from the first failed request of the longest failed run to the next success.

    A run that lasts to the end counts up to its last request's end.
    """
    longest = 0.0
    began: float | None = None
    for answer in answers:
        if answer.failed:
            began = answer.planned if began is None else began
            longest = max(longest, answer.finished - began)
        elif began is not None:
            longest = max(longest, answer.planned - began)
            began = None
    return longest


def turns(answers: Sequence[Answer]) -> list[tuple[str, str]]:
    """The (release, color) pairs that answered, in order, each run once."""
    seen: list[tuple[str, str]] = []
    for answer in answers:
        who = (answer.release, answer.color)
        if not answer.failed and (not seen or seen[-1] != who):
            seen.append(who)
    return seen


def says(answers: Sequence[Answer]) -> str:
    """One line for a person: how many asked, failed, and the longest outage."""
    bad = failures(answers)
    kinds = ", ".join(sorted({answer.error or "" for answer in bad}))
    tail = f" ({kinds}), longest outage {longest_outage(answers):.2f} s" if bad else ""
    return f"{len(answers)} requests, {len(bad)} failed{tail}"
