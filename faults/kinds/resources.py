"""Faults of a node's resources: its processor, its memory, its disk, its clock. Each is a unit or a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults.example import Example
from faults.fault import Fault, Site, here, lines, unit, within

FREE_MEMORY = 512  # MiB that a memory hog leaves
FREE_DISK = 1024  # MiB that a disk fill leaves


LOADED = "systemctl is-active 'lab-fault-*-load.service'"
HELD = "pgrep -f 'held = b' | xargs -I% grep VmRSS /proc/%/status | awk '$2 > 250000' | grep ."


class UnitFault(Fault):
    """A process of the fault, as a unit with its id that also ends by itself."""

    takes: ClassVar[str] = "nodes"

    def program(self, site: Site) -> str:
        raise NotImplementedError

    def inject(self, site: Site) -> str:
        return lines(
            here(self.program(site), f"{site.home}/program"),
            unit(site, "load", f"/bin/bash {site.home}/program"),
        )

    def heal(self, site: Site) -> str:
        return f"systemctl stop {site.mark}-load 2>/dev/null"

    def healed(self, site: Site) -> str:
        return f"if systemctl is-active -q {site.mark}-load; then echo the load runs; exit 1; fi"


@dataclass(frozen=True)
class Cpu(UnitFault):
    """Loops that want a processor each; on container nodes that is the host's."""

    name: ClassVar[str] = "cpu"
    phrase: ClassVar[str] = "(?:burns|burn)(?: (?P<workers>\\d+))? processors?"
    example: ClassVar[Example | None] = Example("any node", LOADED)
    workers: int = 1

    def __post_init__(self) -> None:
        within("processors", self.workers, 1, 64, "")

    def program(self, site: Site) -> str:
        return f"for _ in $(seq {self.workers}); do (while :; do :; done) & done; wait"


@dataclass(frozen=True)
class Memory(UnitFault):
    """Memory that is taken and touched; 512 MiB stay free, or it is refused."""

    name: ClassVar[str] = "memory"
    phrase: ClassVar[str] = "(?:has|have) (?P<mb>\\d+) MiB of memory taken"
    example: ClassVar[Example | None] = Example("any node", f"{LOADED} && {HELD}")
    mb: int = 256

    def __post_init__(self) -> None:
        within("memory", self.mb, 1, 65536, "MiB")

    def program(self, site: Site) -> str:
        return f"exec python3 -c 'import time; held = b\"x\" * ({self.mb} << 20); time.sleep(3600)'"

    def inject(self, site: Site) -> str:
        free = "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)"
        return lines(
            f"[ {free} -ge {self.mb + FREE_MEMORY} ] || "
            f'{{ echo "{FREE_MEMORY} MiB must stay free; there are {free}" >&2; exit 75; }}',
            super().inject(site),
        )


@dataclass(frozen=True)
class Disk(Fault):
    """A file on the disk of the engine and of Consul; 1024 MiB stay free, or it is refused."""

    name: ClassVar[str] = "disk"
    phrase: ClassVar[str] = "(?:has|have) (?P<mb>\\d+) MiB of disk taken"
    takes: ClassVar[str] = "nodes"
    example: ClassVar[Example | None] = Example(
        "any node", "test $(stat -c %s /var/lib/lab-faults/*/fill) = $((512 * 1048576))"
    )
    mb: int = 512

    def __post_init__(self) -> None:
        within("disk", self.mb, 1, 1_048_576, "MiB")

    def inject(self, site: Site) -> str:
        free = f"$(df -m --output=avail {site.home} | tail -1 | tr -d ' ')"
        return lines(
            f"[ {free} -ge {self.mb + FREE_DISK} ] || "
            f'{{ echo "{FREE_DISK} MiB must stay free; there are {free}" >&2; exit 75; }}',
            f"fallocate -l {self.mb}M {site.home}/fill",
        )

    def heal(self, site: Site) -> str:
        return f"rm -f {site.home}/fill"

    def healed(self, site: Site) -> str:
        return f"test ! -e {site.home}/fill"


@dataclass(frozen=True)
class Clock(Fault):
    """The node's clock jumps. The undo counts with the kernel's uptime, which did not."""

    name: ClassVar[str] = "clock"
    phrase: ClassVar[str] = "(?:has|have) (?:its|their) clock (?P<by>-?\\d+) seconds ahead"
    takes: ClassVar[str] = "nodes"
    by: int = 60  # seconds; negative: behind

    def __post_init__(self) -> None:
        within("clock step", self.by, -86_400, 86_400, "s")

    def refusal(self, site: Site) -> str | None:
        if site.lab.provider == "docker":
            return "a container node has no clock of its own: it would be the host's"
        return None

    def inject(self, site: Site) -> str:
        boot = "awk -v now=$(date +%s.%N) '{ printf \"%.3f\\n\", now - $1 }' /proc/uptime"
        return lines(
            'systemd-detect-virt -cq && { echo "a container: the clock would be its host\'s" >&2; exit 78; }',
            "systemctl stop systemd-timesyncd chrony 2>/dev/null",
            f"{boot} >{site.home}/boot || exit 1",
            f'date -s "{self.by} seconds" >/dev/null',
        )

    def heal(self, site: Site) -> str:
        true_time = f"awk -v boot=$(cat {site.home}/boot) '{{ printf \"%.3f\", boot + $1 }}' /proc/uptime"
        return lines(
            f"if [ -s {site.home}/boot ]; then",
            f'date -s "@$({true_time})" >/dev/null && rm {site.home}/boot\nfi',
            "systemctl start systemd-timesyncd chrony 2>/dev/null",
            "true",
        )

    def healed(self, site: Site) -> str:
        return f"test ! -e {site.home}/boot"
