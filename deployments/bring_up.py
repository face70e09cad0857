"""From a host to a lab that serves its first release: the phases of `lab up`, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from deployments import baseline, books
from deployments.checkpoints import shelf
from lab import config, engine, labs, machines, network
from lab.clients.consul import ConsulClient
from lab.model import Lab
from lab.shell import Shell
from provisioning import build, doctor, health, provision, supply
from provisioning.bundle import taking
from provisioning.stages import healths

Say = Callable[[str], None]
Phase = Callable[[str], AbstractContextManager[object]]  # entered by its name, left at its end


def bring_up(lab: Lab, say: Say, bundle: str = "", phase: Phase = nullcontext) -> None:
    """Bring the lab up, or mend what is down; a healthy lab is left as it is.

    With a bundle, a file or the address of a server, nothing is built or fetched from elsewhere. Raises
    HostError before anything is made on a host that cannot, TimedOut or LabError afterwards.
    """
    shelf.refuse_unended()
    if bundle:
        with phase("the bundle"):
            taking.take_in(lab, bundle, say)  # first: a host that has all of it needs less
    with phase("a look at the host"):
        doctor.refuse(lab)
        labs.refuse_other_file(lab)
        network.refuse_clash(lab)
    with phase("builds"):
        build.make(lab, say, bundle)
    say("artifacts and images are ready")
    with phase("machines"):
        start_machines(lab, say)
    shells = machines.shells(lab)
    with phase("stages"):
        if not lab.mounts_host:
            supply.supply(lab, build.record(lab), shells, say)
        changes = provision.provision(lab, build.record(lab), shells, say)
    say(f"{len(changes)} changed on {len(lab.nodes)} nodes")
    with phase("first release"):
        release(lab, shells, say)
    with phase("health"):
        health.wait(shells, healths(lab))
    say("every component answers")


def bring_up_chosen(say: Say, bundle: str = "", phase: Phase = nullcontext) -> Lab:
    """The lab that LAB names, in a subnet that it keeps from now on, brought up. Its caller holds it."""
    network.settle(config.read(config.lab_file()))
    lab = config.load()
    bring_up(lab, say, bundle, phase)
    return lab


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
    service, master, consul = lab.main_service, shells[lab.master.name], ConsulClient(lab)
    if consul.live_color(service) is None:
        consul.note(service.new_key, "true")  # until its books are in, also when this is cut before
    baseline.first_release(lab, master, service, say)
    if consul.noted(service.new_key):
        books.ensure(lab)
        consul.forget(service.new_key)
        say(f"{len(books.BOOKS)} books are in")
