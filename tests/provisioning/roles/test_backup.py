"""Backups as desired state."""

from __future__ import annotations

import dataclasses

from lab import config
from provisioning.build import Built
from provisioning.resources import Directory, File, Unit
from provisioning.roles import backup

LAB = config.load(config.LAB_FILE)
BUILT = Built({}, {}, ("", ""))
RESOURCES = backup.resources(LAB, LAB.master, BUILT)
FILES = {resource.path: resource for resource in RESOURCES if isinstance(resource, File)}


def test_swarm_nodes_keep_no_copies() -> None:
    assert [backup.resources(LAB, n, BUILT) + backup.health(LAB, n) for n in LAB.swarm_nodes] == [[], [], []]


def test_only_services_with_a_database_have_a_folder() -> None:
    folders = [resource.path for resource in RESOURCES if isinstance(resource, Directory)]
    assert folders == ["/data/backups", "/data/backups/books-service"]


def test_the_timer_runs_as_often_as_consul_looks_and_is_restarted_when_it_changed() -> None:
    often = dataclasses.replace(LAB, check_interval=3)
    (timer,) = (
        r.content
        for r in backup.resources(often, often.master, BUILT)
        if isinstance(r, File) and r.path.endswith(".timer")
    )
    assert "OnUnitActiveSec=3\n" in timer
    (unit,) = (resource for resource in RESOURCES if isinstance(resource, Unit))
    assert (unit.name, unit.restart_on) == (
        "lab-backup.timer",
        (
            "file:/etc/systemd/system/lab-backup.service",
            "file:/etc/systemd/system/lab-backup.timer",
        ),
    )


def test_the_unit_runs_a_script_that_is_put_there_and_can_be_run() -> None:
    unit = FILES["/etc/systemd/system/lab-backup.service"].content
    (start,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert FILES[start.removeprefix("ExecStart=")].mode == "755"
