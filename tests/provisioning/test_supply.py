"""What a machine that mounts nothing of this host is given."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lab import config
from lab.model import Access
from provisioning import build, supply
from provisioning.resources import File, Folder, Program
from provisioning.stages import wanted

LAB = config.load(config.LAB_FILE)
OWN = dataclasses.replace(
    LAB, provider="ssh", nodes=tuple(dataclasses.replace(node, ssh=Access(node.name)) for node in LAB.nodes)
)


def test_a_machine_is_given_the_folders_that_its_resources_take_from() -> None:
    resources = [
        Program("consul", "d1", "/lab-cache/artifacts/consul-d1/consul"),
        Program("consul-too", "d1", "/lab-cache/artifacts/consul-d1/consul"),
        Folder("/data", "d2", "/lab-cache/registry/d2"),
        File("/etc/x", "x"),
    ]
    assert supply.needed(resources) == ["/lab-cache/artifacts/consul-d1", "/lab-cache/registry/d2"]


def test_only_the_master_is_given_the_registrys_store() -> None:
    by_node = {node: supply.needed(found) for node, found in wanted(OWN, build.record(OWN)).items()}
    with_store = [node for node, places in by_node.items() if any("/registry/" in place for place in places)]
    assert with_store == [OWN.master.name]


def test_all_that_is_given_has_a_place_on_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CACHE", "/cache")
    places = {place for found in wanted(OWN, build.record(OWN)).values() for place in supply.needed(found)}
    here = {build.on_this_host(place) for place in places}
    assert build.PLAYBOOKS in here
    assert all(path == build.PLAYBOOKS or path.is_relative_to("/cache") for path in here)
    assert (build.PLAYBOOKS / "books-service.yml").is_file()


def test_a_machine_is_asked_what_it_lacks(tmp_path: Path) -> None:
    script = supply.observation([str(tmp_path), f"{tmp_path}/none"])
    assert script == f"[ -d {tmp_path} ] || echo {tmp_path}\n[ -d {tmp_path}/none ] || echo {tmp_path}/none"
