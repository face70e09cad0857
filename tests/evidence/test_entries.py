"""Each kind of entry is a record, made of plain facts and given back as them."""

from __future__ import annotations

from typing import Any

import pytest

from evidence.entries import EVERY, SCENARIO, Seen, Unknown, of


@pytest.mark.parametrize(
    ("kind", "facts", "text", "short", "mood"),
    [
        ("consul", {"who": "Consul's checks", "now": "does not answer"},
         "Consul's checks: does not answer", "silent", "bad"),
        ("consul", {"node": "n1", "check": "serfHealth", "service": "", "was": "passing", "now": "critical"},
         "n1 (serfHealth): passing → critical", "n1 critical", "bad"),
        ("consul", {"color_of": "books", "was": "blue", "now": "green"},
         "books is live on green", "live: green", "plain"),
        ("swarm", {"container": "books_blue_1", "node": "n1", "was": "running", "now": ""},
         "books_blue_1 on n1: running → gone", "blue gone", "bad"),
        ("swarm", {"container": "registrator", "node": "n1", "was": "", "now": "running"},
         "registrator on n1: new → running", "registrator running", "good"),
        ("jenkins", {"job": "books", "build": 4, "was": "building", "now": "FAILURE"},
         "books #4: FAILURE", "#4 FAILURE", "bad"),
        ("log", {"node": "m", "source": "/x/watchers.log", "text": ">>> critical"},
         "m watchers.log: >>> critical", ">>> critical", "plain"),
        ("log", {"node": "m", "source": "/x/error.log", "text": "2026/11/25 10:21:25 [error] 11#4: *149 no"},
         "m error.log: 2026/11/25 10:21:25 [error] 11#4: *149 no", "no", "plain"),
        ("log", {"node": "m", "source": "journal", "text": "2026-11-25T10:21:36.245Z [WARN]  agent: x"},
         "m journal: 2026-11-25T10:21:36.245Z [WARN]  agent: x", "agent: x", "plain"),
        ("log", {"node": "m", "source": "journal", "text": "(6 lines more)"}, "m journal: (6 lines more)", "",
         "plain"),
    ],
)  # fmt: skip
def test_an_entry_is_told_in_words(
    kind: str, facts: dict[str, object], text: str, short: str, mood: str
) -> None:
    entry = of(kind, 1, **facts)
    assert isinstance(entry, Seen)
    assert (entry.words(), entry.short(), entry.mood()) == (text, short, mood)


EACH: dict[str, tuple[str, dict[str, Any]]] = {
    "ScenarioBegan": ("scenario", {"phase": "begin", "name": "n", "feature": "f", "folder": "01-n"}),
    "ScenarioEnded": (
        "scenario",
        {"phase": "end", "name": "n", "folder": "01-n", "verdict": "passed", "seconds": 1.5}
        | {"judged": {"failed": 0}, "entries": 0, "numbers": {}, "error": ""},
    ),
    "StepPhase": ("step", {"phase": "failed", "text": "When", "error": "no"}),
    "Waited": ("wait", {"what": "the books", "seconds": 1.5}),
    "LabPhase": ("bring-up", {"what": "machines", "seconds": 12.5}),
    "ProbeBegan": ("probe", {"record": "probe.jsonl", "path": "/", "rate": 20.0}),
    "EvidenceKept": ("evidence", {"file": "e.tar.gz"}),
    "FaultPhase": (
        "fault",
        {
            "id": "f1",
            "phase": "inject",
            "name": "kill",
            "target": "nginx",
            "on": ("nginx on m",),
            "nodes": ("m",),
        }
        | {"nodes": ("m",), "settings": {"signal": "KILL"}, "seconds": 5.0, "deadline": 15.0}
        | {"undo": ({"place": "m", "heal": "h", "healed": "i", "timed": True, "last": False},)},
    ),
    "LogLine": ("log", {"node": "m", "source": "journal", "text": "x"}),
    "Silence": ("swarm", {"who": "Swarm", "now": "does not answer", "error": "refused"}),
    "CheckChange": (
        "consul",
        {"was": "", "now": "passing", "node": "m", "check": "api", "service": "s", "first": True},
    ),
    "ColorChange": ("consul", {"was": "blue", "now": "green", "color_of": "s"}),
    "ContainerChange": ("swarm", {"was": "", "now": "running", "container": "c", "node": "m", "image": "i"}),
    "BuildChange": ("jenkins", {"was": "", "now": "SUCCESS", "job": "s", "build": 4, "seconds": 9.5}),
}


def test_every_kind_is_tried() -> None:
    assert set(EACH) == {one.__name__ for one in (*EVERY, *SCENARIO.values())}


UNDO = {"place": None, "heal": "h", "healed": "i", "timed": True, "last": False}


@pytest.mark.parametrize("name", EACH)
def test_a_record_gives_back_the_facts_it_was_made_of(name: str) -> None:
    kind, facts = EACH[name]
    entry = of(kind, 7.0, **facts)
    assert (type(entry).__name__, entry.kind, entry.at, entry.facts()) == (name, kind, 7.0, facts)


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("of a later version", {"x": 1}),
        ("step", {}),
        ("step", {"phase": "begin"}),
        ("wait", {"what": "the books"}),
        ("wait", {"seconds": 1.5}),
        ("wait", {"what": "the books", "seconds": "long"}),
        ("wait", {"what": "the books", "seconds": float("nan")}),
        ("wait", {"what": "the books", "seconds": 10**400}),
        ("wait", {"what": "the books", "seconds": -0.5}),
        ("wait", {"what": "the books", "seconds": True}),
        ("probe", {"record": "probe.jsonl", "rate": -5}),
        ("jenkins", {"job": "s", "build": -3, "now": "x"}),
        ("scenario", {"phase": "half"}),
        ("consul", {"now": "passing"}),
        ("fault", {"phase": "inject"}),
        ("fault", {"id": "f", "phase": "inject", "seconds": "many"}),
        ("fault", {"id": "f", "phase": "inject", "undo": "text"}),
        ("fault", {"id": "../..", "phase": "inject"}),
        ("fault", {"id": "f", "phase": "inject", "undo": ["rm"]}),
        ("fault", {"id": "f", "phase": "inject", "undo": [{"place": "m"}]}),
        ("fault", {"id": "f", "phase": "inject", "undo": [UNDO | {"heal": None}]}),
        ("fault", {"id": "f", "phase": "inject", "undo": [UNDO | {"place": 7}]}),
        ("fault", {"id": "f", "phase": "inject", "deadline": float("nan")}),
        ("fault", {"id": "f", "phase": "inject", "seconds": 10**400}),
        ("scenario", {"phase": "begin", "folder": "../other"}),
        ("scenario", {"phase": "begin", "folder": "/etc"}),
        ("scenario", {"phase": ["begin"]}),
        ("scenario", {"phase": "end", "verdict": "splendid", "seconds": 1}),
        ("probe", {"record": "../../journal.jsonl"}),
        ("jenkins", {"job": "s", "build": [], "now": "x"}),
    ],
)
def test_what_no_kind_takes_is_kept_as_it_is(kind: str, facts: dict[str, Any]) -> None:
    entry = of(kind, 7.0, **facts)
    assert isinstance(entry, Unknown)
    assert (entry.kind, entry.at, entry.facts()) == (kind, 7.0, facts)


def test_a_fact_that_a_kind_has_not_does_not_hide_the_others() -> None:
    entry = of("step", 7.0, phase="begin", text="When", colour="red")
    assert entry.facts() == {"phase": "begin", "text": "When"}
