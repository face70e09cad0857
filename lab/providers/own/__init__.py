"""Machines that the lab did not make: each is taken over the user's own SSH, and given back as it was.

Deciding is in `facts` and `access`; here the scripts beside this file are run.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from lab import keys, named
from lab.architecture import architecture
from lab.errors import HostError, LabError
from lab.model import Lab, Node
from lab.providers.own import access, facts
from lab.shell import in_parallel

SCRIPTS = Path(__file__).parent


def start(lab: Lab, say: Callable[[str], None]) -> str:
    """Look at every machine, refuse what cannot be, take all of them; the way to each as the user vagrant.

    Raises HostError that names every machine with what stands in the way; nothing is changed then.
    """
    seen = in_parallel(lambda name: look(lab.node(name)), [node.name for node in lab.nodes])
    refused = [
        words
        for node in lab.nodes
        for words in facts.refusals(lab, node, seen[node.name], own_key(), architecture())
    ]
    if refused:
        raise HostError(
            "the machines cannot be taken",
            last_seen="\n".join(refused),
            try_next=f"mend these; then {named.command('up')}",
        )
    ways = {node.name: access.resolved(node) for node in lab.nodes}
    access.remember(lab, ways, {name: one.host_key for name, one in seen.items()})
    access.require_same_machines(lab)
    say(
        f"taking {len(lab.nodes)} machines: "
        + ", ".join(f"{n.name} at {ways[n.name].host}" for n in lab.nodes)
    )
    in_parallel(lambda name: claim(lab, lab.node(name)), [node.name for node in lab.nodes])
    return access.ssh_config(ways)


def remove(lab: Lab, say: Callable[[str], None], *, purge: bool = False, force: bool = False) -> list[str]:
    """Give every machine back; returns those that still have something of the lab, and why.

    With `purge` the packages go that the lab installed; with `force` another checkout's claim counts as ours.
    """
    projects = ",".join(service.project for service in lab.services)
    words = [keys.public().read_text().strip() if keys.public().exists() else "-", lab.registry, projects]
    words += ["yes" if answer else "no" for answer in (purge, force)]

    def give_back(name: str) -> str:
        try:
            access.run(lab.node(name), script("give_back.sh"), *words, timeout=600)
        except LabError as error:
            return f"{name}: {error.what}; {error.last_seen or ''}".rstrip("; ")
        say(f"{name}: given back")
        return ""

    left = [words for words in in_parallel(give_back, [node.name for node in lab.nodes]).values() if words]
    if not left:
        access.forget()
    return left


def look(node: Node) -> facts.Facts:
    return facts.parse(access.run(node, script("look.sh"), node.address))


def claim(lab: Lab, node: Node) -> None:
    keep = f"keep={shlex.quote(script('keep.sh'))}\n"
    access.run(node, keep + script("claim.sh"), lab.name, node.name, keys.public().read_text().strip())


def script(name: str) -> str:
    return (SCRIPTS / name).read_text()


def own_key() -> str:
    """What tells this checkout's claims from others': the second word of its public key."""
    return keys.public().read_text().split()[1]
