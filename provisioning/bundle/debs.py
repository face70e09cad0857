"""The packages that a bare host of this distribution needs, with all that they need, as a repository for apt.

Bare is: what is essential or required is there, and what that needs. lab/host.sh says what a host needs
beside it. apt itself decides, from the lists that this host has; this host's own packages do not count.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab import environment
from lab.errors import HostError
from provisioning.bundle.archive import digest_of

INSTALLED = "Status: install ok installed"


def required(available: str) -> list[str]:
    """The packages that every host of the distribution has, of what `apt-cache dumpavail` prints. Pure."""
    found = {
        name[1]
        for stanza in available.split("\n\n")
        if re.search(r"^(Priority: required|Essential: yes)$", stanza, re.MULTILINE)
        and (name := re.search(r"^Package: (\S+)$", stanza, re.MULTILINE))
    }
    return sorted(found)


def to_install(simulated: str) -> list[str]:
    """The packages that `apt-get --simulate` would install. Pure."""
    return re.findall(r"^Inst (\S+)", simulated, re.MULTILINE)


def as_installed(shown: str) -> str:
    """What `apt-cache show` prints, as dpkg notes packages that are installed. Pure."""
    return re.sub(r"^(Package: .*)$", rf"\1\n{INSTALLED}", shown, flags=re.MULTILINE)


def file_name(fetched: str) -> str:
    """A package's file as a repository names it: without the epoch, whose colon a path cannot carry. Pure."""
    return re.sub(r"_\d+%3a", "_", fetched)


def fetch(folder: Path) -> None:
    """Fill a folder that is there with the packages, and with `Packages`, the list that apt reads.

    Raises HostError on a system without apt, and when apt refuses.
    """
    wanted = run(str(environment.ROOT / "lab/host.sh"), "--packages").split()
    work = folder / "work"
    (work / "archives" / "partial").mkdir(parents=True)
    status = work / "status"
    status.touch()
    bare = required(run("apt-cache", "dumpavail"))
    base = to_install(run(*_apt(work), "--simulate", "install", *bare))
    status.write_text(as_installed(run("apt-cache", "show", "--no-all-versions", *base)))
    run(*_apt(work), "--download-only", "install", *wanted)
    debs = sorted((work / "archives").glob("*.deb"))
    debs = [deb.rename(folder / file_name(deb.name)) for deb in debs]
    (folder / "Packages").write_text(index(debs))
    shutil.rmtree(work)


def index(debs: Iterable[Path]) -> str:
    """The list of a flat repository: each package's own words, its file, size and sha256."""
    return "\n".join(
        f"{run('dpkg-deb', '--field', str(deb)).strip()}\n"
        f"Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest_of(deb)}\n"
        for deb in debs
    )


def _apt(work: Path) -> list[str]:
    """apt-get as on a host that has what `work`/status says, writing in `work` alone."""
    options = (
        f"Dir::State::status={work}/status",
        f"Dir::Cache={work}",
        f"Dir::Cache::archives={work}/archives",
        "Debug::NoLocking=1",
        "APT::Sandbox::User=root",  # whose the folder is
    )
    return ["apt-get", "--yes", "--no-install-recommends", *(word for one in options for word in ("-o", one))]


def run(*words: str) -> str:
    """What a program of this host prints. Raises HostError with its last words."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise HostError(
            f"{words[0]} is not here: a bundle is made on Debian or Ubuntu", last_seen=str(error)
        ) from error
    if done.returncode != 0:
        raise HostError(
            f"{Path(words[0]).name} ended with {done.returncode}",
            last_seen=done.stderr.strip()[-1000:],
            try_next="sudo apt-get update",
        )
    return done.stdout
