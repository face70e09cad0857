from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from lab import config, environment, labs, virsh
from lab.errors import HostError
from lab.labs import Found
from lab.model import MARK, Lab
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
    assert [one.lab for one in labs.of_others(called("a"))] == ["a"]
    assert labs.of_others(called("b")) == labs.of_others(called("c")) == []
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    assert labs.of_others(called("a")) == []


def called(name: str, provider: str = "docker") -> Lab:
    return dataclasses.replace(config.load(config.LAB_FILE), name=name, provider=provider)


def test_a_lab_of_libvirt_is_known_by_its_network_and_its_machines(tmp_path: Path) -> None:
    mark = virsh.Mark("a", tmp_path, 7)
    networks = [
        virsh.Network("a", "10.1.1.0/24", "lab-1", mark, True),
        virsh.Network("a-ssh", "192.168.112.0/24", "lab-2", mark, True),
        virsh.Network("default", "192.168.122.0/24", "virbr0"),
    ]
    machines = [
        virsh.Domain("a-m", "1", "qemu", mark, is_running=True),
        virsh.Domain("a-n", "2", "qemu", mark),
        virsh.Domain("theirs", "3", "kvm", None, is_running=True),
    ]
    assert labs.of_libvirt(machines, networks) == [Found("a", "10.1.1.0/24", 1, 2, tmp_path, 7.0)]


def test_another_checkouts_lab_of_libvirt_is_found_without_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labs, "_of_this_engine", lambda: pytest.fail("the engine was asked"))
    network = virsh.Network("a", "10.1.1.0/24", "lab-1", virsh.Mark("a", tmp_path, 7))
    monkeypatch.setattr(virsh, "networks", lambda: [network])
    monkeypatch.setattr(virsh, "domains", list)
    assert [one.checkout for one in labs.of_others(called("a", "libvirt"))] == [tmp_path]


def test_a_silent_libvirt_hides_no_lab_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = labs.of([node("a", "/x")], [])
    monkeypatch.setattr(labs, "_of_this_engine", lambda: found)

    def silent() -> list[virsh.Domain]:
        raise HostError("libvirt does not answer")

    monkeypatch.setattr(virsh, "domains", silent)
    assert labs.here() == found


def test_a_lab_file_does_not_take_the_machines_of_another_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    (environment.STATE / "two").mkdir(parents=True)  # by `lab -n two`: it has a place of its own
    there = [Found(name, "", 4, 4, tmp_path, 0.0) for name in ("two", "mine")]
    monkeypatch.setattr(labs, "here", lambda: [*there, Found("hers", "", 4, 4, Path("/elsewhere"), 0.0)])
    labs.refuse_other_file(called("mine"))
    with pytest.raises(HostError, match=r"of the lab mine, and this lab file's is other"):
        labs.refuse_other_file(called("other"))
    monkeypatch.setenv("LAB", "three")
    labs.refuse_other_file(called("three"))
