"""The whole provisioning: stages of roles, each applied to all nodes, each waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.model import Lab
from lab.shell import Shell
from provisioning import health
from provisioning.build import Built
from provisioning.converge import Change, converge, plan_all
from provisioning.stages import STAGES, healths, wanted


def plan(lab: Lab, built: Built, shells: Mapping[str, Shell]) -> list[Change]:
    """What provisioning would change now."""
    return plan_all(shells, wanted(lab, built))


def provision(
    lab: Lab, built: Built, shells: Mapping[str, Shell], say: Callable[[str], None]
) -> list[Change]:
    """Converge every stage and wait for its components; returns the changes made.

    Components marked `late` are not waited for here.
    """
    changes: list[Change] = []
    for stage in STAGES:
        changes += converge(shells, wanted(lab, built, stage), say)
        health.wait(shells, [one for one in healths(lab, stage) if not one.late])
    return changes
