"""The checks of the host's engine: may the lab be on it, and which of its settings matter to the nodes."""

from __future__ import annotations

import json
from typing import Any

from provisioning.doctor.facts import (
    Check,
    Engine,
    Facts,
    Unseen,
    blocker,
    distribution,
    note,
    number,
    ok,
    unseen,
    version_of,
)

LEAST = (20, 10)  # the first with private cgroup namespaces
NOT_FIT = frozenset(("aufs", "ecryptfs", "nfs", "nfs4", "overlay", "zfs"))  # overlay2 refuses to be on these
FIT = frozenset(("ext4", "xfs"))
MOVE = 'name a folder on ext4 or xfs as "data-root" in /etc/docker/daemon.json'
CLIENT_APART = 13  # the Debian from which on the client is a package of its own
NO_ENGINE = Unseen("no engine answers")
HARMLESS = ("live-restore",)
NOTED = {
    "iptables=false": "the engine makes no rules (iptables=false): nodes may reach nothing outside",
    "selinux": "SELinux guards the engine's mounts: such a host was not tried",
}


def engine(facts: Facts) -> Check:
    """It answers, it is Docker's own for this whole host, and new enough."""
    if isinstance(facts.engine, Unseen):
        if facts.engine.is_certain:
            return blocker("engine", facts.engine.why, facts.engine.mend)
        return unseen("engine", facts.engine)
    said = str(facts.engine.version.get("Version", ""))
    seen = f"Docker {said} at {facts.engine.socket}"
    reason, mend = _kind(facts.engine, facts.release)
    if reason:
        return blocker("engine", f"{seen} is {reason}", mend)
    return _by_age(seen, version_of(said))


def _by_age(seen: str, version: tuple[int, ...]) -> Check:
    if not version:
        return note("engine", f"{seen}: its version could not be read")
    if version < LEAST:
        return blocker("engine", f"{seen} is older than 20.10", "sudo apt-get install docker.io")
    return ok("engine", seen)


def _kind(found: Engine, kernel: str) -> tuple[str, str]:
    """Why an engine of this kind cannot carry the lab, and what to do; ("", "") for Docker's own."""
    info = found.info
    if any(str(part.get("Name", "")).startswith("Podman") for part in found.version.get("Components") or []):
        return "Podman: nodes need Docker's own engine", "sudo apt-get remove podman-docker; lab/host.sh"
    if "rootless" in _security(info):
        return "rootless: it may not give nodes what they need", "docker context use default; lab/host.sh"
    if "Docker Desktop" in str(info.get("OperatingSystem", "")):
        return "Docker Desktop: it is in a virtual machine, and the lab's addresses with it", (
            "docker context use default; lab/host.sh"
        )
    if str(info.get("DockerRootDir", "")).startswith("/var/snap/"):
        return "a snap: it sees no hidden folders, so not the cache", "sudo snap remove docker; lab/host.sh"
    if info.get("KernelVersion", kernel) != kernel:
        return "on another kernel, so not on this host: the lab's addresses would be there", (
            "docker context use default; unset DOCKER_HOST; lab/host.sh"
        )
    return "", ""


def _security(info: Any) -> set[str]:
    """The names of the engine's security options: ["name=seccomp,profile=default"] is {"seccomp"}."""
    options = [str(one) for one in info.get("SecurityOptions") or []]
    return {part.removeprefix("name=") for one in options for part in one.split(",") if "profile" not in part}


def options(facts: Facts) -> Check:
    """Settings of the engine that would change the nodes."""
    if isinstance(facts.engine, Unseen):
        return unseen("options", NO_ENGINE)
    found = _options(facts, facts.engine)
    if "userns-remap" in found:
        # Also with --userns=host: it stores each image with the files of root given to another user.
        return blocker(
            "options",
            "userns-remap: on nodes root's files are another user's, so SSH and sudo refuse",
            "take userns-remap out of /etc/docker/daemon.json; sudo systemctl restart docker",
        )
    if noted := [why for name, why in NOTED.items() if name in found]:
        return note("options", "; ".join(noted))
    if found:
        return note("options", f"{', '.join(found)}: {_what_becomes_of(found)}")
    if isinstance(facts.settings, Unseen):
        return unseen("options", facts.settings)
    return ok("options", "nothing that changes the nodes")


def _what_becomes_of(found: list[str]) -> str:
    if set(found) <= set(HARMLESS):
        return "does not matter to the nodes"
    return "the Vagrantfile says otherwise for the nodes"


def _options(facts: Facts, found: Engine) -> list[str]:
    """The settings that are on: by the engine's own words, its file and its command line."""
    security, written = _security(found.info), _written(facts)
    is_on = {
        "init": written.get("init") is True or "--init" in facts.command.split(),
        "no-new-privileges": "no-new-privileges" in security or written.get("no-new-privileges") is True,
        "userns-remap": "userns" in security,
        "live-restore": found.info.get("LiveRestoreEnabled") is True,
        "selinux": "selinux" in security,
        "iptables=false": written.get("iptables") is False or "--iptables=false" in facts.command,
    }
    return [name for name, on in is_on.items() if on]


def _written(facts: Facts) -> dict[str, Any]:
    """What daemon.json says; {} without one, or when it is broken (the engine says that itself)."""
    text = facts.settings if isinstance(facts.settings, str) else ""
    try:
        said = json.loads(text or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def storage(facts: Facts) -> Check:
    """Whether the nodes' own engines can keep their layers, by overlay2, where this engine keeps volumes."""
    if isinstance(facts.engine, Unseen):
        return unseen("storage", NO_ENGINE)
    root = str(facts.engine.info.get("DockerRootDir", ""))
    kind = filesystem(facts.mountinfo, f"{root}/volumes")
    seen = f"{facts.engine.info.get('Driver', 'unknown')} on {kind or 'an unknown file system'}"
    if ["Supports d_type", "false"] in (facts.engine.info.get("DriverStatus") or []):
        return blocker("storage", f"{seen} made without ftype=1", MOVE)
    if kind in NOT_FIT:
        return blocker("storage", f"{seen}: the nodes' overlay2 cannot be on {kind}", MOVE)
    if kind not in FIT:
        return note("storage", f"{seen}: overlay2 of the nodes was not tried on it", MOVE)
    return ok("storage", seen)


def filesystem(mountinfo: str, path: str) -> str:
    """The kind of the file system that holds a path, by /proc/self/mountinfo; "" when none does."""
    found = ("", "")
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        place = fields.split()[4] if len(fields.split()) > 4 else ""  # noqa: PLR2004  man 5 proc
        if place and _holds(place, path) and len(place) >= len(found[0]):
            found = (place, rest.split()[0])
    return found[1]


def _holds(place: str, path: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")


def cgroups(facts: Facts) -> Check:
    """Which control groups the engine has, and whether it can limit what the faults limit."""
    if isinstance(facts.engine, Unseen):
        return unseen("cgroups", NO_ENGINE)
    info = facts.engine.info
    version = str(info.get("CgroupVersion") or "")
    if version not in ("1", "2"):
        return note("cgroups", "could not tell: the engine names no version")
    limits = {"MemoryLimit": "memory", "CpuCfsQuota": "cpu", "PidsLimit": "pids"}
    lacking = [limit for said, limit in limits.items() if info.get(said) is False]
    if lacking:
        return note(
            "cgroups",
            f"version {version} without {', '.join(lacking)}: faults of resources do not work",
            "add cgroup_enable=memory to the kernel's command line" if "memory" in lacking else "",
        )
    return ok("cgroups", f"version {version}, {info.get('CgroupDriver', 'unknown driver')}")


def docker(facts: Facts) -> Check:
    """The program by which Vagrant speaks to the engine; Debian 13 has it in a package of its own."""
    if not facts.docker.path:
        return blocker("docker", "the program docker is not here", _client(facts))
    if isinstance(facts.docker.said, Unseen):
        return unseen("docker", facts.docker.said)
    if "podman" in facts.docker.said.lower():
        return blocker(
            "docker", "the program docker is Podman", "sudo apt-get remove podman-docker; lab/host.sh"
        )
    return ok("docker", facts.docker.said)


def _client(facts: Facts) -> str:
    """With an engine only the client is missing."""
    name, release = distribution(facts.os_release)
    is_apart = name == "debian" and number(release) >= CLIENT_APART and isinstance(facts.engine, Engine)
    return "sudo apt-get install docker-cli" if is_apart else "lab/host.sh"
