"""Steady state: every node and component answers, so does the service, and no fault is open or left over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faults.harness import Harness
from faults.leftovers import leftovers
from lab import named
from lab.clients.proxy import ProxyClient
from lab.errors import LabError
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import wait_until
from provisioning import health


def unsteady(lab: Lab, shells: Mapping[str, Shell], harness: Harness) -> list[str]:
    """What is not as it should be, a line each; nothing when the lab is steady."""
    looks: tuple[Callable[[], list[str]], ...] = (
        lambda: [f"{fault.name} {fault.id} is open on {', '.join(fault.on)}" for fault in harness.open()],
        lambda: _unwell(lab, shells),
        lambda: leftovers(shells),
        lambda: _unserved(lab),
    )
    for look in looks:  # the first that finds something explains the later ones
        wrong = look()
        if wrong:
            return wrong
    return []


def wait_steady(lab: Lab, shells: Mapping[str, Shell], harness: Harness, limit: float) -> None:
    """Wait until the lab is steady. Raises TimedOut with what is not as it should be."""

    def is_steady() -> bool:
        wrong = unsteady(lab, shells, harness)
        if wrong:
            raise LabError("not steady", last_seen="\n".join(wrong))
        return True

    wait_until(is_steady, limit, "the lab to be steady", try_next=named.command("status"))


def _unwell(lab: Lab, shells: Mapping[str, Shell]) -> list[str]:
    try:
        return [str(seen) for seen in health.unwell(lab, shells)]
    except LabError as error:
        return [str(error)]


def _unserved(lab: Lab) -> list[str]:
    proxy = ProxyClient(lab)
    try:
        proxy.books()
    except LabError as error:
        return [str(error)]
    finally:
        proxy.close()
    return []
