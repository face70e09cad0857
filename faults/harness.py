"""Injects faults and ends them. Every step is in the journal before it is taken.

inject: look, resolve, refuse, write ahead, arm the timers, break. heal: undo, look again, disarm.
Whatever goes wrong in an injection is undone at once.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from deployments import baseline
from evidence import journal
from evidence.entries import Entry, FaultPhase
from evidence.journal import Journal
from faults import history, timer
from faults.fault import Action, Fault, Site
from faults.history import Injected
from faults.host import HostShell, known
from faults.leftovers import LEFTOVERS
from faults.targets import Found, Snapshot, look
from lab import machines, named
from lab.alone import alone
from lab.errors import CheckFailed, ConfigError, LabError
from lab.model import Lab
from lab.shell import Shell, SshShell
from lab.waiting import stretched, wait_until

T = TypeVar("T")
DEFAULT_SECONDS = 30.0
MOST_SECONDS = 600.0
AFTER = 5.0
GRACE = 5.0  # from a fault's planned end to its deadline, when the timer ends it
SCRIPT_TIMEOUT = 60.0
BOOT_TIMEOUT = 60.0


@dataclass(frozen=True)
class Plan:
    """A fault that is ready to go: what it means now and every script of it."""

    id: str
    lab: Lab
    fault: Fault
    found: Found
    sites: tuple[Site, ...]
    seconds: float

    @property
    def actions(self) -> list[Action]:
        return [action for site in self.sites for action in self.fault.actions(site)]

    def script(self, action: Action) -> str:
        """What runs in one place, the timer included."""
        if action.place is None or not action.timed:
            return action.inject
        # What is undone last is given the time to be undone before.
        return timer.armed(
            self.lab, self.id, action, self.seconds + grace() + (stretched(AFTER) if action.last else 0)
        )


def grace() -> float:
    return stretched(GRACE)


def new_id() -> str:
    """Eight digits of which the first four can be the number of a qdisc."""
    return f"{secrets.randbelow(0xEFFF) + 1:04x}{secrets.token_hex(2)}"


def bounded(seconds: float) -> float:
    if not 0 < seconds <= MOST_SECONDS:
        raise ConfigError(f"a fault of {seconds:g} s", try_next=f"more than 0, at most {MOST_SECONDS:g} s")
    return seconds


def plan(
    lab: Lab, snapshot: Snapshot, fault: Fault, target: str, seconds: float, *, chance: random.Random
) -> Plan:
    """All of a fault, before anything is touched. Pure. Raises ConfigError or CheckFailed for a refusal."""
    found = fault.find(snapshot, target, chance)
    id = new_id()
    sites = tuple(fault.sites(id, lab, snapshot, found, bounded(seconds)))
    dead = sorted({site.node.name for site in sites} - snapshot.answering)
    if dead:
        raise CheckFailed(
            f"no fault on {', '.join(dead)}: it does not answer",
            try_next=f"{named.command('fault list')}, or {named.command('up')}",
        )
    for site in sites:
        refusal = fault.refusal(site)
        if refusal:
            raise CheckFailed(f'"{fault.name}" is refused: {refusal}', node=site.node.name)
    return Plan(id, lab, fault, found, sites, seconds)


def stages(actions: Sequence[Action]) -> list[list[Action]]:
    """In which order they are undone: the host's, then the nodes', which may need their power first, then
    what is last. Pure."""
    host = [action for action in actions if action.place is None]
    last = [action for action in actions if action.last]
    return [host, [action for action in actions if action not in host and action not in last], last]


class Harness:
    """Faults on one lab, with their journal. `close` nothing: the shells are the caller's."""

    def __init__(
        self,
        lab: Lab,
        shells: Mapping[str, Shell],
        path: Path | None = None,
        *,
        chance: random.Random | None = None,
        host: Shell | None = None,
        way: Callable[[str], str] | None = None,
    ) -> None:
        self.lab = lab
        self.path = path or journal.of_faults()
        self.chance = chance or random.Random()
        self._shells = shells
        self._host = host or HostShell(lab)
        self._way = way or way_in
        self._journal = Journal(self.path, durable=True)

    def plan(self, fault: Fault, target: str, seconds: float = DEFAULT_SECONDS) -> Plan:
        bounded(seconds)
        return plan(self.lab, look(self.lab, self._shells), fault, target, seconds, chance=self.chance)

    def inject(self, fault: Fault, target: str, seconds: float = DEFAULT_SECONDS) -> Injected:
        """Break the target for `seconds`; the caller heals it, or its timer at the deadline.

        Raises ConfigError or CheckFailed with nothing touched, or LabError with all of it undone.
        """
        return self.begin(self.plan(fault, target, seconds))

    def begin(self, planned: Plan) -> Injected:
        """Inject what was planned just now; as `inject`."""
        if planned.fault.by_network:
            self._prove_ways(planned)
        injected = self._write_ahead(planned)
        try:
            # What is undone last breaks nothing itself: its timer is armed before anything is broken.
            *first, last = stages(planned.actions)
            self._in_order([last, *first], lambda action: self._break(planned, action))
        except BaseException as error:
            self.heal(injected.id, f"the injection failed: {error}")
            raise
        return self._note(injected, "injected")

    def heal(self, id: str, detail: str = "") -> Injected:
        """Undo a fault and look again; its phase is then healed, unknown or failed.

        Raises ConfigError when no fault has the id.
        """
        fault = history.find(self.entries(), id)
        if not fault.is_open:
            return fault
        self._note(fault, "heal", detail)
        outcomes = self._in_order(stages(fault.undo), lambda action: self._undo(fault, action))
        worst = next((o for phase in ("failed", "unknown") for o in outcomes if o[0] == phase), None)
        return self._note(fault, *(worst or ("healed", detail)))

    def heal_all(self) -> list[Injected]:
        """Every open fault."""
        return self.heal_these([fault.id for fault in self.open()])

    def heal_these(self, ids: Sequence[str]) -> list[Injected]:
        """The newest first: a later fault may hide an earlier one's node. What one hid from the other is
        tried once more."""
        first = [self.heal(id) for id in reversed(ids)]
        return [self.heal(one.id) if one.is_open and len(ids) > 1 else one for one in first]

    def forget(self, gone: Sequence[Injected], why: str) -> None:
        """Faults whose every machine is no more: nothing of them can be left."""
        for fault in gone:
            self._note(fault, "healed", why)

    def open(self) -> list[Injected]:
        return history.open_faults(self.entries())

    def entries(self, warn: Callable[[str], None] = lambda _: None) -> list[Entry]:
        return journal.read(self.path, warn)

    # --- injecting ------------------------------------------------------------------------------------------

    def _prove_ways(self, planned: Plan) -> None:
        """A fresh SSH connection to each node, over another interface than the one that will be cut."""
        nodes = [site.node for site in planned.sites]
        with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
            ways = list(pool.map(lambda node: self._way(node.name), nodes))
        for node, address in zip(nodes, ways, strict=True):
            if address == node.address:
                raise CheckFailed("SSH comes over the lab's network: the fault would cut it", node=node.name)

    def _write_ahead(self, planned: Plan) -> Injected:
        # Two processes that write ahead at once could take the same target.
        with alone(self.path.with_suffix(".lock")):
            held = history.holders(self.entries(), planned.found.on)
            if held:
                raise CheckFailed(
                    f'"{held[0].name}" ({held[0].id}) is open on {", ".join(held[0].on)} already',
                    try_next=named.command(f"fault heal {held[0].id}"),
                )
            now = time.time()
            entry = self._journal.add(
                FaultPhase(
                    at=now,
                    id=planned.id,
                    phase="inject",
                    name=planned.fault.name,
                    settings=planned.fault.settings(),
                    target=planned.found.asked,
                    on=planned.found.on,
                    nodes=tuple(site.node.name for site in planned.sites),
                    seconds=planned.seconds,
                    deadline=now + planned.seconds + grace(),
                    undo=tuple({k: v for k, v in vars(p).items() if k != "inject"} for p in planned.actions),
                )
            )
        return history.faults([entry])[0]

    def _break(self, planned: Plan, action: Action) -> None:
        script = planned.script(action)
        if script:
            self._shell(action.place).run(script, timeout=SCRIPT_TIMEOUT)

    # --- healing --------------------------------------------------------------------------------------------

    def _undo(self, fault: Injected, action: Action) -> tuple[str, str]:
        """The phase that one place ends in, and what was seen there."""
        if action.place is not None and any(one.place is None for one in fault.undo):
            self._wait_for(action.place)
        try:
            script = timer.undone(fault.id, action)
            done = self._shell(action.place).run(script, check=False, timeout=SCRIPT_TIMEOUT)
        except LabError as error:
            if self._is_gone(action.place):
                return "healed", f"{action.where} is gone"
            return "unknown", f"{action.where}: {error.what}; {error.last_seen or ''}"
        seen = (done.stdout + done.stderr).strip()
        return ("healed", "") if done.exit == 0 else ("failed", f"{action.where}: exit {done.exit}: {seen}")

    def _wait_for(self, node: str) -> None:
        """A node that has just got its power back; that it never answers is told by the undo."""
        if node not in self._shells:
            return
        shell = self._shell(node)

        def answers() -> bool:
            shell.close()
            return bool(shell.run("true", timeout=5))

        if self._is_gone(node):
            return
        try:
            wait_until(answers, BOOT_TIMEOUT, f"{node} to answer")
        except LabError:
            return

    def _is_gone(self, place: str | None) -> bool:
        """The machine itself is no more. Only what makes machines here can tell; otherwise it is unknown."""
        how = known(self.lab, self.lab.node(place)) if place is not None and place in self._shells else None
        if how is None:
            return False
        try:
            seen = self._host.run(f"{how.look} 2>&1 >/dev/null", check=False, timeout=10).stdout
            return how.gone in seen
        except LabError:  # an engine that cannot tell
            return False

    # --- both -----------------------------------------------------------------------------------------------

    def _shell(self, place: str | None) -> Shell:
        """Raises ConfigError for a node that the lab has not: the journal may be of another lab file."""
        if place is None:
            return self._host
        self.lab.node(place)
        return self._shells[place]

    def _in_order(self, staged: Sequence[Sequence[Action]], work: Callable[[Action], T]) -> list[T]:
        """One stage after the other; the actions of a stage at once."""
        most = max(len(actions) for actions in staged)
        with ThreadPoolExecutor(max_workers=max(1, most)) as pool:
            return [outcome for actions in staged for outcome in pool.map(work, actions)]

    def _note(self, fault: Injected, phase: str, detail: str = "") -> Injected:
        self._journal.add(
            FaultPhase(
                id=fault.id,
                phase=phase,
                name=fault.name,
                target=fault.target,
                on=fault.on,
                nodes=fault.nodes,
                detail=detail,
            )
        )
        return replace(fault, phase=phase, detail=detail)


def hold(fault: Injected) -> None:
    """Until the fault's planned end: its own time, so there is nothing else to wait for."""
    threading.Event().wait(max(0.0, fault.at + fault.seconds - time.time()))


def way_in(node: str) -> str:
    """The node's own address at which a fresh SSH connection ends."""
    shell = SshShell(node, machines.ssh_config())
    try:
        return shell.run("echo $SSH_CONNECTION", sudo=False, timeout=10).stdout.split()[2]
    finally:
        shell.close()


def reset(lab: Lab, shells: Mapping[str, Shell], say: Callable[[str], None] = lambda _: None) -> None:
    """The baseline with no fault open: what a command that was killed left is healed first."""
    for healed in Harness(lab, shells).heal_all():
        say(f"fault {healed.id} ({healed.name}) was open: {healed.phase} {healed.detail}".strip())
    baseline.reset(lab, shells, lab.main_service, LEFTOVERS, say)


def heal_overdue(lab: Lab, say: Callable[[str], None]) -> None:
    """Undo the faults whose deadline has passed; for every `lab` command, so it is quick when there is none.

    Never raises: what it could not do is said, and stays in the journal for the next time.
    """
    path = journal.of_faults()
    try:
        entries = journal.read(path, say)
        if not machines.ssh_config().exists():
            Harness(lab, {}, path).forget(history.open_faults(entries), "the lab was taken down")
            return
    except (LabError, OSError) as error:
        say(f"whether faults are open cannot be told: {error}")
        return
    late = history.overdue(entries, time.time())
    if not late:
        return
    try:
        harness = Harness(lab, machines.shells(lab), path)
        for fault in late:
            now = harness.heal(fault.id, "overdue")
            what = f"fault {fault.id} ({fault.name} on {', '.join(fault.on)})"
            say(f"{what} was overdue: {now.phase} {now.detail}".strip())
    except (LabError, OSError) as error:
        say(f"{len(late)} faults are overdue and could not be healed: {error}")
