"""The whole provisioning: stages of roles, each applied to all nodes, each waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

from lab.errors import CheckFailed
from lab.model import Lab
from lab.shell import Shell, in_parallel
from lab.waiting import wait_until
from provisioning.built import Built
from provisioning.converge import Change, converge, plan_all
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

# A stage needs what the one before it brought to life.
STAGES: tuple[tuple[ModuleType, ...], ...] = (
    (machine, docker, registry, consul),
    (swarm, registrator, nginx, service, backup, jenkins, healing),
)
HEALTH_TIMEOUT = 90.0


def wanted(lab: Lab, built: Built, roles: Sequence[ModuleType]) -> dict[str, list[Resource]]:
    """Node name -> its resources from these roles, in order. Pure."""
    return {
        node.name: [resource for role in roles for resource in role.resources(lab, node, built)]
        for node in lab.nodes
    }


def healths(lab: Lab, roles: Sequence[ModuleType] | None = None) -> list[Health]:
    """Every component on every node, in stage order. Pure."""
    chosen = roles or [role for stage in STAGES for role in stage]
    return [health for role in chosen for node in lab.nodes for health in role.health(lab, node)]


def plan(lab: Lab, built: Built, shells: Mapping[str, Shell]) -> list[Change]:
    """What provisioning would change now."""
    return plan_all(shells, wanted(lab, built, [role for stage in STAGES for role in stage]))


def provision(
    lab: Lab, built: Built, shells: Mapping[str, Shell], say: Callable[[str], None]
) -> list[Change]:
    """Converge every stage and wait for its components; answers the changes made.

    Components marked `late` are not waited for: see `wait_healthy`.
    """
    changes: list[Change] = []
    for stage in STAGES:
        changes += converge(shells, wanted(lab, built, stage), say)
        wait_healthy(shells, [health for health in healths(lab, stage) if not health.late])
    return changes


def wait_healthy(shells: Mapping[str, Shell], wanted_healths: Sequence[Health]) -> None:
    """Wait for every component at once. Raises TimedOut with the component's last log lines."""
    if wanted_healths:
        with ThreadPoolExecutor(max_workers=len(wanted_healths)) as pool:
            list(pool.map(lambda health: _wait_one(shells[health.node], health), wanted_healths))


def _wait_one(shell: Shell, health: Health) -> None:
    def answers() -> bool:
        result = shell.run(health.check, check=False, timeout=10)
        if result.exit != 0:
            raise CheckFailed(f"exit {result.exit}: {(result.stdout + result.stderr).strip() or 'no output'}")
        return True

    wait_until(
        answers,
        HEALTH_TIMEOUT,
        f"{health.component} to answer",
        node=health.node,
        evidence=lambda: shell.run(health.logs, check=False, timeout=10).stdout,
        try_next=f"lab logs {health.component}",
    )


def look(lab: Lab, shells: Mapping[str, Shell]) -> dict[tuple[str, str], str | None]:
    """(component, node) -> None when it answers, else what was seen; one round trip a node."""
    by_node = {
        node.name: [health for health in healths(lab) if health.node == node.name] for node in lab.nodes
    }

    def look_at(node: str) -> dict[tuple[str, str], str | None]:
        parts = [
            f"seen=$({h.check}) && echo '+' || printf -- '-%s' \"$seen\" | tr '\\n' ' '; echo"
            for h in by_node[node]
        ]
        # Not splitlines(): a check may print \r.
        lines = [line for line in shells[node].run("\n".join(parts), timeout=60).stdout.split("\n") if line]
        return {
            (health.component, node): None if line == "+" else line[1:].strip() or "no answer"
            for health, line in zip(by_node[node], lines, strict=True)
        }

    seen = in_parallel(look_at, by_node)
    return {key: value for node in by_node for key, value in seen[node].items()}
