"""The keepers' own knowledge of a node, held to where it is made."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from threading import Timer
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


def container(stream: bytes, code: int, inspected: Sequence[str] = (), ends: bool = True) -> Any:
    """A container in which a command runs: `inspected` is what the engine says of it, look by look.

    What it printed comes then, or is there at once.
    """
    ours, engines = socket.socketpair()
    looks = [*inspected]

    def send() -> None:
        engines.sendall(stream)
        if ends:
            engines.close()

    def inspect(id: str) -> dict[str, Any]:
        said = looks.pop(0) if looks else "ended"
        if said == "gone":
            raise NotFound("no such exec instance")
        if said == "ended, and prints":
            Timer(0.1, send).start()
        return {"ExitCode": None if said == "begins" else code}

    if not looks:
        send()
    api = SimpleNamespace(
        exec_create=lambda *_, **__: {"Id": "e1"}, exec_start=lambda id, socket: ours, exec_inspect=inspect
    )
    return SimpleNamespace(id="c1", client=SimpleNamespace(api=api), engines=engines)


TOLD = "größer\n".encode()
LOOKS: dict[str, tuple[str, ...]] = {
    "printed at once": (),
    "told to have ended before all is sent": ("begins", "ended, and prints"),
}


@pytest.mark.parametrize("case", LOOKS)
def test_a_work_tells_all_that_it_printed_when_it_has_ended(case: str) -> None:
    works = container(framed(TOLD, b"a warning\n"), 0, LOOKS[case])
    assert keepers.run(works, ["true"], {}) == (0, "größer\n", "a warning\n")


UNENDED = {"it is removed": ("begins", "gone"), "the engine leaves its stream open": ("begins", "ended")}


@pytest.mark.parametrize("case", UNENDED)
def test_a_work_whose_end_is_not_told_is_no_work_and_not_waited_for(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers, "LATE", 0.0)
    works = container(b"", 0, UNENDED[case])
    with pytest.raises(LabError, match="its keeper does not answer"):
        Keeper("n1", works).work("restore")
    works.engines.close()


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
