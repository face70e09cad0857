"""One look at the lab and its main service: one script a node, and what it printed as records."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab import named
from lab.clients.consul import Instance, instance
from lab.clients.jenkins import is_building
from lab.errors import LabError
from lab.model import Lab, Node, Service
from lab.shell import Shell, in_parallel
from provisioning import health
from provisioning.health import Seen
from provisioning.resources import Trouble
from provisioning.roles import ask, socket
from provisioning.templates import render

TIMEOUT = 60.0
RECORD = "\x1e"  # ends each of the master's answers, behind its code of HTTP


@dataclass(frozen=True)
class Container:
    """A container of the service, as its node's engine knows it."""

    name: str
    node: str
    state: str  # running, exited, paused, created, ...
    image: str
    created: str  # the later is the greater
    env: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()  # IP:PORT each, while it runs


@dataclass(frozen=True)
class Answer:
    """What users get from the public address; `books` is None when that is no list of records."""

    color: str
    release: str
    books: tuple[dict[str, Any], ...] | None


@dataclass(frozen=True)
class Noted:
    """What the master knows of the service."""

    releases: Mapping[str, str]  # color -> what it is to run
    upstream: str  # the file that tells nginx where the live color is
    color: str  # Consul's live color, "" when it has none
    is_locked: bool
    known: Mapping[str, tuple[Instance, ...]]  # part -> its healthy entries in Consul's catalogue
    healing: tuple[str, ...]  # what is checked, what heals now, and what the watchers' log says of it
    is_building: bool  # Jenkins has a build that is queued or runs
    users: Answer


@dataclass(frozen=True)
class Observation:
    """The lab at one moment. `noted` is None while a component is unwell, as it would tell nothing."""

    unwell: tuple[Seen, ...] = ()
    left: tuple[tuple[str, str], ...] = ()  # a node, and what is on it that must not be
    containers: tuple[Container, ...] = ()
    volumes: frozenset[str] = frozenset()  # the nodes that have the database's volume
    noted: Noted | None = None

    def container(self, name: str) -> Container | None:
        """Of the containers of one name: one that runs before one that does not, then the youngest."""
        same = [one for one in self.containers if one.name == name]
        return max(same, key=lambda one: (one.state == "running", one.created), default=None)


# --- parsing ------------------------------------------------------------------------------------------------


def parse(lab: Lab, service: Service, said: Mapping[str, str | None]) -> Observation:
    """What each node printed, None for one that does not answer. Pure. Raises LabError."""
    parts = {name: _parts(text) for name, text in said.items() if text is not None}
    there = {node: told for node, told in parts.items() if told.get("node") == node}
    silent = [Seen(health.SSH, node, "no answer over SSH") for node in said if node not in there]
    try:
        components = [
            seen
            for node, told in there.items()
            for seen in health.parse_observation(lab, node, told["health"])
        ]
        wrong = silent or [seen for seen in components if seen.wrong is not None]
        unwell = tuple(wrong or _unanswered(lab, service, there[lab.master.name]))
        return Observation(
            unwell=unwell,
            left=tuple(
                (node, ", ".join(told["left"].splitlines())) for node, told in there.items() if told["left"]
            ),
            containers=tuple(
                container
                for node, told in there.items()
                for container in _containers(lab.node(node), told["containers"])
            ),
            volumes=frozenset(node for node, told in there.items() if told["volume"]),
            noted=None if unwell else _noted(lab, service, there[lab.master.name]),
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise LabError(
            "what the nodes say of themselves cannot be read",
            last_seen=repr(error),
            try_next=named.command("status"),
        ) from error


def _parts(text: str) -> dict[str, str]:
    """Name -> its part of what a node printed."""
    pieces = re.split(r"(?m)^@@ (\w+)\n", text)
    return {name: part.strip("\n") for name, part in zip(pieces[1::2], pieces[2::2], strict=True)}


def _containers(node: Node, lines: str) -> list[Container]:
    return [
        Container(
            name=told["Name"].removeprefix("/"),
            node=node.name,
            state=told["State"]["Status"],
            image=told["Config"]["Image"],
            created=told["Created"],
            env=tuple(told["Config"]["Env"] or ()),
            # By the node's own address, as Registrator knows it, whatever the engine binds.
            addresses=tuple(
                f"{node.address}:{one['HostPort']}"
                for published in (told["NetworkSettings"]["Ports"] or {}).values()
                for one in published or ()
            ),
        )
        for told in map(json.loads, lines.splitlines())
    ]


def _answers(told: Mapping[str, str]) -> list[tuple[str, str]]:
    """Code of HTTP, "000" without an answer, and body of each of the master's answers."""
    return [(text[-3:], text[:-3]) for text in told["answers"].split(RECORD)[:-1]]


def _unanswered(lab: Lab, service: Service, told: Mapping[str, str]) -> Iterator[Seen]:
    """Who passes its check and yet left a question open, as one that is busy does.

    Of keys that are not there Consul says 404.
    """
    questions = [
        *(("consul", f"who is {service.registered(part)}") for part in service.parts),
        ("consul", "for its keys"),
        ("consul", "for its checks"),
        ("jenkins", "for its queue"),
        ("jenkins", "for its jobs"),
    ]
    for (component, what), (code, _) in zip(questions, _answers(told), strict=True):
        if code != "200" and (code, what) != ("404", "for its keys"):
            said = "no answer" if code == "000" else f"HTTP {code}"
            yield Seen(component, lab.master.name, f"{said} when asked {what}")


def _noted(lab: Lab, service: Service, told: Mapping[str, str]) -> Noted:
    answers = [json.loads(text or "null") for _, text in _answers(told)]
    count = len(service.parts)
    keys, checks, queue, overview = answers[count:]
    held = {entry["Key"]: entry for entry in keys or ()}
    noted = held.get(service.color_key, {}).get("Value") or ""
    names = {one.name for one in lab.services}
    checked = [
        f"Consul checks {one['ServiceName']}" for one in checks.values() if one["ServiceName"] in names
    ]
    return Noted(
        releases={
            word.removesuffix("_RELEASE").lower(): release
            for word, _, release in (line.partition("=") for line in told["releases"].splitlines())
            if word.endswith("_RELEASE")
        },
        upstream=told["upstream"],
        color=b64decode(noted).decode(errors="replace"),
        is_locked="Session" in held.get(service.lock_key, {}),
        known={
            part: tuple(map(instance, entries))
            for part, entries in zip(service.parts, answers[:count], strict=True)
        },
        healing=(*told["healing"].splitlines(), *checked),
        is_building=is_building(queue, overview),
        users=_answer(told["users"]),
    )


def _answer(text: str) -> Answer:
    """An HTTP answer with its headers; one that is not there has no color."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (one.partition(":") for one in head.split("\n"))
    }
    try:
        books = json.loads(body)
    except ValueError:
        books = None
    is_list = isinstance(books, list) and all(isinstance(one, dict) and "_id" in one for one in books)
    return Answer(headers.get("x-color", ""), headers.get("x-release", ""), tuple(books) if is_list else None)


# --- looking ------------------------------------------------------------------------------------------------


def script(lab: Lab, service: Service, node: str, left: Trouble) -> str:
    """The look at a node; `left` prints what must not be on it."""
    there = render(
        "baseline/look.sh", lab, service=service, node=lab.node(node), ask=ask, socket=socket
    )
    return "\n".join(
        (f"echo '@@ health'\n{health.observation(lab, node)}", f"echo '@@ left'\n{left.observe}", there)
    )


def look(lab: Lab, shells: Mapping[str, Shell], service: Service, left: Trouble) -> Observation:
    """One round trip a node, all at once. A node that does not answer is told as unwell."""

    def ask_node(node: str) -> str | None:
        shell, words = shells[node], script(lab, service, node, left)
        for _ in range(2):  # a connection from before a node's last boot is broken: a new one tells
            try:
                return shell.run(words, check=False, timeout=TIMEOUT).stdout
            except LabError:
                shell.close()
        return None

    return parse(lab, service, in_parallel(ask_node, [node.name for node in lab.nodes]))
