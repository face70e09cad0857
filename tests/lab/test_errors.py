from __future__ import annotations

import pytest

from lab.errors import LabError, printable, shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain ü \u65e5", "plain ü \u65e5"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2J\r\x07", r"\x1b[2J\r\x07"),
        ("\u202e\u2028\ud800", r"\u202e\u2028\ud800"),
    ],
)
def test_a_terminal_gets_nothing_that_moves_it(text: str, seen: str) -> None:
    assert printable(text) == seen


def test_an_error_shows_nothing_raw_of_what_it_met() -> None:
    error = LabError("a\x1bb", node="n\x07", last_seen="c\rd\ne", try_next="f\x00")
    assert str(error) == ("n\\x07: a\\x1bb\n  last seen: c\\rd\n             e\n  try next:  f\\x00")


def test_a_value_is_one_short_line() -> None:
    assert shown("a\nb") == r'"a\nb"'
    assert shown("x" * 61, most=3) == '"xxx... (61 characters)"'
