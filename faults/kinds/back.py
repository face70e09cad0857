"""Bringing containers back: the undo of everything that takes them down.

A container is started again unless it runs, is gone, or has been replaced since.
"""

from __future__ import annotations

from faults.fault import Action, Site, containers, lines, script, waiting
from lab.model import Service


def repointing(site: Site) -> list[Action]:
    """The part on the master that sends users to a live color's new port; none when no live color was hit."""
    hit = {one.name for one in containers(site)}
    known = [service for service in site.lab.services if service.name in site.live]
    services = [one for one in known if one.container(site.live[one.name]) in hit]
    if not services:
        return []
    turned = lines(*(f"(\n{_repoint(site, service)}\nuntil_true 10 turn\n)" for service in services))
    told = (f"(\n{_repoint(site, service)}\n{_is_told(site, service)}\n) || exit 1" for service in services)
    return [Action(site.lab.master.name, "", turned, lines(*told), last=True)]


def _repoint(site: Site, service: Service) -> str:
    known = script("repoint.sh", service=service.name, path=service.path, upstream=service.upstream)
    return lines(waiting(site), known)


def _is_told(site: Site, service: Service) -> str:
    live = service.container(site.live[service.name])
    return f'open || nobody || {{ echo "nginx knows another address of {live}"; exit 1; }}'


def functions(site: Site) -> str:
    """The shell functions `back`, `is_back`, `replaced` and `engine`."""
    services = [f"{one.project} {one.name} {site.live.get(one.name) or '-'}" for one in site.lab.services]
    known = script(
        "back.sh", services="\n".join(services), master=site.lab.master.address, swarm=site.lab.swarm_endpoint
    )
    return lines(waiting(site), known)


def bring_back(site: Site) -> str:
    """Start again what ran before the fault."""
    return lines(
        functions(site), "engine || exit 1", *(f"back {one.id} {one.name}" for one in containers(site))
    )


def are_back(site: Site) -> str:
    """Exits 0 when everything that ran before runs again, is gone or was replaced; says what does not."""
    checks = (f"is_back {one.id} {one.name} || exit 1" for one in containers(site))
    return lines(functions(site), "engine || exit 1", *checks)
