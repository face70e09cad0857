"""The registry as desired state."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from lab import config
from provisioning.build import Built
from provisioning.resources import File, Folder, Unit
from provisioning.roles import registry

LAB = config.load(config.LAB_FILE)
BUILT = Built({}, {}, ("d1", "/lab-cache/registry/d1"))
RESOURCES = registry.resources(LAB, LAB.master, BUILT)
FILES = {resource.path: resource.content for resource in RESOURCES if isinstance(resource, File)}


def test_it_is_on_the_master_alone() -> None:
    assert [
        registry.resources(LAB, node, BUILT) + registry.health(LAB, node) for node in LAB.swarm_nodes
    ] == [[], [], []]


def test_it_serves_the_folder_that_the_store_is_copied_into() -> None:
    settings = yaml.safe_load(FILES["/etc/lab/registry.yml"])
    assert settings["storage"]["filesystem"]["rootdirectory"] == "/var/lib/lab-registry"
    assert Folder("/var/lib/lab-registry", "d1", "/lab-cache/registry/d1") in RESOURCES


def test_it_is_restarted_when_its_settings_its_unit_or_its_store_change() -> None:
    unit = RESOURCES[-1]
    assert isinstance(unit, Unit)
    assert set(unit.restart_on) == {
        "file:/etc/lab/registry.yml",
        "file:/etc/systemd/system/lab-registry.service",
        "folder:/var/lib/lab-registry",
    }


def test_its_unit_reads_the_settings_that_are_written() -> None:
    start = next(
        line for line in FILES["/etc/systemd/system/lab-registry.service"].splitlines() if "ExecStart" in line
    )
    assert start.split()[-1] in FILES


@pytest.mark.parametrize(("answer", "healthy"), [("true", True), ("exit 22", False), ("exit 7", False)])
def test_it_is_healthy_only_when_it_answers(answer: str, healthy: bool, played: Any) -> None:
    played.program("curl", answer)
    (health,) = registry.health(LAB, LAB.master)
    assert (played.run(health.check).returncode == 0) == healthy
    assert played.calls() == ["curl -fsS -m 4 -o /dev/null http://10.100.199.200:5000/v2/"]
