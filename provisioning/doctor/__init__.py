"""`lab doctor`: can this host carry the lab, and what mends it when it cannot.

`observing` looks (a second, nothing is changed); every check is a pure function of what was seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from lab import environment
from lab.errors import HostError
from lab.model import OWN_HOSTS, Lab
from provisioning.doctor import engine, host, surroundings, virtual
from provisioning.doctor.facts import Check, Facts
from provisioning.doctor.observing import observe

CHECKS: tuple[Callable[[Facts], Check], ...] = (
    *(host.system, host.architecture, host.python),
    *(engine.engine, engine.options, engine.storage, engine.cgroups, engine.docker),
    *(host.vagrant, host.programs, host.capabilities, host.kernel, host.faults, host.inotify),
    *(virtual.plugin, virtual.libvirt, virtual.acceleration, virtual.vbox),
    *(host.memory, virtual.memory, host.disk, host.clock, host.files),
    *(surroundings.ports, surroundings.subnet, surroundings.proxies, surroundings.variables),
    *(surroundings.browser, surroundings.building, surroundings.cache, virtual.box),
)
# Of nodes that are containers; virtual machines bring their own kernel.
OF_CONTAINERS = (engine.options, engine.storage, engine.cgroups, host.capabilities, host.kernel, host.faults)
OF_LIBVIRT = (virtual.plugin, virtual.libvirt, virtual.acceleration, virtual.memory, virtual.box)
OF_VIRTUALBOX = (virtual.vbox,)
# Checks that are not of a lab with nodes of this kind.
LEFT_OUT = {
    "docker": (*OF_LIBVIRT, *OF_VIRTUALBOX),
    "libvirt": (*OF_CONTAINERS, *OF_VIRTUALBOX, host.memory, surroundings.ports),
    "virtualbox": (*OF_CONTAINERS, *OF_LIBVIRT),
    OWN_HOSTS: (
        *OF_CONTAINERS,
        *OF_LIBVIRT,
        *OF_VIRTUALBOX,
        *(host.vagrant, host.memory, surroundings.ports),
    ),
}


def examine(lab: Lab) -> list[Check]:
    """Every check, in the order in which one would mend things."""
    return judge(observe(lab))


def judge(facts: Facts) -> list[Check]:
    """The list for these facts, without anything that must not be pasted. Pure."""
    chosen = [one for one in CHECKS if one not in LEFT_OUT[facts.lab.provider]]
    home = facts.given.get("HOME") or str(Path.home())
    return [clean(check(facts), home) for check in chosen]


def blockers(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if check.state == "blocker"]


def refuse(lab: Lab) -> None:
    """HostError with everything that stands in the way of a bring-up; nothing is said of the rest."""
    found = blockers(judge(observe(lab, with_browser=False)))
    if found:
        raise refusal(found)


def refusal(found: list[Check]) -> HostError:
    """All blockers as one error. Pure."""
    if len(found) == 1:
        return HostError(f"{found[0].name}: {found[0].seen}", try_next=found[0].mend)
    lines = [f"{check.name}: {check.seen}\n  mend: {check.mend}" for check in found]
    return HostError(
        f"{len(found)} things keep the lab from this host",
        last_seen="\n".join(lines),
        try_next="mend these; `lab doctor` shows the whole list",
    )


def clean(check: Check, home: str) -> Check:
    """The check as it may be pasted: no user names or passwords in addresses, no paths of a home. Pure."""
    return replace(check, seen=_clean(check.seen, home), mend=_clean(check.mend, home))


def _clean(text: str, home: str) -> str:
    text = re.sub(r"(\w+://)\S*@", r"\1", text)  # user:password@ of an address
    text = re.sub(r"[^\s/@\"'(]+@(?=[\w.[])", "", text)  # the same without a scheme
    text = re.sub(r"(\w+://[^\s?]*)\?\S*", r"\1", text)  # a token in a question
    for path, short in ((str(environment.ROOT), "."), (home, "~")):
        if len(path) > 1:
            text = re.sub(rf"{re.escape(path)}(?=[/\s\"',:;)]|$)", short, text)
    return text
