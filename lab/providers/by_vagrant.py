"""Machines that Vagrant makes: python-vagrant, called once a phase, since every call costs seconds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import vagrant

from lab import ports
from lab.alone import alone
from lab.environment import ROOT, STATE, dotfile, lab_state
from lab.errors import LabError
from lab.model import Lab

DOTFILE = "VAGRANT_DOTFILE_PATH"
BOXES = Path(os.path.expanduser("~/.vagrant.d/boxes"))
UP_TRIES = 3
TRANSIENT = (
    "no such object",
    "no such container",
    "port is already allocated",
)  # engines differ in the capital


def start(lab: Lab, say: Callable[[str], None], prepare: Callable[[], None] = lambda: None) -> None:
    """One `vagrant up`; `prepare` comes before each try of it."""
    with _alone(say):
        _up(lab, say, prepare)


def ssh_config(say: Callable[[str], None]) -> str:
    """The way to every machine, as Vagrant knows it: three seconds."""
    with _alone(say):
        try:
            return str(_vagrant().ssh_config())
        except subprocess.CalledProcessError as error:
            raise _failed("ssh-config") from error


def destroy() -> None:
    _vagrant().destroy()


def add_box(name: str, version: str, catalog: Path) -> None:
    """Vagrant has the box that the catalogue names; nothing to do when it has."""
    if not list((BOXES / name / version).glob("**/metadata.json")):
        _box(catalog.parent, "add", str(catalog), "--provider", "libvirt")


def remove_boxes(pattern: str) -> None:
    """Every box goes whose name is like this."""
    for folder in sorted(BOXES.glob(pattern)):
        _box(BOXES, "remove", folder.name, "--all", "--force")


def _box(folder: Path, *words: str) -> None:
    """One `vagrant box`, in a folder without a Vagrantfile of ours."""
    with _log() as log:
        command = ["vagrant", "box", *words]
        done = subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise _failed(f"box {words[0]} {words[1]}")


def _up(lab: Lab, say: Callable[[str], None], prepare: Callable[[], None]) -> None:
    for left in reversed(range(UP_TRIES)):
        prepare()
        log_file().write_text("")
        try:
            _vagrant().up(provider=lab.provider)
        except subprocess.CalledProcessError as error:
            if left and is_transient(log_file().read_text(errors="replace")):
                say("something else on this host's engine got in Vagrant's way: once more")
                continue
            port = ports.taken(log_file().read_text(errors="replace"))
            if port:
                raise ports.refusal(lab, port) from error
            raise _failed(f"up --provider={lab.provider}") from error
        return


def is_transient(log: str) -> bool:
    """Whether Vagrant's log tells of a trouble that is over when one tries again. Pure.

    It looks at every container and port of the host, and others come and go between two of its looks.
    """
    return any(words in log.lower() for words in TRANSIENT)


def log_file() -> Path:
    return lab_state() / "vagrant.log"


@contextmanager
def _log() -> Iterator[IO[str]]:
    lab_state().mkdir(parents=True, exist_ok=True)
    with log_file().open("a") as log:
        yield log


def _alone(say: Callable[[str], None]) -> AbstractContextManager[None]:
    """Vagrant's locks tell machines by checkout and name alone, so its labs ask it one after the other."""
    return alone(STATE / "machines.lock", lambda: say("waiting for the machines of another lab"))


def _vagrant() -> Any:
    untyped: Any = vagrant.Vagrant
    return untyped(root=str(ROOT), out_cm=_log, err_cm=_log, env={**os.environ, DOTFILE: str(dotfile())})


def _failed(doing: str) -> LabError:
    tail = "\n".join(log_file().read_text(errors="replace").splitlines()[-15:])
    return LabError(f"vagrant {doing} failed", last_seen=tail, try_next=f"vagrant {doing}")
