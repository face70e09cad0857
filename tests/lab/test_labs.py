from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab import environment, labs
from lab.labs import Found
from lab.model import MARK
from lab.providers.containers import AUTHORIZED_KEYS


def node(lab: str, checkout: str, *, state: str = "running", created: int = 100) -> dict[str, Any]:
    key = {"Source": f"{checkout}/.lab/ssh/id_ed25519.pub", "Destination": AUTHORIZED_KEYS}
    other = {"Source": "/cache", "Destination": "/lab-cache"}
    return {"Labels": {MARK: lab}, "State": state, "Created": created, "Mounts": [other, key]}


def network(lab: str, subnet: str) -> dict[str, Any]:
    return {"Labels": {MARK: lab}, "IPAM": {"Config": [{"Subnet": subnet}]}}


def test_each_lab_is_told_with_its_nodes_its_subnet_and_its_checkout() -> None:
    found = labs.of(
        [
            node("b", "/home/ada/x"),
            node("a", "/srv/y", created=7),
            node("a", "/srv/y", state="exited", created=9),
        ],
        [network("a", "10.1.1.0/24"), network("b", "10.1.2.0/24")],
    )
    assert found == [
        Found("a", "10.1.1.0/24", 1, 2, Path("/srv/y"), 7.0),
        Found("b", "10.1.2.0/24", 1, 1, Path("/home/ada/x"), 100.0),
    ]


def test_what_serves_a_build_is_no_lab() -> None:
    assert labs.of([{"Labels": {MARK: "a"}, "State": "running", "Created": 1, "Mounts": None}], []) == []


def test_a_lab_without_its_network_is_a_lab() -> None:
    nothing: list[dict[str, Any]] = [{"Labels": None, "IPAM": {"Config": None}}, {"IPAM": None}]
    assert [one.subnet for one in labs.of([node("a", "/x")], nothing)] == [""]


def test_ours_is_what_this_checkout_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    ours, theirs = labs.of([node("a", str(tmp_path)), node("b", "/elsewhere")], [])
    assert (ours.is_ours, theirs.is_ours) == (True, False)
    assert (ours.user, theirs.user) == (tmp_path.owner(), "unknown")


def test_a_lab_of_our_name_is_anothers_while_its_checkout_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = [node("a", str(tmp_path)), node("b", str(tmp_path / "gone"))]
    monkeypatch.setattr(labs, "here", lambda: labs.of(here, []))
    assert [one.lab for one in labs.of_others("a")] == ["a"]
    assert labs.of_others("b") == labs.of_others("c") == []
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    assert labs.of_others("a") == []
