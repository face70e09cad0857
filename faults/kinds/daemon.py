"""Faults of a node's daemons: its Docker engine, its Consul agent, its Registrator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults.example import Example, logged, not_running, silent
from faults.fault import Action, Fault, Site, lines, waiting
from faults.kinds import back


@dataclass(frozen=True)
class DockerStop(Fault):
    """The engine stops in an orderly way, and its containers with it."""

    name: ClassVar[str] = "docker-stop"
    phrase: ClassVar[str] = "(?:has|have) (?:its|their) Docker daemon stopped"
    takes: ClassVar[str] = "nodes"
    example: ClassVar[Example | None] = Example(
        "the node of the live color", "! timeout {seconds} docker version"
    )

    def actions(self, site: Site) -> list[Action]:
        return [*super().actions(site), *back.repointing(site)]

    def inject(self, site: Site) -> str:
        return "systemctl stop docker.service"

    def heal(self, site: Site) -> str:
        return lines(
            "systemctl reset-failed docker.service 2>/dev/null",
            "systemctl start docker.service",
            back.bring_back(site),
        )

    def healed(self, site: Site) -> str:
        return back.are_back(site)


@dataclass(frozen=True)
class DockerKill(DockerStop):
    """The engine's process is killed; systemd starts it again after a second."""

    name: ClassVar[str] = "docker-kill"
    phrase: ClassVar[str] = "(?:has|have) (?:its|their) Docker daemon killed"
    example: ClassVar[Example | None] = Example(
        "the node of the live color", logged("docker", "KILL"), lasts=False
    )

    def inject(self, site: Site) -> str:
        return "systemctl kill --kill-who=main -s KILL docker.service"


@dataclass(frozen=True)
class ConsulStop(Fault):
    """The Consul agent stops: on the master that is the server, with its catalogue and its checks."""

    name: ClassVar[str] = "consul-stop"
    phrase: ClassVar[str] = "(?:has|have) (?:its|their) Consul agent stopped"
    takes: ClassVar[str] = "nodes"
    example: ClassVar[Example | None] = Example("the master", silent("localhost"))

    def inject(self, site: Site) -> str:
        return "systemctl stop consul.service"

    def heal(self, site: Site) -> str:
        return lines("systemctl reset-failed consul.service 2>/dev/null", "systemctl start consul.service")

    def healed(self, site: Site) -> str:
        # The server is back when it leads; a client may be cut off from it by something else.
        path, seen = ("status/leader", ":8300") if site.node == site.lab.master else ("agent/self", "Config")
        answers = f"answers() {{ ask http://localhost:8500/v1/{path} 2>/dev/null | grep -q {seen}; }}"
        return lines(
            waiting(site), answers, 'until_true 15 answers || { echo "no answer of Consul"; exit 1; }'
        )


@dataclass(frozen=True)
class ConsulKill(ConsulStop):
    """The agent's process is killed; systemd starts it again after a second."""

    name: ClassVar[str] = "consul-kill"
    phrase: ClassVar[str] = "(?:has|have) (?:its|their) Consul agent killed"
    example: ClassVar[Example | None] = Example("any node", logged("consul", "KILL"), lasts=False)

    def inject(self, site: Site) -> str:
        return "systemctl kill --kill-who=main -s KILL consul.service"


@dataclass(frozen=True)
class ConsulRestart(ConsulStop):
    """The agent ends in an orderly way and begins again at once."""

    name: ClassVar[str] = "consul-restart"
    phrase: ClassVar[str] = "(?:has|have) (?:its|their) Consul agent restarted"
    example: ClassVar[Example | None] = Example("the master", logged("consul", "Stopped"), lasts=False)

    def inject(self, site: Site) -> str:
        return "systemctl restart consul.service"


@dataclass(frozen=True)
class RegistratorStop(Fault):
    """Registrator stops: what starts or ends on the node meanwhile is not seen."""

    name: ClassVar[str] = "registrator-stop"
    phrase: ClassVar[str] = "(?:has|have) (?:its|their) Registrator stopped"
    takes: ClassVar[str] = "nodes"
    example: ClassVar[Example | None] = Example("any node", not_running("registrator"))

    def inject(self, site: Site) -> str:
        return "docker stop -t 1 registrator >/dev/null"

    def heal(self, site: Site) -> str:
        # gone is not this fault's doing
        return lines(back.functions(site), "engine || exit 1", "back registrator registrator")

    def healed(self, site: Site) -> str:
        return lines(back.functions(site), "engine || exit 1", "is_back registrator registrator")

    def refusal(self, site: Site) -> str | None:
        if not any(one.name == "registrator" for one in site.running):
            return f"no Registrator runs on {site.node.name}"
        return None
