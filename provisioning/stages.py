"""Which roles there are, and in which order: a stage needs what the one before it brought to life. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from lab.model import Lab
from provisioning.build import Built
from provisioning.resources import Resource
from provisioning.roles import (
    Health,
    backup,
    consul,
    docker,
    healing,
    jenkins,
    machine,
    nginx,
    registrator,
    registry,
    service,
    swarm,
)

STAGES: tuple[tuple[ModuleType, ...], ...] = (
    (machine, docker, registry, consul),
    (swarm, registrator, nginx, service, backup, jenkins, healing),
)
ROLES = tuple(role for stage in STAGES for role in stage)


def wanted(lab: Lab, built: Built, roles: Sequence[ModuleType] = ROLES) -> dict[str, list[Resource]]:
    """Node name -> its resources from these roles, in order."""
    return {
        node.name: [resource for role in roles for resource in role.resources(lab, node, built)]
        for node in lab.nodes
    }


def healths(lab: Lab, roles: Sequence[ModuleType] = ROLES) -> list[Health]:
    """Every component on every node, in stage order."""
    return [health for role in roles for node in lab.nodes for health in role.health(lab, node)]
