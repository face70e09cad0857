"""From a host to a lab that serves its first release: the phases of `lab up`, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deployments import baseline, books
from lab import engine, machines, network
from lab.clients.consul import ConsulClient
from lab.model import Lab
from lab.shell import Shell
from provisioning import build, doctor, health, provision, supply
from provisioning.stages import healths

Say = Callable[[str], None]


def bring_up(lab: Lab, say: Say) -> None:
    """Bring the lab up, or mend what is down; a healthy lab is left as it is.

    Raises HostError before anything is made on a host that cannot, TimedOut or LabError afterwards.
    """
    doctor.refuse(lab)
    network.refuse_clash(lab)
    build.make(lab, say)
    say("artifacts and images are ready")
    start_machines(lab, say)
    shells = machines.shells(lab)
    if not lab.mounts_host:
        supply.supply(lab, build.record(lab), shells, say)
    changes = provision.provision(lab, build.record(lab), shells, say)
    say(f"{len(changes)} changed on {len(lab.nodes)} nodes")
    release(lab, shells, say)
    health.wait(shells, healths(lab))
    say("every component answers")


def start_machines(lab: Lab, say: Say) -> None:
    """Every node answers over SSH."""
    if lab.provider == "docker":
        engine.remember()
    down = machines.names(lab) - machines.answering(lab)
    if down:
        say("starting " + ", ".join(sorted(down)))
        machines.up(lab, say)
    say(f"{len(lab.nodes)} nodes answer over SSH")


def release(lab: Lab, shells: Mapping[str, Shell], say: Say) -> None:
    """The main service answers its users; a new one with its first release and three books."""
    service, master = lab.main_service, shells[lab.master.name]
    is_new = ConsulClient(lab).live_color(service) is None
    baseline.first_release(lab, master, service, say)
    if is_new:
        books.ensure(lab)
        say(f"{len(books.BOOKS)} books are in")
