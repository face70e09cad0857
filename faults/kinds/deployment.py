"""Faults of what a deployment relies on: releases, the lock, nginx's settings, backups."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import ClassVar

from faults.example import Example
from faults.fault import Fault, Site, here, lines, script, unit
from provisioning.roles import registry

CONSUL = "http://localhost:8500"


class OfTheMaster(Fault):
    """What it breaks is on the master alone."""

    takes: ClassVar[str] = "nodes"

    def refusal(self, site: Site) -> str | None:
        return None if site.node == site.lab.master else f"{site.node.name} is not the master"


@dataclass(frozen=True)
class OfAService(OfTheMaster):
    """What it breaks is one service's."""

    service: str = ""  # the main one unless told

    def named(self, site: Site) -> str:
        """Raises ConfigError for a service that the lab has not."""
        return site.lab.service(self.service or site.lab.main_service.name).name


@dataclass(frozen=True)
class HideReleases(OfAService):
    """The registry does not know a service's releases from 1.0 on."""

    name: ClassVar[str] = "hide-releases"
    phrase: ClassVar[str] = "has the releases of (?P<service>[a-z0-9-]+) hidden"
    example: ClassVar[Example | None] = Example("the master", f"! ls {registry.tags('{service}')}/1.1")

    def inject(self, site: Site) -> str:
        tags, kept = self._folders(site)
        return f"mkdir {kept} && mv {tags}/[1-9]* {kept}/"

    def heal(self, site: Site) -> str:
        tags, kept = self._folders(site)
        return f"if [ -d {kept} ]; then mv -n {kept}/* {tags}/; rmdir {kept}; fi"

    def healed(self, site: Site) -> str:
        return f"[ ! -e {self._folders(site)[1]} ]"

    def _folders(self, site: Site) -> tuple[str, str]:
        tags = registry.tags(self.named(site))
        return tags, f"{tags}.{site.mark}"


@dataclass(frozen=True)
class LoseLock(OfAService):
    """The next deployment of a service loses its lock on the way."""

    name: ClassVar[str] = "lose-lock"
    phrase: ClassVar[str] = "loses the lock of the next deployment of (?P<service>[a-z0-9-]+)"
    example: ClassVar[Example | None] = Example(
        "the master", "systemctl is-active 'lab-fault-*-lock.service'"
    )

    def inject(self, site: Site) -> str:
        lock = site.lab.service(self.named(site)).lock_key
        path = f"{site.home}/lose_lock"
        loses = here(script("lose_lock.sh", consul=CONSUL, lock=lock), path)
        return lines(loses, unit(site, "lock", f"/bin/bash {path}"))

    def heal(self, site: Site) -> str:
        return f"systemctl stop {site.mark}-lock.service 2>/dev/null; true"

    def healed(self, site: Site) -> str:
        return f"! systemctl is-active {site.mark}-lock.service"


@dataclass(frozen=True)
class BreakSettings(OfTheMaster):
    """nginx cannot read its settings: it goes on with those it has, and follows no cut-over."""

    name: ClassVar[str] = "break-settings"
    phrase: ClassVar[str] = "has nginx's settings broken"
    example: ClassVar[Example | None] = Example(
        "the master", "docker exec nginx nginx -t 2>&1 | grep 'unknown directive'"
    )

    def inject(self, site: Site) -> str:
        return f"echo 'no such word;' >{self._file(site)}"

    def heal(self, site: Site) -> str:
        # What it could not follow meanwhile, it reads now; a stopped one reads it at its start.
        return f"rm -f {self._file(site)}; docker kill -s HUP nginx >/dev/null 2>&1; true"

    def healed(self, site: Site) -> str:
        return f"[ ! -e {self._file(site)} ]"

    def _file(self, site: Site) -> str:
        return shlex.quote(f"/data/nginx/includes/{site.mark}.conf")


@dataclass(frozen=True)
class BackupStop(OfTheMaster):
    """The services' records are copied no more."""

    name: ClassVar[str] = "backup-stop"
    phrase: ClassVar[str] = "has its backups stopped"
    example: ClassVar[Example | None] = Example("the master", "! systemctl is-active lab-backup.timer")

    def inject(self, site: Site) -> str:
        return "systemctl stop lab-backup.timer"

    def heal(self, site: Site) -> str:
        return "systemctl start lab-backup.timer"

    def healed(self, site: Site) -> str:
        return "systemctl is-active lab-backup.timer"
