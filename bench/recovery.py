"""How long the lab takes to heal itself: the live color is stopped again and again, each link timed.

Beside it stands what an engine does alone: Swarm mode's restart of a killed task, on the same engines.
"""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from evidence.measures import quantile
from faults import Harness, made
from lab import machines
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.clients.proxy import ProxyClient
from lab.errors import LabError
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import limit, wait_until

LIMIT = 90.0  # seconds in which one fault must be healed
PAUSE = 0.04
REFERENCE_PORT = 18080


@dataclass
class Recovery:
    """Moments of one healing, in seconds after the fault; `tasks` are the playbook's, in order."""

    detected: float = 0.0
    triggered: float = 0.0
    build: float = 0.0
    tasks: dict[str, float] = field(default_factory=dict)
    answered: float = 0.0


def spread(values: Sequence[float]) -> str:
    """min, median, p95 and max, in seconds."""
    return (
        f"min {min(values):.1f}, median {statistics.median(values):.1f}, "
        f"p95 {quantile(sorted(values), 0.95):.1f}, max {max(values):.1f} s"
    )


def links(recovery: Recovery) -> dict[str, float]:
    """Seconds that each link of the chain took, up to the first answer."""
    tasks = [(task, at) for task, at in recovery.tasks.items() if at < recovery.answered]
    ends = [at for _, at in tasks[1:]] + [recovery.answered]
    moments = [
        ("Consul's check", recovery.detected),
        ("watch and heal_service.sh", recovery.triggered),
        ("Jenkins' queue", recovery.build),
        *([("agent and playbook start", tasks[0][1])] if tasks else []),
        *((task, end) for (task, _), end in zip(tasks, ends, strict=False)),
    ]
    spans, last = {}, 0.0
    for link, moment in moments:
        spans[link] = max(0.0, moment - last)
        last = max(last, moment)
    return spans


def shares(recoveries: Sequence[Recovery]) -> list[tuple[str, float, float]]:
    """(link, mean seconds, share of the whole), the slowest first."""
    total = sum(recovery.answered for recovery in recoveries)
    sums: dict[str, float] = {}
    for recovery in recoveries:
        for link, span in links(recovery).items():
            sums[link] = sums.get(link, 0.0) + span
    return sorted(
        ((link, span / len(recoveries), span / total) for link, span in sums.items()),
        key=lambda row: -row[1],
    )


class Observer:
    """Looks at Consul, Jenkins and the public address in turn, every 40 ms or so."""

    def __init__(self, lab: Lab) -> None:
        self.service = lab.main_service.name
        self.consul, self.jenkins, self.proxy = ConsulClient(lab), JenkinsClient(lab), ProxyClient(lab)

    def follow(self, begin: float, number: int) -> Recovery:
        """What happened after `begin` (wall seconds) until the service answered and its check passed."""
        seen = Recovery()
        failed = False
        while time.time() < begin + LIMIT:
            now = time.time() - begin
            health = self.consul.health(self.service)
            if not seen.detected and health == "critical":
                seen.detected = now
            answers = self._answers()
            failed = failed or not answers
            if failed and answers and not seen.answered:
                seen.answered = now
            for task in self._tasks(number):
                seen.tasks.setdefault(task, now)
            if seen.answered and seen.detected and health == "passing" and self._is_quiet():
                seen.build = self.jenkins.started(self.service, number) - begin
                return seen
            time.sleep(PAUSE)
        raise LabError(
            f"not healed after {LIMIT:g} s",
            last_seen=repr(seen),
            try_next="lab logs healing",
        )

    def _is_quiet(self) -> bool:
        with suppress(LabError):  # a busy Jenkins may let a question wait
            return not self.jenkins.building()
        return False

    def _answers(self) -> bool:
        try:
            return bool(self.proxy.books())
        except LabError:
            return False

    def _tasks(self, number: int) -> list[str]:
        with suppress(LabError):  # no such build yet
            return re.findall(
                r"^TASK \[service : (.*)\] \**$", self.jenkins.console(self.service, number), re.M
            )
        return []


def recover(
    lab: Lab, shells: Mapping[str, Shell], runs: int, seed: int, say: Callable[[str], None]
) -> list[Recovery]:
    """Stop the live color `runs` times, at moments spread over Consul's interval, and watch each healing."""
    observer, harness = Observer(lab), Harness(lab, shells)
    service, master = lab.main_service, shells[lab.master.name]
    chance = random.Random(seed)
    found = []
    for run in range(1, runs + 1):
        # Else every fault would come right after a check, the worst moment.
        time.sleep(chance.uniform(0, lab.check_interval))
        wait_until(lambda: _idle(master), LIMIT, "the last healing to end")
        number = observer.jenkins.last_number(service.name) + 1
        fault = harness.inject(made("stop"), "the live color", LIMIT)
        begin = fault.at
        recovery = observer.follow(begin, number)
        harness.heal(fault.id)
        recovery.triggered = _healing_began(master, service.name, begin) - begin
        found.append(recovery)
        say(f"run {run} of {runs}: detected {recovery.detected:.1f} s, recovered {recovery.answered:.1f} s")
    return found


def _idle(master: Shell) -> bool:
    return not master.run("systemctl list-units -q --plain 'lab-heal-*'").stdout.strip()


def _healing_began(master: Shell, service: str, after: float) -> float:
    """When systemd started the healing unit, as its journal has it."""
    lines = master.run(
        f"journalctl -q -u lab-heal-{service} --since @{int(after)} -o json --output-fields=MESSAGE "
        "| jq -r 'select(.MESSAGE | startswith(\"Started\")) | .__REALTIME_TIMESTAMP' | head -n 1"
    ).stdout
    return int(lines) / 1e6


def swarm_mode(lab: Lab, runs: int) -> list[float]:
    """Seconds from the kill of a Swarm-mode task to the next answer, on the first swarm node's engine."""
    node = lab.swarm_nodes[0]
    shell = machines.shells(lab)[node.name]
    image = f"{lab.registry}/{lab.main_service.name}:{lab.main_service.releases[0]}"
    url = f"http://{node.address}:{REFERENCE_PORT}/health"
    shell.run(f"docker swarm init --advertise-addr {node.address} --listen-addr {node.address}", sudo=True)
    try:
        shell.run(
            f"docker service create -d --name reference --label {lab.label} "
            f"--publish mode=host,target=8080,published={REFERENCE_PORT} --restart-delay 0s {image}"
        )
        # The clock is the node's own, in one command: no connection's time is in it.
        answers = f"until curl -fsS -m {limit(1)} -o /dev/null {url} 2>/dev/null; do sleep 0.02; done"
        shell.run(f"timeout {limit(60)} bash -c '{answers}'")
        task = "docker ps -q --filter label=com.docker.swarm.service.name=reference"
        kill = f"docker kill $({task}) >/dev/null"
        timed = f"date +%s.%N; {kill}; timeout {limit(60)} bash -c '{answers}'; date +%s.%N"
        return [_between(shell.run(timed).stdout) for _ in range(runs)]
    finally:
        shell.run("docker swarm leave --force", check=False)
        shell.close()


def _between(lines: str) -> float:
    begin, end = lines.split()
    return float(end) - float(begin)
