"""What one sees of a lab that a restore must bring back, as lines, and how two such looks differ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing

from lab import http, named
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.clients.proxy import ProxyClient
from lab.clients.swarm import SwarmClient
from lab.errors import LabError
from lab.model import Lab
from lab.shell import Shell

Seen = Mapping[str, tuple[str, ...]]  # a part of the lab -> its lines, sorted
OF_SWARM = "swarm/"  # Consul's keys with a life of their own: an engine that is there renews its own
SHOWN = 160  # characters of a line that a difference shows


def differences(saved: Seen, now: Seen) -> list[str]:
    """Where the lab is not as it was saved, a line each. Pure."""
    return [
        f"{part}: {what} {line[:SHOWN]}"
        for part in sorted({*saved, *now})
        for what, lines, others in (
            ("lacks", saved.get(part, ()), now.get(part, ())),
            ("has besides", now.get(part, ()), saved.get(part, ())),
        )
        for line in lines
        if line not in others
    ]


def running(seen: Seen) -> list[tuple[str, str]]:
    """Node and name of each container that ran. Pure."""
    words = (line.split() for line in seen["containers"])
    return [(node, name) for node, name, state, _ in words if state == "running"]


def live(seen: Seen) -> list[str]:
    """Each service that users were served, with its release and color. Pure."""
    return [line.partition(", from")[0] for line in seen["answers"]]


def upstream_nodes(text: str) -> str:
    """Where an upstream file of nginx leads to; a port lasts only until its container starts again. Pure."""
    return " ".join(sorted(set(re.findall(r"server ([0-9.]+):", text)))) or "nowhere"


# --- looking ------------------------------------------------------------------------------------------------


def look(lab: Lab, master: Shell) -> Seen:
    """The lab now. Raises LabError when a component does not answer."""
    with closing(JenkinsClient(lab)) as jenkins, closing(SwarmClient(lab)) as swarm:
        looks: dict[str, Callable[[], list[str]]] = {
            "builds": lambda: _builds(lab, jenkins),
            "catalogue": lambda: _catalogue(lab),
            "containers": lambda: [
                f"{one.node} {one.name} {one.state} {one.image}" for one in swarm.containers()
            ],
            "images": lambda: _images(lab),
            "notes": lambda: _notes(lab),
            "upstreams": lambda: _upstreams(lab, master),
        }
        return {**{part: tuple(sorted(ask())) for part, ask in looks.items()}, **_of_users(lab)}


def _of_users(lab: Lab) -> Seen:
    """Who answers each service that is out, and the books."""
    consul = ConsulClient(lab)
    out = [service for service in lab.services if consul.live_color(service)]
    with closing(ProxyClient(lab)) as proxy:
        served = {service.name: proxy.served_by(service.path) for service in out}
        return {
            "answers": tuple(
                f"{name} {release} on {color}, from {node}"
                for name, (release, color, node) in sorted(served.items())
            ),
            "books": tuple(json.dumps(book, sort_keys=True, ensure_ascii=False) for book in proxy.books()),
        }


def _builds(lab: Lab, jenkins: JenkinsClient) -> list[str]:
    return [
        f"{service.name} {number} {result}"
        for service in lab.services
        for number, result in jenkins.builds(service.name)
    ]


def _catalogue(lab: Lab) -> list[str]:
    consul = ConsulClient(lab)
    return [
        f"{one.service} on {one.node}"
        for name in consul.services()
        for one in consul.instances(name, passing=True)
    ]


def _notes(lab: Lab) -> list[str]:
    locks = {service.lock_key for service in lab.services}
    held = ConsulClient(lab).all_noted()
    return [
        f"{key} is {value}"
        for key, value in held.items()
        if key not in locks and not key.startswith(OF_SWARM)
    ]


def _images(lab: Lab) -> list[str]:
    """What the registry serves."""
    with closing(http.client(10.0, base_url=f"http://{lab.registry}", trust_env=False)) as client:
        try:
            names = client.get("/v2/_catalog").raise_for_status().json()["repositories"]
            tags = {name: client.get(f"/v2/{name}/tags/list").raise_for_status().json() for name in names}
        except http.error() as error:
            raise LabError(
                "the registry does not answer", last_seen=str(error), try_next=named.command("logs registry")
            ) from error
    return [f"{name}:{tag}" for name, told in tags.items() for tag in told["tags"] or ()]


def _upstreams(lab: Lab, master: Shell) -> list[str]:
    return [
        f"{service.name} at {upstream_nodes(master.run(f'cat {service.upstream}').stdout)}"
        for service in lab.services
    ]
