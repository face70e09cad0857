"""Copies of the services' records, on the master: a database's volume dies with its node."""

from __future__ import annotations

from lab.model import Lab, Node
from provisioning.build import Built
from provisioning.resources import Directory, File, Resource, Unit
from provisioning.roles import Health, Logs, is_master
from provisioning.templates import render

SCRIPTS = ("backup_records.sh", "restore_records.sh")
UNITS = ("lab-backup.service", "lab-backup.timer")


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if not is_master(node):
        return []
    units = [File(f"/etc/systemd/system/{name}", render(f"backup/{name}", lab)) for name in UNITS]
    return [
        Directory("/data/backups"),
        *(Directory(f"/data/backups/{service.name}") for service in lab.services if service.database),
        *(File(f"/usr/local/sbin/{name}", render(f"backup/{name}", lab), mode="755") for name in SCRIPTS),
        *units,
        Unit("lab-backup.timer", restart_on=tuple(unit.key for unit in units)),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    if not is_master(node):
        return []
    check = "systemctl is-active lab-backup.timer"
    return [Health("backup", node.name, check, Logs(units=("lab-backup",)))]
