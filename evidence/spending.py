"""Where the seconds of a run went: in bring-up, in resets, in steps, outside of them; how many in waits.

Pure. Each scenario is counted by its own clock, so scenarios may be played on several labs at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from evidence.entries import BRING_UP, TAKING_DOWN, Entry, LabPhase, ScenarioEnded, StepPhase, Waited

BASELINE = "the lab is at its baseline"  # the phrase of the step that resets a lab
RESETS, STEPS, OUTSIDE, WAITS = "resets", "steps", "outside of steps", "waits"
PARTS = (BRING_UP, RESETS, STEPS, OUTSIDE, TAKING_DOWN, WAITS)  # as they are shown
MOST, LEAST = 12, 0.005  # rows of one part, and the share of the run for a row; what took less is summed
LONGEST = 64  # characters of what took the time
NUMBER = re.compile(r"\b\d+(\.\d+)*\b")
COLUMNS = ("times", "seconds", "each", "waiting", "share")

Span = tuple[float, float]  # begin and end, in seconds of the wall clock
Wait = tuple[str, Span]  # what was waited for, and when


@dataclass(frozen=True)
class Row:
    """One line of the table: what took `seconds` in all, `waited` of them in waits.

    `what` is "" for a whole part. `share` is of the run's seconds, from 0 to 1.
    """

    part: str
    what: str
    times: int
    seconds: float
    waited: float
    share: float

    @property
    def name(self) -> str:
        return self.what or self.part

    @property
    def cells(self) -> tuple[str, ...]:
        """The line's cells below COLUMNS, for a reader."""
        waiting = f"{self.waited:.1f}" if self.waited else "\N{EN DASH}"
        each = f"{self.seconds / self.times:.1f}"
        return str(self.times), f"{self.seconds:.1f}", each, waiting, f"{self.share:.0%}"


@dataclass(frozen=True)
class Spending:
    """Where the time of a run went.

    `seconds` are those of all labs together: of their scenarios, and of bringing them up and taking them down
    where the run did that. `clock` are those from the first begin of any of these to the last end.
    """

    seconds: float
    clock: float
    rows: tuple[Row, ...]


NOTHING = Spending(0.0, 0.0, ())


@dataclass(frozen=True)
class Piece:
    """One reset, step, wait or phase, or what was outside of the steps of one scenario. All in seconds."""

    part: str
    what: str
    seconds: float
    waited: float


def spent(scenarios: Iterable[Sequence[Entry]], labs: Iterable[Sequence[Entry]] = ()) -> Spending:
    """Where the time went, by the entries of each scenario from its begin to its end, or to its last entry.

    `labs` are the whole journals, one a lab, for what they tell of bring-up and of taking down. All parts but
    the waits add up to the run's seconds; waits are in these. A second in which several waits were under way
    counts for the one that ended last. Texts may differ in their numbers.
    """
    told = [(_span(entries), entries) for entries in scenarios]
    phases = [(phase, entries) for entries in labs for phase in entries if isinstance(phase, LabPhase)]
    spans = [*(span for span, _ in told), *(_span_of(phase) for phase, _ in phases)]
    if not spans:
        return NOTHING
    pieces = [piece for span, entries in told for piece in _pieces(entries, span)]
    pieces += [piece for phase, entries in phases for piece in _of_phase(phase, entries)]
    seconds = sum(map(_length, spans))
    clock = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return Spending(round(seconds, 2), round(clock, 2), tuple(_rows(pieces, seconds)))


# --- one phase of a lab -------------------------------------------------------------------------------------


def _span_of(phase: LabPhase) -> Span:
    return phase.at - max(0.0, phase.seconds), phase.at


def _of_phase(phase: LabPhase, lab: Iterable[Entry]) -> Iterator[Piece]:
    """The phase and the waits in it, by all entries of its lab."""
    begin, end = span = _span_of(phase)
    waits = list(_waits((one for one in lab if begin <= one.at <= end), span))
    yield _piece(phase.kind, phase.what, span, waits)
    yield from map(_wait, waits)


# --- one scenario -------------------------------------------------------------------------------------------


def _span(entries: Sequence[Entry]) -> Span:
    begin, last = entries[0].at, entries[-1]
    end = last.at if isinstance(last, ScenarioEnded) else max(entry.at for entry in entries)
    return begin, max(begin, end)


def _pieces(entries: Sequence[Entry], whole: Span) -> Iterator[Piece]:
    waits = list(_waits(entries, whole))
    steps = [_piece(*_part_of(text), _within(whole, span), waits) for text, span in _steps(entries, whole[1])]
    yield from steps
    everything = _piece(OUTSIDE, "", whole, waits)
    yield replace(
        everything,
        seconds=max(0.0, everything.seconds - sum(step.seconds for step in steps)),
        waited=max(0.0, everything.waited - sum(step.waited for step in steps)),
    )
    yield from map(_wait, waits)


def _piece(part: str, what: str, span: Span, waits: Iterable[Wait]) -> Piece:
    return Piece(part, what, _length(span), sum(_length(_within(span, one)) for _, one in waits))


def _wait(wait: Wait) -> Piece:
    what, span = wait
    return Piece(WAITS, _general(what), _length(span), _length(span))


def _waits(entries: Iterable[Entry], whole: Span) -> Iterator[Wait]:
    """What was waited for and when; no moment is in two of them."""
    waits = [one for one in entries if isinstance(one, Waited)]
    until = whole[1]
    for one in sorted(waits, key=lambda one: -one.at):
        begin = one.at - one.seconds
        yield one.what, _within(whole, (begin, min(one.at, until)))
        until = min(until, begin)


def _steps(entries: Iterable[Entry], end: float) -> Iterator[tuple[str, Span]]:
    """The text of each step and when it was; one whose end was not seen lasts until the next begins."""
    under_way: StepPhase | None = None
    for entry in entries:
        if isinstance(entry, StepPhase):
            if under_way is not None:
                yield under_way.text, (under_way.at, entry.at)
            under_way = entry if entry.phase == "begin" else None
    if under_way is not None:
        yield under_way.text, (under_way.at, end)


def _part_of(text: str) -> tuple[str, str]:
    """The part that a step belongs to, and as what; its keyword does not count."""
    phrase = text.partition(" ")[2] or text
    return (RESETS, "") if phrase == BASELINE else (STEPS, _general(phrase))


def _general(text: str) -> str:
    """A text without its numbers, on one line, cut at LONGEST."""
    return NUMBER.sub("…", " ".join(text.split()))[:LONGEST]


def _length(span: Span) -> float:
    return max(0.0, span[1] - span[0])


def _within(whole: Span, span: Span) -> Span:
    return max(whole[0], span[0]), min(whole[1], span[1])


# --- the table ----------------------------------------------------------------------------------------------


def _rows(pieces: Sequence[Piece], whole: float) -> Iterator[Row]:
    """Each part that there was, and below it what took longest in it."""
    for part in PARTS:
        own = [piece for piece in pieces if piece.part == part]
        if own:
            yield _row(part, "", own, whole)
            yield from _longest(part, [piece for piece in own if piece.what], whole)


def _longest(part: str, pieces: Sequence[Piece], whole: float) -> list[Row]:
    by_what: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_what.setdefault(piece.what, []).append(piece)
    rows = [_row(part, what, own, whole) for what, own in by_what.items()]
    rows.sort(key=lambda row: -row.seconds)
    shown = [row for row in rows[:MOST] if row.share >= LEAST]
    rest = [piece for row in rows[len(shown) :] for piece in by_what[row.what]]
    return [*shown, *([_row(part, f"other {part}", rest, whole)] if rest else [])]


def _row(part: str, what: str, pieces: Sequence[Piece], whole: float) -> Row:
    seconds, waited = sum(piece.seconds for piece in pieces), sum(piece.waited for piece in pieces)
    share = seconds / whole if whole else 0.0
    return Row(part, what, len(pieces), round(seconds, 2), round(waited, 2), round(share, 4))
