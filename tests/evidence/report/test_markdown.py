from __future__ import annotations

from dataclasses import replace

import pytest

from evidence.report import markdown
from evidence.report.page import NONE
from evidence.spending import Spending

from .test_page import judged, report
from .test_pictures import FULL, NOTHING

FAILED = replace(NOTHING, name="Second", verdict="failed", error="Timeout")


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_counts_seed_and_the_command_to_repeat_are_told() -> None:
    text = markdown.render(replace(report(judged(FULL), FAILED), spending=Spending(90.0, 60.0, ())))
    assert "✗ 1 failed, ✓ 1 passed, 60 s by the clock, seed 7" in text
    assert "```text\npytest features/chaos --seed 7\n```" in text


def test_a_row_has_the_numbers_of_the_page() -> None:
    recovered = replace(FULL, judged={"requests": 5, "failed": 2, "recovered_after": None})
    assert rows(markdown.render(report(recovered)))[2] == (
        f"| First | ✓ passed | 60 s | 5 | 2 | {NONE} | {NONE} | not seen | {NONE} |"
    )


def test_what_failed_comes_first_with_its_error() -> None:
    text = markdown.render(report(judged(FULL), FAILED))
    assert [row.split(" | ")[0] for row in rows(text)[2:]] == ["| Second", "| First"]
    assert "**Second**\n\n```text\nTimeout\n```" in text


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a | b", "a \\| b"),
        ("<b>&", "\\<b\\>\\&"),
        ("two\nlines", "two lines"),
        ("_x_ `y` [z]", "\\_x\\_ \\`y\\` \\[z\\]"),
        ("\x1b[31m", "\\\\x1b\\[31m"),
    ],
)
def test_no_character_of_a_name_is_markup(words: str, shown: str) -> None:
    assert markdown.text(words) == shown


def test_a_long_error_with_fences_stays_in_its_block() -> None:
    text = markdown.render(report(replace(FAILED, error="```\n# not a title" + "x" * 9000)))
    assert "````text\n```\n# not a title" in text
    assert len(text) < 4000


def test_every_row_has_as_many_cells() -> None:
    text = markdown.render(report(judged(FULL), replace(FAILED, name="a|b")))
    assert {row.replace("\\|", "").count("|") for row in rows(text)} == {10}


def test_a_run_in_which_nothing_was_played_says_so() -> None:
    facts = report().facts | {"seed": None, "command": ""}
    text = markdown.render(replace(report(warnings=("no scenario began",)), facts=facts))
    assert "nothing was played" in text and "- no scenario began" in text
