"""Every fault really bites and really ends: a sign of it is looked for before, during and after.

A sign is a script, on the node given, that exits 0 while the fault is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from deployments import baseline
from faults import FAULTS, made
from faults.leftovers import leftovers
from faults.targets import look
from lab.model import DATABASE, Lab
from lab.shell import Shell
from lab.waiting import limit, wait_until
from provisioning.roles import registry
from scenarios.steps.faults import ScenarioFaults

BLUE, DB = "{blue}", "{db}"  # the containers
NOT_RUNNING = "! docker inspect -f '{{{{.State.Status}}}}' {name} | grep -x running"
BEFORE = "$(cat /var/tmp/lab-before)"
STARTED_LATER = (
    f"test $(date -d $(docker inspect -f '{{{{{{{{.State.StartedAt}}}}}}}}' {{name}}) +%s) -gt {BEFORE}"
)
ANSWER = f"curl -s -m {limit(1)} -o /dev/null http://{{0}}:8500/v1/agent/self"
NO_ANSWER = f"! {ANSWER}"
SILENT = "! ping -c 1 -W 1 {0}"
SLOW = (
    f"curl -s -m {limit(5)} -o /dev/null -w '%{{{{time_total}}}}' {{0}} | awk '{{{{ exit !($1 > {{1}}) }}}}'"
)
ASK_DNS = (
    'python3 -c "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(2); '
    "s.connect(('127.0.0.11', 53)); s.send(bytes.fromhex('abcd01000001000000000000016100000100 01')); "
    's.recv(512)" 2>&1 | grep Error'
)
UNIT = "systemctl is-active 'lab-fault-*-load.service'"


@dataclass(frozen=True)
class Sign:
    target: str
    at: str  # whose shell
    script: str
    settings: tuple[str, ...] = ()
    lasts: bool = True  # False: the thing comes back by itself, so the sign is of what happened


SIGNS = {
    "stop": Sign("the live color", "blue", NOT_RUNNING.format(name=BLUE)),
    "kill": Sign("the live color", "blue", NOT_RUNNING.format(name=BLUE)),
    "pause": Sign("the database", "db", f"docker inspect -f '{{{{.State.Paused}}}}' {DB} | grep -x true"),
    "restart": Sign("the live color", "blue", STARTED_LATER.format(name=BLUE), lasts=False),
    "remove": Sign("the live color", "blue", f"! docker inspect {BLUE}"),
    "out-of-memory": Sign("the live color", "blue", NOT_RUNNING.format(name=BLUE)),
    "power-cut": Sign("{n1}", "master", SILENT.format("{n1}")),
    "halt": Sign("{n1}", "master", SILENT.format("{n1}")),
    "reboot": Sign("{n1}", "{n1}", "test $(stat -c %Y /proc/1) -gt $(cat /var/tmp/lab-before)", lasts=False),
    "freeze": Sign("{n1}", "master", NO_ANSWER.format("{n1}")),
    "docker-stop": Sign("{n1}", "{n1}", f"! timeout {limit(2)} docker version"),
    "docker-kill": Sign(
        "{n1}", "{n1}", "journalctl -u docker --since @$(cat /var/tmp/lab-before) | grep KILL", lasts=False
    ),
    "consul-stop": Sign("{n1}", "{n1}", NO_ANSWER.format("localhost")),
    "consul-kill": Sign(
        "{n1}", "{n1}", "journalctl -u consul --since @$(cat /var/tmp/lab-before) | grep KILL", lasts=False
    ),
    "consul-restart": Sign(
        "{n1}", "{n1}", "journalctl -u consul --since @$(cat /var/tmp/lab-before) | grep Stopped", lasts=False
    ),
    "registrator-stop": Sign("{n1}", "{n1}", NOT_RUNNING.format(name="registrator")),
    "isolate": Sign("{n1}", "master", NO_ANSWER.format("{n1}")),
    "partition": Sign("{n1}, {n2} | {n3}", "{n1}", f"{NO_ANSWER.format('{n3}')} && {ANSWER.format('{n2}')}"),
    "one-way": Sign("{n1} -> {n2}", "{n1}", f"{SILENT.format('{n2}')} && {ANSWER.format('{n3}')}"),
    "bridge": Sign("{n1}", "master", f"{NO_ANSWER.format('{n3}')} && {ANSWER.format('{n1}')}"),
    "ring": Sign("every node", "master", f"{NO_ANSWER.format('{n2}')} && {ANSWER.format('{n1}')}"),
    "port-block": Sign(
        "{n1}", "master", f"{NO_ANSWER.format('{n1}')} && ping -c 1 -W 1 {{n1}}", ("port=8500",)
    ),
    "loss": Sign(
        "{n1}", "master", "! ping -c 40 -i 0.01 -W 1 {n1} | grep ' 0% packet loss'", ("percent=40",)
    ),
    "delay": Sign("{n1}", "master", SLOW.format("http://{n1}:8500/v1/agent/self", 0.5), ("ms=300",)),
    "rate": Sign(
        "{n1}",
        "master",
        SLOW.format("http://{n1}:8500/v1/agent/self", 0.3),
        ("kbit=64",),
    ),
    "dns-refused": Sign("{n1}", "{n1}", ASK_DNS),
    "hide-releases": Sign("the master", "master", f"! ls {registry.tags('{service}')}/1.1"),
    "lose-lock": Sign("the master", "master", "systemctl is-active 'lab-fault-*-lock.service'"),
    "break-settings": Sign("the master", "master", "docker exec nginx nginx -t 2>&1 | grep 'no such word'"),
    "backup-stop": Sign("the master", "master", "! systemctl is-active lab-backup.timer"),
    "cpu": Sign("{n1}", "{n1}", UNIT),
    "memory": Sign(
        "{n1}",
        "{n1}",
        f"{UNIT} && pgrep -f 'held = b' | xargs -I% grep VmRSS /proc/%/status | awk '$2 > 250000' | grep .",
    ),
    "disk": Sign("{n1}", "{n1}", "test $(stat -c %s /var/lib/lab-faults/*/fill) = $((512 * 1048576))"),
}


def named(text: str, words: Mapping[str, str]) -> str:
    """The text with {n1}, {blue} and such in words; other braces are the shell's."""
    for key, word in words.items():
        text = text.replace(f"{{{key}}}", word)
    return text


def test_every_fault_has_a_sign() -> None:
    assert set(FAULTS) - set(SIGNS) == {"clock"}


@pytest.fixture(scope="module", autouse=True)
def at_the_baseline(lab: Lab, shells: Mapping[str, Shell]) -> None:
    baseline.reset(lab, shells, lab.main_service)


@pytest.mark.parametrize("name", SIGNS)
def test_a_fault_bites_and_ends(
    name: str, lab: Lab, shells: Mapping[str, Shell], faults: ScenarioFaults
) -> None:
    sign = SIGNS[name]
    nodes = [node.name for node in lab.swarm_nodes]
    service = lab.main_service
    names = {"blue": service.container("blue"), "db": service.container(DATABASE)}
    words = {"n1": nodes[0], "n2": nodes[1], "n3": nodes[2], **names, "service": service.name}
    there_now = look(lab, shells)
    of = {one.name: one.node for one in there_now.containers if one.state == "running"}
    at = {"db": of[names["db"]], "blue": of[names["blue"]], "master": lab.master.name}
    shell = shells[at.get(sign.at) or named(sign.at, words)]
    script = named(sign.script, words)

    def there() -> bool:
        return shell.run(script, check=False, timeout=15).exit == 0

    shell.run("date +%s >/var/tmp/lab-before; sleep 1")
    assert not there(), f"the sign of {name} is there before the fault"
    settings = dict(word.split("=") for word in sign.settings)
    begun = faults.inject(made(name, **settings), named(sign.target, words), 30)
    if sign.at.startswith("{") and begun.undo[0].place == "host":
        shell.close()
    wait_until(there, 10, f"a sign of {name}")
    faults.heal()
    assert leftovers(shells) == []
    if sign.lasts:
        wait_until(lambda: not there(), 30, f"{name} to be gone")
