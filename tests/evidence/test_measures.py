from __future__ import annotations

import math
from typing import Any

import pytest

from evidence import measures
from evidence.answers import Answer
from evidence.entries import of
from evidence.journal import Entry
from evidence.measures import FaultWindow


def ok(at: float, color: str = "blue", release: str = "1.0", took: float = 0.01) -> Answer:
    return Answer(at, at, at + took, 200, release, color, "n1", None)


def bad(at: float, took: float = 0.01, error: str = "refused") -> Answer:
    return Answer(at, at, at + took, None, "", "", "", error, "fail")


def unknown(at: float) -> Answer:
    return Answer(at, at, at + 1, None, "", "", "", "timeout", "unknown", "p-1")


def check(at: float, was: str, now: str, name: str = "api", node: str = "m") -> Entry:
    return of("consul", at, **{"node": node, "check": name, "was": was, "now": now})


def container(at: float, name: str, now: str) -> Entry:
    return of("swarm", at, **{"container": name, "node": "n1", "now": now})


def fault(at: float, phase: str, **facts: object) -> Entry:
    return of("fault", at, **{"id": "f1", "phase": phase, **facts})


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        ([], 0),
        ([ok(1), ok(2)], 0),
        ([ok(1), bad(2), bad(3), ok(4)], 2),
        ([bad(1), ok(2), bad(5), bad(7), ok(8), bad(9), ok(10)], 3),
        ([ok(1), bad(2), bad(3, took=5)], 6),
        ([ok(1), unknown(2), ok(4)], 2),
        ([bad(1, took=5), ok(2), ok(3)], 5),
    ],
    ids=["none", "none failed", "one run", "the longer of two", "to the end", "unknown", "one slow failure"],
)
def test_the_longest_outage(answers: list[Answer], seconds: float) -> None:
    assert measures.longest_outage(answers) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("answers", "first", "recovered"),
    [
        ([ok(1), ok(11)], None, 0),
        ([ok(1), bad(12, 1), bad(13, 2), ok(16)], 2, 5),
        ([bad(9.5, 1), ok(11)], 0, 0.5),
        ([bad(1), ok(11)], None, 0),
        ([ok(1), bad(12)], 2, None),
        ([ok(1)], None, None),
    ],
    ids=["unfelt", "felt", "under way", "before the fault", "not yet", "nobody asked since"],
)
def test_failure_and_recovery_count_from_the_fault(
    answers: list[Answer], first: float | None, recovered: float | None
) -> None:
    assert measures.first_failure_after(answers, 10) == (None if first is None else pytest.approx(first))
    found = measures.recovered_after(answers, 10)
    assert found == (None if recovered is None else pytest.approx(recovered))


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.001, 1)], ids=str
)
def test_a_quantile_is_one_of_the_values(share: float, value: float) -> None:
    assert measures.quantile([float(n) for n in range(1, 101)], share) == value


def test_a_quantile_of_nothing_is_nothing() -> None:
    assert measures.quantile([], 0.99) == 0.0


def test_latency_is_told_before_during_and_after_a_fault() -> None:
    answers = [ok(1, took=0.1), ok(2, took=0.2), bad(10, took=5), ok(20, took=0.3)]
    told = measures.phases(answers, 10, 20)
    assert [(one.phase, one.requests, one.failed, one.p50, one.max) for one in told] == [
        ("before", 2, 0, 0.1, 0.2),
        ("during", 1, 1, 5.0, 5.0),
        ("after", 1, 0, 0.3, 0.3),
    ]


def test_a_fault_that_did_not_end_has_no_after() -> None:
    assert [one.requests for one in measures.phases([ok(1), bad(10), ok(99)], 10, None)] == [1, 2, 0]


def test_without_a_fault_there_is_one_phase() -> None:
    assert [one.phase for one in measures.phases([ok(1)], None, None)] == ["all"]


def test_turns_name_each_run_of_a_release_once() -> None:
    answers = [ok(1), ok(2), bad(3), ok(4, "green", "1.1"), ok(5)]
    assert measures.turns(answers) == [("1.0", "blue"), ("1.1", "green"), ("1.0", "blue")]


@pytest.mark.parametrize(
    ("answers", "count"),
    [
        ([ok(0), ok(99)], 0),
        ([ok(104), ok(105.9, "green")], 0),
        ([ok(106, "blue")], 1),
        ([ok(94, "green")], 1),
        ([ok(96, "green")], 0),
        ([ok(150, "green"), ok(150, "purple"), bad(150)], 1),
    ],
    ids=["live", "just replaced", "long replaced", "too early", "just taking over", "neither"],
)
def test_a_color_that_is_neither_live_nor_just_replaced_is_stale(answers: list[Answer], count: int) -> None:
    assert len(measures.stale(answers, [(50.0, "blue"), (100.0, "green")])) == count


def test_nothing_is_stale_when_the_live_color_was_never_seen() -> None:
    assert measures.stale([ok(1, "purple")], []) == []


def test_a_color_that_came_back_is_live_again() -> None:
    live = [(0.0, "blue"), (100.0, "green"), (200.0, "blue")]
    assert measures.stale([ok(150), ok(250)], live) == [ok(150)]


def test_lost_is_acknowledged_and_not_there() -> None:
    assert measures.lost({"a", "b", "c"}, {"b", "other"}) == ["a", "c"]


@pytest.mark.parametrize(
    ("entries", "windows"),
    [
        ([], []),
        (
            [fault(1, "inject", name="kill", on=["b_1", "b_2"], seconds=20), fault(2, "injected")],
            [FaultWindow("f1", "kill", "b_1, b_2", 1, 21, None, "injected")],
        ),
        (
            [fault(1, "inject", name="kill", deadline=31.0), fault(2, "injected"), fault(9, "healed")],
            [FaultWindow("f1", "kill", "", 1, 31, 9, "healed")],
        ),
        ([fault(1, "inject", name="kill")], [FaultWindow("f1", "kill", "", 1, None, None, "inject")]),
        ([fault(1, "injected"), fault(2, "unknown")], [FaultWindow("f1", "", "", 1, None, None, "unknown")]),
    ],
    ids=["none", "injected", "healed", "about to be injected", "unknown"],
)  # fmt: skip
def test_a_fault_is_a_window(entries: list[Entry], windows: list[FaultWindow]) -> None:
    assert measures.faults(entries) == windows


def test_consul_detects_at_the_first_critical_check_since() -> None:
    entries = [check(5, "passing", "critical"), check(12, "passing", "critical"), check(14, "", "critical")]
    assert measures.detected_after(entries, 10) == 2
    assert measures.detected_after(entries, 20) is None


START = [
    check(1, "", "passing"),
    container(1, "books_blue_1", "running"),
    container(1, "books_db_1", "running"),
]


@pytest.mark.parametrize(
    ("entries", "seconds"),
    [
        ([], 0),
        ([check(12, "passing", "critical")], None),
        ([check(12, "passing", "critical"), check(30, "critical", "passing")], 20),
        ([container(11, "books_blue_1", "exited"), container(25, "books_green_1", "running")], 15),
        ([container(11, "books_db_1", "exited"), container(25, "books_green_1", "running")], None),
        (
            [
                check(12, "passing", "critical"),
                container(13, "books_blue_1", ""),
                check(20, "critical", "passing"),
                container(26, "books_blue_1", "running"),
            ],
            16,
        ),
        ([container(11, "new_1", "running")], 0),
    ],
    ids=["unfelt", "still critical", "passing again", "other color", "no database", "both", "something new"],
)  # fmt: skip
def test_redundancy_is_full_when_nothing_is_missing_any_more(
    entries: list[Entry], seconds: float | None
) -> None:
    assert measures.redundant_after([*START, *entries], 10) == seconds


def test_a_check_flaps_when_it_becomes_critical_again() -> None:
    once = [check(1, "", "critical"), check(2, "passing", "critical"), check(3, "critical", "passing")]
    assert measures.flapping(once) == {}
    assert measures.flapping([*once, check(4, "passing", "critical")]) == {"m/api": 2}


@pytest.mark.parametrize(
    ("ends", "recovered", "end"),
    [([12.0], 5, 15), ([18.0], 5, 18), ([None], 5, 15), ([12.0], None, None), ([12.0, 30.0], 5, 30)],
)
def test_during_lasts_until_all_is_undone_and_users_are_served(
    ends: list[float | None], recovered: float | None, end: float | None
) -> None:
    windows = [FaultWindow("f", "n", "t", 10, None, one, "x") for one in ends]
    assert measures.phase_end(windows, 10, recovered) == end


def test_a_scenario_is_judged_as_a_whole() -> None:
    answers = [ok(5), bad(11), unknown(12), ok(13), ok(30)]
    entries = [
        *START,
        of("consul", 2, **{"color_of": "books", "now": "blue"}),
        fault(10, "injected"),
        check(12, "passing", "critical"),
        check(20, "critical", "passing"),
    ]
    numbers = measures.judge(answers, entries, 3, "books")
    phases = numbers.pop("phases")
    assert numbers == {
        "requests": 5,
        "failed": 2,
        "unknown": 1,
        "longest_outage": 2.0,
        "stale": 0,
        "flapping": 0,
        "first_failure_after": 1,
        "detected_after": 2,
        "recovered_after": 3.0,
        "redundant_after": 10,
    }
    assert [phase["requests"] for phase in phases] == [1, 2, 2]


def test_a_scenario_without_faults_has_no_number_about_them() -> None:
    assert "detected_after" not in measures.judge([ok(1)], [], 0, "books")


def test_one_line_says_what_users_felt() -> None:
    assert measures.says([ok(1)]) == "1 requests, 0 failed"
    assert measures.says([ok(1), bad(2), ok(3)]) == "3 requests, 1 failed (refused), longest outage 1.00 s"
    assert math.isclose(measures.longest_outage([ok(1), bad(2), ok(3)]), 1)


JUDGED = measures.judge([ok(1), bad(2), ok(3)], [fault(1.5, "inject", seconds=5)], 0, "s")


def test_what_was_judged_is_sound() -> None:
    assert measures.is_sound(JUDGED)


@pytest.mark.parametrize(
    "odd",
    [
        {"requests": -3, "failed": -4},
        {"failed": 4},
        {"requests": 3.5},
        {"failed": True},
        {"failed": None},
        {"stale": -1},
        {"detected_after": -0.5},
        {"longest_outage": math.nan},
        {"phases": JUDGED["phases"] * 2},
        {"phases": [JUDGED["phases"][0] | {"requests": -1}]},
        {"phases": [JUDGED["phases"][0] | {"p50": -1.0}]},
    ],
)
def test_what_nobody_can_have_judged_is_not_sound(odd: dict[str, Any]) -> None:
    assert not measures.is_sound(JUDGED | odd)
    assert not measures.is_sound({"phases": []})


def test_no_fault_is_planned_to_end_before_it_begins() -> None:
    [window] = measures.faults([fault(100, "inject", deadline=50.0)])
    assert window.planned_end is None
