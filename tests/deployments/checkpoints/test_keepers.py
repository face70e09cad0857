"""The keepers' own knowledge of a node, held to where it is made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deployments.checkpoints import saving, shelf
from deployments.checkpoints.by_provider import kind_of
from deployments.checkpoints.keepers import Keeper
from lab import config
from lab.environment import ROOT
from lab.errors import HostError, LabError
from lab.providers import containers
from lab.testing import FakeShell


def test_the_volumes_of_a_node_are_those_of_the_vagrantfile() -> None:
    kept = next(line for line in (ROOT / "Vagrantfile").read_text().splitlines() if line.startswith("KEPT ="))
    assert kept.count("=>") == len(containers.VOLUMES)
    assert all(f'"{suffix}" =>' in kept for suffix in containers.VOLUMES.values())


@pytest.mark.parametrize(
    "printed",
    [
        (b"", b"cp: error writing 'x': No space left on device\n"),
        (b"OCI runtime exec failed: write /tmp/runc: no space left on device: unknown\r\n", None),
    ],
)
def test_a_full_disk_is_told_as_that_whoever_meets_it(printed: tuple[bytes, bytes | None]) -> None:
    container = SimpleNamespace(exec_run=lambda *_, **__: (126, printed))
    with pytest.raises(HostError, match="the host's disk is full"):
        Keeper("n1", container).work("save")


def test_why_there_is_no_checkpoint_is_told_also_where_nothing_can_be_cleared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = config.load(config.LAB_FILE)
    cleared: list[Any] = []

    class Store:
        def __enter__(self) -> Store:
            return self

        def __exit__(self, *_: object) -> None: ...

        def clear(self, known: list[str]) -> None:
            cleared.append(known)
            if len(cleared) > 1:
                raise LabError("its keeper could not clear")

    def taken(*_: object, **__: object) -> None:
        raise HostError("the host's disk is full")

    monkeypatch.setattr(kind_of(lab), "image_of", lambda lab: "image")
    monkeypatch.setattr(kind_of(lab), "opened", lambda lab: Store())
    monkeypatch.setattr(saving, "_taken", taken)
    monkeypatch.setattr(shelf, "all_of_lab", lambda say: [])
    monkeypatch.setattr(shelf, "refuse_unended", lambda: None)
    with pytest.raises(HostError, match="the host's disk is full"):
        saving.save(lab, {lab.master.name: FakeShell({})}, "full", print)
    assert len(cleared) == 2
