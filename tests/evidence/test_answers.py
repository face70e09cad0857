from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evidence import answers
from evidence.answers import Answer, Record
from lab.errors import LabError

OK = Answer(2.0, 2.1, 2.3, 200, "1.0", "blue", "swarm-node-01", None)
BAD = Answer(1.0, 1.0, 6.0, None, "", "", "", "timeout", "fail")


def record(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def test_latency_counts_from_when_a_request_was_due() -> None:
    assert OK.latency == pytest.approx(0.3)


@pytest.mark.parametrize(("outcome", "failed"), [("ok", False), ("fail", True), ("unknown", True)])
def test_what_cannot_be_told_is_no_success(outcome: answers.Outcome, failed: bool) -> None:
    assert Answer(0, 0, 0, None, "", "", "", None, outcome).failed is failed


def test_a_record_is_read_in_the_order_requests_were_due(tmp_path: Path) -> None:
    path = record(tmp_path / "probe.jsonl", answers.line(OK), answers.line(BAD))
    assert answers.read(path) == [BAD, OK]


@pytest.mark.parametrize("junk", [b'{"planned": 1.0, "se', b"[1]", b"7", b'{"planned": 1.0}', b'{"what": 1}'])
def test_a_line_cut_short_is_passed_over_and_told(tmp_path: Path, junk: bytes) -> None:
    path = record(tmp_path / "probe.jsonl", answers.line(OK), junk, b"\n", answers.line(BAD))
    told: list[str] = []
    assert answers.read(path, told.append) == [BAD, OK]
    assert len(told) == 1 and "line 2" in told[0]


def test_a_record_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"probe\.jsonl cannot be read"):
        answers.read(tmp_path / "probe.jsonl")


def test_a_growing_record_is_followed_by_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "probe.jsonl"
    following = Record(path)
    assert following.more() == []
    line = answers.line(OK)
    path.write_bytes(answers.line(BAD) + line[:20])
    assert following.more() == [BAD]
    assert following.more() == []
    path.write_bytes(answers.line(BAD) + line)
    assert following.more() == [OK]


@pytest.mark.parametrize(
    "odd",
    [
        replace(OK, finished=1.9),
        replace(OK, finished=2.05),
        replace(OK, status=True),
        replace(OK, planned=True),
        replace(OK, planned=-1.0),
    ],
)
def test_what_cannot_be_an_answer_is_told_as_none(tmp_path: Path, odd: Answer) -> None:
    told: list[str] = []
    assert answers.read(record(tmp_path / "probe.jsonl", answers.line(odd)), told.append) == []
    assert [line.rpartition(", line ")[2] for line in told] == ["1 is no answer, passed over"]
