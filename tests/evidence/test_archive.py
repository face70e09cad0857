from __future__ import annotations

import tarfile
from pathlib import Path

import httpx
import pytest

from evidence import archive
from lab import config, machines, network
from lab.errors import HostError, LabError
from lab.testing import FakeShell, said
from provisioning.stages import healths

LAB = config.load(config.LAB_FILE)


ASKED = {"docker-ps.txt": "docker ps", "journal.txt": "journalctl"}


def test_every_node_is_asked_every_question() -> None:
    shells = {name: FakeShell({"": said(f"of {name}")}, name) for name in ("n1", "n2")}
    found = archive.ask_nodes(shells, dict.fromkeys(shells, ASKED))
    assert found.keys() == {f"{node}/{file}" for node in shells for file in ASKED}
    assert found["n2/journal.txt"] == "of n2"


def test_the_log_of_every_component_is_asked_for_on_its_node() -> None:
    asked = archive.questions(LAB)
    for health in healths(LAB):
        logs = health.logs
        script = asked[health.node][f"{health.component}.log"]
        assert all(name in script for name in (*logs.units, *logs.containers, *logs.files))
        assert logs.units or logs.containers or logs.files, f"{health.component} declares no log"
    assert "lab-registry" in asked[LAB.master.name]["registry.log"]


def test_a_silent_node_is_told_and_asked_no_more() -> None:
    dead = FakeShell({"": LabError("does not answer over SSH")}, "n1")
    found = archive.ask_nodes(
        {"n1": dead, "n2": FakeShell({"": said("fine")}, "n2")}, {"n1": ASKED, "n2": ASKED}
    )
    assert len(dead.scripts) == 1
    assert "does not answer over SSH" in found["n1/docker-ps.txt"]
    assert found["n2/journal.txt"] == "fine"


def test_a_silent_consul_is_told() -> None:
    def get(url: str) -> str:
        if url.endswith("members"):
            return "{}"
        raise httpx.ConnectError("refused")

    found = archive.ask_consul(LAB, get)
    assert (found["consul/checks.json"], found["consul/members.json"]) == ("no answer: refused\n", "{}")


def test_the_archive_holds_answers_and_journals(tmp_path: Path) -> None:
    scenario = tmp_path / "01-first"
    scenario.mkdir()
    for path in (tmp_path / "run.json", tmp_path / "journal.jsonl", scenario / "probe.jsonl"):
        path.write_text("{}")
    packed = archive.pack(
        tmp_path / "01-first-evidence.tar.gz",
        {"n1/docker-ps.txt": "…"},
        archive.journals(tmp_path, scenario),
    )
    with tarfile.open(packed) as tar:
        names = {name.removeprefix("01-first-evidence/") for name in tar.getnames()}
    assert names >= {
        "n1/docker-ps.txt",
        "journals/run.json",
        "journals/journal.jsonl",
        "journals/probe.jsonl",
    }


def test_nothing_is_asked_without_the_labs_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(lab: object) -> None:
        raise HostError("the lab's network is not on this host")

    monkeypatch.setattr(network, "require_present", absent)
    monkeypatch.setattr(machines, "shells", lambda lab: pytest.fail("reached for the lab"))
    with pytest.raises(HostError):
        archive.collect(LAB, tmp_path, tmp_path)


def test_a_question_is_as_patient_as_the_host_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PATIENCE", "6")
    assert "timeout 30 docker logs" in archive.questions(LAB)[LAB.master.name]["containers.log"]
