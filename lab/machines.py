"""The machines of the lab: bring them up, take them down, find the way to them.

python-vagrant does the work, called once a phase: every Vagrant call costs seconds.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import docker
import vagrant

from lab import engine, named, ports
from lab.alone import alone
from lab.environment import ROOT, STATE, dotfile, lab_state
from lab.errors import HostError, LabError
from lab.model import MARK, Lab
from lab.shell import SshShell, command_line
from lab.waiting import wait_until

AUTHORIZED_KEYS = "/etc/lab/authorized_keys"  # where the Vagrantfile mounts this checkout's public key
DOTFILE = "VAGRANT_DOTFILE_PATH"
UP_TIMEOUT = 90.0
UP_TRIES = 3
TRANSIENT = (
    "no such object",
    "no such container",
    "port is already allocated",
)  # engines differ in the capital


def ssh_config() -> Path:
    """The way to each node, as ssh takes it; there when the lab was up and nobody took it down."""
    return lab_state() / "ssh_config"


def _log_file() -> Path:
    return lab_state() / "vagrant.log"


def ensure_key() -> None:
    """The lab's own SSH key pair, made once and never committed."""
    key = _key()
    if key.exists():
        return
    key.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", MARK, "-f", str(key)], check=True)


@contextmanager
def _log() -> Iterator[IO[str]]:
    lab_state().mkdir(parents=True, exist_ok=True)
    with _log_file().open("a") as log:
        yield log


def _vagrant() -> Any:
    untyped: Any = vagrant.Vagrant
    return untyped(root=str(ROOT), out_cm=_log, err_cm=_log, env={**os.environ, DOTFILE: str(dotfile())})


def _vagrant_failed(doing: str) -> LabError:
    tail = "\n".join(_log_file().read_text(errors="replace").splitlines()[-15:])
    return LabError(f"vagrant {doing} failed", last_seen=tail, try_next=f"vagrant {doing}")


def key_mounts(containers: Iterable[Any]) -> dict[str, str]:
    """Name of each container -> the public key of the checkout that made it, as a path on this host. Pure."""
    mounts = {container.name: key_of(container.attrs["Mounts"]) for container in containers}
    return {name: key for name, key in mounts.items() if key}


def key_of(mounts: Iterable[Mapping[str, Any]]) -> str:
    """The public key that opens the node with these mounts, a path on this host; empty for no node. Pure."""
    return next((str(mount["Source"]) for mount in mounts if mount["Destination"] == AUTHORIZED_KEYS), "")


def checkout_of(key: str) -> Path:
    """The checkout whose public key this is: .lab/ssh/id_ed25519.pub of it. Pure."""
    return Path(key).parents[2]


def forget_unknown(lab: Lab, say: Callable[[str], None]) -> None:
    """Remove this checkout's machines that Vagrant has no record of: an `up` was cut short between the two.

    Their volumes stay. Raises HostError when another checkout made them: its lab may be in use.
    """
    if lab.provider != "docker":
        return
    known = {path.read_text().strip() for path in (dotfile() / "machines").glob("*/docker/id")}
    with closing(engine.connect()) as client:
        containers = client.containers.list(all=True, filters={"label": lab.label})
        _forget(lab, [container for container in containers if container.id not in known], say)


def _forget(lab: Lab, unknown: list[Any], say: Callable[[str], None]) -> None:
    others = _of_others(unknown)
    if others:
        raise HostError(
            f"a lab named {lab.name} is here already, made from another folder",
            last_seen="\n".join(f"{name} is of {folder}" for name, folder in others.items()),
            try_next=f"there: `{named.command('down')}`; then `{named.command('up')}`",
        )
    for container in unknown:
        say(f"{container.name}: Vagrant has no record of it; made again")
        _remove(container, {"force": True})


def _of_others(containers: Iterable[Any]) -> dict[str, Path]:
    """Name of each container that another checkout made -> the folder of that checkout."""
    own = str(_key().with_suffix(".pub"))
    mounts = key_mounts(containers)
    return {name: checkout_of(key) for name, key in mounts.items() if key != own}


def _key() -> Path:
    # One for all labs of a checkout.
    return STATE / "ssh" / "id_ed25519"


def up(lab: Lab, say: Callable[[str], None] = lambda _: None) -> None:
    """Every machine running and the SSH configuration written: one `vagrant up`, one `vagrant ssh-config`."""
    ensure_key()
    lab_state().mkdir(parents=True, exist_ok=True)
    # Vagrant's locks tell machines by checkout and name alone, so its labs ask it one after the other.
    with alone(STATE / "machines.lock", lambda: say("waiting for the machines of another lab")):
        _vagrant_up(lab, say)
        try:
            text = _vagrant().ssh_config()
        except subprocess.CalledProcessError as error:
            raise _vagrant_failed("ssh-config") from error
    ssh_config().write_text(text)
    wait_until(lambda: answering(lab) == names(lab), UP_TIMEOUT, "SSH on every node")


def _vagrant_up(lab: Lab, say: Callable[[str], None]) -> None:
    for left in reversed(range(UP_TRIES)):
        forget_unknown(lab, say)
        _log_file().write_text("")
        try:
            _vagrant().up(provider=lab.provider)
        except subprocess.CalledProcessError as error:
            if left and is_transient(_log_file().read_text(errors="replace")):
                say("something else on this host's engine got in Vagrant's way: once more")
                continue
            port = ports.taken(_log_file().read_text(errors="replace"))
            if port:
                raise ports.refusal(lab, port) from error
            raise _vagrant_failed(f"up --provider={lab.provider}") from error
        return


def is_transient(log: str) -> bool:
    """Whether Vagrant's log tells of a trouble that is over when one tries again. Pure.

    It looks at every container and port of the host, and others come and go between two of its looks.
    """
    return any(words in log.lower() for words in TRANSIENT)


def names(lab: Lab) -> frozenset[str]:
    return frozenset(node.name for node in lab.nodes)


def answering(lab: Lab) -> frozenset[str]:
    """The nodes that answer over SSH now, by the last SSH configuration."""
    if not ssh_config().exists():
        return frozenset()

    def answers(name: str) -> bool:
        shell = SshShell(name, ssh_config())
        try:
            return shell.run("hostname", sudo=False, timeout=5).stdout.strip() == name
        except LabError:
            return False
        finally:
            shell.close()

    with ThreadPoolExecutor(max_workers=len(lab.nodes)) as pool:
        ordered = sorted(names(lab))
        return frozenset(name for name, ok in zip(ordered, pool.map(answers, ordered), strict=True) if ok)


def ssh_words(node: str, command: Sequence[str] = (), *, terminal: bool = False) -> list[str]:
    """The ssh that opens a login shell on a node, or runs a command in one whose words arrive as they are.

    With `terminal` the command has one of its own, so that Ctrl-C ends it there too. Pure.
    """
    words = ["ssh", "-F", str(ssh_config()), *(["-t"] if terminal else []), node]
    return [*words, "--", command_line(shlex.join(command), sudo=False)] if command else words


def shells(lab: Lab) -> dict[str, SshShell]:
    """One shell a node; connections open on first use. Raises LabError when the lab was never up."""
    if not ssh_config().exists():
        raise LabError("the lab is not up", try_next=named.up_command())
    return {node.name: SshShell(node.name, ssh_config()) for node in lab.nodes}


def kill(lab: Lab, name: str) -> None:
    """Cut one machine's power: no orderly stop."""
    if lab.provider == "docker":
        with closing(engine.connect()) as client:
            client.containers.get(f"{lab.name}-{name}").kill()
    else:
        _vagrant().halt(vm_name=name, force=True)


def marked(lab: Lab) -> list[Any]:
    """Everything on this host's Docker engine that carries the lab's mark: containers, networks, volumes."""
    client = engine.connect()
    by_mark: dict[str, Any] = {"label": lab.label}
    return [
        *client.containers.list(all=True, filters=by_mark),
        *client.networks.list(filters=by_mark),
        *client.volumes.list(filters=by_mark),
    ]


def destroy(lab: Lab, say: Callable[[str], None]) -> list[str]:
    """Remove every machine; returns what is left by the lab's mark (nothing, when all went well).

    Docker: by the mark, without any state file. Other providers: `vagrant destroy`.
    """
    if lab.provider != "docker":
        _vagrant().destroy()
        left: list[Any] = []
    else:
        _remove_marked(lab, say)
        left = marked(lab)
    for machine in (dotfile() / "machines").glob("*/docker"):
        shutil.rmtree(machine, ignore_errors=True)
    ssh_config().unlink(missing_ok=True)
    if not left:
        engine.forget()
    return [f"{type(thing).__name__.lower()} {thing.name}" for thing in left]


def _remove_marked(lab: Lab, say: Callable[[str], None]) -> None:
    # Containers first: networks and volumes cannot go while one uses them.
    things = marked(lab)
    for kind, options in (
        ("Container", {"force": True, "v": True}),
        ("Network", {}),
        ("Volume", {"force": True}),
    ):
        chosen = [thing for thing in things if type(thing).__name__ == kind]
        if chosen:
            say(f"removing {len(chosen)} {kind.lower()}s: " + ", ".join(thing.name for thing in chosen))
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda thing, options=options: _remove(thing, options), chosen))


def _remove(thing: Any, options: dict[str, bool]) -> None:
    with suppress(docker.errors.NotFound):
        thing.remove(**options)
