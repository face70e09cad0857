"""Scripts of the host run beside the lab, on the engine that the lab is on."""

from __future__ import annotations

import dataclasses
from typing import NoReturn

import pytest

from faults.host import HostShell
from lab import engine
from lab.errors import HostError
from lab.model import Lab
from lab.shell import CommandFailed


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is not this host's."""

    def refuse() -> NoReturn:
        raise HostError("not this host's own engine")

    monkeypatch.setattr(engine, "require_here", refuse)


@pytest.mark.usefixtures("remote")
def test_nothing_runs_when_docker_would_mean_another_engine(lab: Lab) -> None:
    with pytest.raises(HostError):
        HostShell(lab).run("echo ran")


@pytest.mark.usefixtures("remote")
@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_machines_that_are_no_containers_need_no_engine(provider: str, lab: Lab) -> None:
    assert HostShell(dataclasses.replace(lab, provider=provider)).run("echo ran").stdout == "ran\n"


def test_a_script_that_fails_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "require_here", lambda: None)
    with pytest.raises(CommandFailed, match="exit 7"):
        HostShell(lab).run("exit 7")
