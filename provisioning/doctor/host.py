"""The checks of the machine: its system, its kernel, its programs, and its room."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.architecture import ARCHITECTURES
from provisioning.doctor.facts import (
    Check,
    Engine,
    Facts,
    Kernel,
    Unseen,
    blocker,
    distribution,
    note,
    number,
    ok,
    unseen,
    version_of,
)

TRIED = {"debian": 12}  # distribution -> the oldest release
RUN_ON = "x86_64"
PYTHON = (3, 11)
VAGRANT_LEAST = (2, 2, 5)  # the first that makes networks for Docker
VAGRANT_TRIED = (2, 3)
VAGRANT_MENDED = (2, 4, 2)
ENGINE_WITH_NULL = (25,)  # leaves the settings of a network null
GIB = 2**30
IDLE_MEMORY = int(0.8 * GIB)
MEANT_MEMORY = int(3.5 * GIB)  # a machine of 4 GiB has a little less to give
INOTIFY_USED = {"max_user_instances": 28, "max_user_watches": 104}  # by four idle nodes
INOTIFY_WANTED = {"max_user_instances": 128, "max_user_watches": 8192}
DAY = 86_400

# The numbers of the capabilities, in order: linux/capability.h.
CAPABILITIES = tuple(
    re.findall(
        r"\w+",
        """
        CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
        NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
        SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
        AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
        PERFMON BPF CHECKPOINT_RESTORE
        """,
    )
)


@dataclass(frozen=True)
class Feature:
    """A part of the kernel: its module, its option, and what does not work without it."""

    module: str
    option: str
    without: str


NEEDED = (
    Feature("bridge", "BRIDGE", "there is no network"),
    Feature("veth", "VETH", "there is no network"),
    Feature("overlay", "OVERLAY_FS", "the nodes' engines keep no layers"),
    Feature("nft_compat", "NFT_COMPAT", "the nodes' iptables do not work"),
    Feature("xt_conntrack", "NETFILTER_XT_MATCH_CONNTRACK", "the nodes' engines do not start"),
)
OF_FAULTS = (
    Feature("sch_netem", "NET_SCH_NETEM", "delay is made by a proxy, for TCP only"),
    Feature("sch_tbf", "NET_SCH_TBF", "the fault rate does not work"),
    Feature("xt_statistic", "NETFILTER_XT_MATCH_STATISTIC", "the fault loss does not work"),
    Feature("xt_comment", "NETFILTER_XT_MATCH_COMMENT", "the faults of the network do not work"),
    Feature("vxlan", "VXLAN", "overlay networks, which only you would make, do not work"),
)


# --- the system -------------------------------------------------------------------------------------------


def system(facts: Facts) -> Check:
    if facts.system != "Linux":
        return blocker("system", f"{facts.system}: the lab needs Linux", "use a Linux machine")
    name, release = distribution(facts.os_release)
    seen = f"{name} {release}".strip() + f", kernel {facts.release}"
    if "microsoft" in facts.release.lower():
        return note("system", f"{seen}: WSL was not tried")
    if number(release) < TRIED.get(name, 999):
        return note("system", f"{seen}: a bring-up was not tried on it")
    return ok("system", seen)


def architecture(facts: Facts) -> Check:
    if facts.machine not in ARCHITECTURES:
        seen = f"{facts.machine}: nodes are made for {' and '.join(ARCHITECTURES)}"
        return blocker("architecture", seen, "use a machine of one of them")
    if facts.machine != RUN_ON:
        return note("architecture", f"{facts.machine}: the lab is written for it and was not run on it")
    return ok("architecture", facts.machine)


def python(facts: Facts) -> Check:
    seen = "Python " + ".".join(map(str, facts.python))
    if facts.python < PYTHON:
        return blocker("python", f"{seen}: the lab needs 3.11 or newer", "lab/host.sh")
    return ok("python", seen)


# --- programs ---------------------------------------------------------------------------------------------


def vagrant(facts: Facts) -> Check:
    """It is here, new enough, and known to get on with this engine."""
    if not facts.vagrant.path:
        return blocker("vagrant", "the program vagrant is not here", "lab/host.sh")
    if isinstance(facts.vagrant.said, Unseen):
        return unseen("vagrant", facts.vagrant.said)
    version = version_of(facts.vagrant.said)
    if not version:
        return note("vagrant", "could not tell: it names no version", "vagrant --version")
    if version < VAGRANT_LEAST:
        return blocker(
            "vagrant", f"{facts.vagrant.said}: before 2.2.5 it makes no networks for Docker", "lab/host.sh"
        )
    return _beside(facts.vagrant.said, version, facts.engine)


def _beside(said: str, version: tuple[int, ...], engine: Engine | Unseen) -> Check:
    of_engine = version_of(str(engine.version.get("Version", ""))) if isinstance(engine, Engine) else ()
    if version < VAGRANT_MENDED and of_engine >= ENGINE_WITH_NULL:
        return note("vagrant", f"{said} beside an engine from 25 on: worked around, gone with Vagrant 2.4.2")
    if version < VAGRANT_TRIED:
        return note("vagrant", f"{said} was not tried")
    return ok("vagrant", said)


def programs(facts: Facts) -> Check:
    """The small ones that a bring-up calls."""
    packages = {"ip": "iproute2", "ssh": "openssh-client", "ssh-keygen": "openssh-client"}
    missing = [name for name in packages if not facts.tools.get(name)]
    if missing:
        wanted = sorted({packages[name] for name in missing})
        return blocker(
            "programs", f"not here: {', '.join(missing)}", f"sudo apt-get install {' '.join(wanted)}"
        )
    return ok("programs", ", ".join(packages))


# --- the kernel -------------------------------------------------------------------------------------------


def capabilities(facts: Facts) -> Check:
    """Whether the engine may give nodes what the Vagrantfile asks for."""
    wanted = wanted_capabilities(facts.vagrantfile)
    if not wanted or not facts.bounding:
        return note("capabilities", "could not tell: neither the engine's nor this process's are to be seen")
    held = int(facts.bounding, 16)
    lacking = [name for name in wanted if not held >> CAPABILITIES.index(name) & 1]
    if facts.is_bounding_of_engine and not lacking:
        return ok("capabilities", f"the engine holds all {len(wanted)} that nodes need")
    if facts.is_bounding_of_engine:
        return blocker(
            "capabilities",
            f"the engine may not give {', '.join(lacking)}",
            "start dockerd with more capabilities, on the machine itself rather than in a container",
        )
    seen = f"this process lacks {', '.join(lacking)}" if lacking else f"this process holds all {len(wanted)}"
    return note("capabilities", f"the engine's are not to be seen; {seen}")


def wanted_capabilities(vagrantfile: str) -> list[str]:
    """The list in the Vagrantfile, which is the one that counts."""
    found = re.search(r"CAPABILITIES = %w\[([^\]]*)\]", vagrantfile)
    return found[1].split() if found else []


def kernel(facts: Facts) -> Check:
    """What nodes cannot be without."""
    lacking, unknown = _sorted(facts.kernel, NEEDED)
    if lacking:
        return blocker("kernel", _without(lacking), _more_modules(facts) or "boot a kernel that has them")
    if unknown:
        return note("kernel", f"could not tell of {_names(unknown)}")
    return ok("kernel", _names(NEEDED))


def faults(facts: Facts) -> Check:
    """What some faults use."""
    lacking, unknown = _sorted(facts.kernel, OF_FAULTS)
    if lacking:
        more = f"; could not tell of {_names(unknown)}" if unknown else ""
        return note("faults", _without(lacking) + more, _more_modules(facts))
    if unknown:
        return note("faults", f"could not tell of {_names(unknown)}")
    return ok("faults", _names(OF_FAULTS))


def has(kernel: Kernel, feature: Feature) -> bool | None:
    """Whether the kernel has a feature, or None when nothing tells."""
    if feature.module in kernel.loaded:
        return True
    if kernel.modules is not None:
        return feature.module in kernel.modules
    if kernel.config is not None:
        return feature.option in kernel.config
    return None


def _sorted(kernel: Kernel, features: tuple[Feature, ...]) -> tuple[list[Feature], list[Feature]]:
    """Those that are not there, and those of which nothing tells."""
    told = {feature: has(kernel, feature) for feature in features}
    return [one for one in told if told[one] is False], [one for one in told if told[one] is None]


def _names(features: list[Feature] | tuple[Feature, ...]) -> str:
    return ", ".join(feature.module for feature in features)


def _without(lacking: list[Feature]) -> str:
    return "; ".join(f"no {feature.module}: {feature.without}" for feature in lacking)


def _more_modules(facts: Facts) -> str:
    if distribution(facts.os_release)[0] == "ubuntu":
        return 'sudo apt-get install "linux-modules-extra-$(uname -r)"'
    if distribution(facts.os_release)[0] == "debian" and "cloud" in facts.release:
        return "sudo apt-get install linux-image-amd64, then reboot"
    return ""


def inotify(facts: Facts) -> Check:
    """Four systemds and all they run watch files as one user."""
    if not facts.inotify.keys() >= INOTIFY_USED.keys():
        return note("inotify", "could not tell: the limits cannot be read")
    seen = ", ".join(f"{name} {facts.inotify[name]}" for name in INOTIFY_USED)
    mend = "sudo sysctl " + " ".join(f"fs.inotify.{name}={8 * INOTIFY_WANTED[name]}" for name in INOTIFY_USED)
    if any(facts.inotify[name] < INOTIFY_USED[name] for name in INOTIFY_USED):
        return blocker("inotify", f"{seen}: idle nodes use more", mend)
    if any(facts.inotify[name] < INOTIFY_WANTED[name] for name in INOTIFY_WANTED):
        return note("inotify", f"{seen}: nearly used up by four nodes", mend)
    return ok("inotify", seen)


# --- room -------------------------------------------------------------------------------------------------


def memory(facts: Facts) -> Check:
    total, free = (kib(facts.meminfo, key) for key in ("MemTotal", "MemAvailable"))
    if not total or not free:
        return note("memory", "could not tell: /proc/meminfo says nothing")
    free += kib(facts.meminfo, "SwapFree")
    seen = f"{total / GIB:.1f} GiB, {free / GIB:.1f} free"
    if free < IDLE_MEMORY and not facts.is_up:
        return blocker("memory", f"{seen}: the idle lab takes 0.8", "end other programs, or add memory")
    if total < MEANT_MEMORY:
        return note("memory", f"{seen}: a machine with 4 is meant")
    return ok("memory", seen)


def kib(meminfo: str, key: str) -> int:
    """A line of /proc/meminfo in bytes; 0 without one."""
    found = re.search(rf"^{key}:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def disk(facts: Facts) -> Check:
    """Whether what is still to be made has room where it will be kept."""
    wanted = _wanted_space(facts)
    unknown = [place for place in wanted if place not in facts.spaces]
    seen = ", ".join(f"{one.free / GIB:.1f} GiB free at {one.place}" for one in facts.spaces.values())
    for device in {one.device for one in facts.spaces.values()}:
        there = [place for place, space in facts.spaces.items() if space.device == device]
        least = sum(wanted[place] for place in there)
        if min(facts.spaces[place].free for place in there) < least:
            return blocker("disk", f"{seen}; {least / GIB:.1f} are needed", "docker system df; df -h")
    if unknown:
        return note("disk", f"could not tell what is free for the {' and the '.join(unknown)}; {seen}")
    return ok("disk", seen)


def _wanted_space(facts: Facts) -> dict[str, int]:
    """Bytes by place, as README says: 2 GB for programs and images, 5 more for Go's caches; 3 for a box."""
    if facts.is_up:
        return {"cache": 0, "engine": 0}
    has_images = isinstance(facts.engine, Engine) and "node" in facts.engine.images and facts.cache.has_store
    needs_box = facts.lab.provider == "libvirt" and facts.hypervisor and not facts.hypervisor.has_box
    programs = (5 if facts.cache.lacking else 0) * GIB + (0 if facts.cache.has_store else GIB // 2)
    return {
        "cache": programs + (3 * GIB if needs_box else 0),
        "engine": GIB if has_images else 2 * GIB,
    }


def clock(facts: Facts) -> Check:
    """A clock that is behind makes every certificate one of the future."""
    if facts.now < facts.newest - DAY:
        days = (facts.newest - facts.now) / DAY
        return note(
            "clock", f"{days:.0f} days behind this checkout's own files", "sudo timedatectl set-ntp true"
        )
    return ok("clock", "not behind this checkout's files")


def files(facts: Facts) -> Check:
    """What an earlier bring-up made as another user, this one can neither change nor remove."""
    if facts.foreign:
        return blocker(
            "files",
            f"not yours to write: {', '.join(facts.foreign)}",
            'sudo chown -R "$(id -u):$(id -g)" ' + " ".join(facts.foreign),
        )
    return ok("files", "all of an earlier bring-up may be written")
