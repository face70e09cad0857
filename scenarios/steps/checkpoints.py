"""The phrases of checkpoints: saved and restored by the command, and looked at by the doors of the lab."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_bdd import given, then, when

from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.clients.proxy import ProxyClient
from lab.environment import ROOT
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import stretched

SECONDS = 240  # for one command


@dataclass
class Saved:
    """A checkpoint of a scenario, and what was seen when it was made."""

    name: str
    books: list[dict[str, Any]] = field(default_factory=list)
    builds: list[tuple[int, str]] = field(default_factory=list)
    live: tuple[str, ...] = ()


def _lab(*words: str) -> None:
    command = [sys.executable, "-m", "cli", *words]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=stretched(SECONDS), check=False
    )
    assert done.returncode == 0, f"lab {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"


@pytest.fixture
def saved(lab: Lab) -> Iterator[Saved]:
    made = Saved(f"feature-{secrets.token_hex(4)}")
    yield made
    if made.live:
        _lab("checkpoint", "rm", made.name)


def books(lab: Lab) -> list[dict[str, Any]]:
    with closing(ProxyClient(lab)) as proxy:
        return proxy.books()


def builds(lab: Lab) -> list[tuple[int, str]]:
    with closing(JenkinsClient(lab)) as jenkins:
        return jenkins.builds(lab.main_service.name)


def live(lab: Lab) -> tuple[str, ...]:
    """The live color for Consul, then release, color and node of who answers users."""
    with closing(ProxyClient(lab)) as proxy:
        served = proxy.served_by(lab.main_service.path)
    return (ConsulClient(lab).live_color(lab.main_service) or "none", *served)


@given("the lab is saved as a checkpoint")
def save(lab: Lab, saved: Saved) -> None:
    _lab("save", saved.name)
    saved.books, saved.builds, saved.live = books(lab), builds(lab), live(lab)


@when("a book is written and another is deleted")
def change_books(lab: Lab) -> None:
    with closing(ProxyClient(lab)) as proxy:
        proxy.put({"_id": "late", "title": "Later", "author": "Di Later", "description": "After the save."})
        proxy.delete("1")


@when("the lab is restored to the checkpoint")
def restore(lab: Lab, saved: Saved, shells: Mapping[str, Shell]) -> None:
    # What is the same by chance would show nothing: two deployments end on the color of before.
    assert saved.books != books(lab)
    assert saved.builds != builds(lab)
    assert saved.live[0] != live(lab)[0]
    _lab("restore", saved.name)
    for shell in shells.values():  # the nodes have started anew
        shell.close()


@then("the books are as they were saved")
def same_books(lab: Lab, saved: Saved) -> None:
    assert books(lab) == saved.books


@then("the builds of Jenkins are as they were saved")
def same_builds(lab: Lab, saved: Saved) -> None:
    assert builds(lab) == saved.builds


@then("the live color and its release are as they were saved")
def same_color(lab: Lab, saved: Saved) -> None:
    assert live(lab) == saved.live
