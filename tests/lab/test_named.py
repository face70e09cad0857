from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path

import pytest

from lab import config, environment, named, network
from lab.errors import ConfigError, HostError
from lab.network import DockerNetwork, Route

FIRST = config.read(config.LAB_FILE)
CHECKOUT = Path("/home/ada/lab")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environment, "STATE", tmp_path)
    monkeypatch.delenv(environment.LAB, raising=False)
    monkeypatch.setattr(network, "host_routes", list)
    monkeypatch.setattr(network, "docker_networks", list)
    return tmp_path


def name_it(monkeypatch: pytest.MonkeyPatch, name: str = "two") -> None:
    monkeypatch.setenv(environment.LAB, name)


def tried(name: str = "two", checkout: Path = CHECKOUT) -> list[IPv4Network]:
    return list(named.candidates(FIRST, name, checkout))


def test_a_lab_beside_the_first_has_its_nodes_at_the_same_places_of_another_subnet() -> None:
    lab = named.renamed(FIRST, "two", IPv4Network("10.100.201.0/24"))
    assert (lab.name, lab.subnet) == ("two", "10.100.201.0/24")
    assert [node.address for node in lab.nodes] == [
        node.address.replace("10.100.199.", "10.100.201.") for node in FIRST.nodes
    ]
    assert [node.name for node in lab.nodes] == [node.name for node in FIRST.nodes]
    assert lab.services == FIRST.services


def test_no_two_candidates_overlap_each_other_or_the_first_lab() -> None:
    subnets = sorted({*tried(), IPv4Network(FIRST.subnet)})
    assert len(subnets) == named.CANDIDATES + 1
    assert not any(one.overlaps(other) for one, other in pairwise(subnets))


def test_each_name_and_checkout_begins_somewhere_but_always_at_the_same() -> None:
    first = {tried(name)[0] for name in "abcdefgh"}
    assert len(first) > 4
    assert tried() == tried() != tried(checkout=Path("/home/bob/lab"))


@pytest.mark.parametrize("subnet", ["192.168.255.0/24", "172.31.255.248/29", "10.0.0.0/8"])
def test_a_subnet_at_the_end_of_its_private_range_has_none_beside_it(
    subnet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = replace(FIRST, subnet=subnet)
    assert list(named.candidates(first, "two", CHECKOUT)) == []
    with pytest.raises(HostError, match="no subnet beside"):
        named.beside(first, "two")


def test_without_a_name_the_lab_is_the_files(state: Path) -> None:
    assert config.load(config.LAB_FILE) == FIRST
    assert environment.lab_state() == state
    network.settle(FIRST)
    assert list(state.iterdir()) == []


def test_an_empty_name_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    name_it(monkeypatch, "")
    assert config.load(config.LAB_FILE) == FIRST


def test_looking_at_a_named_lab_writes_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name_it(monkeypatch)
    assert config.load(config.LAB_FILE).name == "two"
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["runs", "images", "ssh", "hosts", "docker", "..", ".", "a/b", "Two", "zwö", "a\nb", "-n", "a" * 80],
)
def test_a_name_that_is_no_labs_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name_it(monkeypatch, name)
    with pytest.raises(ConfigError, match="LAB is") as caught:
        config.load(config.LAB_FILE)
    assert caught.value.try_next


def test_the_files_own_name_is_refused_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    name_it(monkeypatch, FIRST.name)
    with pytest.raises(ConfigError, match="itself"):
        config.load(config.LAB_FILE)


def test_a_free_subnet_is_chosen_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    name_it(monkeypatch)
    network.settle(FIRST)
    chosen = config.load(config.LAB_FILE).subnet
    monkeypatch.setattr(network, "host_routes", lambda: [Route(chosen, "eth0")])
    network.settle(FIRST)
    assert config.load(config.LAB_FILE).subnet == chosen


def test_a_subnet_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    name_it(monkeypatch)
    best, second, third, *_ = tried(checkout=environment.ROOT)
    monkeypatch.setattr(network, "host_routes", lambda: [Route(str(best), "eth0")])
    monkeypatch.setattr(network, "docker_networks", lambda: [DockerNetwork("x", str(second), "0123456789ab")])
    network.settle(FIRST)
    assert config.load(config.LAB_FILE).subnet == str(third)


def test_two_labs_of_a_checkout_never_get_one_subnet(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(named.CANDIDATES):
        name_it(monkeypatch, f"lab-{number}")
        network.settle(FIRST)
    kept = [file.read_text() for file in state.glob("*/subnet")]
    assert len(set(kept)) == len(kept) == named.CANDIDATES
    name_it(monkeypatch, "one-more")
    with pytest.raises(HostError, match=r"no subnet beside .* is free for the lab one-more"):
        network.settle(FIRST)


@pytest.mark.parametrize("text", ["", "10.1", "x\n"])
def test_a_note_of_the_subnet_that_cannot_be_read_is_told(
    text: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_it(monkeypatch)
    (state / "two").mkdir()
    (state / "two" / "subnet").write_text(text)
    with pytest.raises(HostError, match="nobody knows the subnet") as caught:
        config.load(config.LAB_FILE)
    assert "docker network ls" in (caught.value.try_next or "")


def test_a_kept_subnet_that_is_somebodys_by_now_says_how_to_take_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name_it(monkeypatch)
    network.settle(FIRST)
    lab = config.load(config.LAB_FILE)
    monkeypatch.setattr(network, "host_routes", lambda: [Route(lab.subnet, "eth0")])
    with pytest.raises(HostError, match="is taken") as caught:
        network.refuse_clash(lab)
    assert "lab -n two down" in (caught.value.try_next or "")
    named.forget()
    network.settle(FIRST)
    assert config.load(config.LAB_FILE).subnet != lab.subnet


def test_what_is_forgotten_is_the_named_lab_and_nothing_else(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state / "faults.jsonl").touch()
    named.forget()
    assert (state / "faults.jsonl").exists()
    name_it(monkeypatch)
    network.settle(FIRST)
    named.forget()
    assert not (state / "two").exists() and (state / "faults.jsonl").exists()
    assert named.names() == set()


def test_vagrants_records_of_the_first_lab_are_where_vagrant_looks(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.dotfile() == environment.ROOT / ".vagrant"
    name_it(monkeypatch)
    assert environment.dotfile() == state / "two" / "vagrant"


def test_the_labs_name_lasts_as_long_as_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    name_it(monkeypatch, "one")
    with named.used("two"):
        assert named.chosen() == "two"
    assert named.chosen() == "one"


@pytest.mark.parametrize(
    ("chosen", "name", "typed"),
    [
        ("", None, "lab status"),
        ("two", None, "lab -n two status"),
        ("two", "", "lab status"),
        ("two", "three", "lab -n three status"),
    ],
)
def test_a_command_is_typed_with_the_name_of_its_lab(
    chosen: str, name: str | None, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment.LAB, chosen)
    assert named.command("status", name) == typed


@pytest.mark.parametrize("subnet", ["10.100.201.0/25", "10.100.0.0/16", "10.100.201.0", "8.8.8.0/24"])
def test_a_subnet_that_is_kept_and_has_no_place_for_each_node_is_told(
    subnet: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_it(monkeypatch)
    (state / "two").mkdir()
    (state / "two" / "subnet").write_text(subnet)
    with pytest.raises(HostError, match=r"the lab two keeps the subnet .*not beside 10\.100\.199\.0/24"):
        config.load(config.LAB_FILE)
