"""Self-healing as desired state: what is put where, and how one sees that it listens."""

from __future__ import annotations

from typing import Any

import pytest

from lab import config
from provisioning.build import Built
from provisioning.resources import File, Reload
from provisioning.roles import healing

LAB = config.load(config.LAB_FILE)
BUILT = Built({}, {}, ("", ""))
RESOURCES = healing.resources(LAB, LAB.master, BUILT)
FILES = [resource for resource in RESOURCES if isinstance(resource, File)]


def test_swarm_nodes_heal_nothing() -> None:
    assert [healing.resources(LAB, node, BUILT) + healing.health(LAB, node) for node in LAB.swarm_nodes] == [
        [],
        [],
        [],
    ]


def test_the_scripts_can_be_run_and_are_there_before_the_watch_that_calls_them() -> None:
    assert [(file.path, file.mode) for file in FILES] == [
        ("/data/consul/scripts/redeploy_service.sh", "755"),
        ("/data/consul/scripts/heal_service.sh", "755"),
        ("/data/consul/scripts/remove_doubles.sh", "755"),
        ("/etc/consul.d/watchers.json", "644"),
    ]


def test_consul_takes_a_new_watch_in_without_a_stop() -> None:
    last = RESOURCES[-1]
    assert isinstance(last, Reload)
    assert (last.name, last.on) == ("consul.service", ("file:/etc/consul.d/watchers.json",))


SEEN = {
    "a watch": ('{"DebugConfig":{"Watches":[{}]}}', True, ""),
    "no watch": ('{"DebugConfig":{"Watches":[]}}', False, "no watches"),
    "watches that are null": ('{"DebugConfig":{"Watches":null}}', False, "no watches"),
    "silence": ("", False, "no watches"),
}


@pytest.mark.parametrize("case", SEEN)
def test_it_is_healthy_only_when_consul_has(case: str, played: Any) -> None:
    answer, healthy, told = SEEN[case]
    played.program("curl", f"echo '{answer}'" if answer else "exit 7")
    (health,) = healing.health(LAB, LAB.master)
    done = played.run(health.check)
    assert (done.returncode == 0, done.stdout.strip()) == (healthy, told)
