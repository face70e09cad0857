"""What differs from the baseline, by one look. Pure: it asks nothing and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from deployments import books
from deployments.observed import Container, Noted, Observation
from lab.model import COLORS, DATABASE, Lab, Service

LIVE, IDLE = COLORS
HALTED = ("exited", "created", "paused")  # a start brings it back as it was


class Kind(Enum):
    """What is to be put back."""

    LEFTOVER = "a fault"
    COMPONENT = "a component"
    REST = "nothing is checked, healed or built"
    LOCK = "no deployment"
    RELEASE = "what a color is to run"
    EXTRA = "no such container"
    HALTED = "a container runs"
    MISSING = "the first release on blue, and its database"
    UPSTREAM = "users get blue"
    ENTRY = "no such entry in Consul's catalogue"
    VOLUME = "no volume of an earlier database"
    BOOKS = "three books"


@dataclass(frozen=True)
class Difference:
    """One thing on a node that is not as at the baseline, and in words what was seen in its place."""

    kind: Kind
    node: str
    name: str = ""  # of the container, color or part that is meant
    seen: str = field(default="", compare=False)  # may change while it is being put back

    def __str__(self) -> str:
        return f"{self.node}: {self.seen}"


def releases(service: Service) -> dict[str, str]:
    """Color -> the release that it is to run at the baseline."""
    return {LIVE: service.releases[0], IDLE: service.releases[-1]}


def differences(lab: Lab, service: Service, seen: Observation) -> list[Difference]:
    """What is to be put back, in this order; empty at the baseline.

    What a fault left comes alone, then the components, then what heals or builds: each changes what a look
    sees of all after it.
    """
    master = lab.master.name
    if seen.left:
        return [Difference(Kind.LEFTOVER, node, seen=f"a fault left {lines}") for node, lines in seen.left]
    if seen.noted is None:
        return [
            Difference(Kind.COMPONENT, one.node, one.component, f"{one.component}: {one.wrong}")
            for one in seen.unwell
        ]
    unrest = [*seen.noted.healing, *(["Jenkins builds"] if seen.noted.is_building else [])]
    if unrest:
        return [Difference(Kind.REST, master, seen="; ".join(unrest))]
    return [*_noted(service, seen.noted, master), *_parts(lab, service, seen, seen.noted)]


def _noted(service: Service, noted: Noted, master: str) -> Iterator[Difference]:
    if noted.is_locked:
        yield Difference(Kind.LOCK, master, seen=f"{service.name} is locked by a deployment")
    for color, release in releases(service).items():
        found = noted.releases.get(color, "nothing")
        if found != release:
            yield Difference(Kind.RELEASE, master, color, f"{color} is to run {found}, not {release}")


def _parts(lab: Lab, service: Service, seen: Observation, noted: Noted) -> Iterator[Difference]:
    there = {part: seen.container(service.container(part)) for part in service.parts}
    idle = [one for one in seen.containers if one.name == service.container(IDLE)]
    doubles = [one for one in seen.containers if one not in there.values() and one not in idle]
    stopped = list(_stopped(lab, service, there))
    master = lab.master.name
    homes = {one.node for one in seen.containers if one.name == service.container(DATABASE)}
    yield from map(_extra, doubles)
    # Before anything begins: a new database might find the volume, and blue that database by an old entry.
    yield from _entries(there, noted)
    for node in sorted(seen.volumes - homes):
        yield Difference(Kind.VOLUME, node, seen=f"{service.volume} is of an earlier database")
    yield from stopped
    if stopped or not _is_served(service, there[LIVE], noted):
        yield Difference(Kind.UPSTREAM, master, seen=_serving(service, noted))
    yield from map(_extra, idle)
    listed = noted.users.books
    if listed is None or any(books.differences(listed)):
        found = "no books" if listed is None else "other books"
        yield Difference(Kind.BOOKS, master, seen=f"{service.name} lists {found}")


def _extra(one: Container) -> Difference:
    return Difference(Kind.EXTRA, one.node, one.name, f"{one.name} is there, {one.state}")


def _stopped(lab: Lab, service: Service, there: Mapping[str, Container | None]) -> Iterator[Difference]:
    """The database and the first release on blue, where they do not run: started where that is enough."""
    halted = []
    for part, one in there.items():
        if part == IDLE or (one and one.state == "running" and _is_right(lab, service, part, there)):
            continue
        name = service.container(part)
        if one is None or one.state not in HALTED or not _is_right(lab, service, part, there):
            found = f"{one.state}, of {one.image}" if one else "gone"
            yield Difference(Kind.MISSING, lab.master.name, name, f"{name} is {found}")
            return
        halted.append(Difference(Kind.HALTED, one.node, name, f"{name} is {one.state}"))
    yield from halted


def _is_right(lab: Lab, service: Service, part: str, there: Mapping[str, Container | None]) -> bool:
    """Whether a container is the baseline's: blue has the first release and the database's address."""
    one, database = there[part], there.get(DATABASE)
    if one is None or part == DATABASE:
        return one is not None
    if one.image != f"{lab.registry}/{service.name}:{service.releases[0]}":
        return False
    if database is None:
        return not service.database
    home = f"=tcp://{lab.node(database.node).address}:"
    return any(home in word for word in one.env)


def _is_served(service: Service, live: Container | None, noted: Noted) -> bool:
    """Consul, nginx's file and the users' answers all mean the container that is live."""
    addresses = live.addresses if live else ()
    return (
        noted.color == LIVE
        and " ".join(noted.upstream.split())
        in [f"upstream {service.name} {{ server {address}; }}" for address in addresses]
        and (noted.users.color, noted.users.release) == (LIVE, service.releases[0])
    )


def _serving(service: Service, noted: Noted) -> str:
    servers = ", ".join(re.findall(r"server ([^;]*);", noted.upstream)) or "nobody"
    answer = f"{noted.users.color} {noted.users.release}".strip() or "no release"
    return (
        f"{service.name} is {noted.color or 'no color'} for Consul, {servers} for nginx, {answer} for users"
    )


def _entries(there: Mapping[str, Container | None], noted: Noted) -> Iterator[Difference]:
    """What Consul's catalogue has of containers that are no more."""
    for part, entries in noted.known.items():
        one = there[part]
        for entry in entries:
            if one is None or (entry.node, entry.address) not in [(one.node, at) for at in one.addresses]:
                seen = f"Consul has {entry.service} at {entry.address}, where it is not"
                yield Difference(Kind.ENTRY, entry.node, part, seen)
