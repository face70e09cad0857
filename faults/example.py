"""How a fault is tried: on what, and how one sees that it is there. Each kind has one; the tests follow it.

A sign is a script that exits 0 while the fault is there. In it and in a target, words in braces are
filled in: {node} is the node that is hit (of a target with braces: the first swarm node), {other} and {third}
are swarm nodes beside it, {blue} and {database} the containers of the main service, {service} its name;
{second} and {seconds} are the limits of a short and of a long question, as long as this host needs them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from faults.targets import Snapshot, resolve
from lab.model import DATABASE, Lab
from lab.waiting import limit

BEFORE = "/var/tmp/lab-before"  # on the node of the sign: the moment before the fault, in whole seconds
ANSWER = "curl -s -m {second} -o /dev/null http://{at}:8500/v1/agent/self"
SLOW = "curl -s -m {seconds} -o /dev/null -w '%{time_total}' http://{node}:8500/v1/agent/self"


@dataclass(frozen=True)
class Example:
    """`at` is whose shell runs the sign: the node that is hit, or the master."""

    target: str
    sign: str
    at: str = "node"
    settings: Mapping[str, str] = field(default_factory=dict)
    needs: int = 2  # nodes in the lab, the master among them
    lasts: bool = True  # False: the thing comes back by itself, so the sign is of what happened


def words(lab: Lab, snapshot: Snapshot, target: str, chance: random.Random) -> dict[str, str]:
    """What the words in braces mean for a target now; without so many swarm nodes no `other` or `third`."""
    swarm = [node.name for node in lab.swarm_nodes]
    hit = swarm[0] if "{" in target else resolve(snapshot, target, chance).nodes[0]
    others = [name for name in swarm if name != hit]
    service = lab.main_service
    names = {
        "blue": service.container("blue"),
        "database": service.container(DATABASE),
        "service": service.name,
        "second": limit(1),
        "seconds": limit(5),
    }
    return {"node": hit, **dict(zip(("other", "third"), others, strict=False)), **names}


def filled(text: str, known: Mapping[str, str]) -> str:
    """The text with its words filled in; other braces are the shell's."""
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), text)


def answers(at: str) -> str:
    """The Consul agent there answers."""
    return ANSWER.replace("{at}", at)


def silent(at: str) -> str:
    """It does not."""
    return f"! {answers(at)}"


def slow(seconds: float) -> str:
    """The Consul agent of the node that is hit needs longer than that to answer."""
    return f"{SLOW} | awk '{{ exit !($1 > {seconds:g}) }}'"


def not_running(name: str) -> str:
    """No such container runs."""
    return f"! docker inspect -f '{{{{.State.Status}}}}' {name} | grep -x running"


def paused(name: str) -> str:
    """The container is there and stands still."""
    return f"docker inspect -f '{{{{.State.Paused}}}}' {name} | grep -x true"


def started_since(name: str) -> str:
    """The container was started after the moment before the fault."""
    return f"test $(date -d $(docker inspect -f '{{{{.State.StartedAt}}}}' {name}) +%s) -gt $(cat {BEFORE})"


def logged(unit: str, word: str) -> str:
    """Since that moment, the unit's log has the word."""
    return f"journalctl -u {unit} --since @$(cat {BEFORE}) | grep {word}"
