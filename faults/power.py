"""A machine's power as a fault takes it: scripts of the host, by where the machine comes from. Pure.

An `act` is one of cut, halt, reboot and freeze.
"""

from __future__ import annotations

import shlex
from typing import Protocol

from faults.fault import Site, lines, script, waiting
from faults.host import only_ours
from lab import machines, virsh
from lab.model import OWN_HOSTS
from lab.waiting import stretched

CUT, HALT, REBOOT, FREEZE = "cut", "halt", "reboot", "freeze"
BOOT_SECONDS = 90
STILL = 20  # seconds in which a busy node's processes are frozen


class Power(Protocol):
    """How the machines of a provider are taken down and brought up again."""

    def refusal(self, act: str, site: Site) -> str | None: ...
    def take(self, act: str, site: Site) -> str: ...
    def give(self, act: str, site: Site) -> str: ...
    def is_on(self, site: Site) -> str: ...


def of(site: Site) -> Power:
    """The power of the site's machine."""
    known: dict[str, Power] = {"docker": _Containers(), "libvirt": _Domains(), OWN_HOSTS: _Own()}
    return known.get(site.lab.provider, _Vagrant())


def _ours(site: Site, *scripts: str) -> str:
    """Scripts that end before they begin where the machine does not carry the lab's mark."""
    return lines(only_ours(site.lab, site.node), *scripts)


def _runs(site: Site, state: str) -> str:
    """Whether the machine runs, by a command that prints its state."""
    return _ours(site, f'now=$({state}); echo "$now"; [ "$now" = running ]')


class _Containers:
    """Containers of this host's engine, and only those that carry the lab's mark."""

    WORDS = {CUT: "kill", HALT: "stop -t 20", REBOOT: "restart -t 20", FREEZE: "pause"}  # noqa: RUF012

    def refusal(self, act: str, site: Site) -> str | None:
        return None

    def take(self, act: str, site: Site) -> str:
        command = f"docker {self.WORDS[act]} {self._name(site)} >/dev/null"
        if act == FREEZE:  # processes that begin others all the time are not frozen at the first try
            return _ours(site, waiting(site), f"until_true {STILL} {command}")
        return _ours(site, command)

    def give(self, act: str, site: Site) -> str:
        name = self._name(site)
        if act in (HALT, REBOOT):  # the engine takes it down in its own time
            return _ours(site, waiting(site), script("stays_up.sh", machine=name))
        start = f"docker start {name} >/dev/null"  # does nothing to a node that runs
        if act == FREEZE:
            paused = f"[ \"$(docker inspect -f '{{{{.State.Paused}}}}' {name})\" = true ]"
            return _ours(site, f"if {paused}; then docker unpause {name} >/dev/null; fi", start)
        return _ours(site, start)

    def is_on(self, site: Site) -> str:
        state = f"docker inspect -f '{{{{.State.Status}}}}' {self._name(site)}"
        return _runs(site, state)

    def _name(self, site: Site) -> str:
        return site.lab.machine(site.node.name)


class _Domains:
    """Virtual machines of this host's libvirt, and only those that carry the lab's mark."""

    def refusal(self, act: str, site: Site) -> str | None:
        return None

    def take(self, act: str, site: Site) -> str:
        if act in (HALT, REBOOT):
            start = self._virsh("start", site) if act == REBOOT else ""
            return _ours(site, waiting(site), self._script("domain_off.sh", site), start)
        return _ours(site, self._virsh("suspend" if act == FREEZE else "destroy", site))

    def give(self, act: str, site: Site) -> str:
        if act in (HALT, REBOOT):  # the machine goes down in its own time
            return _ours(site, waiting(site), self._script("domain_stays_up.sh", site))
        resumed = self._script("domain_resumes.sh", site) if act == FREEZE else ""
        is_on = f'[ "$({self._virsh("domstate", site)})" = running ]'
        return _ours(site, resumed, f"{is_on} || {self._virsh('start', site)}")

    def is_on(self, site: Site) -> str:
        return _runs(site, self._virsh("domstate", site))

    def _virsh(self, word: str, site: Site) -> str:
        return f"virsh -q -c {virsh.URI} {word} {site.lab.machine(site.node.name)}"

    def _script(self, name: str, site: Site) -> str:
        config = str(machines.ssh_config())
        domain = site.lab.machine(site.node.name)
        seconds = str(round(stretched(5)))
        return script(name, domain=domain, uri=virsh.URI, config=config, node=site.node.name, connect=seconds)


class _Vagrant:
    """Virtual machines of VirtualBox, as Vagrant takes them down and brings them up."""

    WORDS = {CUT: "halt -f", HALT: "halt", REBOOT: "reload"}  # noqa: RUF012

    def refusal(self, act: str, site: Site) -> str | None:
        if act == FREEZE:
            return f"Vagrant cannot freeze a node of {site.lab.provider}"
        return None

    def take(self, act: str, site: Site) -> str:
        return f"vagrant {self.WORDS[act]} {site.node.name}"

    def give(self, act: str, site: Site) -> str:
        return f"vagrant up {site.node.name}"

    def is_on(self, site: Site) -> str:
        return f"vagrant status {site.node.name} --machine-readable | grep -q ',state,running'"


class _Own:
    """Machines of one's own: the commands of the lab file, which run on this host."""

    def refusal(self, act: str, site: Site) -> str | None:
        if act != CUT:
            return f"of a machine of one's own only the power can be cut; this is a {act}"
        if site.node.power is None:
            return "the lab file has no command for its power: power: {off: ..., on: ...}"
        return None

    def take(self, act: str, site: Site) -> str:
        return site.node.power.off if site.node.power else ""

    def give(self, act: str, site: Site) -> str:
        return lines(
            waiting(site),
            # A command that switches on what is on may fail; whether it answers is what counts.
            f"({site.node.power.on if site.node.power else ''}) || true",
            f"wait_for {BOOT_SECONDS} {self._answers(site)}",
        )

    def is_on(self, site: Site) -> str:
        return self._answers(site)

    def _answers(self, site: Site) -> str:
        config = shlex.quote(str(machines.ssh_config()))
        options = f"-o BatchMode=yes -o ConnectTimeout={round(stretched(5))}"
        return f"ssh -F {config} {options} {site.node.name} true"
