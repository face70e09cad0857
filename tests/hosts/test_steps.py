"""What a user types is judged by its exit code and by its output."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts import disk, steps
from tests.hosts.machine import Done
from tests.hosts.steps import Typed


def done(output: str = "", code: int = 0) -> Done:
    return Done("make lab-up", code, output, 1.0)


def test_the_exit_code_is_said_first() -> None:
    assert Typed("make lab-up", "0 changed").fault(done("0 changed", 3)) == "exit 3"


def test_an_output_without_what_is_expected_is_a_fault() -> None:
    assert Typed("make lab-up", r"\b0 changed").fault(done("10 changed on 4 nodes"))
    assert not Typed("make lab-up", r"\b0 changed").fault(done("5.1 s  0 changed on 4 nodes"))


def test_what_the_first_run_tells_to_type_is_found() -> None:
    said = "permission denied.\n  try next:  sudo usermod -aG docker user   then log in again\n"
    told = steps.HINT.search(said)
    assert told and told[1] == "sudo usermod -aG docker user"


def test_the_steps_that_others_need_come_first() -> None:
    assert tuple(steps.STEPS)[: len(steps.NEEDED)] == steps.NEEDED


@pytest.mark.parametrize(
    ("said", "pairs"),
    [
        ("", []),
        ("/etc/a", [("/etc/a", "/etc/a")]),
        ("/etc/a:/b/c\n  /d", [("/etc/a", "/b/c"), ("/d", "/d")]),
    ],
)
def test_a_file_goes_where_it_was_or_where_it_is_said(said: str, pairs: list[tuple[str, str]]) -> None:
    assert disk.extra_files(said) == [(Path(source), Path(place)) for source, place in pairs]
