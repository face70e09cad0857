from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest

from lab import config, environment, keys, machines, ports
from lab import engine as host_engine
from lab.errors import HostError, LabError
from lab.providers import by_vagrant, containers
from lab.testing import FakeShell, said

LAB = config.load(config.LAB_FILE)


class Thing:
    """Of a fake engine: it can be removed, which the engine writes down."""

    def __init__(self, engine: FakeEngine, name: str, fails: bool = False) -> None:
        self.engine, self.name, self.fails = engine, name, fails

    def remove(self, **options: object) -> None:
        if self.fails:
            raise docker.errors.NotFound("gone already")
        self.engine.removed.append((type(self).__name__, self.name, options))
        self.engine.things.remove(self)


class Container(Thing):
    id = ""
    attrs: dict[str, Any]


class Network(Thing):
    pass


class Volume(Thing):
    pass


class Collection:
    def __init__(self, engine: FakeEngine, kind: type[Thing]) -> None:
        self.engine, self.kind = engine, kind

    def list(self, **options: object) -> list[Thing]:
        self.engine.asked.append(options)
        return [thing for thing in self.engine.things if isinstance(thing, self.kind)]


class FakeEngine:
    def __init__(self) -> None:
        self.things: list[Thing] = []
        self.removed: list[tuple[str, str, dict[str, object]]] = []
        self.asked: list[dict[str, object]] = []
        self.noted: list[str] = []
        self.containers = Collection(self, Container)
        self.networks = Collection(self, Network)
        self.volumes = Collection(self, Volume)

    def close(self) -> None:
        return


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Nothing here may reach the lab that runs on this host: a fake engine, a root of its own."""
    fake = FakeEngine()
    monkeypatch.setattr(host_engine, "connect", lambda: fake)
    for name in ("remember", "forget"):
        monkeypatch.setattr(host_engine, name, lambda name=name: fake.noted.append(name))
    monkeypatch.setattr(by_vagrant, "_vagrant", lambda: pytest.fail("Vagrant was called"))
    for module in (by_vagrant, environment):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    for module in (by_vagrant, environment, keys):
        monkeypatch.setattr(module, "STATE", tmp_path / ".lab")
    (tmp_path / ".lab").mkdir()
    return fake


def test_containers_go_before_networks_and_volumes(engine: FakeEngine) -> None:
    engine.things = [
        Volume(engine, "v1"),
        Network(engine, "net"),
        Container(engine, "n1"),
        Container(engine, "n2"),
    ]
    said: list[str] = []
    assert machines.destroy(LAB, said.append) == []
    kinds = [kind for kind, _, _ in engine.removed]
    assert kinds == ["Container", "Container", "Network", "Volume"]
    assert said == ["removing 2 containers: n1, n2", "removing 1 networks: net", "removing 1 volumes: v1"]


def test_containers_go_by_force_and_with_their_volumes(engine: FakeEngine) -> None:
    engine.things = [Container(engine, "n1"), Volume(engine, "v1")]
    machines.destroy(LAB, lambda line: None)
    assert [options for _, _, options in engine.removed] == [{"force": True, "v": True}, {"force": True}]


def test_only_what_carries_the_mark_of_this_lab_is_asked_for(engine: FakeEngine) -> None:
    machines.destroy(dataclasses.replace(LAB, name="other"), lambda line: None)
    assert [options["filters"] for options in engine.asked] == [{"label": "bluegreen-lab=other"}] * 6
    assert engine.asked[0]["all"] is True


def test_what_is_left_is_named_and_what_is_gone_already_is_no_error(engine: FakeEngine) -> None:
    engine.things = [Network(engine, "net", fails=True)]
    assert machines.destroy(LAB, lambda line: None) == ["network net"]


def test_the_state_of_vagrant_and_the_way_in_are_forgotten(tmp_path: Path) -> None:
    machine = tmp_path / ".vagrant" / "machines" / "n1"
    for provider in ("docker", "libvirt"):
        (machine / provider).mkdir(parents=True)
    machines.ssh_config().write_text("Host n1\n")
    machines.destroy(LAB, lambda line: None)
    assert [path.name for path in machine.iterdir()] == ["libvirt"]
    assert not machines.ssh_config().exists()


def test_virtualbox_is_destroyed_by_vagrant(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    class Vagrant:
        def destroy(self) -> None:
            called.append("destroy")

    monkeypatch.setattr(by_vagrant, "_vagrant", Vagrant)
    assert machines.destroy(dataclasses.replace(LAB, provider="virtualbox"), lambda line: None) == []
    assert (called, engine.asked) == (["destroy"], [])


def test_without_a_way_in_no_node_answers_and_there_are_no_shells() -> None:
    assert machines.answering(LAB) == frozenset()
    with pytest.raises(LabError, match="the lab is not up") as caught:
        machines.shells(LAB)
    assert caught.value.try_next == "make lab-up"


def test_there_is_one_shell_for_each_node() -> None:
    machines.ssh_config().write_text("")
    shells = machines.shells(LAB)
    assert [(name, shell.node) for name, shell in shells.items()] == [(n.name, n.name) for n in LAB.nodes]


def test_the_nodes_of_another_lab_file_are_not_taken_for_this_ones() -> None:
    machines.ssh_config().write_text("# the lab other\nHost swarm-master\n")
    with pytest.raises(HostError, match=f"are of the lab other, and this lab file's is {LAB.name}"):
        machines.shells(LAB)


def node(engine: FakeEngine, name: str, key: Path, identity: str, **joined: Any) -> Container:
    container = Container(engine, name)
    container.id = identity
    container.attrs = {
        "Mounts": [{"Destination": containers.AUTHORIZED_KEYS, "Source": str(key)}],
        "NetworkSettings": {"Networks": {"bridge": {"IPAMConfig": None}, **joined}},
    }
    engine.things.append(container)
    return container


def test_machines_cut_short_before_vagrant_noted_them_are_made_again(
    engine: FakeEngine, tmp_path: Path
) -> None:
    key = tmp_path / ".lab/ssh/id_ed25519.pub"
    known = tmp_path / ".vagrant/machines/n1/docker/id"
    known.parent.mkdir(parents=True)
    known.write_text("aaa")
    node(engine, "n1", key, "aaa")
    node(engine, "n2", key, "bbb")
    said: list[str] = []
    containers.forget_unfinished(LAB, said.append)
    assert engine.removed == [("Container", "n2", {"force": True})]  # its volume stays
    assert said == ["n2: Vagrant has no record of it; made again"]


def test_a_machine_cut_short_before_it_joined_the_labs_network_is_made_again(
    engine: FakeEngine, tmp_path: Path
) -> None:
    key = tmp_path / ".lab/ssh/id_ed25519.pub"
    joined = {"IPAMConfig": {"IPv4Address": LAB.master.address}}
    for one, networks in ((LAB.master, {"lab": joined}), (LAB.swarm_nodes[0], {})):
        known = tmp_path / ".vagrant/machines" / one.name / "docker/id"
        known.parent.mkdir(parents=True)
        known.write_text(one.name)
        node(engine, LAB.machine(one.name), key, one.name, **networks)
    said: list[str] = []
    containers.forget_unfinished(LAB, said.append)
    half_made = LAB.machine(LAB.swarm_nodes[0].name)
    assert engine.removed == [("Container", half_made, {"force": True})]
    assert said == [f"{half_made}: it never joined the lab's network; made again"]


def test_another_folders_lab_of_the_same_name_is_refused_and_left_alone(
    engine: FakeEngine, tmp_path: Path
) -> None:
    node(engine, "n1", tmp_path / "elsewhere/.lab/ssh/id_ed25519.pub", "aaa")
    with pytest.raises(HostError, match="made from another folder") as caught:
        containers.forget_unfinished(LAB, lambda _: None)
    assert "elsewhere" in str(caught.value) and "lab down" in str(caught.value)
    assert engine.removed == []


class Vagrant:
    """Each `up` writes the next of its logs and fails, until there is none left."""

    def __init__(self, *logs: str) -> None:
        self.logs, self.ups = list(logs), 0

    def up(self, provider: str) -> None:
        self.ups += 1
        if self.logs:
            by_vagrant.log_file().write_text(self.logs.pop(0))
            raise subprocess.CalledProcessError(1, "vagrant")


def up(vagrant: Vagrant, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(by_vagrant, "_vagrant", lambda: vagrant)
    monkeypatch.setattr(keys, "ensure", lambda: None)
    monkeypatch.setattr(machines, "answering", machines.names)
    said: list[str] = []
    machines.up(LAB, said.append)
    return said


TRANSIENT = [
    'Command: ["docker", "inspect", "c0c6"]\nStderr: Error: No such object: c0c6\n',
    "Stderr: error: no such object: c0c6\n",  # engines from 28 on
    "Error response from daemon: No such container: c0c6\n",
    TAKEN_PORT := "Bind for 127.0.0.1:2203 failed: port is already allocated\n",
]


@pytest.mark.parametrize("log", TRANSIENT)
def test_others_that_come_and_go_on_the_engine_cost_one_more_try(
    log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vagrant = Vagrant(log, log)
    assert len(up(vagrant, monkeypatch)) == 2
    assert vagrant.ups == 3


def test_the_way_to_containers_is_the_engines_own_word(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number, each in enumerate(LAB.nodes):
        container = Container(engine, LAB.machine(each.name))
        published: Any = {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(2200 + number)}], "80/tcp": None}
        container.attrs = {"NetworkSettings": {"Ports": published}}
        engine.things.append(container)
    monkeypatch.setattr(containers, "forget_unfinished", lambda lab, say: None)
    up(Vagrant(), monkeypatch)
    assert machines.ssh_config().read_text().startswith(f"# the lab {LAB.name}\nHost ")
    for number, each in enumerate(LAB.nodes):
        words = ["ssh", "-G", "-F", str(machines.ssh_config()), each.name]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        assert {
            "hostname 127.0.0.1",
            f"port {2200 + number}",
            "user vagrant",
            f"identityfile {tmp_path / '.lab/ssh/id_ed25519'}",
            "identitiesonly yes",
            "passwordauthentication no",
            "userknownhostsfile /dev/null",
        } <= set(said)


@pytest.mark.parametrize(("logs", "ups"), [(TRANSIENT[:3], 3), (["no space left on device"], 1)])
def test_what_does_not_pass_is_told_with_vagrants_last_lines(
    logs: list[str], ups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vagrant = Vagrant(*logs)
    with pytest.raises(LabError, match="vagrant up") as caught:
        up(vagrant, monkeypatch)
    assert vagrant.ups == ups
    assert logs[-1].strip() in (caught.value.last_seen or "")


def test_a_port_that_stays_taken_is_told_with_who_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    vagrant = Vagrant(*[TAKEN_PORT] * 3)
    monkeypatch.setattr(ports, "refusal", lambda lab, port: LabError(f"{port} is taken by the container web"))
    with pytest.raises(LabError, match="2203 is taken by the container web"):
        up(vagrant, monkeypatch)
    assert vagrant.ups == 3


ANSWERS = {
    "the node": ("{name}\n172.17.0.3 {address} \n", True),
    "a node outside the lab's network": ("{name}\n172.17.0.3\n", False),
    "another machine": ("other\n{address}\n", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_node_answers_with_its_name_and_its_address_in_the_lab(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, is_there = ANSWERS[case]
    of = {node.name: text.format(name=node.name, address=node.address) for node in LAB.nodes}
    machines.ssh_config().write_text("")
    monkeypatch.setattr(machines, "SshShell", lambda name, _: FakeShell({"hostname": said(of[name])}))
    assert machines.answering(LAB) == (machines.names(LAB) if is_there else frozenset())
