from __future__ import annotations

from collections.abc import Sequence

import pytest

from evidence import spending
from evidence.entries import (
    BRING_UP,
    TAKING_DOWN,
    Entry,
    LabPhase,
    ScenarioBegan,
    ScenarioEnded,
    StepPhase,
    Waited,
)
from evidence.spending import MOST, NOTHING, OUTSIDE, RESETS, STEPS, WAITS, Row, spent

RESET = f"Given {spending.BASELINE}"


def scenario(begin: float, end: float, *inside: Entry) -> list[Entry]:
    return [ScenarioBegan(at=begin), *inside, ScenarioEnded(at=end, verdict="passed", seconds=end - begin)]


def step(begin: float, end: float, text: str, phase: str = "passed") -> list[Entry]:
    return [StepPhase(at=begin, phase="begin", text=text), StepPhase(at=end, phase=phase, text=text)]


def wait(begin: float, end: float, what: str) -> Entry:
    return Waited(at=end, what=what, seconds=end - begin)


def rows(*scenarios: Sequence[Entry]) -> dict[str, tuple[int, float, float]]:
    """Name -> times, seconds, of these in waits."""
    return {row.name: (row.times, row.seconds, row.waited) for row in spent(scenarios).rows}


WHOLE = scenario(
    100.0,
    120.0,
    *step(101.0, 111.0, RESET),
    wait(102.0, 108.0, "Jenkins to end its builds"),
    *step(111.0, 116.0, "When it is deployed"),
    wait(112.0, 113.0, "the first answers"),
    wait(117.0, 119.0, "the probe's books to be removed"),
)


def test_resets_steps_and_what_is_outside_are_the_whole_run_and_waits_are_in_them() -> None:
    found = spent([WHOLE])
    assert (found.seconds, found.clock) == (20.0, 20.0)
    assert found.rows == (
        Row(RESETS, "", 1, 10.0, 6.0, 0.5),
        Row(STEPS, "", 1, 5.0, 1.0, 0.25),
        Row(STEPS, "it is deployed", 1, 5.0, 1.0, 0.25),
        Row(OUTSIDE, "", 1, 5.0, 2.0, 0.25),
        Row(WAITS, "", 3, 9.0, 9.0, 0.45),
        Row(WAITS, "Jenkins to end its builds", 1, 6.0, 6.0, 0.3),
        Row(WAITS, "the probe's books to be removed", 1, 2.0, 2.0, 0.1),
        Row(WAITS, "the first answers", 1, 1.0, 1.0, 0.05),
    )


def test_nothing_is_spent_where_no_scenario_began() -> None:
    assert spent([]) == NOTHING


def phase(begin: float, end: float, what: str, kind: str = BRING_UP) -> Entry:
    return LabPhase(at=end, kind=kind, what=what, seconds=end - begin)


LAB = [
    *(wait(50.0, 53.0, "SSH on every node"), phase(40.0, 54.0, "machines"), phase(54.0, 60.0, "stages")),
    *(*WHOLE, phase(120.0, 140.0, "", TAKING_DOWN)),
]


def test_bring_up_by_its_phases_and_taking_down_are_parts_of_the_run() -> None:
    found = spent([WHOLE], [LAB])
    assert (found.seconds, found.clock) == (60.0, 100.0)
    assert [row for row in found.rows if row.part in (BRING_UP, TAKING_DOWN)] == [
        Row(BRING_UP, "", 2, 20.0, 3.0, 0.3333),
        Row(BRING_UP, "machines", 1, 14.0, 3.0, 0.2333),
        Row(BRING_UP, "stages", 1, 6.0, 0.0, 0.1),
        Row(TAKING_DOWN, "", 1, 20.0, 0.0, 0.3333),
    ]
    waits = {row.what: row.seconds for row in found.rows if row.part == WAITS}
    assert (waits[""], waits["SSH on every node"]) == (12.0, 3.0)


def test_the_parts_but_the_waits_add_up_to_the_run() -> None:
    found = spent([WHOLE], [LAB])
    assert sum(row.seconds for row in found.rows if not row.what and row.part != WAITS) == found.seconds


def test_a_run_whose_lab_did_not_come_up_tells_what_that_took() -> None:
    found = spent([], [[phase(0.0, 5.0, "builds")]])
    assert (found.seconds, [row.name for row in found.rows]) == (5.0, [BRING_UP, "builds"])


@pytest.mark.parametrize("seconds", [-5.0, 0.0])
def test_a_phase_is_not_shorter_than_nothing(seconds: float) -> None:
    found = spent([], [[LabPhase(at=9.0, what="builds", seconds=seconds)]])
    assert (found.seconds, found.clock) == (0.0, 0.0)


def test_a_run_from_before_waits_were_kept_has_its_steps() -> None:
    old = scenario(0.0, 10.0, *step(0.0, 4.0, RESET), *step(4.0, 10.0, "When it breaks", "failed"))
    assert rows(old) == {
        "resets": (1, 4.0, 0.0),
        "steps": (1, 6.0, 0.0),
        "it breaks": (1, 6.0, 0.0),
        "outside of steps": (1, 0.0, 0.0),
    }


def test_scenarios_at_the_same_time_each_count_and_the_clock_counts_once() -> None:
    one = scenario(0.0, 10.0, *step(0.0, 10.0, "When it breaks"))
    other = scenario(5.0, 25.0, *step(5.0, 25.0, "And it breaks"))
    found = spent([one, other])
    assert (found.seconds, found.clock) == (30.0, 25.0)
    assert rows(one, other)["it breaks"] == (2, 30.0, 0.0)


@pytest.mark.parametrize(
    ("inside", "counted"),
    [
        ([wait(1.0, 9.0, "outer"), wait(2.0, 5.0, "inner")], {"outer": 8.0, "inner": 0.0}),
        ([wait(1.0, 4.0, "quick"), wait(1.0, 9.0, "slow")], {"quick": 0.0, "slow": 8.0}),
        ([wait(1.0, 4.0, "first"), wait(3.0, 9.0, "second")], {"first": 2.0, "second": 6.0}),
        ([wait(1.0, 4.0, "first"), wait(5.0, 9.0, "second")], {"first": 3.0, "second": 4.0}),
    ],
    ids=["one in another", "two from the same moment", "two that overlap", "one after the other"],
)
def test_a_second_in_which_several_waited_counts_for_the_one_that_ended_last(
    inside: list[Entry], counted: dict[str, float]
) -> None:
    found = rows(scenario(0.0, 10.0, *inside))
    assert {name: found.get(name, found.get("other waits", ()))[1] for name in counted} == counted
    assert found["waits"] == (2, sum(counted.values()), sum(counted.values()))


def test_a_scenario_that_was_cut_lasts_to_its_last_entry_and_so_does_its_step() -> None:
    begun = StepPhase(at=2.0, phase="begin", text="When it breaks")
    cut = [ScenarioBegan(at=0.0), begun, wait(3.0, 8.0, "it to end"), wait(1.0, 1.5, "written late")]
    assert rows(cut)["it breaks"] == (1, 6.0, 5.0)
    assert spent([cut]).seconds == 8.0


def test_a_step_whose_end_was_not_seen_lasts_until_the_next_begins() -> None:
    lost = StepPhase(at=1.0, phase="begin", text="Given the one")
    found = rows(scenario(0.0, 9.0, lost, *step(3.0, 7.0, "When another")))
    assert (found["the one"], found["another"]) == ((1, 2.0, 0.0), (1, 4.0, 0.0))


@pytest.mark.parametrize("seconds", [-5.0, 1e9, 0.0])
def test_no_wait_is_longer_than_its_scenario_nor_shorter_than_nothing(seconds: float) -> None:
    found = rows(scenario(0.0, 10.0, Waited(at=9.0, what="x", seconds=seconds)))
    counted = 9.0 if seconds > 0 else 0.0
    assert found["waits"] == (1, counted, counted)
    assert found["outside of steps"][1] == 10.0


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    back = scenario(100.0, 90.0, *step(99.0, 95.0, "When it breaks"))
    found = rows(back)
    assert (spent([back]).seconds, spent([back]).clock) == (0.0, 0.0)
    assert set(found.values()) == {(1, 0.0, 0.0)}


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (("build 4 of books to end", "build 15 of books to end"), "build … of books to end"),
        (("swarm-node-01 to answer", "swarm-node-02 to answer"), "swarm-node-… to answer"),
        (("http://10.1.2.3:80/api/v1/books",) * 2, "http://…:…/api/v1/books"),
        (("a\n  line", "a line"), "a line"),
        (("x" * 500, "x" * 400), "x" * spending.LONGEST),
    ],
)
def test_texts_that_differ_in_numbers_are_one(texts: tuple[str, str], name: str) -> None:
    waits = (wait(at, at + 1.0, text) for at, text in enumerate(texts))
    assert rows(scenario(0.0, 10.0, *waits))[name] == (2, 2.0, 2.0)


def test_of_one_part_the_longest_have_a_row_and_the_rest_is_summed() -> None:
    waits = [wait(n, n + 0.5, "x" * (n + 1)) for n in range(MOST)]
    found = rows(scenario(0.0, 60.0, *waits, wait(50.0, 50.4, "short"), wait(55.0, 55.3, "shorter")))
    assert len(found) == 2 + MOST + 1
    assert found["other waits"] == (2, 0.7, 0.7)


def test_what_took_less_than_its_share_has_no_row() -> None:
    found = rows(scenario(0.0, 100.0, wait(1.0, 1.5, "long"), wait(2.0, 2.4, "short")))
    assert (found["long"], found["other waits"]) == ((1, 0.5, 0.5), (1, 0.4, 0.4))
    assert "short" not in found


def test_a_row_is_shown_in_seconds_and_percent() -> None:
    assert Row(STEPS, "x", 4, 10.0, 2.5, 0.125).cells == ("4", "10.0", "2.5", "2.5", "12%")
    assert Row(STEPS, "x", 4, 10.0, 0.0, 0.125).cells[3] == "\N{EN DASH}"
