from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from board import looking
from board.looking import Again, Faults, LookAround, LookInside, Unchanged, colors, one_line, told
from board.reports import MOST_CHECK
from deployments.observed import Observation
from evidence.entries import FaultPhase
from evidence.journal import Journal
from lab import config
from lab.clients.consul import Check
from lab.clients.jenkins import Newest
from lab.clients.swarm import Placed
from lab.errors import LabError
from provisioning.health import Seen

LAB = config.load(config.LAB_FILE)
BUILT = (("books-service", Newest(1, "SUCCESS", 1.0, 9.0)),)
CHECK = Check("swarm-master", "service:books-service", "books-service", "passing", "200 OK")
BLUE = Placed("booksservice_blue_1", "swarm-node-01", "running", "r:5000/books-service:1.0")


class Client:
    """Consul, Swarm, Jenkins and a node's shell in one; a question named in `silent` is not answered."""

    made = 0
    silent: tuple[str, ...] = ()

    def __init__(self, *words: object) -> None:
        Client.made += 1
        self.closed = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        answers: dict[str, Any] = {
            "live_color": "blue",
            "checks": (CHECK,),
            "containers": (BLUE, replace(BLUE, name="consul")),
            "latest": BUILT,
        }

        def answer(*words: object) -> Any:
            if name in Client.silent:
                raise LabError(f"{name} does not answer", last_seen="timed out")
            return answers[name]

        return answer

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def doors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Client.made, Client.silent = 0, ()
    for name in ("ConsulClient", "SwarmClient", "JenkinsClient"):
        monkeypatch.setattr(looking, name, Client)
    monkeypatch.setattr(looking.machines, "shells", lambda lab: {node.name: Client() for node in lab.nodes})
    monkeypatch.setattr(looking.network, "is_present", lambda lab: True)
    monkeypatch.setattr(looking.journal, "of_faults", lambda: tmp_path / "faults.jsonl")


def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking.network, "is_present", lambda lab: False)


# --- around -------------------------------------------------------------------------------------------------


def test_a_look_around_asks_each_service_and_keeps_what_is_of_a_service() -> None:
    seen = LookAround(LAB)()
    assert seen.live == {"books-service": "blue", "books-fe": "blue"}
    assert (seen.containers, seen.checks, seen.builds) == ((BLUE,), (CHECK,), BUILT)
    assert (seen.away, seen.silent, seen.faults) == ("", {}, ())


@pytest.mark.parametrize(
    ("question", "who"),
    [("live_color", "Consul"), ("checks", "Consul"), ("containers", "Swarm"), ("latest", "Jenkins")],
)
def test_who_does_not_answer_is_told_and_the_others_are_asked(question: str, who: str) -> None:
    Client.silent = (question,)
    seen = LookAround(LAB)()
    assert seen.silent == {who: f"{question} does not answer (timed out)"}
    assert bool(seen.builds) is (who != "Jenkins") and bool(seen.containers) is (who != "Swarm")


def test_the_doors_are_made_once_and_anew_when_the_lab_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    look = LookAround(LAB)
    look(), look()
    assert Client.made == 3
    with monkeypatch.context() as away:
        gone(away)
        assert "not on this host" in look().away
    look()
    assert Client.made == 6


def test_nobody_is_asked_while_the_network_of_the_lab_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    gone(monkeypatch)
    around, inside = LookAround(LAB)(), LookInside(LAB)()
    assert around.away == inside.away != "" and Client.made == 0


def test_an_engine_that_does_not_answer_is_a_lab_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(lab: object) -> bool:
        raise LabError("Docker does not answer", last_seen="no socket")

    monkeypatch.setattr(looking.network, "is_present", fail)
    assert LookAround(LAB)().away == LookInside(LAB)().away == "Docker does not answer (no socket)"


# --- faults -------------------------------------------------------------------------------------------------


def phase(word: str, **facts: Any) -> FaultPhase:
    return FaultPhase(kind="fault", at=5.0, id="abcd0123", phase=word, **facts)


def test_faults_are_open_until_they_are_seen_healed(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    journal, faults = Journal(path), Faults(path)
    assert faults.open() == ()
    journal.add(phase("inject", name="pause", target="the live color", on=("a",), nodes=("n",), seconds=9.0))
    assert [(one.name, one.target) for one in faults.open()] == [("pause", "the live color")]
    journal.add(phase("healed"))
    assert faults.open() == ()


def test_a_journal_that_did_not_change_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faults.jsonl"
    Journal(path).add(phase("inject", name="pause"))
    faults = Faults(path)
    first = faults.open()
    monkeypatch.setattr(looking.journal, "read", lambda path: pytest.fail("it was read"))
    assert faults.open() == first != ()


def test_a_journal_that_is_gone_has_no_open_faults(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    Journal(path).add(phase("inject", name="pause"))
    faults = Faults(path)
    assert faults.open()
    path.unlink()
    assert faults.open() == ()


# --- inside -------------------------------------------------------------------------------------------------


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, at_baseline: Observation) -> LookInside:
    """A look at the baseline, where nothing is done and green is not there."""
    monkeypatch.setattr(looking.observed, "look", lambda *words: at_baseline)
    monkeypatch.setattr(looking.progress, "done", lambda consul, steps: 0)
    monkeypatch.setattr(
        looking.looking,
        "whole",
        lambda lab, shells, seen, *clients: looking.looking.Seen(seen, seen.noted, "unknown", None, ""),
    )
    return LookInside(LAB)


def test_a_look_inside_says_what_the_next_step_lacks(inside: LookInside) -> None:
    seen = inside()
    assert (seen.step, seen.check) == (1, "there is no container booksservice_green_1")
    assert seen.colors == {"blue": "live", "green": "gone"}
    assert not seen.wrong and not seen.away


def test_the_hint_with_what_to_do_is_not_told(inside: LookInside) -> None:
    assert "pulled" not in inside().check and "try" not in inside().check


def test_when_all_steps_are_done_nothing_is_missing(
    inside: LookInside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking.progress, "done", lambda consul, steps: len(steps))
    seen = inside()
    assert (seen.step, seen.check) == (len(inside.steps) + 1, "")


def test_a_component_that_does_not_answer_is_told_and_the_doors_are_made_anew(
    inside: LookInside, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside()
    made = Client.made
    silent = Observation(unwell=(Seen("ssh", "swarm-node-02", "no answer over SSH"),))
    monkeypatch.setattr(looking.observed, "look", lambda *words: silent)
    seen = inside()
    assert seen.wrong == "not everything answers: ssh on swarm-node-02: no answer over SSH"
    assert (seen.step, seen.unwell, seen.containers) == (None, silent.unwell, None)
    inside()
    assert Client.made == 2 * made


@pytest.mark.parametrize("where", ["shells", "look", "done"])
def test_whatever_cannot_be_told_of_a_lab_is_seen_and_not_raised(
    where: str, inside: LookInside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> None:
        raise LabError("the SSH connection broke", node="swarm-master")

    place = {"shells": looking.machines, "look": looking.observed, "done": looking.progress}[where]
    monkeypatch.setattr(place, where, fail)
    assert inside().wrong == "swarm-master: the SSH connection broke"


def test_colors_are_live_running_stopped_or_gone(at_baseline: Observation) -> None:
    noted = at_baseline.noted
    assert noted is not None
    (blue,) = (one for one in at_baseline.containers if one.name.endswith("blue_1"))
    green = replace(blue, name="booksservice_green_1")
    both = replace(at_baseline, containers=(blue, green))
    assert colors(LAB, both, noted) == {"blue": "live", "green": "running"}
    stopped = replace(both, containers=(replace(blue, state="exited"), green))
    assert colors(LAB, stopped, replace(noted, color="green")) == {"blue": "stopped", "green": "live"}


# --- words and times ----------------------------------------------------------------------------------------


def test_an_error_is_one_line_that_a_page_can_show() -> None:
    error = LabError("no end\nafter 5 s", node="swarm-master", last_seen="\x1b[31mred\n" * 500)
    line = told(error)
    assert line.startswith("swarm-master: no end after 5 s (\\x1b[31mred")
    assert line.isprintable() and len(line) == MOST_CHECK
    assert one_line("short") == "short"


def test_something_is_unchanged_since_it_said_the_same() -> None:
    state = Unchanged()
    assert [state.since(said, at) for said, at in [("a", 1), ("a", 2), ("b", 3), ("b", 4), ("a", 5)]] == [
        1,
        1,
        3,
        3,
        5,
    ]
    assert Unchanged().since(None, 7) == 7


def test_the_next_look_waits_for_the_one_before_and_ends_when_told() -> None:
    at_once, most, enough = 0, 0, threading.Event()
    lock, seen = threading.Lock(), list[int]()

    def look() -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.01)  # a look takes its time
        with lock:
            at_once -= 1
        return len(seen)

    def tell(number: int) -> None:
        seen.append(number)
        if len(seen) == 5:
            enough.set()

    again = Again(look, tell, 0.001)
    again.start()
    assert enough.wait(10)
    again.end()
    again.join(10)
    assert not again.is_alive() and most == 1
