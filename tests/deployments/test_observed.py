"""One look: what the script on a node prints, with programs that are played, and what it is taken for."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments import books, observed
from deployments.observed import Answer, Observation
from lab import config
from lab.errors import LabError
from lab.model import DATABASE
from lab.testing import FakeShell, said
from provisioning.health import SSH, Seen
from provisioning.resources import Trouble
from provisioning.roles import ask, socket
from provisioning.stages import healths
from provisioning.templates import render

LAB = config.load(config.LAB_FILE)
BOOKS = LAB.main_service
MASTER = LAB.master.name
NODES = [node.name for node in LAB.nodes]
LEFT = Trouble("leftovers", "signs of a fault", "true")
COUNT = {node: sum(one.node == node for one in healths(LAB)) for node in NODES}


def entry(part: str, node: str, address: str, port: int) -> list[dict[str, Any]]:
    """What Consul's catalogue answers; Registrator leaves the address to the node's entry."""
    service = {"Service": BOOKS.registered(part), "Address": "", "Port": port}
    return [{"Service": service, "Node": {"Node": node, "Address": address}}]


def key(name: str, value: str, **more: str) -> dict[str, str]:
    return {"Key": name, "Value": b64encode(value.encode()).decode(), **more}


ANSWERS: dict[str, Any] = {
    "books-service-db?passing": entry("db", "swarm-node-03", "10.100.199.203", 27017),
    "books-service-blue?passing": entry("blue", "swarm-node-01", "10.100.199.201", 32768),
    "books-service-green?passing": [],
    "kv/services/books-service/?recurse": [key(BOOKS.color_key, "blue")],
    "agent/checks": {},
    "queue/api/json": {"items": []},
    "8080/api/json": {"jobs": [{"color": "blue"}, {"color": "notbuilt"}]},
}
PUBLISHED = {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}]}
DB_PUBLISHED = {"27017/tcp": [{"HostIp": "10.100.199.203", "HostPort": "27017"}]}


class Nodes:
    """The nodes, at the baseline until a test changes what a program or a file of theirs says."""

    def __init__(self, played: Any, root: Path, at_baseline: Observation) -> None:
        self.played, self.root = played, root
        self.answers = dict(ANSWERS)
        self.units = ""
        self.users = "HTTP/1.1 200 OK\r\nX-Color: blue\r\nX-Release: 1.0\r\n\r\n" + json.dumps(
            [{**book, "rating": 5} for book in books.BOOKS]
        )
        self.inspected: dict[str, list[dict[str, Any]]] = {node: [] for node in NODES}
        for one in at_baseline.containers:
            ports = DB_PUBLISHED if one.name == BOOKS.container(DATABASE) else PUBLISHED
            self.inspected[one.node].append(
                {
                    "Name": f"/{one.name}",
                    "State": {"Status": one.state},
                    "Config": {"Image": one.image, "Env": list(one.env) or None},
                    "Created": one.created,
                    "NetworkSettings": {"Ports": ports},
                }
            )
        (root / "swarm-node-03" / BOOKS.volume).mkdir(parents=True)
        for name in ("definitions", "logs"):
            (root / name).mkdir()
        self.file("env", "COMPOSE_PROJECT_NAME=booksservice\nBLUE_RELEASE=1.0\nGREEN_RELEASE=1.1\n")
        assert at_baseline.noted
        self.file("upstream", at_baseline.noted.upstream)
        self.file("logs/watchers.log", "Consul watch request:\n[]\n\n")

    def file(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def printed(self, node: str) -> str:
        """What the look at a node prints, with each component well and no fault."""
        state = self.played.state
        for number, one in enumerate(self.inspected[node]):
            (state / f"inspected-{number:x}").write_text(json.dumps(one) + "\n")
        listed = json.dumps([{"Id": f"{number:x}"} for number in range(len(self.inspected[node]))])
        (state / "listed").write_text(listed.replace(" ", ""))
        (state / "users").write_text(self.users)
        for number, answer in enumerate(self.answers.values()):
            # A text is the code of HTTP of a failure: what comes with it curl leaves out.
            text = answer if isinstance(answer, str) else f"{json.dumps(answer)}200"
            (state / f"answer{number}").write_text(text)
        cases = "".join(
            f"    *{end}) cat $state/answer{number} ;;\n" for number, end in enumerate(self.answers)
        )
        each = (
            f'for word; do case "$word" in http*) case "$word" in\n{cases} esac; printf "\\036" ;; esac; done'
        )
        engine = {
            "*/containers/json": "cat $state/listed",
            "*/containers/*/json": 'id=${@: -1}; id=${id##*/containers/}; cat "$state/inspected-${id%/json}"',
        }
        self.played.by_words("curl", {**engine, "*-w *": each}, otherwise="cat $state/users")
        self.played.program("systemctl", f"printf '%s' '{self.units}'")
        text = render(
            "baseline/look.sh", LAB, service=BOOKS, node=LAB.node(node), ask=ask, socket=socket
        )
        volumes = {"/var/lib/docker/volumes": f"{self.root}/{node}"}
        places = {
            f"{BOOKS.folder}/.env": f"{self.root}/env",
            BOOKS.upstream: f"{self.root}/upstream",
            "/etc/consul.d": f"{self.root}/definitions",
            "/data/consul/logs": f"{self.root}/logs",
        }
        done = self.played.run(
            text.replace('"$HOSTNAME"', node), places=volumes | (places if node == MASTER else {})
        )
        assert done.returncode == 0
        well = "+\n\n" * COUNT[node]
        return f"@@ health\n{well}@@ left\n{done.stdout}"

    def seen(self) -> Observation:
        return observed.parse(LAB, BOOKS, {node: self.printed(node) for node in NODES})


@pytest.fixture
def nodes(played: Any, tmp_path: Path, at_baseline: Observation) -> Nodes:
    root = tmp_path / "nodes"
    root.mkdir()
    return Nodes(played, root, at_baseline)


def test_the_baseline_is_seen_as_it_is(nodes: Nodes, at_baseline: Observation) -> None:
    seen = nodes.seen()
    assert seen.noted == at_baseline.noted
    assert set(seen.containers) == set(at_baseline.containers)
    assert replace(seen, noted=None, containers=()) == replace(at_baseline, noted=None, containers=())


def test_a_stopped_container_has_no_address(nodes: Nodes) -> None:
    for told in nodes.inspected["swarm-node-01"]:
        told["State"]["Status"], told["NetworkSettings"]["Ports"] = "exited", {}
    (blue,) = [one for one in nodes.seen().containers if one.node == "swarm-node-01"]
    assert (blue.state, blue.addresses) == ("exited", ())


def test_a_lock_and_another_color_are_seen(nodes: Nodes) -> None:
    nodes.answers["kv/services/books-service/?recurse"] = [
        key(BOOKS.color_key, "green"),
        key(BOOKS.lock_key, "by hand", Session="a-1"),
    ]
    noted = nodes.seen().noted
    assert noted and (noted.color, noted.is_locked) == ("green", True)


def test_a_lock_that_nobody_holds_is_none(nodes: Nodes) -> None:
    nodes.answers["kv/services/books-service/?recurse"] = [key(BOOKS.lock_key, "by hand")]
    noted = nodes.seen().noted
    assert noted and (noted.color, noted.is_locked) == ("", False)


def test_consul_without_any_key_has_no_color(nodes: Nodes) -> None:
    nodes.answers["kv/services/books-service/?recurse"] = "404"
    noted = nodes.seen().noted
    assert noted and (noted.color, noted.is_locked) == ("", False)


def test_every_sign_of_healing_is_seen(nodes: Nodes) -> None:
    nodes.file("definitions/service-books-fe.json", "{}")
    nodes.file("logs/watchers.log", "Consul watch request:\n[]\n>>> Service books-fe is critical\n")
    nodes.units = "lab-heal-books-fe.service loaded active running\n"
    nodes.answers["agent/checks"] = {"a": {"ServiceName": "books-fe"}, "b": {"ServiceName": "else"}}
    noted = nodes.seen().noted
    assert noted and noted.healing == (
        f"{nodes.root}/definitions/service-books-fe.json",
        "lab-heal-books-fe.service loaded active running",
        ">>> Service books-fe is critical",
        "Consul checks books-fe",
    )


def test_a_watch_that_printed_all_of_consul_is_told_in_short(nodes: Nodes) -> None:
    nodes.file("logs/watchers.log", json.dumps([{"Node": "swarm-node-01", "Output": "x" * 5000}]) + "\n")
    noted = nodes.seen().noted
    assert noted and [len(line) for line in noted.healing] == [120]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("queue/api/json", {"items": [{"id": 1}]}),
        ("8080/api/json", {"jobs": [{"color": "blue"}, {"color": "red_anime"}]}),
    ],
    ids=["queued", "runs"],
)
def test_a_build_is_seen(name: str, answer: Any, nodes: Nodes) -> None:
    nodes.answers[name] = answer
    noted = nodes.seen().noted
    assert noted and noted.is_building


UNSERVED = {
    "nothing": ("", Answer("", "", None)),
    "no list": ("HTTP/1.1 200 OK\r\nX-Color: blue\r\n\r\n{}", Answer("blue", "", None)),
    "a list of no records": ("HTTP/1.1 200 OK\r\n\r\n[1]", Answer("", "", None)),
    "half a list": ("HTTP/1.1 200 OK\r\nX-Release: 1.0\r\n\r\n[{", Answer("", "1.0", None)),
    "no books": ("HTTP/1.1 200 OK\r\nx-color: green\r\n\r\n[]", Answer("green", "", ())),
}


@pytest.mark.parametrize("case", UNSERVED)
def test_what_users_get_is_seen(case: str, nodes: Nodes) -> None:
    nodes.users, wanted = UNSERVED[case]
    noted = nodes.seen().noted
    assert noted and noted.users == wanted


def test_a_file_that_is_gone_is_an_empty_one(nodes: Nodes) -> None:
    for name in ("env", "upstream", "logs/watchers.log"):
        (nodes.root / name).unlink()
    noted = nodes.seen().noted
    assert noted and (noted.releases, noted.upstream, noted.healing) == ({}, "", ())


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize(("code", "told"), [("000", "no answer"), ("500", "HTTP 500")])
def test_who_leaves_a_question_open_is_unwell(code: str, told: str, name: str, nodes: Nodes) -> None:
    nodes.answers[name] = code
    seen = nodes.seen()
    (one,) = seen.unwell
    assert (one.component, one.node) == ("jenkins" if "api/json" in name else "consul", MASTER)
    assert one.wrong and one.wrong.startswith(f"{told} when asked ")
    assert seen.noted is None


@pytest.mark.parametrize("name", [name for name in ANSWERS if "kv/" not in name])
def test_a_question_that_is_not_known_is_no_empty_answer(name: str, nodes: Nodes) -> None:
    nodes.answers[name] = "404"
    assert [one.wrong and one.wrong[:8] for one in nodes.seen().unwell] == ["HTTP 404"]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_another_kind_is_never_guessed_at(name: str, nodes: Nodes) -> None:
    nodes.answers[name] = 7
    with pytest.raises(LabError, match="cannot be read"):
        nodes.seen()


def test_a_component_and_a_fault_are_seen_though_the_rest_cannot_be_told(nodes: Nodes) -> None:
    told = {node: nodes.printed(node) for node in NODES}
    told[MASTER] = told[MASTER].replace("@@ left\n", "@@ left\nunit: a\nfolder: b\n", 1)
    told[MASTER] = told[MASTER].split("\n@@ releases")[0]
    told["swarm-node-01"] = told["swarm-node-01"].replace("+", "-refused ", 1)
    seen = observed.parse(LAB, BOOKS, told)
    assert seen.left == ((MASTER, "unit: a, folder: b"),)
    assert seen.unwell == (Seen("docker", "swarm-node-01", "refused"),)
    assert seen.noted is None


@pytest.mark.parametrize("text", [None, "", "@@ node\nanother\n"], ids=["silent", "empty", "another's"])
def test_a_node_that_does_not_answer_by_its_name_is_silent(text: str | None, nodes: Nodes) -> None:
    told = {node: nodes.printed(node) for node in NODES}
    seen = observed.parse(LAB, BOOKS, {**told, "swarm-node-02": text})
    assert seen.unwell == (Seen(SSH, "swarm-node-02", "no answer over SSH"),)


# --- looking ------------------------------------------------------------------------------------------------


class Node(FakeShell):
    """A node whose connection breaks `breaks` times, and is opened anew."""

    breaks = 0
    closed = 0

    def run(self, script: str, **options: Any) -> Any:
        if self.breaks:
            self.breaks -= 1
            raise LabError("the SSH connection broke", node=self.node)
        return super().run(script, **options)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(("breaks", "silent"), [(0, False), (1, False), (2, True)])
def test_a_look_is_one_script_a_node_and_meets_a_broken_connection_once(
    breaks: int, silent: bool, nodes: Nodes
) -> None:
    shells = {node: Node({"signs of a fault": said(nodes.printed(node))}, node=node) for node in NODES}
    shells["swarm-node-01"].breaks = breaks
    seen = observed.look(LAB, shells, BOOKS, LEFT)
    assert [one.component for one in seen.unwell] == [SSH] * silent
    assert shells["swarm-node-01"].closed == breaks
    assert [len(shells[node].scripts) for node in NODES] == [1, int(not silent), 1, 1]
