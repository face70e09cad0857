"""Faults of what a deployment relies on: releases, the lock, nginx's settings, backups."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import ClassVar

from faults.example import Example
from faults.fault import Fault, On, here, lines, script, unit
from provisioning.roles import registry

CONSUL = "http://localhost:8500"


class OfTheMaster(Fault):
    """What it breaks is on the master alone."""

    takes: ClassVar[str] = "nodes"

    def refusal(self, on: On) -> str | None:
        return None if on.node == on.lab.master else f"{on.node.name} is not the master"


@dataclass(frozen=True)
class OfAService(OfTheMaster):
    """What it breaks is one service's."""

    service: str = ""  # the main one unless told

    def named(self, on: On) -> str:
        """Raises ConfigError for a service that the lab has not."""
        return on.lab.service(self.service or on.lab.main_service.name).name


@dataclass(frozen=True)
class HideReleases(OfAService):
    """The registry does not know a service's releases from 1.0 on."""

    name: ClassVar[str] = "hide-releases"
    phrase: ClassVar[str] = "has the releases of (?P<service>[a-z0-9-]+) hidden"
    example: ClassVar[Example | None] = Example("the master", f"! ls {registry.tags('{service}')}/1.1")

    def inject(self, on: On) -> str:
        tags, kept = self._folders(on)
        return f"mkdir {kept} && mv {tags}/[1-9]* {kept}/"

    def heal(self, on: On) -> str:
        tags, kept = self._folders(on)
        return f"if [ -d {kept} ]; then mv -n {kept}/* {tags}/; rmdir {kept}; fi"

    def healed(self, on: On) -> str:
        return f"[ ! -e {self._folders(on)[1]} ]"

    def _folders(self, on: On) -> tuple[str, str]:
        tags = registry.tags(self.named(on))
        return tags, f"{tags}.{on.mark}"


@dataclass(frozen=True)
class LoseLock(OfAService):
    """The next deployment of a service loses its lock on the way."""

    name: ClassVar[str] = "lose-lock"
    phrase: ClassVar[str] = "loses the lock of the next deployment of (?P<service>[a-z0-9-]+)"
    example: ClassVar[Example | None] = Example(
        "the master", "systemctl is-active 'lab-fault-*-lock.service'"
    )

    def inject(self, on: On) -> str:
        lock = on.lab.service(self.named(on)).lock_key
        path = f"{on.home}/lose_lock"
        loses = here(script("lose_lock.sh", consul=CONSUL, lock=lock), path)
        return lines(loses, unit(on, "lock", f"/bin/bash {path}"))

    def heal(self, on: On) -> str:
        return f"systemctl stop {on.mark}-lock.service 2>/dev/null; true"

    def healed(self, on: On) -> str:
        return f"! systemctl is-active {on.mark}-lock.service"


@dataclass(frozen=True)
class BreakSettings(OfTheMaster):
    """nginx cannot read its settings: it goes on with those it has, and follows no cut-over."""

    name: ClassVar[str] = "break-settings"
    phrase: ClassVar[str] = "has nginx's settings broken"
    example: ClassVar[Example | None] = Example(
        "the master", "docker exec nginx nginx -t 2>&1 | grep 'unknown directive'"
    )

    def inject(self, on: On) -> str:
        return f"echo 'no such word;' >{self._file(on)}"

    def heal(self, on: On) -> str:
        # What it could not follow meanwhile, it reads now; a stopped one reads it at its start.
        return f"rm -f {self._file(on)}; docker kill -s HUP nginx >/dev/null 2>&1; true"

    def healed(self, on: On) -> str:
        return f"[ ! -e {self._file(on)} ]"

    def _file(self, on: On) -> str:
        return shlex.quote(f"/data/nginx/includes/{on.mark}.conf")


@dataclass(frozen=True)
class BackupStop(OfTheMaster):
    """The services' records are copied no more."""

    name: ClassVar[str] = "backup-stop"
    phrase: ClassVar[str] = "has its backups stopped"
    example: ClassVar[Example | None] = Example("the master", "! systemctl is-active lab-backup.timer")

    def inject(self, on: On) -> str:
        return "systemctl stop lab-backup.timer"

    def heal(self, on: On) -> str:
        return "systemctl start lab-backup.timer"

    def healed(self, on: On) -> str:
        return "systemctl is-active lab-backup.timer"
