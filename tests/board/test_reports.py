from __future__ import annotations

import json
from dataclasses import replace

import pytest

from board import reports
from board.reports import KEYS, MOST_BYTES, Report
from lab.errors import ConfigError

ADA = Report("Ada", "0" * 32, 2, 5, "green is not there", 60.0, 30.0, {"blue": "live", "green": "gone"})


def test_nothing_of_an_attendee_is_sent_but_these() -> None:
    wanted = {"name", "secret", "step", "of", "check", "on_step", "stuck", "colors"}
    assert set(json.loads(reports.text(ADA))) == set(KEYS) == wanted


def test_what_is_sent_is_what_arrives() -> None:
    assert reports.parsed(reports.text(ADA)) == ADA


def test_the_longest_report_that_is_sound_is_not_too_long_to_be_taken() -> None:
    longest = replace(ADA, name="\U0001f600" * reports.MOST_NAME, check="\U0001f600" * reports.MOST_CHECK)
    assert len(reports.text(longest)) <= MOST_BYTES
    assert reports.parsed(reports.text(longest)) == longest


@pytest.mark.parametrize("step", [None, 1, 6])
def test_a_step_may_be_unknown_or_past_the_last_one(step: int | None) -> None:
    told = replace(ADA, step=step)
    assert reports.parsed(reports.text(told)) == told


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", 7),
        ("secret", "0" * 31),
        ("secret", "z" * 32),
        ("secret", None),
        ("step", 0),
        ("step", True),
        ("step", "2"),
        ("step", 10**9),
        ("of", None),
        ("of", 0),
        ("check", "two\nlines"),
        ("check", "x" * 301),
        ("check", "\u202eback to front"),
        ("on_step", -1),
        ("on_step", True),
        ("stuck", "long"),
        ("stuck", float("nan")),
        ("stuck", float("inf")),
        ("colors", []),
        ("colors", {"red": "live"}),
        ("colors", {"blue": "on fire"}),
        ("colors", {"blue": ["live"]}),
    ],
)
def test_a_report_with_what_cannot_be_is_refused_and_the_key_told(key: str, value: object) -> None:
    told = json.loads(reports.text(ADA)) | {key: value}
    with pytest.raises(ConfigError, match=key):
        reports.parsed(json.dumps(told).encode())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b"\xff", b"{" * 5000, b'{"name": "Ada"}', b"[" * 100_000]
)
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(ConfigError):
        reports.parsed(body)


def test_a_report_with_one_key_more_is_refused() -> None:
    told = json.loads(reports.text(ADA)) | {"home": "/home/ada"}
    with pytest.raises(ConfigError, match="no other keys"):
        reports.parsed(json.dumps(told).encode())


@pytest.mark.parametrize(
    "said", ["Ada", "Zoë Müller", "李小龍", "<b>Bob</b>", "O'Neil; rm -rf /", "🚀", "x" * 40]
)
def test_a_name_is_whatever_can_be_seen_in_one_line(said: str) -> None:
    assert reports.name(f"  {said} ") == said


@pytest.mark.parametrize(
    "said", ["", "   ", "a\nb", "a\x1b[31mb", "a\u202eb", "a\u200bb", "x" * 41, "\0", "\ud800", "a\u2028b"]
)
def test_a_name_that_would_break_a_table_is_refused(said: str) -> None:
    with pytest.raises(ConfigError, match="is no name for the board"):
        reports.name(said)


@pytest.mark.parametrize(
    ("one", "other"), [("Ada", "ADA"), ("Zoë", "Zoe\u0308"), ("ﬁn", "fin"), ("straße", "STRASSE")]
)
def test_names_that_read_alike_are_one(one: str, other: str) -> None:
    assert reports.key(one) == reports.key(other)
