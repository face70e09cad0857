"""The machines of the lab: bring them up, take them down, find the way to them. A provider makes them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from lab import keys, named, network
from lab.environment import lab_state
from lab.errors import HostError, LabError
from lab.model import OWN_HOSTS, Lab, Node
from lab.providers import containers, libvirt, own, virtualbox
from lab.shell import SshShell, command_line
from lab.waiting import wait_until

UP_TIMEOUT = 90.0
OF_LAB = "# the lab "  # the first line of the way to its nodes
PROVIDERS: dict[str, ModuleType] = {
    "docker": containers,
    "libvirt": libvirt,
    "virtualbox": virtualbox,
    OWN_HOSTS: own,
}


def ssh_config() -> Path:
    """The way to each node, as ssh takes it; there when the lab was up and nobody took it down."""
    return lab_state() / "ssh_config"


def up(lab: Lab, say: Callable[[str], None] = lambda _: None) -> None:
    """Every machine runs, answers, and its way is written down."""
    keys.ensure()
    lab_state().mkdir(parents=True, exist_ok=True)
    text = PROVIDERS[lab.provider].start(lab, say)
    ssh_config().write_text(f"{OF_LAB}{lab.name}\n{text}")
    wait_until(lambda: answering(lab) == names(lab), UP_TIMEOUT, "SSH on every node")


def destroy(lab: Lab, say: Callable[[str], None], *, force: bool = False, purge: bool = False) -> list[str]:
    """Remove every machine; returns what is left of them (nothing, when all went well).

    With `force` also machines of one's own that another checkout took; with `purge` also the packages there.
    """
    options = {"force": force, "purge": purge} if lab.provider == OWN_HOSTS else {}
    left: list[str] = PROVIDERS[lab.provider].remove(lab, say, **options)
    ssh_config().unlink(missing_ok=True)
    return left


def names(lab: Lab) -> frozenset[str]:
    return frozenset(node.name for node in lab.nodes)


def answering(lab: Lab) -> frozenset[str]:
    """The nodes that answer over SSH now, by the last SSH configuration, and are in the lab's network."""
    if not ssh_config().exists():
        return frozenset()

    def answers(node: Node) -> bool:
        shell = SshShell(node.name, ssh_config())
        try:
            name, *addresses = shell.run("hostname; hostname -I", sudo=False, timeout=5).stdout.split()
            return name == node.name and node.address in addresses
        except (LabError, ValueError):
            return False
        finally:
            shell.close()

    with ThreadPoolExecutor(max_workers=len(lab.nodes)) as pool:
        found = zip(lab.nodes, pool.map(answers, lab.nodes), strict=True)
        return frozenset(node.name for node, is_there in found if is_there)


def ssh_words(node: str, command: Sequence[str] = (), *, terminal: bool = False) -> list[str]:
    """The ssh that opens a login shell on a node, or runs a command in one whose words arrive as they are.

    With `terminal` the command has one of its own, so that Ctrl-C ends it there too. Pure.
    """
    words = ["ssh", "-F", str(ssh_config()), *(["-t"] if terminal else []), node]
    return [*words, "--", command_line(shlex.join(command), sudo=False)] if command else words


def other_file(theirs: str, lab: Lab) -> HostError:
    """Why nothing is done: the machines are of the lab `theirs`. Pure but for LAB_FILE, which it shows."""
    return HostError(
        f"this checkout's machines are of the lab {theirs}, and this lab file's is {lab.name}",
        last_seen=f"LAB_FILE is {os.environ.get('LAB_FILE') or 'not set'}",
        try_next=f"export LAB_FILE=the file of {theirs}; or beside it: `{named.command('up', 'two')}`",
    )


def _of_lab() -> str:
    """The lab whose nodes the last SSH configuration leads to; empty when it does not say."""
    first, _, _ = ssh_config().read_text().partition("\n")
    return first.removeprefix(OF_LAB) if first.startswith(OF_LAB) else ""


def shells(lab: Lab) -> dict[str, SshShell]:
    """One shell a node; connections open on first use.

    Raises LabError when the lab was never up, HostError when what is up here is the lab of another file.
    """
    if not ssh_config().exists():
        raise LabError("the lab is not up", try_next=named.up_command())
    theirs = _of_lab()
    if theirs not in ("", lab.name):
        raise other_file(theirs, lab)
    return {node.name: SshShell(node.name, ssh_config()) for node in lab.nodes}


def shells_of_present(lab: Lab) -> dict[str, SshShell]:
    """As `shells`, of a lab whose network is on this host. Raises HostError when it is not."""
    network.require_present(lab)
    return shells(lab)
