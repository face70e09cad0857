"""Bringing containers back: the undo of everything that takes them down.

A container is started again unless it runs, is gone, or has been replaced since.
"""

from __future__ import annotations

from faults.fault import On, Part, containers, lines, script, waiting
from lab.model import Service


def repointing(on: On) -> list[Part]:
    """The part on the master that sends users to a live color's new port; none when no live color was hit."""
    hit = {one.name for one in containers(on)}
    known = [service for service in on.lab.services if service.name in on.live]
    services = [one for one in known if one.container(on.live[one.name]) in hit]
    if not services:
        return []
    turned = lines(*(f"(\n{_repoint(on, service)}\nuntil_true 10 turn\n)" for service in services))
    told = (f"(\n{_repoint(on, service)}\n{_is_told(on, service)}\n) || exit 1" for service in services)
    return [Part(on.lab.master.name, "", turned, lines(*told), last=True)]


def _repoint(on: On, service: Service) -> str:
    known = script("repoint.sh", service=service.name, path=service.path, upstream=service.upstream)
    return lines(waiting(on), known)


def _is_told(on: On, service: Service) -> str:
    live = service.container(on.live[service.name])
    return f'open || nobody || {{ echo "nginx knows another address of {live}"; exit 1; }}'


def functions(on: On) -> str:
    """The shell functions `back`, `is_back`, `replaced` and `engine`."""
    services = [f"{one.project} {one.name} {on.live.get(one.name) or '-'}" for one in on.lab.services]
    known = script(
        "back.sh", services="\n".join(services), master=on.lab.master.address, swarm=on.lab.swarm_endpoint
    )
    return lines(waiting(on), known)


def bring_back(on: On) -> str:
    """Start again what ran before the fault."""
    return lines(functions(on), "engine || exit 1", *(f"back {one.id} {one.name}" for one in containers(on)))


def are_back(on: On) -> str:
    """Exits 0 when everything that ran before runs again, is gone or was replaced; says what does not."""
    checks = (f"is_back {one.id} {one.name} || exit 1" for one in containers(on))
    return lines(functions(on), "engine || exit 1", *checks)
