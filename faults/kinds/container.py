"""Faults of one container, through the engine of its node: they need neither Swarm nor Consul."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults.example import Example, not_running, paused, started_since
from faults.fault import Action, Fault, Site, lines, script, unit_limit, waiting, within
from faults.kinds import back
from lab.errors import ConfigError

RUNNING_ONLY = "{name} is {state}, so there is nothing to break"
SETTINGS = ".[0] | .Config + {HostConfig: .HostConfig}"  # of a container, as the engine takes them
SIGNALS = ("KILL", "TERM", "INT", "QUIT", "HUP", "SEGV", "ABRT")


class ContainerFault(Fault):
    """Brought back afterwards, unless it has been replaced."""

    def refusal(self, site: Site) -> str | None:
        if site.container is not None and site.container.state != "running":
            return RUNNING_ONLY.format(name=site.container.name, state=site.container.state)
        return None

    def actions(self, site: Site) -> list[Action]:
        return [*super().actions(site), *back.repointing(site)]

    def heal(self, site: Site) -> str:
        return back.bring_back(site)

    def healed(self, site: Site) -> str:
        return back.are_back(site)


def id_of(site: Site) -> str:
    assert site.container is not None, "find() lets nothing else through"
    return site.container.id


@dataclass(frozen=True)
class Stop(ContainerFault):
    """An orderly end: the stop signal, then the kill after three seconds."""

    name: ClassVar[str] = "stop"
    phrase: ClassVar[str] = "(?:is|are) stopped"
    example: ClassVar[Example | None] = Example("the live color", not_running("{blue}"))

    def inject(self, site: Site) -> str:
        return f"docker stop -t 3 {id_of(site)} >/dev/null"


@dataclass(frozen=True)
class Kill(ContainerFault):
    """One signal. SIGKILL is the default; Docker does not restart what was killed in this way."""

    name: ClassVar[str] = "kill"
    phrase: ClassVar[str] = "is killed(?: with SIG(?P<signal>[A-Z]+))?"
    example: ClassVar[Example | None] = Example("the live color", not_running("{blue}"))
    signal: str = "KILL"

    def __post_init__(self) -> None:
        if self.signal not in SIGNALS:
            raise ConfigError(f"no signal {self.signal!r}", try_next="one of " + ", ".join(SIGNALS))

    def inject(self, site: Site) -> str:
        return f"docker kill -s {self.signal} {id_of(site)} >/dev/null"


@dataclass(frozen=True)
class Pause(ContainerFault):
    """Frozen: its connections stay open and nothing answers on them."""

    name: ClassVar[str] = "pause"
    phrase: ClassVar[str] = "is paused"
    example: ClassVar[Example | None] = Example("the database", paused("{database}"))

    def actions(self, site: Site) -> list[Action]:
        return Fault.actions(self, site)  # it keeps its port

    def inject(self, site: Site) -> str:
        return f"docker pause {id_of(site)} >/dev/null"


@dataclass(frozen=True)
class Restart(ContainerFault):
    """An orderly end, and at once a new beginning."""

    name: ClassVar[str] = "restart"
    phrase: ClassVar[str] = "is restarted"
    example: ClassVar[Example | None] = Example("the live color", started_since("{blue}"), lasts=False)

    def inject(self, site: Site) -> str:
        return f"docker restart -t 3 {id_of(site)} >/dev/null"


@dataclass(frozen=True)
class Remove(ContainerFault):
    """Gone, with its volumes kept. Its settings are kept too: the undo makes it again from them."""

    name: ClassVar[str] = "remove"
    phrase: ClassVar[str] = "is removed"
    example: ClassVar[Example | None] = Example("the live color", "! docker inspect {blue}")

    def inject(self, site: Site) -> str:
        return lines(
            f"docker inspect {id_of(site)} | jq '{SETTINGS}' >{site.home}/container",
            f"test -s {site.home}/container || exit 1",
            f"docker rm -f {id_of(site)} >/dev/null",
        )

    def refusal(self, site: Site) -> str | None:
        return None  # a stopped one can be removed as well

    def heal(self, site: Site) -> str:
        name = _name(site)
        create = f"http://localhost/containers/create?name={name}"
        make = (
            "curl -fsS --unix-socket /var/run/docker.sock -H 'Content-Type: application/json' "
            f"-d @{site.home}/container '{create}' >/dev/null"
        )
        start = f" && docker start {name} >/dev/null" if _ran(site) else ""
        return lines(
            back.functions(site),
            "engine || exit 1",
            f"state {name} >/dev/null || replaced {id_of(site)} {name} || {{ {make}{start}; }}",
        )

    def healed(self, site: Site) -> str:
        name = _name(site)
        return lines(
            back.functions(site),
            "engine || exit 1",
            f"state {name} >/dev/null || replaced {id_of(site)} {name} ||",
            f'{{ echo "{name} is gone"; exit 1; }}',
        )


def _name(site: Site) -> str:
    assert site.container is not None, "find() lets nothing else through"
    return site.container.name


def _ran(site: Site) -> bool:
    return site.container is not None and site.container.state == "running"


@dataclass(frozen=True)
class OutOfMemory(ContainerFault):
    """The container's memory is limited to little more than it uses, and a hog in its group takes the rest.

    The kernel kills the container's process, which was made its first choice. The hog asks for at most
    256 MiB and is a unit of the fault.
    """

    name: ClassVar[str] = "out-of-memory"
    phrase: ClassVar[str] = "runs out of memory(?: with (?P<spare>\\d+) MiB to spare)?"
    example: ClassVar[Example | None] = Example("the live color", not_running("{blue}"))
    spare: int = 16  # MiB above what it uses

    def __post_init__(self) -> None:
        within("spare memory", self.spare, 4, 128, "MiB")

    def inject(self, site: Site) -> str:
        exhaust = script(
            "exhaust_memory.sh",
            container=id_of(site),
            spare=str(self.spare * 1048576),
            home=site.home,
            hog=f"{site.mark}-hog",
            limit=f"{unit_limit(site):g}",
        )
        return lines(waiting(site), exhaust)

    def heal(self, site: Site) -> str:
        free = script("free_memory.sh", container=id_of(site))
        return lines(f"systemctl stop {site.mark}-hog 2>/dev/null", free, back.bring_back(site))
