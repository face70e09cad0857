from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from deployments import baseline, by_hand
from deployments.differences import Difference, Kind
from lab import config, waiting
from lab.errors import ConfigError, TimedOut
from lab.testing import FakeConsul, FakeShell, said
from provisioning.resources import Trouble

LAB = config.load(config.LAB_FILE)
BOOKS = LAB.service("books-service")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)


def shell(answers: bool) -> FakeShell:
    return FakeShell(
        {
            r"-m 3 -o /dev/null http://10\.100\.199\.200/api": said(exit=0 if answers else 22),
            "": said("[]"),
        }
    )


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The larger steps of a first release, noted in place of done."""
    steps: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        by_hand, "deploy", lambda lab, master, s, release, say: steps.append(("deploy", release))
    )
    monkeypatch.setattr(baseline, "revive", lambda master, s, color: steps.append(("revive", color)))
    return steps


@pytest.mark.parametrize(
    ("live", "answers", "steps"),
    [
        (None, False, [("deploy", "1.0")]),
        ("green", True, []),
        ("green", False, [("revive", "green")]),
    ],
    ids=["never deployed", "answers", "does not answer"],
)
def test_a_first_release_is_made_only_where_there_is_none(
    live: str | None,
    answers: bool,
    steps: list[tuple[object, ...]],
    called: list[tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consul = FakeConsul()
    consul.colors = {BOOKS.name: live}
    monkeypatch.setattr(baseline, "ConsulClient", lambda lab: consul)
    baseline.first_release(LAB, shell(answers), BOOKS, lambda line: None)
    assert called == steps


@pytest.mark.parametrize("color", ["blue", "green"])
def test_a_color_is_brought_back_as_a_new_container_never_renamed_by_compose(color: str) -> None:
    entry = json.dumps([{"Service": {"Address": "", "Port": 1}, "Node": {"Address": "10.100.199.202"}}])
    shell = FakeShell({"v1/health/service": said(entry), "": said()}, node="swarm-master")
    baseline.revive(shell, LAB.main_service, color)
    steps = [script.rsplit("docker-compose ")[1] for script in shell.ran(rf"docker-compose .*{color}")]
    assert steps == [f"rm -sf {color}", f"up -d --no-deps {color}"]


class Building:
    """Jenkins, whose builds write the service's definition, and the master's shell, which removes it.

    A definition that is there long enough brings another build, `heals` times at most.
    """

    node = "swarm-master"

    def __init__(self, looks: list[bool], heals: int = 0) -> None:
        self.looks, self.heals, self.defined = looks, heals, True

    def building(self) -> bool:
        busy = self.looks.pop(0) if self.looks else False
        self.defined = self.defined or busy
        if not busy and self.defined and self.heals:
            self.heals -= 1
            self.looks = [True]
        return busy

    def run(self, script: str, **_: object) -> None:
        assert "rm -f /etc/consul.d/service-*.json" in script
        self.defined = False


@pytest.mark.parametrize(
    "looks", [[], [True], [True, True, True], [False, True], [True, False, True, False, True]]
)
@pytest.mark.parametrize("heals", [0, 1, 2])
def test_at_rest_nothing_is_checked_whenever_a_build_ended(looks: list[bool], heals: int) -> None:
    world: Any = Building(looks, heals)
    baseline.come_to_rest(world, world)
    assert (world.defined, world.building()) == (False, False)


# --- the reset ----------------------------------------------------------------------------------------------

NODES = [node.name for node in LAB.nodes]
MASTER = LAB.master.name
LEFT = Trouble("leftovers", "signs", "undo what is left")


class Putting:
    """A reset in which the looks are told ahead, and each thing put back is noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seen: list[list[Difference]]) -> None:
        self.seen, self.looks, self.done = seen, 0, list[str]()
        self.said: list[str] = []
        monkeypatch.setattr(baseline.observed, "look", lambda *_: None)
        monkeypatch.setattr(baseline, "differences", lambda *_: self._next())
        monkeypatch.setattr(baseline, "put_back", lambda *words: self.done.append(words[3].kind.name))
        monkeypatch.setattr(baseline, "mend", lambda *words: self.done.append(f"mend {sorted(words[2])}"))

    def _next(self) -> list[Difference]:
        self.looks += 1
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def reset(self) -> list[str]:
        baseline.reset(LAB, {}, BOOKS, LEFT, self.said.append)
        return self.done


def of(kind: Kind, node: str = MASTER, name: str = "", seen: str = "") -> Difference:
    return Difference(kind, node, name, seen)


def test_at_the_baseline_one_look_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    putting = Putting(monkeypatch, [[]])
    assert (putting.reset(), putting.looks, putting.said) == ([], 1, [])


def test_what_differs_is_put_back_in_order_and_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    differs = [of(Kind.HALTED, NODES[1], "blue", "blue is exited"), of(Kind.UPSTREAM)]
    putting = Putting(monkeypatch, [differs, []])
    assert (putting.reset(), putting.looks) == (["HALTED", "UPSTREAM"], 2)
    assert putting.said[0] == f"put back: {NODES[1]}: blue is exited"


def test_components_are_mended_together(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [of(Kind.COMPONENT, NODES[1], "docker"), of(Kind.COMPONENT, NODES[2], "consul")]
    assert Putting(monkeypatch, [wrong, [of(Kind.LOCK)], []]).reset() == ["mend ['consul', 'docker']", "LOCK"]


def test_what_shows_only_later_is_put_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [[of(Kind.REST)], [of(Kind.EXTRA, name="green")], [of(Kind.ENTRY, name="green")], []]
    assert Putting(monkeypatch, looks).reset() == ["REST", "EXTRA", "ENTRY"]


def test_what_was_put_back_twice_is_only_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [of(Kind.UPSTREAM, seen="green")]
    putting = Putting(monkeypatch, [wrong, wrong, [of(Kind.UPSTREAM, seen="nobody")], []])
    assert (putting.reset(), putting.looks) == (["UPSTREAM", "UPSTREAM"], 4)


def test_what_still_differs_fails_the_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "SETTLED", 0.0)
    putting = Putting(monkeypatch, [[of(Kind.VOLUME, NODES[2], seen="a volume is there")]])
    with pytest.raises(TimedOut) as caught:
        putting.reset()
    assert f"{NODES[2]}: a volume is there" in str(caught.value) and putting.done == ["VOLUME", "VOLUME"]


PUT_BACK: dict[str, tuple[Difference, str]] = {
    "a fault": (of(Kind.LEFTOVER, NODES[2]), r"undo what is left"),
    "a release": (of(Kind.RELEASE, name="green"), r"GREEN_RELEASE=1\.1"),
    "a container too many": (of(Kind.EXTRA, NODES[2], "x_1"), r"docker rm -f x_1"),
    "a stopped one": (
        of(Kind.HALTED, NODES[2], "x_1"),
        r"docker unpause x_1 2>/dev/null \|\| docker start x_1",
    ),
    "a volume": (of(Kind.VOLUME, NODES[2]), r"docker volume rm booksservice_db"),
    "a lock": (of(Kind.LOCK), r"services/books-service/lock"),
    "an entry": (of(Kind.ENTRY, NODES[2], "green"), r"docker restart -t 1 registrator"),
}
KNOWN = json.dumps([{"Service": {"Address": "10.0.0.1", "Port": 1}, "Node": {}}])


@pytest.mark.parametrize("case", PUT_BACK)
def test_a_difference_is_put_back_on_its_node(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, script = PUT_BACK[case]
    monkeypatch.setattr(baseline, "FORGOTTEN", 0.0)
    known = {"v1/health/service": said(KNOWN), "": said("[]")}
    shells = {node: FakeShell(known, node=node) for node in NODES}
    baseline.put_back(LAB, shells, BOOKS, one, LEFT)
    assert shells[one.node].ran(script)
    assert [node for node in NODES if shells[node].scripts and node not in (one.node, MASTER)] == []


def test_an_entry_that_leaves_by_itself_restarts_nothing() -> None:
    shells = {node: FakeShell({"": said("[]")}, node=node) for node in NODES}
    baseline.put_back(LAB, shells, BOOKS, of(Kind.ENTRY, NODES[2], "green"), LEFT)
    assert shells[NODES[2]].scripts == []


def test_users_are_sent_to_blue_only_after_its_direct_test(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(by_hand, "direct_test", lambda *words: steps.append(f"test {words[2]}"))
    monkeypatch.setattr(by_hand, "cut_over", lambda *words: steps.append(f"cut over {words[3]}"))
    shells = {MASTER: FakeShell({}, node=MASTER)}
    baseline.put_back(LAB, shells, BOOKS, of(Kind.UPSTREAM), LEFT)
    assert steps == ["test blue", "cut over blue"]


def test_an_entry_of_a_node_that_the_lab_has_not_is_told() -> None:
    with pytest.raises(ConfigError, match="no node"):
        baseline.put_back(LAB, {MASTER: FakeShell({})}, BOOKS, of(Kind.ENTRY, "elsewhere"), LEFT)


def test_every_kind_of_difference_is_put_back() -> None:
    source = inspect.getsource(baseline.put_back)
    assert [kind for kind in Kind if f"Kind.{kind.name}:" not in source] == [Kind.COMPONENT]
