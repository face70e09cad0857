"""The keepers' own knowledge of a node, held to where it is made."""

from __future__ import annotations

import socket
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from deployments.checkpoints import keepers, saving, shelf
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
    out, err = printed
    with pytest.raises(HostError, match="the host's disk is full"):
        Keeper("n1", container(framed(out, err or b""), 126)).work("save")


def framed(out: bytes, err: bytes = b"") -> bytes:
    """An engine's stream of both, each in two parts."""
    parts = [(kind, half) for kind, text in ((1, out), (2, err)) for half in (text[:3], text[3:])]
    return b"".join(struct.pack(">BxxxL", kind, len(half)) + half for kind, half in parts)


def container(stream: bytes, code: int | None, *, closes: bool = True, is_there: bool = True) -> Any:
    """A container in which a command has ended, whose stream the engine closes, or leaves open."""
    ours, engines = socket.socketpair()
    begun: list[str] = []
    if closes:
        engines.sendall(stream)
        engines.close()

    def inspect(id: str) -> dict[str, Any]:
        if not is_there:
            engines.close()
            raise NotFound("no such exec instance")
        if closes or len(begun) > 1:
            engines.close()
            return {"Running": False, "ExitCode": code}
        begun.append(id)
        if len(begun) > 1:
            engines.sendall(stream)
        return {"Running": len(begun) > 1, "ExitCode": None}  # at first it has not begun

    api = SimpleNamespace(
        exec_create=lambda *_, **__: {"Id": "e1"}, exec_start=lambda id, socket: ours, exec_inspect=inspect
    )
    return SimpleNamespace(id="c1", client=SimpleNamespace(api=api))


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "left open"])
def test_a_work_ends_with_its_process_also_when_the_engine_leaves_its_stream_open(closes: bool) -> None:
    told = framed("größer\n".encode(), b"a warning\n")
    assert keepers.run(container(told, 0, closes=closes), ["true"], {}) == (0, "größer\n", "a warning\n")


def test_a_keeper_that_is_removed_in_its_work_is_told_and_not_waited_for() -> None:
    gone = container(framed(b"half"), None, closes=False, is_there=False)
    with pytest.raises(LabError, match="its keeper does not answer"):
        Keeper("n1", gone).work("restore")


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
