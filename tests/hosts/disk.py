"""What a host is started from, and what this machine needs to make it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import environment
from lab.errors import HostError, LabError
from tests.hosts.machine import USER, USER_MODE, VIRTUAL, Host, has

MAKE_DISK = Path(__file__).with_name("make-disk")
PROGRAMS = {
    "debootstrap": "debootstrap",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "git": "git",
    "unshare": "util-linux",
}
PROGRAMS_OF_KIND = {
    VIRTUAL: {"qemu-system-x86_64": "qemu-system-x86"},
    USER_MODE: {"vde_plug": "vdeplug libvdeplug-slirp"},
}


def missing(host: Host) -> list[str]:
    programs = {**PROGRAMS, **PROGRAMS_OF_KIND.get(host.kind, {})}
    return sorted(
        package for program, packages in programs.items() if not has(program) for package in packages.split()
    )


def install_missing(host: Host) -> None:
    """Install what is not here, after a yes. LAB_YES=1 is a yes."""
    packages = missing(host)
    if not packages:
        return
    if not has("apt-get"):
        raise HostError(
            "this is not Debian or Ubuntu", try_next="install what these packages hold: " + " ".join(packages)
        )
    ask(f"install {' '.join(packages)}")
    as_root(["apt-get", "update"])
    as_root(["apt-get", "install", "-y", "--no-install-recommends", *packages])


def ask(what: str) -> None:
    if os.geteuid() == 0 or os.environ.get("LAB_YES") == "1":
        return
    if not sys.stdin.isatty():
        raise HostError(
            f"to {what}, sudo is needed, and there is no terminal to ask on", try_next="LAB_YES=1"
        )
    if not input(f"To {what}, sudo is needed. Go on? [y/N] ").lower().startswith("y"):
        raise HostError("nothing was changed")


def as_root(command: Sequence[str]) -> None:
    """Raises LabError when it fails."""
    words = list(command) if os.geteuid() == 0 else ["sudo", *command]
    if subprocess.run(words, check=False).returncode != 0:
        raise LabError(f"this failed: {shlex.join(words)}")


def make(host: Host, packages: Sequence[str]) -> None:
    """A new disk, with a key of its own, `packages` and the host's own; the old one is gone."""
    install_missing(host)
    ask(f"make the disk of {host.name} with debootstrap")
    _new_key(host)
    lay_out_extra(host.file("extra"))
    engine = host.engine_of or host.suite
    words = (str(MAKE_DISK), host.suite, str(host.folder), host.kind, engine, USER)
    as_root(["nice", *words, *packages, *host.packages])


def _new_key(host: Host) -> None:
    host.folder.mkdir(parents=True, exist_ok=True)
    for name in ("key", "key.pub", "known_hosts"):
        host.file(name).unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", str(host.file("key"))],
        check=True,
    )


def extra_files(said: str) -> list[tuple[Path, Path]]:
    """HOSTS_FILES: words FILE or FILE:PLACE, what a guest takes over from this machine, and where it goes."""
    pairs = [word.partition(":") for word in said.split()]
    return [(Path(source), Path(place or source)) for source, _, place in pairs]


def lay_out_extra(extra: Path) -> None:
    """HOSTS_FILES below this folder, as they will lie in the guest."""
    shutil.rmtree(extra, ignore_errors=True)
    extra.mkdir(parents=True)
    for source, place in extra_files(environment.given().get("HOSTS_FILES", "")):
        if not (source.is_file() and place.is_absolute()):
            raise HostError(f"HOSTS_FILES: {source}:{place} is not FILE or FILE:PLACE, with the whole path")
        target = extra / place.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
