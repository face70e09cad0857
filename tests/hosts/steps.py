"""The steps, in their order. What a user types is data; the machine's own steps are functions."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import HostError, LabError
from provisioning.build.artifacts import cache_root
from tests.hosts import contained, disk, machine, record, user_mode, virtual
from tests.hosts.machine import CONTAINER, ROOT, USER_MODE, VIRTUAL, Done, Host

GUEST = Path(__file__).with_name("guest")
CHECKOUT = "bluegreen-lab"
NODE_IMAGE = "bluegreen-lab/node:latest"
KINDS = {VIRTUAL: virtual, USER_MODE: user_mode, CONTAINER: contained}
HINT = re.compile(r"try next:\s+(sudo usermod -aG docker \S+)")
PYTEST = ".venv/bin/pytest -v -p no:cacheprovider"
A_FAULT = "features/chaos/test_every_fault.py::test_a_fault_bites_and_ends"
CLONE = f"git -c init.defaultBranch=main -c advice.detachedHead=false clone -q checkout.bundle {CHECKOUT}"
UPDATE = f"git -C {CHECKOUT} fetch -q ../checkout.bundle HEAD && git -C {CHECKOUT} reset -q --hard FETCH_HEAD"
NETEM = "sudo tc qdisc show dev eth1"


@dataclass(frozen=True)
class Typed:
    """A command as the user types it in the checkout, and what its output must match.

    One `of_kernel` asks what only a kernel with all of Debian's modules has: containers are not asked.
    """

    command: str
    expected: str = ""
    of_kernel: bool = False

    def fault(self, done: Done) -> str:
        """What is wrong with how it ended; empty when nothing is."""
        if done.exit != 0:
            return f"exit {done.exit}"
        return "" if re.search(self.expected, done.output) else f'no "{self.expected}" in its output'


def _fault(name: str) -> Typed:
    return Typed(f"{PYTEST} '{A_FAULT}[{name}]'")


TYPED: dict[str, tuple[Typed, ...]] = {
    "up": (Typed("make lab-up", "every component answers"),),
    "again": (Typed("make lab-up", r"\b0 changed"),),
    "doctor": (Typed(".venv/bin/lab doctor"), Typed(".venv/bin/lab status")),
    "deploy": (
        Typed(".venv/bin/lab deploy books-service 1.1", "green"),
        Typed("curl -sS http://10.100.199.200/api/v1/books", r"^\["),
        Typed(".venv/bin/lab reset"),
        Typed(
            "vagrant ssh swarm-master -c"
            " 'ansible-playbook /vagrant/ansible/books-service.yml -i /vagrant/ansible/hosts/prod'",
            r"failed=0",
        ),
        Typed(f"{PYTEST} features/article/test_article.py -k 'sent_to or by_lab_deploy'"),
    ),
    "heal": (Typed(f"{PYTEST} 'features/healing/test_healing.py::test_the_live_color_is_how[stopped]'"),),
    "checkpoint": (Typed(".venv/bin/lab save here"), Typed(".venv/bin/lab restore here", "here")),
    "faults": (
        *map(_fault, ("out-of-memory", "cpu", "memory", "disk", "delay", "loss", "freeze")),
        Typed(
            ".venv/bin/lab fault inject delay swarm-node-01 ms=200 --seconds 60 --detach"
            f" && .venv/bin/lab exec swarm-node-01 -- {NETEM} && .venv/bin/lab fault heal --all",
            "netem",
            of_kernel=True,
        ),
    ),
    "down": (Typed("make lab-down", "nothing of the lab is left"),),
}


# --- steps of the machine ------------------------------------------------------------------------------


def make_disk(host: Host) -> str:
    """debootstrap, sshd, a user, and a kernel where it has its own; an old disk is gone."""
    kind = KINDS[host.kind]
    kind.off(host, at_once=True)
    kind.make(host)
    record.save(host, record.Record())
    return ""


def boot(host: Host) -> str:
    """Start it and wait for SSH."""
    disk.install_missing(host)
    how = KINDS[host.kind].boot(host)
    record.save(host, record.load(host).with_facts({"runs on": how}))
    return ""


def copy(host: Host) -> str:
    """The checkout (HEAD), the warm cache and the node image; what is there is brought up to date."""
    bundle = ["git", "-C", str(ROOT), "bundle", "create", "-q", "-", "HEAD"]
    _must(machine.send(host, bundle, f"cat >checkout.bundle && {{ {UPDATE} || {CLONE}; }}"))
    cache = ["tar", "-C", str(cache_root()), "-c", "artifacts", "registry"]
    _must(machine.send(host, cache, "mkdir -p ~/.cache/bluegreen-lab && tar -x -C ~/.cache/bluegreen-lab"))
    tags = _node_tags()
    if machine.type_on(host, f"docker image inspect --format loaded {' '.join(tags)} 2>&1").exit != 0:
        save = ["sh", "-c", 'docker save "$@" | gzip -1', "save", *tags]
        _must(machine.send(host, save, "cat >node.tar.gz"))
    return ""


def _node_tags() -> list[str]:
    words = ["docker", "image", "inspect", "--format", "{{json .RepoTags}}", NODE_IMAGE]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        raise HostError(f"this machine's engine has no {NODE_IMAGE}", try_next="make lab-up, here, once")
    return [str(tag) for tag in json.loads(said.stdout)]


def _must(done: Done) -> None:
    if done.exit != 0:
        raise LabError(f"exit {done.exit} from: {done.command}", last_seen=done.output[-500:])


def install(host: Host) -> str:
    """lab/host.sh as `make lab-up` begins with it, what it tells to type, then `docker load`."""
    done = _type(host, "lab/host.sh")
    told = HINT.search(done.output)
    if done.exit != 0 and told:
        _must(_type(host, told[1]))
        done = _type(host, "lab/host.sh")
    if done.exit != 0:
        return f"lab/host.sh: exit {done.exit}"
    _must(_type(host, "if [ -e ~/node.tar.gz ]; then docker load -i ~/node.tar.gz && rm ~/node.tar.gz; fi"))
    said = _run_guest(host, "facts")
    record.save(host, record.load(host).with_facts(record.parse_facts(said.output)))
    return ""


def _run_guest(host: Host, script: str) -> Done:
    return machine.send(host, ["cat", str(GUEST / script)], f"cd {CHECKOUT} && sh -s")


def left(host: Host) -> str:
    """What is left of the lab on the machine."""
    done = _run_guest(host, "nothing-left")
    return "" if done.exit == 0 else done.output.strip().replace("\n", "; ")


def off(host: Host) -> str:
    """Shut it down. Its disk stays."""
    KINDS[host.kind].off(host)
    return ""


# --- steps of the user ---------------------------------------------------------------------------------


def _patience(host: Host) -> str:
    return os.environ.get("LAB_PATIENCE") or str(KINDS[host.kind].patience(host))


def _type(host: Host, command: str) -> Done:
    return machine.type_on(
        host, f"cd {CHECKOUT} && export LAB_YES=1 LAB_PATIENCE={_patience(host)} && {command}"
    )


def type_all(host: Host, lines: tuple[Typed, ...]) -> str:
    """Type each line, also when one before it failed; returns what failed."""
    asked = [line for line in lines if host.kind != CONTAINER or not line.of_kernel]
    found = [(line.command, line.fault(_type(host, line.command))) for line in asked]
    return "; ".join(f"`{command}`: {fault}" for command, fault in found if fault)


def _typing(name: str) -> Callable[[Host], str]:
    return lambda host: type_all(host, TYPED[name])


# Each returns what failed, empty when nothing did.
STEPS: dict[str, Callable[[Host], str]] = {
    "disk": make_disk,
    "boot": boot,
    "copy": copy,
    "install": install,
    **{name: _typing(name) for name in TYPED},
    "left": left,
    "off": off,
}
NEEDED = ("disk", "boot", "copy", "install", "up")  # without one of these the next steps say nothing
