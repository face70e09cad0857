from __future__ import annotations

from collections.abc import Mapping

import pytest

import faults
from lab.model import Lab
from lab.shell import Shell


@pytest.fixture(scope="module", autouse=True)
def steady(lab: Lab, shells: Mapping[str, Shell]) -> None:
    """One baseline for all of them: each must leave the lab as it was."""
    faults.reset(lab, shells)
