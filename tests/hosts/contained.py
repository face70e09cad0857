"""A host that is a container of this machine: another Debian, with its own engine, on this kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from lab.errors import HostError, LabError
from lab.waiting import wait_until
from tests.hosts import disk
from tests.hosts.machine import Host, answers, free_port

PACKAGES = ("dbus",)
MARK = "bluegreen-lab.host"
BOOT_SECONDS = 60
OFF_SECONDS = 30
# An engine gives its containers only what it has itself: so this is what the nodes and the checkpoints need.
RIGHTS = (
    *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined", "--cgroupns", "private"),
)
FOLDERS = (
    *("--tmpfs", "/run:exec", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec"),
    *("--volume", "/var/lib/docker"),  # an overlay carries no overlay
)


def _name(host: Host) -> str:
    return f"lab-host-{host.name}"


def _docker(*words: str) -> str:
    """What the engine said. Raises LabError."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"docker {words[0]} failed", last_seen=done.stderr.strip()[-500:])
    return done.stdout.strip()


def make(host: Host) -> None:
    """A new image, of what make-disk leaves; an old container is gone, with all its volumes."""
    disk.make(host, PACKAGES)
    for container in _containers(host):
        _docker("rm", "-f", "-v", container)
    archive = host.file("root.tar")
    _docker("import", "--change", f"LABEL {MARK}={host.name}", str(archive), _name(host))
    archive.unlink()


def patience(host: Host) -> int:
    return 1


def is_on(host: Host) -> bool:
    return bool(_containers(host, "--filter", "status=running"))


def _containers(host: Host, *filters: str) -> Sequence[str]:
    return _docker("ps", "-aq", "--filter", f"label={MARK}={host.name}", *filters).split()


def boot(host: Host) -> str:
    """Start the container and wait for SSH; returns how it runs."""
    if _containers(host):
        _docker("start", _name(host))
    else:
        _create(host)
    wait_until(
        lambda: answers(host), BOOT_SECONDS, f"SSH of {host.name}",
        evidence=lambda: _docker("exec", _name(host), "journalctl", "-n", "20", "--no-pager"),
    )  # fmt: skip
    return "a container on this machine's kernel"


def _create(host: Host) -> None:
    try:
        _docker("image", "inspect", _name(host))
    except LabError as error:
        raise HostError(f"{host.name} has no image", try_next=f"tests/hosts/host {host.name} disk") from error
    port = free_port()
    host.file("port").write_text(str(port))
    _docker(
        *("run", "--detach", "--name", _name(host), "--hostname", host.name, *RIGHTS, *FOLDERS),
        *("--publish", f"127.0.0.1:{port}:22", "--stop-signal", "SIGRTMIN+3", _name(host), "/sbin/start"),
    )


def off(host: Host, *, at_once: bool = False) -> None:
    """Stop the container; nothing to do when it is off."""
    if is_on(host):
        _docker("stop", "--time", "0" if at_once else str(OFF_SECONDS), _name(host))
