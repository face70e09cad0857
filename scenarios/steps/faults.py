"""Faults as phrases: one a kind, `TARGET PHRASE for 10 seconds` or `... for up to 60 seconds`.

"for N seconds" ends when the fault was healed and looked at again. With "up to" the scenario goes on while
the fault lasts. Whatever happens, the scenario's faults are healed at its end.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from pytest_bdd import given, parsers, then, when

from deployments import by_hand
from evidence import measures
from faults import FAULTS, Fault, Harness, Injected, made
from faults.harness import Plan, hold
from faults.leftovers import leftovers
from lab import named
from lab.clients.consul import ConsulClient
from lab.errors import CheckFailed, ConfigError
from lab.model import Lab, other
from lab.shell import Shell
from scenarios import addresses
from scenarios.steady import unsteady, wait_steady
from scenarios.steps.verdicts import settled
from scenarios.steps.world import Story

Step = Callable[..., None]


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Of this scenario alone: the same seed repeats it, whatever ran before."""
    return random.Random(f"{request.config.getoption('--seed')} {request.node.nodeid}")


@pytest.fixture
def times(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--times"))


class ScenarioFaults:
    """The faults of one scenario; the newest is the one that "the fault" means."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.begun: list[Injected] = []

    def inject(self, fault: Fault, target: str, seconds: float) -> Injected:
        return self.begin(self.harness.plan(fault, target, seconds))

    def begin(self, planned: Plan) -> Injected:
        injected = self.harness.begin(planned)
        self.begun.append(injected)
        print(f"{injected.name} {injected.id} on {', '.join(injected.on)}")
        return injected

    def heal(self) -> None:
        """Every fault of the scenario, the newest first. Raises CheckFailed when one is not seen healed."""
        self._heal(self.begun)

    def heal_first(self) -> None:
        """The oldest fault alone. Raises CheckFailed when it is not seen healed."""
        self._heal(self.begun[:1])

    def _heal(self, faults: Sequence[Injected]) -> None:
        healed = self.harness.heal_these([fault.id for fault in faults])
        left = [f"{one.name} {one.id}: {one.phase} {one.detail}" for one in healed if one.is_open]
        if left:
            raise CheckFailed(
                "faults are not seen healed", last_seen="\n".join(left), try_next=named.command("fault heal")
            )


@pytest.fixture
def faults(lab: Lab, shells: Mapping[str, Shell], chance: random.Random) -> Iterator[ScenarioFaults]:
    scenario = ScenarioFaults(Harness(lab, shells, chance=chance))
    yield scenario
    scenario.heal()


def phrase(kind: type[Fault]) -> str:
    """The regex of a kind's steps."""
    return rf"(?P<target>.+?) (?P<what>{kind.phrase}) for (?P<up_to>up to )?(?P<seconds>\d+) seconds"


def fault_of(kind: type[Fault], what: str) -> Fault:
    """The fault that a phrase means, with the settings it names."""
    found = re.fullmatch(kind.phrase, what)
    assert found is not None, f"{what!r} is no phrase of {kind.name}"
    return made(kind.name, **{key: word for key, word in found.groupdict().items() if word is not None})


def step(kind: type[Fault]) -> Step:
    def break_it(
        faults: ScenarioFaults, story: Story, *, target: str, what: str, up_to: str | None, seconds: str
    ) -> None:
        injected = faults.inject(fault_of(kind, what), target, float(seconds))
        story.fault_at, story.victim = injected.at, injected.on[0]
        if not up_to:
            hold(injected)
            faults.heal()

    return break_it


for _kind in FAULTS.values():
    given(parsers.re(phrase(_kind)))(when(parsers.re(phrase(_kind)))(step(_kind)))


def meant(text: str) -> tuple[Fault, str]:
    """The fault and the target of a phrase without its seconds. Raises ConfigError for no known phrase."""
    for kind in FAULTS.values():
        found = re.fullmatch(phrase(kind), f"{text} for 1 seconds")
        if found:
            return fault_of(kind, found["what"]), found["target"]
    raise ConfigError(f'no fault has the phrase "{text}"', try_next="docs/faults.md")


@when(parsers.parse("both faults of the pair are injected for {seconds:d} seconds"))
def both(faults: ScenarioFaults, story: Story, pair: tuple[str, str], seconds: int) -> None:
    # Both are planned before the first: its target may be where the second would be looked for.
    phrases = [addresses.of_lab(text, faults.harness.lab) for text in pair]
    planned = [faults.harness.plan(*meant(text), seconds) for text in phrases]
    begun = [faults.begin(one) for one in planned]
    story.fault_at, story.victim = begun[0].at, " and ".join(one.on[0] for one in begun)
    hold(begun[-1])
    faults.heal()


@when("the first fault is healed")
def heal_first(faults: ScenarioFaults) -> None:
    faults.heal_first()


@when("the fault is healed")
@when("every fault is healed")
def heal_all(faults: ScenarioFaults) -> None:
    faults.heal()


@given("the lab is steady")
def steady(lab: Lab, shells: Mapping[str, Shell], faults: ScenarioFaults) -> None:
    """The scenario does not begin unless the steady state holds."""
    wrong = unsteady(lab, shells, faults.harness)
    if wrong:
        raise CheckFailed(
            "the lab is not steady, so the scenario does not begin",
            last_seen="\n".join(wrong),
            try_next=named.command("up"),
        )


@then(parsers.parse("the lab is steady again within {limit:d} seconds"))
def steady_again(lab: Lab, shells: Mapping[str, Shell], faults: ScenarioFaults, limit: int) -> None:
    begun = time.monotonic()
    wait_steady(lab, shells, faults.harness, limit)
    print(f"steady again after {time.monotonic() - begun:.1f} s")


@then("nothing of a fault is left")
def nothing_left(shells: Mapping[str, Shell]) -> None:
    assert leftovers(shells) == []


@then(parsers.parse("users are not served for at least {least:g} seconds"))
def outage_is_long(story: Story, least: float) -> None:
    """A known limit, stated as it is: were it overcome, this would tell."""
    answers = settled(story)
    assert measures.longest_outage(answers) >= least, measures.says(answers)


@given("the idle color runs beside the live one")
def idle_runs(lab: Lab, master: Shell) -> None:
    service = lab.main_service
    live = ConsulClient(lab).live_color(service)
    idle = other(live)
    by_hand.start_anew(master, service, idle)
    by_hand.direct_test(master, service, idle)
