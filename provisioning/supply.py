"""What container nodes mount from this host, all others are given: their share of the cache."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import IO

from lab import machines, named
from lab.errors import LabError, TimedOut
from lab.model import Lab
from lab.shell import Shell, command_line, in_parallel
from lab.waiting import SLOW_HOST, limit, stretched
from provisioning.build import NODE_CACHE, Built, on_this_host
from provisioning.resources import Folder, Program, Resource
from provisioning.stages import wanted

SECONDS = 300.0


def needed(resources: Iterable[Resource]) -> list[str]:
    """The folders of the cache, as a node sees them, that these resources take from. Pure."""
    programs = (str(PurePosixPath(one.source).parent) for one in resources if isinstance(one, Program))
    folders = (one.source for one in resources if isinstance(one, Folder))
    return sorted({*programs, *folders})


def observation(places: Iterable[str]) -> str:
    """The script that prints those that are not there; a folder of the cache is always whole. Pure."""
    return "\n".join(f"[ -d {place} ] || echo {place}" for place in places)


def supply(lab: Lab, built: Built, shells: Mapping[str, Shell], say: Callable[[str], None]) -> None:
    """Every node has what its resources take from. Raises LabError that names the node."""
    by_node = {node: needed(resources) for node, resources in wanted(lab, built).items()}

    def give(node: str) -> None:
        missing = shells[node].run(observation(by_node[node])).stdout.split()
        if missing:
            say(f"{node}: {len(missing)} folders of the cache go there")
        for place in missing:
            _send(node, place)

    in_parallel(give, by_node)


def _send(node: str, place: str) -> None:
    source, there = on_this_host(place), f"{NODE_CACHE}/.new"
    # Unpacked beside and moved: what has its name is whole.
    script = (
        f"set -e; rm -rf {there}; mkdir -p {there} $(dirname {place}); tar -x --no-same-owner -C {there}; "
        f"chmod -R u=rwX,go=rX {there}; mv {there} {place}"
    )
    words = [*machines.ssh_words(node), "--", command_line(script, sudo=True)]
    with subprocess.Popen(["tar", "-c", "-C", str(source), "."], stdout=subprocess.PIPE) as packing:
        done = _run(node, source.name, words, packing.stdout)
    if done.returncode != 0 or packing.returncode != 0:
        seen = done.stderr.strip()[-500:]
        raise LabError(f"sending {source} failed", node=node, last_seen=seen, try_next=named.command("up"))


def _run(node: str, what: str, words: list[str], stdin: IO[bytes] | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words, stdin=stdin, capture_output=True, text=True, timeout=stretched(SECONDS), check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut(
            f"no end of sending {what} after {limit(SECONDS)} s", node=node, try_next=SLOW_HOST
        ) from error
