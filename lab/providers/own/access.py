"""The user's own way to a machine, and the lab's that follows from it.

ssh itself says where a name of its configuration leads, so all that is written there counts. The lab then
goes the same way as the user vagrant, and knows the machine by the key that was seen on it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lab import environment, keys
from lab.environment import lab_state
from lab.errors import HostError, LabError, TimedOut
from lab.model import Access, Lab, Node
from lab.waiting import SLOW_HOST, limit, stretched

CONNECT_SECONDS = 10
SCAN_SECONDS = 5
AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec bash -s -- "$@"; else exec sudo -n bash -s -- "$@"; fi'
# What ssh and sudo say -> what is the matter, and what to do; the first that is found.
TROUBLES = (
    ("IDENTIFICATION HAS CHANGED", "its host key is another than before", "ssh-keygen -R {host}"),
    ("Host key verification failed", "ssh does not know its host key", "{ssh}, once, and look at the key"),
    ("Permission denied", "the key or the user is refused", "{ssh}; then ssh: {{user, key}} in the lab file"),
    ("Could not resolve", "nobody knows the name {host}", "ssh: {{host}} in the lab file"),
    ("password is required", "sudo asks for a password", "there: USER ALL=(ALL) NOPASSWD: ALL"),
    ("sudo: not found", "its user is not root, and sudo is not there", "ssh: {{user}} in the lab file"),
)  # fmt: skip
OTHER_TROUBLE = ("it does not answer over SSH", "{ssh}")


@dataclass(frozen=True)
class Way:
    """Where ssh goes for a machine, and as whom; by `jumps` one after the other, or by a command of its own.

    `keys` and `known_hosts` are paths as ssh prints them, `proxy` is empty for no command.
    """

    host: str
    port: int
    user: str = ""
    keys: tuple[str, ...] = ()
    known_hosts: str = ""
    proxy: str = ""
    jumps: tuple[Way, ...] = ()


# --- deciding ---------------------------------------------------------------------------------------------


def ssh_words(access: Access) -> list[str]:
    """ssh as the user would type it."""
    words = ["ssh", *(["-F", _path(access.config)] if access.config else [])]
    words += ["-p", str(access.port)] if access.port else []
    words += ["-i", _path(access.key), "-o", "IdentitiesOnly=yes"] if access.key else []
    words += ["-J", access.jump] if access.jump else []
    return [*words, f"{access.user}@{access.host}" if access.user else access.host]


def _path(said: str) -> str:
    return os.path.expanduser(said)  # one of a user who is not there stays as it is: ssh tells it


def trouble(node: Node, access: Access, said: str) -> HostError:
    """What ssh's words mean for a machine that could not be reached."""
    found = next(((what, mend) for words, what, mend in TROUBLES if words in said), OTHER_TROUBLE)
    known = {"host": access.host, "ssh": shlex.join(ssh_words(access))}
    what, mend = (words.format(**known) for words in found)
    return HostError(what, node=node.name, last_seen=said.strip()[-500:], try_next=mend)


def way(configuration: str, jumps: tuple[Way, ...] = ()) -> Way:
    """From what `ssh -G` prints."""
    pairs = [line.split(" ", 1) for line in configuration.splitlines() if " " in line]
    one = {key: value for key, value in pairs}
    proxy = one.get("proxycommand", "none")
    return Way(
        host=one["hostname"],
        port=int(one["port"]),
        user=one["user"],
        keys=tuple(value for key, value in pairs if key == "identityfile"),
        known_hosts=one.get("userknownhostsfile", ""),
        proxy="" if proxy == "none" else proxy,
        jumps=jumps,
    )


def jumps_of(configuration: str) -> list[str]:
    """The machines on the way, as `ssh -G` prints them and takes them again."""
    found = re.search(r"^proxyjump (.*)$", configuration, re.MULTILINE)
    hops = found[1].split(",") if found and found[1] != "none" else []
    return [hop if "://" in hop else f"ssh://{hop}" for hop in hops]


def known(way: Way, address: str, key: str) -> list[str]:
    """The lines of known_hosts for a machine: on the way to it, and at its address in the lab."""
    name = way.host if way.port == 22 else f"[{way.host}]:{way.port}"  # noqa: PLR2004  SSH's own port
    return [f"{place} {key}" for place in dict.fromkeys((name, address))]


def ssh_config(ways: Mapping[str, Way]) -> str:
    """The configuration with which ssh, and fabric, reach each node as the user vagrant."""
    return "\n".join(line for name, way in ways.items() for line in _node(name, way)) + "\n"


def _node(name: str, way: Way) -> Iterable[str]:
    as_vagrant = replace(way, user="vagrant", keys=(str(keys.private()),), known_hosts=str(known_hosts()))
    yield from _host(name, as_vagrant)
    yield "  PasswordAuthentication no"


def _host(name: str, way: Way) -> Iterable[str]:
    hops = [f"{name}-via-{number}" for number, _ in enumerate(way.jumps, 1)]
    for hop, jump in zip(hops, way.jumps, strict=True):
        yield from _host(hop, jump)
    yield f"Host {name}"
    yield f"  HostName {way.host}"
    yield f"  Port {way.port}"
    yield f"  User {way.user}"
    yield from (f'  IdentityFile "{key}"' for key in way.keys)
    yield "  IdentitiesOnly yes"
    yield f"  UserKnownHostsFile {_quoted(way.known_hosts)}"
    yield "  StrictHostKeyChecking yes"
    yield "  LogLevel ERROR"
    if hops:
        yield f"  ProxyJump {','.join(hops)}"
    elif way.proxy:
        yield f"  ProxyCommand {way.proxy}"


def _quoted(paths: str) -> str:
    """One path with spaces is quoted; ssh prints several with spaces between them."""
    return f'"{paths}"' if Path(paths).exists() or " /" not in paths else paths


def strangers(lab: Lab, known_lines: str, scanned: Mapping[str, str]) -> dict[str, str]:
    """Node -> what is at its address in the lab when that is not the machine: nothing, or another key.

    `scanned` is node name -> the key that answers there, empty for none.
    """
    keys_known = dict(line.split(" ", 1) for line in known_lines.splitlines() if " " in line)
    return {
        node.name: scanned[node.name] or "nothing answers"
        for node in lab.nodes
        if not scanned[node.name] or scanned[node.name] != keys_known.get(node.address)
    }


# --- doing ------------------------------------------------------------------------------------------------


def known_hosts() -> Path:
    return lab_state() / "known_hosts"


def resolved(node: Node) -> Way:
    """Where ssh goes for this node, with the user's own configuration."""
    return _resolved(node, ssh_words(_access(node))[1:])


def _resolved(node: Node, words: list[str]) -> Way:
    said = _ssh(node, ["-G", *words], "", CONNECT_SECONDS).stdout
    file = ["-F", _path(_access(node).config)] if _access(node).config else []
    return way(said, tuple(_resolved(node, [*file, hop]) for hop in jumps_of(said)))


def run(node: Node, script: str, *words: str, timeout: float = 60) -> str:
    """Run a script as root on the node's machine over the user's own SSH; returns what it printed.

    Raises HostError when the machine cannot be reached, LabError when the script fails, TimedOut.
    """
    command = f"sh -c {shlex.quote(AS_ROOT)} sh {shlex.join(words)}"
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={round(stretched(CONNECT_SECONDS))}"]
    done = _ssh(node, [*options, *ssh_words(_access(node))[1:], command], script, timeout)
    if done.returncode == 0:
        return done.stdout
    said = done.stderr or done.stdout
    if done.returncode == 255 or "sudo:" in said:  # noqa: PLR2004  ssh's own failure
        raise trouble(node, _access(node), said)
    raise LabError(
        f"exit {done.returncode} on the machine",
        node=node.name,
        last_seen=(done.stdout + done.stderr).strip()[-800:],
    )


def _ssh(node: Node, words: list[str], script: str, timeout: float) -> subprocess.CompletedProcess[str]:
    # The user's agent is a part of the user's own way; nothing else of the lab may use it.
    agent = environment.given().get("SSH_AUTH_SOCK")
    try:
        return subprocess.run(
            ["ssh", *words],
            input=script,
            env={**os.environ, **({"SSH_AUTH_SOCK": agent} if agent else {})},
            capture_output=True,
            text=True,
            timeout=stretched(timeout),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut(
            f"no end after {limit(timeout)} s on the machine", node=node.name, try_next=SLOW_HOST
        ) from error


def _access(node: Node) -> Access:
    if node.ssh is None:  # the lab file was refused without it
        raise HostError(
            "the lab file does not say how it is reached", node=node.name, try_next="ssh: {host: ...}"
        )
    return node.ssh


def remember(lab: Lab, ways: Mapping[str, Way], host_keys: Mapping[str, str]) -> None:
    """Write down by which key each machine is known, on the way to it and in the lab."""
    lines = [
        line for node in lab.nodes for line in known(ways[node.name], node.address, host_keys[node.name])
    ]
    known_hosts().parent.mkdir(parents=True, exist_ok=True)
    known_hosts().write_text("\n".join(lines) + "\n")


def forget() -> None:
    known_hosts().unlink(missing_ok=True)


def require_same_machines(lab: Lab) -> None:
    """HostError unless this host finds each node's machine at the node's address in the lab."""
    found = strangers(lab, known_hosts().read_text(), _scan(lab))
    if found:
        raise HostError(
            "this host does not find the machines at their addresses in the lab",
            last_seen="\n".join(
                f"{name} at {lab.node(name).address}: {what}" for name, what in found.items()
            ),
            try_next=f"ip route get {lab.node(next(iter(found))).address}",
        )


def is_reached(lab: Lab) -> bool:
    """Whether at least one of the lab's addresses leads to the machine that it should lead to.

    Seen once it holds for this process: what becomes of the machines later is the lab's business.
    """
    if not known_hosts().exists():
        return False
    try:
        _prove_reached(lab, known_hosts().read_text())
    except LookupError:
        return False
    return True


@cache  # a LookupError is not kept
def _prove_reached(lab: Lab, known_lines: str) -> None:
    if len(strangers(lab, known_lines, _scan(lab))) == len(lab.nodes):
        raise LookupError(lab.subnet)


def _scan(lab: Lab) -> dict[str, str]:
    """Node -> the host key that answers at its address in the lab, empty for none."""
    with ThreadPoolExecutor(max_workers=len(lab.nodes)) as pool:
        keys_there = pool.map(_key_at, [node.address for node in lab.nodes])
        return {node.name: key for node, key in zip(lab.nodes, keys_there, strict=True)}


def _key_at(address: str) -> str:
    words = ["ssh-keyscan", "-t", "ed25519", "-T", str(round(stretched(SCAN_SECONDS))), address]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.search(r"^\S+ (ssh-ed25519 \S+)", done.stdout, re.MULTILINE)
    return found[1] if found else ""
