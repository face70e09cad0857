"""The lab as records: its nodes, its services, and the names that follow from them.

Every name of a container, a file on a node, or an entry of Consul's is answered for here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TypeVar

from lab.errors import ConfigError, nearest, shown

MARK = "bluegreen-lab"  # the label of all that is made: containers, networks, volumes, images
SHARED = "images"  # that label's value on what all labs use; no lab is called so
COLORS = ("blue", "green")
DATABASE = "db"
OWN_HOSTS = "ssh"  # the provider of machines that the lab did not make
REGISTRY_PORT = 5000
SWARM_PORT = 2375
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def other(color: str | None) -> str:
    """The color that a deployment goes to: the one that is not live; blue when none is."""
    return "green" if color == "blue" else "blue"


@dataclass(frozen=True)
class Access:
    """The user's own way to a machine, as ssh takes it; empty or 0: as ssh's own configuration says."""

    host: str  # an address, a name, or a Host of ssh's configuration
    user: str = ""
    port: int = 0
    key: str = ""
    jump: str = ""
    config: str = ""  # a file of ssh's configuration in place of ~/.ssh/config
    shared: bool = False  # others have containers there, and the lab may join them


@dataclass(frozen=True)
class Power:
    """Commands of this host that cut a machine's power, and give it back."""

    off: str
    on: str


@dataclass(frozen=True)
class Node:
    name: str
    address: str
    roles: tuple[str, ...]
    ssh: Access | None = None  # with the provider ssh
    power: Power | None = None  # with the provider ssh, where there is such a command


@dataclass(frozen=True)
class Service:
    """A service of lab.yml. Its parts are its two colors and, if it has one, its database."""

    name: str
    path: str  # where nginx offers it
    port: int  # where its container listens
    database: bool
    releases: tuple[str, ...]

    @property
    def project(self) -> str:
        """The compose project, as in the article's container names: booksservice_blue_1."""
        return self.name.replace("-", "")

    @property
    def parts(self) -> tuple[str, ...]:
        return (DATABASE, *COLORS) if self.database else COLORS

    def container(self, part: str) -> str:
        """The container of a color or of the database."""
        return f"{self.project}_{part}_1"

    def owns(self, container: str) -> bool:
        """Is this the name of a container of the service?"""
        return container.startswith(f"{self.project}_")

    @property
    def volume(self) -> str:
        """Docker's volume with the database's records."""
        return f"{self.project}_{DATABASE}"

    def registered(self, part: str) -> str:
        """The name of a color or of the database in Consul's catalogue."""
        return f"{self.name}-{part}"

    @property
    def color_key(self) -> str:
        """Where Consul keeps the live color."""
        return f"services/{self.name}/color"

    @property
    def lock_key(self) -> str:
        """Where Consul keeps the lock of a deployment."""
        return f"services/{self.name}/lock"

    @property
    def new_key(self) -> str:
        """Where Consul keeps that the first release has no records yet."""
        return f"services/{self.name}/new"

    @property
    def folder(self) -> str:
        """The compose project on the master."""
        return f"/data/compose/config/{self.name}"

    @property
    def upstream(self) -> str:
        """The file on the master that tells nginx where the live color is."""
        return f"/data/nginx/upstreams/{self.name}.conf"

    def upstream_template(self, color: str) -> str:
        """What consul-template makes that file from, when this color is live."""
        return f"/data/nginx/templates/{self.name}-{color}-upstream.conf.ctmpl"


@dataclass(frozen=True)
class Lab:
    name: str
    provider: str
    subnet: str
    check_interval: int
    nodes: tuple[Node, ...]
    services: tuple[Service, ...]

    @property
    def mounts_host(self) -> bool:
        """Whether nodes see this host's cache and playbooks; all others are given their share of them."""
        return self.provider == "docker"

    @property
    def label(self) -> str:
        """The mark that everything of this lab carries, as Docker's filters take it."""
        return f"{MARK}={self.name}"

    @property
    def master(self) -> Node:
        return next(node for node in self.nodes if "master" in node.roles)

    @property
    def swarm_nodes(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if "node" in node.roles)

    @property
    def main_service(self) -> Service:
        """The one that goes out with `lab up`, and that scenarios and faults are about: the first."""
        return self.services[0]

    def machine(self, node: str) -> str:
        """What the host's engine or libvirt calls a node; the Vagrantfile says the same."""
        return f"{self.name}-{node}"

    @property
    def registry(self) -> str:
        return f"{self.master.address}:{REGISTRY_PORT}"

    @property
    def swarm_endpoint(self) -> str:
        return f"tcp://{self.master.address}:{SWARM_PORT}"

    def public_address(self, service: Service) -> str:
        """Where users ask for a service."""
        return f"http://{self.master.address}{service.path}"

    def node(self, name: str) -> Node:
        """Raises ConfigError that names the nearest node."""
        return _named("node", name, self.nodes)

    def service(self, name: str) -> Service:
        """Raises ConfigError that names the nearest service."""
        return _named("service", name, self.services)


_Named = TypeVar("_Named", Node, Service)


def _named(kind: str, name: str, known: tuple[_Named, ...]) -> _Named:
    for one in known:
        if one.name == name:
            return one
    names = [one.name for one in known]
    raise ConfigError(
        f"the lab has no {kind} {shown(name)}{nearest(name, names)}", try_next=f"one of: {', '.join(names)}"
    )
