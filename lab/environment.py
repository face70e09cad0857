"""One environment for the lab's own process and every child of it: the user's shell must not matter.

A short list of names (environment.txt) passes; the rest is the lab's to say. `adopt` is called once, first
thing, by whatever starts a process of the lab: clients, Vagrant, pip, Go and SSH then meet nothing else.
"""

from __future__ import annotations

import getpass
import os
import pwd
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".lab"  # all that this checkout keeps on the host, but the cache
LAB = "LAB"  # names a lab beside the first one: lab/named.py
LIST = Path(__file__).with_suffix(".txt")
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # ip and debootstrap, which users often do not see
PATHS = ("LAB_FILE", "LAB_CACHE")
UMASK = 0o022  # nodes read the playbooks and the cache as other users

_given: dict[str, str] | None = None


def passing(text: str) -> tuple[str, ...]:
    """The names of environment.txt: comments and empty lines left out. Pure."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def clean(given: Mapping[str, str], names: Iterable[str], *, home: str, engine: str) -> dict[str, str]:
    """The lab's environment, from the user's. Pure.

    `home` is the user's by the system, for a shell that has none. `engine` is the address of the host's.
    """
    names = tuple(names)
    exact = {name for name in names if not name.endswith("*")}
    prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
    kept = {name: value for name, value in given.items() if name in exact or name.startswith(prefixes)}
    return {
        "HOME": home,
        **{name: value for name, value in kept.items() if value},
        "PATH": f"{given.get('PATH') or os.defpath}:{SYSTEM_PATH}",
        # Messages are read by the lab, and nodes know no other locale.
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        # The engine that `lab.engine` chose, without the user's credentials, proxies and contexts.
        "DOCKER_HOST": engine,
        "DOCKER_CONFIG": str(STATE / "docker"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def lab_state() -> Path:
    """What one lab keeps on the host: the checkout's folder, or one in it for a lab that LAB names."""
    return STATE / os.environ.get(LAB, "")


def dotfile() -> Path:
    """Where Vagrant keeps its records of the lab's machines; of the first lab where it looks by itself."""
    return lab_state() / "vagrant" if os.environ.get(LAB) else ROOT / ".vagrant"


def given() -> Mapping[str, str]:
    """The environment as the user gave it."""
    return os.environ if _given is None else _given


def user() -> str:
    """Who this is; the number of a user whom the system does not know, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"  # unless HOME says another


def adopt(engine: str) -> None:
    """Make the lab's environment this process's own, and so its children's; again is without effect."""
    global _given  # noqa: PLW0603  a process has one environment
    if _given is not None:
        return
    _given = dict(os.environ)
    own = clean(_given, passing(LIST.read_text()), home=_home(), engine=engine)
    # Children work in other folders.
    own |= {name: os.path.abspath(own[name]) for name in PATHS if name in own}
    os.environ.clear()
    os.environ.update(own)
    os.umask(UMASK)
