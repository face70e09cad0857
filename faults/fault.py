"""What a fault is: a frozen record of its settings that returns scripts. It never runs anything itself.

inject(on) breaks the thing, heal(on) undoes that, healed(on) exits 0 when nothing of it is left. `heal` is
idempotent, does no harm when its thing is gone, and removes only what carries the fault's id.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from faults.example import Example
from faults.targets import Container, Found, Snapshot, resolve
from lab.errors import ConfigError
from lab.model import Lab, Node
from lab.waiting import stretched
from provisioning.templates import render

HOME = "/var/lib/lab-faults"  # on a node: what faults have to keep there, a folder each
SCRIPTS = Path(__file__).with_name("scripts")
NAME_FILE = "/etc/lab/name"  # on a node: the lab it belongs to


@dataclass(frozen=True)
class Site:
    """Where a fault acts: its id, the node, the container when one is meant, and what ran there before."""

    id: str
    lab: Lab
    node: Node
    seconds: float
    container: Container | None = None
    running: tuple[Container, ...] = ()
    live: Mapping[str, str] = field(default_factory=dict)  # service -> its live color when the fault came
    silent: tuple[str, ...] = ()  # addresses whose packets the node no longer gets
    unheard: tuple[str, ...] = ()  # addresses that no longer get the node's packets

    @property
    def mark(self) -> str:
        """What everything of this fault carries in its name."""
        return f"lab-fault-{self.id}"

    @property
    def home(self) -> str:
        return f"{HOME}/{self.id}"

    @property
    def device(self) -> str:
        """Shell words that find the node's interface on the lab's network."""
        show = f"ip -o -4 addr show to {self.node.address}/32"
        return f"dev=$({show} | awk '{{print $2; exit}}'); test -n \"$dev\""


@dataclass(frozen=True)
class Action:
    """The scripts of a fault in one place: a node, or the host. Empty `inject`: only an undo."""

    place: str | None  # a node's name; None is the host: no node can be named so
    inject: str
    heal: str
    healed: str
    timed: bool = True  # a timer in that place ends it; not where there is no power
    last: bool = False  # undone after all others

    @property
    def where(self) -> str:
        return self.place or "the host"

    def mark(self, id: str) -> str:
        """The name of its timer's unit."""
        return f"lab-fault-{id}-last" if self.last else f"lab-fault-{id}"

    def home(self, id: str) -> str:
        return f"{HOME}/{id}-last" if self.last else f"{HOME}/{id}"


class Fault:
    """The base of every fault. A subclass is a frozen dataclass whose fields are its settings."""

    name: ClassVar[str]
    phrase: ClassVar[str]  # a regex; its named groups are settings
    takes: ClassVar[str] = "a container"  # or "nodes", or "a container or nodes"
    by_network: ClassVar[bool] = False  # then the way for SSH is proven open first
    example: ClassVar[Example | None] = None  # None: it cannot be on container nodes, so no test tries it

    def inject(self, site: Site) -> str:
        raise NotImplementedError

    def heal(self, site: Site) -> str:
        raise NotImplementedError

    def healed(self, site: Site) -> str:
        raise NotImplementedError

    def refusal(self, site: Site) -> str | None:
        """Why this fault cannot be here, or None. Pure."""
        return None

    def find(self, snapshot: Snapshot, target: str, chance: random.Random) -> Found:
        """What a target means now. Raises ConfigError when it is nothing, too much, or of the wrong kind."""
        found = resolve(snapshot, target, chance)
        kind = "a container" if found.container else "nodes"
        if kind not in self.takes:
            raise ConfigError(
                f'"{self.name}" takes {self.takes}; "{target}" is {kind}',
                try_next="the live color" if "container" in self.takes else f"the node of {target}",
            )
        return found

    def sites(self, id: str, lab: Lab, snapshot: Snapshot, found: Found, seconds: float) -> list[Site]:
        """One record a node of the target."""
        return [
            Site(
                id,
                lab,
                lab.node(name),
                seconds,
                container=found.container,
                running=tuple(one for one in snapshot.on(name) if one.state == "running"),
                live=snapshot.live,
            )
            for name in found.nodes
        ]

    def actions(self, site: Site) -> list[Action]:
        return [Action(site.node.name, self.inject(site), self.heal(site), self.healed(site))]

    def settings(self) -> dict[str, object]:
        return dict(vars(self))


def within(what: str, value: int, least: int, most: int, unit: str) -> None:
    """Refuse a setting that is out of bounds."""
    if not least <= value <= most:
        raise ConfigError(f"{what} of {value} {unit}", try_next=f"from {least} to {most} {unit}")


def lines(*scripts: str) -> str:
    return "\n".join(script for script in scripts if script)


def waiting(site: Site) -> str:
    """The functions of the nodes' waiting.sh, in full: an undo relies on no other file."""
    return render("waiting.sh", site.lab)


def script(name: str, **variables: str) -> str:
    """A file of faults/scripts, with its variables set before it."""
    settings = (f"{key}={shlex.quote(value)}" for key, value in variables.items())
    return lines(*settings, (SCRIPTS / name).read_text().rstrip())


def here(text: str, path: str) -> str:
    """Shell words that write a text to a file, readable in a dry run."""
    end = "END-OF-FILE"
    return f"cat >{shlex.quote(path)} <<'{end}'\n{text.rstrip()}\n{end}"


def unit_limit(site: Site) -> float:
    """Seconds after which a unit of the fault ends by itself, when all else fails."""
    return site.seconds + stretched(30)


def unit(site: Site, suffix: str, words: str) -> str:
    """Shell words that start a process of the fault as a unit, which ends by itself when all else fails."""
    limit = f"--property=RuntimeMaxSec={unit_limit(site):g}"
    return f"systemd-run --quiet --collect --unit={site.mark}-{suffix} {limit} {words}"


def containers(site: Site) -> Sequence[Container]:
    return (site.container,) if site.container else site.running
