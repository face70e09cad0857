from __future__ import annotations

from bench.ansible_reference import task
from lab import config
from provisioning import build
from provisioning.stages import wanted

LAB = config.load(config.LAB_FILE)


def test_every_resource_of_every_node_has_a_task() -> None:
    resources = [one for ones in wanted(LAB, build.record(LAB)).values() for one in ones]
    assert all(len(task(resource)) >= 1 for resource in resources) and len(resources) > 100
