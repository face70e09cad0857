"""What happened in a scenario, told to a learner: slides, a time line, and one line to remember. Pure.

All of it is from the run's journal and records; every number is the report's own. What they do not say was
not seen, and is told so. That one thing came after another is told; that it came of it, only where the lab
was seen to act before users were served again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evidence import measures
from evidence.entries import ProbeBegan
from evidence.measures import FaultWindow
from evidence.report import model, moments, page, pictures
from evidence.report.model import Build, Report, Scenario
from evidence.report.moments import CONSUL, FAULT, SWARM, Clock, Moment, Span
from lab.errors import ConfigError, nearest, shown

Fact = tuple[str, str]  # what it is, and how much or which
NOT_SEEN = "not seen"
MOST_BARS = 90
CHECKS_ARE = "Consul asks again and again whether each service answers. A check that fails is critical."
COLORS_ARE = "A service has two places, blue and green. Users are sent to the live one; the other is idle."
BUILDS_DO = "A build deploys with Ansible: to the idle color, and when that answers, users are sent there."


@dataclass(frozen=True)
class Slide:
    """One sentence under a title, and what it rests on; `about` explains what may be new to a learner."""

    title: str
    says: str
    facts: tuple[Fact, ...] = ()
    moments: tuple[Moment, ...] = ()
    about: str = ""


@dataclass(frozen=True)
class Bar:
    """The requests due in `seconds` seconds from `at` on, by the story's clock."""

    at: float
    seconds: int
    requests: int
    failed: int


@dataclass(frozen=True)
class Story:
    """A scenario as a story. `zero` says what the clock's 0 is; the clock is shown from `begin` to `end`."""

    name: str
    feature: str
    verdict: str
    error: str
    zero: str
    begin: float
    end: float
    before: Slide
    broken: Slide
    felt: Slide
    noticed: Slide
    mended: Slide
    moments: tuple[Moment, ...]
    spans: tuple[Span, ...]
    bars: tuple[Bar, ...]
    line: str


def stories(report: Report, wanted: str | None = None) -> list[Story]:
    """A story a scenario; only of those with `wanted` in their name. Raises ConfigError when none has it."""
    names = sorted({one.name for one in report.scenarios})
    chosen = [one for one in report.scenarios if wanted is None or wanted.lower() in one.name.lower()]
    if wanted is not None and not chosen:
        raise ConfigError(
            f"run {report.name} has no scenario with {shown(wanted)} in its name{nearest(wanted, names)}",
            try_next="lab report --story, which tells every scenario",
        )
    return [tell(one, report.facts["service"]) for one in chosen]


def tell(scenario: Scenario, service: str) -> Story:
    """The story of a scenario; `service` is the one whose releases the lab deploys."""
    clock = Clock(scenario)
    noticed, changed = moments.seen(clock)
    line = sorted((*moments.own(clock), *noticed, *changed), key=lambda one: one.at)
    begin, end = (moment - clock.zero for moment in pictures.span(scenario))
    return Story(
        name=scenario.name,
        feature=scenario.feature,
        verdict=scenario.verdict,
        error=scenario.error,
        zero="the fault" if clock.faults else "the first request" if scenario.answers else "the beginning",
        begin=begin,
        end=max(end, *(one.at for one in line), 0.0),
        before=_before(clock, service),
        broken=_broken(clock) if clock.faults else _done(clock),
        felt=Slide("What users felt", _feeling(clock), tuple(_facts_felt(clock))),
        noticed=Slide("Who noticed", _notice(clock, noticed), (), tuple(noticed), CHECKS_ARE),
        mended=_mended(clock, changed, service),
        moments=tuple(line),
        spans=tuple(moments.spans(clock)),
        bars=tuple(bars(scenario, clock.zero)),
        line=_line(clock),
    )


def bars(scenario: Scenario, zero: float) -> Iterator[Bar]:
    """The requests of the report's seconds, as many together as give MOST_BARS bars at most."""
    rows = model.by_second(scenario.answers)
    if not rows:
        return
    begin = rows[0]["at"]
    width = (rows[-1]["at"] - begin) // MOST_BARS + 1
    parts: dict[int, list[dict[str, int]]] = {}
    for row in rows:
        parts.setdefault((row["at"] - begin) // width, []).append(row)
    for place, part in parts.items():
        requests, failed = (sum(row[key] for row in part) for key in ("requests", "failed"))
        yield Bar(begin + place * width - zero, width, requests, failed)


def _cell(clock: Clock, key: str) -> str:
    """A number as the report's page shows it."""
    return page.number(clock.scenario, key) if key in clock.scenario.judged else NOT_SEEN


def _title(words: str) -> str:
    return words[:1].upper() + words[1:]


# --- before -------------------------------------------------------------------------------------------------


def _before(clock: Clock, service: str) -> Slide:
    live = clock.live_before
    says = f"{_title(live)} was live." if live else "Which color was live was not seen."
    facts = (("service", service or NOT_SEEN), *_facts_before(clock))
    return Slide("Before", says, facts, about=COLORS_ARE)


def _facts_before(clock: Clock) -> Iterator[Fact]:
    probes = [one for one in clock.scenario.entries if isinstance(one, ProbeBegan)]
    asked = [f"for {one.path or 'an unknown path'}, {one.rate:g} times a second" for one in probes]
    yield "users asked", " and ".join(asked) or NOT_SEEN
    answers = [one for one in clock.scenario.answers if not clock.faults or one.planned < clock.zero]
    turns = measures.turns(answers)
    served = turns[-1] if turns and clock.faults else turns[0] if turns else None
    yield "they were served", who(*served) if served else NOT_SEEN
    nodes = {one.node for one in answers if not one.failed and (one.release, one.color) == served}
    if any(nodes):
        yield "from", ", ".join(sorted(nodes - {""}))


def who(release: str, color: str) -> str:
    """Who answered, in words."""
    name = f"release {release}" if release else "an unknown release"
    return f"{name} on {color}" if color else name


# --- what was broken ----------------------------------------------------------------------------------------


def _broken(clock: Clock) -> Slide:
    first, *others = clock.faults
    more = [Moment(one.begin - clock.zero, FAULT, clock.broken(one), "bad") for one in others]
    about = "These came after it, in the same scenario." if more else ""
    says = f"{_title(clock.broken(first))}."
    return Slide("What was broken", says, tuple(_facts_of_fault(first)), tuple(more), about)


def _facts_of_fault(fault: FaultWindow) -> Iterator[Fact]:
    yield "kind of fault", fault.name or NOT_SEEN
    yield "where", fault.target or NOT_SEEN
    yield "when", f"{page.clock(fault.begin)}, which is second 0 of this story"
    if fault.planned_end is not None:
        yield "ends by itself", f"after {fault.planned_end - fault.begin:.0f} s at the latest"
    lasted = f"after {fault.end - fault.begin:.1f} s" if fault.end is not None else NOT_SEEN
    yield "undone by those who made it", lasted


def _done(clock: Clock) -> Slide:
    done = clock.done()
    about = "This is what the scenario did." if done else "What the scenario did was not seen."
    return Slide("What was broken", "Nothing was broken on purpose.", (), tuple(done), about)


# --- what users felt ----------------------------------------------------------------------------------------


def _feeling(clock: Clock) -> str:
    requests, failed = clock.number("requests"), clock.number("failed")
    if not requests:
        return "What users felt was not seen: nobody asked."
    if failed is None:
        return "Whether requests failed was not seen."
    return f"{failed or 'None'} of {requests} requests failed."


def _facts_felt(clock: Clock) -> Iterator[Fact]:
    if not clock.asked:
        return
    longest = _cell(clock, "longest_outage") if clock.number("failed") else "none"
    yield "longest time without a good answer", longest
    if clock.faults:
        first, again = (_cell(clock, key) for key in ("first_failure_after", "recovered_after"))
        yield "first failure after the fault", first if clock.hurt else "none"
        yield "served again after the fault", again if clock.hurt else "served all the time"
    for phase in clock.scenario.judged["phases"]:
        if phase["requests"] and phase["max"] is not None:
            yield _slowest(str(phase["phase"])), page.seconds(phase["max"])
    if clock.number("unknown"):
        yield "failed, but perhaps done all the same", _cell(clock, "unknown")
    if clock.number("stale"):
        yield "answers of a color that was not live", _cell(clock, "stale")


def _slowest(phase: str) -> str:
    words = {"before": " before the fault", "during": " during the fault", "after": " after it"}
    return f"slowest request{words.get(phase, '')}"


# --- who noticed, who mended --------------------------------------------------------------------------------


def _notice(clock: Clock, noticed: Sequence[Moment]) -> str:
    if not clock.faults:
        return "Something was noticed that nobody broke." if noticed else "Nobody had to notice anything."
    if clock.number("detected_after") is not None:
        return f"Consul noticed {_cell(clock, 'detected_after')} after the fault."
    others = sorted({one.who for one in noticed} - {CONSUL})
    if not others:
        return "Nobody was seen to notice."
    return f"{' and '.join(others)} noticed. Consul was not seen to."


def _mended(clock: Clock, changed: Sequence[Moment], service: str) -> Slide:
    # Each container stands on the time line: here is who acted.
    acts = [one for one in changed if one.who != SWARM]
    facts: list[Fact] = [("live now", clock.live_now or NOT_SEEN)]
    if clock.faults:
        facts.append(("everything runs again after", _cell(clock, "redundant_after")))
    about = BUILDS_DO if any(build.job == service for build in clock.builds) else ""
    listed = sorted((*acts, *moments.undone(clock)), key=lambda one: one.at)
    return Slide("Who mended", _mending(clock), tuple(facts), tuple(listed), about)


def _mending(clock: Clock) -> str:
    if not clock.faults and not clock.hurt:
        return "Nothing had to be mended." if clock.asked else "Nothing was seen that had to be mended."
    if clock.asked and not clock.hurt:
        return "Nothing had to be mended for users."
    acted = helped(clock)
    if acted:
        return f"{acted}.{' By then a fault was being undone.' if undone_by_then(clock) else ''}"
    if clock.faults and clock.asked and clock.served_again is None:
        return "It was not seen that users were served again."
    if undone_by_then(clock):
        return "Nobody in the lab was seen to mend it. Those who made the fault undid it."
    return "Who mended it was not seen."


def helped(clock: Clock) -> str:
    """Who acted between the fault and users being served again; nothing when nobody was seen to."""
    until = clock.served_again
    if until is None:
        return ""
    builds = [build for build in clock.builds if build.begin - clock.zero <= until]
    colors = [color for at, color in clock.colors if at - clock.zero <= until]
    several = len({build.job for build in builds}) > 1
    told = [_build(build, several) for build in builds]
    words = [f"Jenkins ran {' and '.join(told)}"] if told else []
    words += [f"{colors[-1]} became live"] if colors else []
    return _title(", and ".join(words))


def _build(build: Build, named: bool) -> str:
    ended = {"SUCCESS": "succeeded", "FAILURE": "failed"}.get(build.result, build.result)
    name = f"build {build.number}" + (f" of {build.job}" if named else "")
    return f"{name} ({ended if build.end is not None else 'its end was not seen'})"


def undone_by_then(clock: Clock) -> bool:
    """Whether a fault was undone, or about to be, when users were served again."""
    until = clock.served_again
    return until is not None and any(clock.undone_from(fault) <= until for fault in clock.faults)


# --- one line to remember -----------------------------------------------------------------------------------


def _line(clock: Clock) -> str:
    verdict = clock.scenario.verdict
    if verdict == model.CUT:
        return "The run ended in the middle of this: how it would have gone on is not known."
    if verdict == "failed":
        return _not_kept(clock)
    line = _after_a_fault(clock) if clock.faults else _without_a_fault(clock)
    return line + (" That is a known limit of the design." if verdict == "known limit" else "")


def _not_kept(clock: Clock) -> str:
    step = next((one.text for one in clock.scenario.steps if one.outcome == "failed"), "")
    held = f" This did not hold: {moments.sentence(step)}." if step else ""
    return f"It did not go as promised.{held}"


def _after_a_fault(clock: Clock) -> str:
    several = len(clock.faults) > 1
    broke = f"{len(clock.faults)} things were broken" if several else _title(clock.broken(clock.faults[0]))
    if not clock.asked:
        return f"{broke}. What users felt was not seen."
    if not clock.hurt:
        return f"{broke}, and no user felt it."
    if clock.served_again is None:
        return f"{broke}, and users were not seen to be served again."
    again = f"users were served again after {_cell(clock, 'recovered_after')}"
    if undone_by_then(clock):
        return f"{broke}, and {again}: by then {'a' if several else 'the'} fault was being undone."
    if helped(clock):
        return f"{broke}, and the lab mended it by itself: {again}."
    return f"{broke}, and {again}. Who mended it was not seen."


def _without_a_fault(clock: Clock) -> str:
    moved = _moved(clock)
    if not clock.asked:
        return f"{moved}. What users felt was not seen."
    failed = f"{clock.number('failed')} requests" if clock.hurt else "no request"
    return f"{moved}, and {failed} failed."


def _moved(clock: Clock) -> str:
    """From where to where users went, or that they stayed."""
    turns = [one for one in measures.turns(clock.scenario.answers) if any(one)]
    if len({color for _, color in turns}) > 1:
        return f"Users went from {who(*turns[0])} to {who(*turns[-1])}"
    stayed = clock.live_before and not clock.colors
    return f"{_title(clock.live_before)} stayed live" if stayed else "Nothing was broken on purpose"
