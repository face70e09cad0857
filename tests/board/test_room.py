from __future__ import annotations

from dataclasses import replace

import pytest

from board import room
from board.reports import Report
from board.room import FORGOTTEN, MOST, SILENT, Attendee, NameTaken, RoomFull, admitted, rows

NOW = 10_000.0


def report(name: str = "Ada", *, process: int = 0, step: int | None = 2, stuck: float = 30.0) -> Report:
    return Report(name, f"{process:032x}", step, 5, "green is not there", 60.0, stuck, {"blue": "live"})


def names(*there: Attendee) -> list[str]:
    return [row["name"] for row in rows(there, NOW)]


# --- who is let in ------------------------------------------------------------------------------------------


def test_a_report_takes_the_place_of_the_same_process_s_one_before() -> None:
    known = admitted({}, report(stuck=1), NOW)
    known = admitted(known, report(stuck=4), NOW + 3)
    assert [(one.report.stuck, one.at) for one in known.values()] == [(4, NOW + 3)]


@pytest.mark.parametrize("name", ["Ada", "ADA"])
def test_two_live_attendees_of_one_name_are_not_let_in(name: str) -> None:
    known = admitted({}, report(), NOW)
    with pytest.raises(NameTaken, match="reports as") as refused:
        admitted(known, report(name, process=1), NOW + SILENT)
    assert "--as NAME" in str(refused.value)


def test_a_name_is_free_for_another_process_once_nobody_reports_under_it() -> None:
    known = admitted({}, report(), NOW)
    known = admitted(known, report(process=1), NOW + SILENT + 1)
    assert [one.report.secret for one in known.values()] == [f"{1:032x}"]


def full(at: float = NOW) -> dict[str, Attendee]:
    return {f"n{number}": Attendee(report(f"n{number}", process=number), at) for number in range(MOST)}


def test_a_full_room_takes_no_other_attendee_and_goes_on_with_its_own() -> None:
    with pytest.raises(RoomFull, match=str(MOST)):
        admitted(full(), report(process=MOST), NOW)
    assert len(admitted(full(), report("n7", process=7, stuck=99), NOW)) == MOST


def test_a_full_room_gives_up_its_silent_attendees_first() -> None:
    known = full() | {"n3": Attendee(report("n3", process=3), NOW - SILENT - 1)}
    there = admitted(known, report(process=MOST), NOW)
    assert len(there) == MOST and "n3" not in there and "ada" in there


def test_who_was_silent_for_long_is_forgotten() -> None:
    known = {"bob": Attendee(report("Bob"), NOW - FORGOTTEN - 1)}
    assert list(admitted(known, report(), NOW)) == ["ada"]
    assert rows(known.values(), NOW) == []


# --- who needs help first -----------------------------------------------------------------------------------


def test_who_is_stuck_for_longest_comes_first_and_who_is_done_last() -> None:
    assert names(
        Attendee(report("done", step=6, stuck=900), NOW),
        Attendee(report("quick", stuck=5), NOW),
        Attendee(report("stuck", stuck=300), NOW),
        Attendee(report("lost", step=None, stuck=100), NOW),
    ) == ["stuck", "lost", "quick", "done"]


def test_time_goes_on_for_who_is_silent() -> None:
    silent = Attendee(report("silent", stuck=10), NOW - 60)
    assert names(Attendee(report("stuck", stuck=50), NOW), silent) == ["silent", "stuck"]
    row = rows([silent], NOW)[0]
    assert (row["silent"], row["since"]) == (NOW - 60, NOW - 70)


def test_who_reports_is_not_marked_silent() -> None:
    assert rows([Attendee(report(), NOW - SILENT)], NOW)[0]["silent"] is None


def test_a_row_holds_no_secret() -> None:
    told = rows([Attendee(replace(report(), secret="5e" * 16), NOW)], NOW)
    assert "5e5e" not in str(told)
    assert set(told[0]) == {
        *("name", "step", "of", "done", "check", "since", "step_since", "colors", "silent"),
    }


def test_those_who_need_help_equally_stay_in_the_order_of_their_names() -> None:
    assert names(Attendee(report("b"), NOW), Attendee(report("a"), NOW)) == ["a", "b"]
    assert room.SILENT < room.FORGOTTEN
