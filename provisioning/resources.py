"""Desired state as data: what to look at on a node, how to compare, how to converge.

Every resource has a `key`, a shell snippet `observe` whose output describes what is there, and a pure
`converge(observed, changed)` that returns the script that mends the difference, or None.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from dataclasses import dataclass
from typing import Protocol

from lab.model import MARK
from lab.waiting import limit

TRIES = 60.0  # seconds in which systemd's own tries help a unit that did not start at once


class Resource(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def observe(self) -> str: ...
    def converge(self, observed: str, changed: frozenset[str]) -> str | None: ...


@dataclass(frozen=True)
class Package:
    """Debian packages that are installed."""

    names: tuple[str, ...]

    @property
    def key(self) -> str:
        return "package:" + ",".join(self.names)

    @property
    def observe(self) -> str:
        return f"dpkg-query -W -f='${{Package}} ${{Status}}\\n' {' '.join(self.names)} 2>/dev/null || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        there = {line.split()[0] for line in observed.splitlines() if line.endswith("install ok installed")}
        missing = [name for name in self.names if name not in there]
        if not missing:
            return None
        return (
            "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && "
            f"apt-get install -qy --no-install-recommends {' '.join(missing)}"
        )


@dataclass(frozen=True)
class Command:
    """A command, of a package that not every release of Debian has apart."""

    name: str
    package: str

    @property
    def key(self) -> str:
        return f"package:{self.package}"

    @property
    def observe(self) -> str:
        return f"command -v {self.name} || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        # Looked at again: the package before it may have brought the command since.
        install = Package((self.package,)).converge("", changed)
        return None if observed else f"command -v {self.name} >/dev/null || {{ {install}; }}"


@dataclass(frozen=True)
class Masked:
    """A unit of the distribution that must not run: a component of the lab is in its place."""

    name: str

    @property
    def key(self) -> str:
        return f"masked:{self.name}"

    @property
    def observe(self) -> str:
        return f"systemctl is-enabled {self.name} 2>/dev/null || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        return None if observed == "masked" else f"systemctl mask --now -q {self.name}"


@dataclass(frozen=True)
class Member:
    """A user who is in a group."""

    user: str
    group: str

    @property
    def key(self) -> str:
        return f"member:{self.user} of {self.group}"

    @property
    def observe(self) -> str:
        return f"id -nG {self.user}"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        return None if self.group in observed.split() else f"usermod -aG {self.group} {self.user}"


@dataclass(frozen=True)
class Directory:
    path: str
    owner: str = "root"
    mode: str = "755"

    @property
    def key(self) -> str:
        return f"directory:{self.path}"

    @property
    def observe(self) -> str:
        return f"stat -c '%F %a %U' {self.path} 2>/dev/null || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        if observed == f"directory {self.mode} {self.owner}":
            return None
        return f"install -d -m {self.mode} -o {self.owner} {self.path}"


@dataclass(frozen=True)
class File:
    """A file with this content; with `keep`, whatever content is there already is kept."""

    path: str
    content: str
    mode: str = "644"
    owner: str = "root"
    keep: bool = False

    @property
    def key(self) -> str:
        return f"file:{self.path}"

    @property
    def observe(self) -> str:
        look = f"stat -c '%a %U' {self.path} 2>/dev/null"
        return f"{look} && sha256sum <{self.path} 2>/dev/null | cut -c1-64 || true"

    @property
    def _wanted(self) -> str:
        return f"{self.mode} {self.owner}\n{hashlib.sha256(self.content.encode()).hexdigest()}"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        if observed == self._wanted or (self.keep and observed):
            return None
        # Written beside and moved: nobody ever reads half a file.
        text = base64.b64encode(self.content.encode()).decode()
        return (
            f"mkdir -p $(dirname {self.path}); base64 -d <<<'{text}' >{self.path}.new; "
            f"chmod {self.mode} {self.path}.new; chown {self.owner}: {self.path}.new; "
            f"mv {self.path}.new {self.path}"
        )


@dataclass(frozen=True)
class Made:
    """A file that `command` makes on the node, once: a key that no two nodes share."""

    path: str
    command: str

    @property
    def key(self) -> str:
        return f"file:{self.path}"

    @property
    def observe(self) -> str:
        return f"test ! -s {self.path} || echo there"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        return None if observed == "there" else self.command


@dataclass(frozen=True)
class Hosts:
    """Names of machines in /etc/hosts, each with its address; what others wrote there stays."""

    names: tuple[tuple[str, str], ...]  # address, name

    @property
    def key(self) -> str:
        return "file:/etc/hosts"

    @property
    def _lines(self) -> list[str]:
        return [f"{address} {name} # {MARK}" for address, name in self.names]

    @property
    def observe(self) -> str:
        return f"grep -h '# {MARK}$' /etc/hosts || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        if observed.splitlines() == self._lines:
            return None
        # Written in place: it may be a mount, which nothing can be moved over.
        return (
            f"others=$(grep -v '# {MARK}$' /etc/hosts || true); "
            f"printf '%s\\n' \"$others\" {shlex.join(self._lines)} >/etc/hosts"
        )


@dataclass(frozen=True)
class OwnFile:
    """A file that a container's program keeps itself from its first start on.

    It is written anew only when it lacks one of `needs`, with the container stopped meanwhile: its program
    would write over it.
    """

    file: File
    needs: tuple[str, ...]
    container: str

    @property
    def key(self) -> str:
        return self.file.key

    @property
    def observe(self) -> str:
        each = (f"grep -qF {shlex.quote(words)} {self.file.path} 2>/dev/null" for words in self.needs)
        return f"{' && '.join(each)} && echo there || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        if observed == "there":
            return None
        around = "docker {} " + self.container + " >/dev/null 2>&1 || true"
        return "; ".join(
            [around.format("stop"), self.file.converge("", changed) or "", around.format("start")]
        )


@dataclass(frozen=True)
class Program:
    """A built program, linked into /usr/local/bin under a path that names its content."""

    name: str
    digest: str
    source: str

    @property
    def key(self) -> str:
        return f"program:{self.name}"

    @property
    def _home(self) -> str:
        return f"/opt/{MARK}/{self.name}-{self.digest}"

    @property
    def observe(self) -> str:
        return f"readlink /usr/local/bin/{self.name} || true; test -x {self._home} && echo there || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        if observed == f"{self._home}\nthere":
            return None
        return (
            f"install -d /opt/{MARK}; cp {self.source} {self._home}.new; chmod 755 {self._home}.new; "
            f"mv {self._home}.new {self._home}; ln -sfn {self._home} /usr/local/bin/{self.name}"
        )


@dataclass(frozen=True)
class Folder:
    """A folder copied from the cache, with a stamp that names its content."""

    path: str
    digest: str
    source: str

    @property
    def key(self) -> str:
        return f"folder:{self.path}"

    @property
    def observe(self) -> str:
        return f"cat {self.path}/.stamp 2>/dev/null || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        if observed == self.digest:
            return None
        copy = f"mkdir -p {self.path}; cp -r {self.source}/. {self.path}/"
        return f"{copy}; echo {self.digest} >{self.path}/.stamp"


STALE = "stale"


def _stale(keys: tuple[str, ...], since: str) -> str:
    """Shell that prints STALE when a file, folder or program of these keys is younger than `since`.

    An earlier run may have been cut after it wrote the file and before what reads it was told. `since` is
    shell that prints seconds of the epoch.
    """
    places = {"file": "{}", "folder": "{}/.stamp", "program": "/usr/local/bin/{}"}
    parts = [key.partition(":") for key in keys]
    paths = [places[kind].format(name) for kind, _, name in parts if kind in places]
    return (
        f"since=$({since}); stat -c %Y {' '.join(paths)} 2>/dev/null | "
        f"while read -r at; do [ $at -gt ${{since:-0}} ] && echo {STALE} && break; done; true"
    )


def _unit_since(name: str) -> str:
    return f'date -d "$(systemctl show -P ActiveEnterTimestamp {name})" +%s 2>/dev/null'


@dataclass(frozen=True)
class Unit:
    """A systemd unit, enabled and running; restarted when a resource of `restart_on` changed since its start.

    A oneshot unit that ran (`active (exited)`) counts as running.
    """

    name: str
    restart_on: tuple[str, ...] = ()
    started: bool = True

    @property
    def key(self) -> str:
        return f"unit:{self.name}"

    @property
    def observe(self) -> str:
        state = f"systemctl is-enabled {self.name} 2>/dev/null; systemctl is-active {self.name}"
        return f"{state}; {_stale(self.restart_on, _unit_since(self.name))}"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        wanted = "enabled\nactive" if self.started else "enabled"
        right = observed == wanted if self.started else observed.startswith(wanted)
        touched = any(key in changed for key in self.restart_on)
        if right and not touched:
            return None
        enable = (
            f"systemctl daemon-reload; systemctl reset-failed {self.name} 2>/dev/null || true; "
            f"systemctl enable -q {self.name}"
        )
        return f"{enable}; {_restarted(self.name)}" if self.started else enable


def _restarted(unit: str) -> str:
    """Shell that restarts a unit. What fails at first systemd may start again; if not, its log is told."""
    tries_again = f'until [ "$(systemctl is-active {unit})" != activating ]; do sleep 0.2; done'
    settles = f"timeout {limit(TRIES)} bash -c {shlex.quote(tries_again)}; systemctl is-active -q {unit}"
    logged = f"journalctl -u {unit} -n 20 --no-pager -o cat >&2; exit 1"
    return f"systemctl restart {unit} || {{ {settles}; }} || {{ {logged}; }}"


@dataclass(frozen=True)
class Reload:
    """A running unit takes in its settings anew, without a stop, when a resource of `on` changed since."""

    name: str
    on: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"reload:{self.name} for {','.join(self.on)}"

    @property
    def _stamp(self) -> str:
        return f"/run/{MARK}/reloaded-{self.name}"

    @property
    def observe(self) -> str:
        # The later of its start and its last reload.
        since = f"{{ {_unit_since(self.name)}; stat -c %Y {self._stamp} 2>/dev/null; }} | sort -n | tail -n 1"
        return _stale(self.on, since)

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        if observed != STALE and not any(key in changed for key in self.on):
            return None
        return f"systemctl reload {self.name} && install -D /dev/null {self._stamp}"


@dataclass(frozen=True)
class Trouble:
    """What is wrong though every part is as it should be: `signs` is shell that prints it, `mend` ends it."""

    name: str
    signs: str
    mend: str

    @property
    def key(self) -> str:
        return f"trouble:{self.name}"

    @property
    def observe(self) -> str:
        return f"(\n{self.signs}\n) 2>/dev/null || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        return self.mend if observed else None


@dataclass(frozen=True)
class Password:
    """A user's password; it is looked at through the hash that is there."""

    user: str
    password: str

    @property
    def key(self) -> str:
        return f"password:{self.user}"

    @property
    def observe(self) -> str:
        check = "import crypt,spwd,sys; h=spwd.getspnam(sys.argv[1])[1]; print(crypt.crypt(sys.argv[2],h)==h)"
        words = shlex.join(["python3", "-W", "ignore", "-c", check, self.user, self.password])
        return f"{words} 2>/dev/null || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        if observed == "True":
            return None
        return f"printf '%s\\n' {shlex.quote(f'{self.user}:{self.password}')} | chpasswd"


@dataclass(frozen=True)
class Container:
    """A container of a node's own engine, restarted by it, with the lab's mark and a hash of this record."""

    name: str
    image: str
    digest: str
    options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"container:{self.name}"

    @property
    def spec(self) -> str:
        text = json.dumps([self.image, self.digest, self.options, self.command])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def observe(self) -> str:
        form = '{{.State.Status}} {{index .Config.Labels "' + MARK + '.spec"}}'
        return f"docker inspect -f '{form}' {self.name} 2>/dev/null || true"

    def converge(self, observed: str, changed: frozenset[str]) -> str | None:
        state, _, spec = observed.strip().partition(" ")
        if spec == self.spec:
            if state == "running":
                return None
            # `docker start` also ends a restart loop's waiting; unpause has its own word.
            return f"docker unpause {self.name} 2>/dev/null || docker start {self.name}"
        words = (
            "docker",
            "run",
            "-d",
            "--name",
            self.name,
            "--restart=always",
            "--label",
            f"{MARK}=1",
            "--label",
            f"{MARK}.spec={self.spec}",
            *self.options,
            self.image,
            *self.command,
        )
        return (
            f"docker rm -f {self.name} >/dev/null 2>&1 || true; docker pull -q {self.image} >/dev/null; "
            + shlex.join(words)
        )
