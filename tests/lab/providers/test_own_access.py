"""The user's own way to a machine, and what its failures mean."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from lab import config, environment
from lab.errors import HostError, LabError
from lab.model import Access
from lab.providers.own import access
from lab.providers.own.access import Way
from lab.shell import SshShell

LAB = config.load(config.LAB_FILE)
NODE = dataclasses.replace(LAB.master, ssh=Access("there", user="admin", port=2222, jump="gate"))
KEY = "ssh-ed25519 AAAAhost"
KEY_LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBgQn6EShdrSIOSYiEBoDmUHZnfPeZIcqXu0CxPjVhz4"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    access._prove_reached.cache_clear()
    return tmp_path


def test_ssh_is_told_what_the_file_says_and_nothing_else() -> None:
    assert access.ssh_words(Access("there")) == ["ssh", "there"]
    words = access.ssh_words(Access("there", user="admin", port=2222, key="/k", jump="gate"))
    assert words == ["ssh", "-p", "2222", "-i", "/k", "-o", "IdentitiesOnly=yes", "-J", "gate", "admin@there"]


def test_a_key_in_ones_home_is_found() -> None:
    assert access.ssh_words(Access("there", key="~/k"))[2] == str(Path.home() / "k")


@pytest.mark.parametrize(
    ("said", "what", "mend"),
    [
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
         "its host key is another than before", "ssh-keygen -R there"),
        ("Host key verification failed.", "ssh does not know its host key",
         "ssh -p 2222 -J gate admin@there, once, and look at the key"),
        ("admin@there: Permission denied (publickey).", "the key or the user is refused", "{user, key}"),
        ("ssh: Could not resolve hostname there", "nobody knows the name there", "{host}"),
        ("sudo: a password is required", "sudo asks for a password", "NOPASSWD"),
        ("sh: 1: exec: sudo: not found", "its user is not root, and sudo is not there", "{user}"),
        ("ssh: connect to host there port 22: Connection refused", "it does not answer over SSH", "ssh -p"),
    ],
)  # fmt: skip
def test_each_failure_of_the_way_is_said_with_the_node_and_what_to_do(
    said: str, what: str, mend: str
) -> None:
    error = access.trouble(NODE, NODE.ssh or Access(""), said)
    assert (error.what, error.node) == (what, NODE.name)
    assert mend in (error.try_next or "") and said.splitlines()[0] in (error.last_seen or "")


TOLD = "user admin\nhostname 192.0.2.7\nport 2222\nidentityfile ~/.ssh/a\nidentityfile ~/.ssh/b\n"


def test_the_way_is_what_ssh_itself_makes_of_its_configuration() -> None:
    plain = Way("192.0.2.7", 2222, "admin", ("~/.ssh/a", "~/.ssh/b"))
    assert access.way(TOLD) == access.way(f"{TOLD}proxycommand none\n") == plain
    assert access.way(f"{TOLD}proxycommand nc %h %p\n").proxy == "nc %h %p"


@pytest.mark.parametrize(
    ("told", "hops"),
    [
        ("", []),
        ("proxyjump none\n", []),
        ("proxyjump admin@gate:2200\n", ["ssh://admin@gate:2200"]),
        ("proxyjump a,ssh://b\n", ["ssh://a", "ssh://b"]),
    ],
)
def test_the_machines_on_the_way_are_told_as_ssh_takes_them(told: str, hops: list[str]) -> None:
    assert access.jumps_of(TOLD + told) == hops


def test_ssh_is_asked_where_it_goes_and_by_which_machines(tmp_path: Path) -> None:
    config = tmp_path / "a b"
    config.write_text(
        "Host there\n HostName 192.0.2.7\n ProxyJump gate\nHost gate\n HostName 192.0.2.8\n User g\n"
    )
    found = access.resolved(dataclasses.replace(NODE, ssh=Access("there", port=2222, config=str(config))))
    assert (found.host, found.port) == ("192.0.2.7", 2222)
    assert [(jump.host, jump.port, jump.user, jump.jumps) for jump in found.jumps] == [
        ("192.0.2.8", 22, "g", ())
    ]


def asked(config: Path, host: str) -> dict[str, str]:
    """What ssh makes of the lab's configuration."""
    words = ["ssh", "-F", str(config), "-G", host]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in said.splitlines())


def test_the_lab_goes_the_same_way_as_vagrant_and_knows_the_machine_by_its_key(tmp_path: Path) -> None:
    gate = Way("192.0.2.9", 22, "g", ("/key of mine",), "/known")
    ways = {"n1": Way("192.0.2.7", 2222, "admin", jumps=(gate,)), "n2": Way("h", 22, "a", proxy="nc %h %p")}
    config = tmp_path / "config"
    config.write_text(access.ssh_config(ways))
    first, second, on_the_way = (asked(config, host) for host in ("n1", "n2", "n1-via-1"))
    assert (first["hostname"], first["port"], first["user"]) == ("192.0.2.7", "2222", "vagrant")
    assert (first["stricthostkeychecking"], first["proxyjump"]) == ("true", "n1-via-1")
    assert (first["userknownhostsfile"], first["passwordauthentication"]) == (str(access.known_hosts()), "no")
    assert (second["user"], second["proxycommand"]) == ("vagrant", "nc %h %p")
    assert (on_the_way["user"], on_the_way["identityfile"]) == ("g", "/key of mine")
    assert on_the_way["userknownhostsfile"] == "/known"


def test_fabric_takes_the_same_way(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(access.ssh_config({"n1": Way("192.0.2.7", 2222, jumps=(Way("192.0.2.9", 22, "g"),))}))
    access.known_hosts().parent.mkdir()
    access.known_hosts().write_text(f"[192.0.2.7]:2222 {KEY_LINE}\n")
    shell = SshShell("n1", config)
    gateway = shell._connection.gateway
    assert (gateway.host, gateway.port, gateway.user) == ("192.0.2.9", 22, "g")
    assert (shell._connection.host, shell._connection.port) == ("192.0.2.7", 2222)


def test_a_machine_is_known_on_the_way_to_it_and_at_its_address() -> None:
    assert access.known(Way("h", 22), "10.0.0.2", KEY) == [f"h {KEY}", f"10.0.0.2 {KEY}"]
    assert access.known(Way("h", 2222), "10.0.0.2", KEY)[0] == f"[h]:2222 {KEY}"
    assert access.known(Way("10.0.0.2", 22), "10.0.0.2", KEY) == [f"10.0.0.2 {KEY}"]


def scanned(patch: pytest.MonkeyPatch, **others: str) -> None:
    """Every node answers with its key, but for those named."""
    by_address = {node.address: others.get(node.name.replace("-", "_"), KEY) for node in LAB.nodes}
    patch.setattr(access, "_key_at", lambda address: by_address[address])


def remembered() -> None:
    ways = {node.name: Way(node.name, 22) for node in LAB.nodes}
    access.remember(LAB, ways, {node.name: KEY for node in LAB.nodes})


def test_the_machines_are_those_whose_keys_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered()
    scanned(monkeypatch)
    access.require_same_machines(LAB)
    assert access.is_reached(LAB)


def test_a_lab_that_was_reached_stays_the_lab_while_its_machines_are_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remembered()
    names = [node.name.replace("-", "_") for node in LAB.nodes]
    scanned(monkeypatch, **dict.fromkeys(names, ""))
    assert not access.is_reached(LAB)
    scanned(monkeypatch)
    assert access.is_reached(LAB)
    scanned(monkeypatch, **dict.fromkeys(names, ""))
    assert access.is_reached(LAB)


@pytest.mark.parametrize("there", ["", "ssh-ed25519 AAAAanother"])
def test_an_address_that_leads_to_nobody_or_to_another_machine_is_refused(
    there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered()
    scanned(monkeypatch, swarm_node_02=there)
    with pytest.raises(HostError, match="does not find the machines") as caught:
        access.require_same_machines(LAB)
    assert f"swarm-node-02 at 10.100.199.202: {there or 'nothing answers'}" in str(caught.value)
    assert access.is_reached(LAB)  # of the others


def test_a_network_of_somebody_elses_is_not_the_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [node.name.replace("-", "_") for node in LAB.nodes]
    scanned(monkeypatch, **dict.fromkeys(names, "ssh-ed25519 AAAAanother"))
    assert not access.is_reached(LAB)  # nothing was ever taken
    remembered()
    assert not access.is_reached(LAB)


class Ended:
    """subprocess.run in which ssh ends so, and which keeps what it was given."""

    def __init__(self, code: int, out: str = "", err: str = "") -> None:
        self.done = (code, out, err)
        self.given: list[tuple[list[str], dict[str, object]]] = []

    def __call__(self, words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        self.given.append((words, options))
        code, out, err = self.done
        return subprocess.CompletedProcess(words, code, out, err)


def test_a_script_runs_as_root_whoever_the_user_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = Ended(0, "seen\n")
    monkeypatch.setattr(subprocess, "run", ssh)
    assert access.run(NODE, "echo seen", "a b") == "seen\n"
    words, options = ssh.given[0]
    assert options["input"] == "echo seen" and words[-2] == "admin@there"
    assert "sudo -n bash -s" in words[-1] and words[-1].endswith("'a b'")
    assert "BatchMode=yes" in words


def test_the_users_agent_is_used_for_the_users_way(monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = Ended(0)
    monkeypatch.setattr(subprocess, "run", ssh)
    monkeypatch.setattr(environment, "given", lambda: {"SSH_AUTH_SOCK": "/agent"})
    access.run(NODE, "true")
    assert ssh.given[0][1]["env"]["SSH_AUTH_SOCK"] == "/agent"  # type: ignore[index]


def test_a_way_that_fails_is_this_hosts_trouble_and_a_script_that_fails_the_labs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subprocess, "run", Ended(255, err="Permission denied (publickey)."))
    with pytest.raises(HostError, match="the key or the user is refused"):
        access.run(NODE, "true")
    monkeypatch.setattr(subprocess, "run", Ended(1, out="half", err="no space"))
    with pytest.raises(LabError, match="exit 1 on the machine") as caught:
        access.run(NODE, "true")
    assert (caught.value.node, caught.value.last_seen) == (NODE.name, "halfno space")


def test_a_home_that_nobody_has_is_left_for_ssh_to_tell() -> None:
    assert access.ssh_words(Access("there", key="~nobody-here/k"))[2] == "~nobody-here/k"
