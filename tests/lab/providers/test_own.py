"""Taking machines and giving them back, over a way that is played."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lab import config, environment, keys
from lab.architecture import architecture
from lab.errors import HostError, LabError
from lab.model import Access, Node
from lab.providers import own
from lab.providers.own import access
from lab.providers.own.access import Way

FILE = config.load(config.LAB_FILE)
LAB = dataclasses.replace(
    FILE,
    provider="ssh",
    nodes=tuple(dataclasses.replace(node, ssh=Access(f"h-{node.name}")) for node in FILE.nodes),
)
GOOD = f"""system=debian 12
init=systemd
architecture={architecture()}
has_address=1
disk=9000
memory=2000
claim=
claimed_by=
containers=0
vagrant=
host_key=ssh-ed25519 AAAAhost
"""


class Machines:
    """What each machine says to look.sh; and which of the other scripts ran where, with which words."""

    def __init__(self) -> None:
        self.seen = {node.name: GOOD for node in LAB.nodes}
        self.dead: set[str] = set()
        self.ran: list[tuple[str, str, tuple[str, ...]]] = []

    def run(self, node: Node, script: str, *words: str, timeout: float = 60) -> str:
        if node.name in self.dead:
            raise HostError("it does not answer over SSH", node=node.name, last_seen="No route to host")
        name = next(one for one in ("look", "claim", "give_back") if own.script(f"{one}.sh") in script)
        if name == "look":
            return self.seen[node.name]
        self.ran.append((name, node.name, words))
        return ""


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machines:
    played = Machines()
    for module in (environment, keys):
        monkeypatch.setattr(module, "STATE", tmp_path)
    keys.public().parent.mkdir()
    keys.public().write_text("ssh-ed25519 AAAAmine bluegreen-lab\n")
    monkeypatch.setattr(access, "run", played.run)
    monkeypatch.setattr(access, "resolved", lambda node: Way(node.ssh.host, 22))
    monkeypatch.setattr(access, "_key_at", lambda address: "ssh-ed25519 AAAAhost")
    return played


def quiet(line: str) -> None:
    return


def test_every_machine_is_taken_for_its_node_and_the_way_to_it_returned(machines: Machines) -> None:
    text = own.start(LAB, quiet)
    key = keys.public().read_text().strip()
    assert sorted(machines.ran) == [("claim", node.name, (LAB.name, node.name, key)) for node in LAB.nodes]
    assert [line for line in text.splitlines() if "HostName" in line] == [
        f"  HostName h-{node.name}" for node in LAB.nodes
    ]


def test_everything_that_is_in_the_way_is_said_and_no_machine_is_touched(machines: Machines) -> None:
    machines.seen["swarm-node-01"] = GOOD.replace("disk=9000", "disk=1")
    machines.seen["swarm-node-03"] = GOOD.replace("claimed_by=", "claimed_by=AAAAother").replace(
        "claim=\n", "claim=theirs\n"
    )
    with pytest.raises(HostError, match="the machines cannot be taken") as caught:
        own.start(LAB, quiet)
    said = str(caught.value)
    assert "swarm-node-01: 1 MB are free" in said and "swarm-node-03: it belongs to the lab theirs" in said
    assert machines.ran == []


def test_a_machine_that_does_not_answer_is_named_and_no_other_touched(machines: Machines) -> None:
    machines.dead.add("swarm-node-02")
    with pytest.raises(HostError, match="swarm-node-02: it does not answer over SSH"):
        own.start(LAB, quiet)
    assert machines.ran == []


def test_no_machine_is_touched_when_an_address_leads_to_another(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_key_at", lambda address: "ssh-ed25519 AAAAanother")
    with pytest.raises(HostError, match="does not find the machines"):
        own.start(LAB, quiet)
    assert machines.ran == []


def test_every_machine_is_given_back_and_told(machines: Machines) -> None:
    own.start(LAB, quiet)
    said: list[str] = []
    assert own.remove(LAB, said.append, purge=True) == []
    words = [words for name, _, words in machines.ran if name == "give_back"]
    assert len(words) == len(LAB.nodes)
    assert words[0][1:] == (LAB.registry, "booksservice,booksfe", "yes", "no")
    assert sorted(said) == [f"{node.name}: given back" for node in LAB.nodes]
    assert not access.known_hosts().exists()


def test_a_machine_that_cannot_be_given_back_is_what_is_left(machines: Machines) -> None:
    own.start(LAB, quiet)
    machines.dead.add("swarm-node-02")
    left = own.remove(LAB, quiet)
    assert left == ["swarm-node-02: it does not answer over SSH; No route to host"]
    assert access.known_hosts().exists()  # so the next `lab down` still knows the machines


def test_machines_can_be_given_back_when_this_checkouts_key_is_gone(machines: Machines) -> None:
    keys.public().unlink()
    assert own.remove(LAB, quiet, force=True) == []
    assert {words[0] for _, _, words in machines.ran} == {"-"}


def test_a_machine_of_somebody_elses_stays_and_is_told(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*words: object, **options: object) -> str:
        raise LabError("exit 78 on the machine", last_seen="it belongs to the lab theirs")

    monkeypatch.setattr(access, "run", refuses)
    assert own.remove(LAB, quiet)[0] == "swarm-master: exit 78 on the machine; it belongs to the lab theirs"
