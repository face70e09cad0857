from __future__ import annotations

import threading
from pathlib import Path

import pytest

from evidence import journal
from evidence.entries import Unknown, of
from evidence.journal import Journal
from lab.errors import LabError


def test_what_is_written_is_read_in_order(tmp_path: Path) -> None:
    written = Journal(tmp_path / "new" / "journal.jsonl", durable=True)
    entries = [written.add(of("fault", id="f1", phase="inject")), written.add(of("step", text="“quoted”\n"))]
    assert journal.read(written.path) == entries


def test_a_journal_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize(
    "junk",
    [
        *('{"at": 1.0, "ki', '{"at": 1.0}', "[1]", "null", '{"at": "x", "kind": "y"}', "[" * 100_000),
        *('{"at": NaN, "kind": "y"}', '{"at": -1, "kind": "y"}', '{"at": 1e300, "kind": "y"}'),
        *('{"at": 1, "kind": "of a later version"}', f'{{"at": 1{"0" * 400}, "kind": "y"}}'),
    ],
)
def test_a_broken_line_is_passed_over_and_told(tmp_path: Path, junk: str) -> None:
    path = tmp_path / "journal.jsonl"
    first = Journal(path).add(of("step", phase="begin", text="a"))
    with path.open("a") as file:
        file.write(junk)
    second = Journal(path).add(of("step", phase="begin", text="b"))
    told: list[str] = []
    read = journal.read(path, told.append)
    assert [entry for entry in read if not isinstance(entry, Unknown)] == [first, second]
    assert len(told) == 1 and "line 2" in told[0]


@pytest.mark.parametrize("text", ["a\u2028b", "a\u0085b", "a\x0cb", "a\rb", "a\r\nb", "\ud800", "\x1e\x00"])
def test_an_entry_is_a_line_whatever_is_in_it(tmp_path: Path, text: str) -> None:
    written = Journal(tmp_path / "journal.jsonl")
    entries = [written.add(of("log", text=text)), written.add(of("log", text="the next"))]
    assert journal.read(written.path) == entries


def test_a_journal_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"{tmp_path} cannot be read"):
        journal.read(tmp_path)


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    written = Journal(tmp_path / "journal.jsonl")
    threads = [
        threading.Thread(target=lambda n=n: [written.add(of("step", n=n, i=i)) for i in range(50)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = journal.read(written.path)
    assert [[e.facts()["i"] for e in entries if e.facts()["n"] == n] for n in range(4)] == [
        list(range(50))
    ] * 4
