"""What was seen on a host becomes the table."""

from __future__ import annotations

from pathlib import Path

from tests.hosts import record
from tests.hosts.record import Record, Step


def seen(*steps: Step) -> Record:
    return Record({"kernel": "6.12"}, {step.name: step for step in steps})


def test_lines_that_are_not_facts_are_left_out() -> None:
    said = "[  0 s] all is here\nkernel=6.12\nuser=user (1000), LANG=de_DE.UTF-8\nother=1\n"
    assert record.parse_facts(said) == {"kernel": "6.12", "user": "user (1000), LANG=de_DE.UTF-8"}


def test_the_table_has_a_column_for_each_host_that_was_seen() -> None:
    shown = record.table(
        {"debian-12": Record(), "debian-13": seen(Step("up", 61.2, True, "", "2026-01-02"))}, ["up"]
    )
    assert shown.splitlines()[0] == "|  | debian-13 |"
    assert "| kernel | 6.12 |" in shown
    assert "| `up` | 61 s, ok (2026-01-02) |" in shown


def test_a_step_that_failed_is_said_with_what_failed() -> None:
    shown = record.table(
        {"debian-13": seen(Step("up", 5, False, "`make lab-up`: exit 4", "2026-01-02"))}, ["up"]
    )
    assert "| `up` | 5 s, failed: `make lab-up`: exit 4 (2026-01-02) |" in shown


def test_a_step_that_only_another_host_did_was_not_run() -> None:
    shown = record.table({"a": seen(Step("up", 1, True)), "b": seen(Step("down", 1, True))}, ["up", "down"])
    assert sum("not run" in line for line in shown.splitlines()) == 2


def test_only_what_is_between_the_marks_is_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "hosts.md"
    page.write_text(f"before\n{record.BEGIN}\nold\n{record.END}\nafter\n")
    record.write(page, "new")
    assert page.read_text() == f"before\n{record.BEGIN}\n\nnew\n\n{record.END}\nafter\n"


def test_a_failed_step_fails_the_whole() -> None:
    assert record.exit_code([seen(Step("up", 1, True))]) == 0
    assert record.exit_code([seen(Step("up", 1, True)), seen(Step("heal", 1, False))]) == 1


def test_the_steps_stand_in_their_own_order_whichever_host_did_them() -> None:
    shown = record.table({"a": seen(Step("off", 1, True)), "b": seen(Step("up", 1, True))}, ["up", "off"])
    assert [line.split("`")[1] for line in shown.splitlines() if "`" in line] == ["up", "off"]
