"""Copies of records and what a new database gets of them; docker and curl are played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab import config
from provisioning.templates import render

LAB = config.load(config.LAB_FILE)
BACKUP = render("backup/backup_records.sh", LAB)
RESTORE = render("backup/restore_records.sh", LAB)
WORDS = ("books-service", "booksservice_db_1", "http://10.100.199.202:32768/api/v1/books")
KEPT = [{"_id": "1", "title": "one; $(two) `three`"}, {"_id": "2", "title": "zwölf"}]
OTHER = [{"_id": "9"}]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "backups" / "books-service"
    made.mkdir(parents=True)
    (made / "database").write_text("db1\n")
    (made / "records.json").write_text(json.dumps(KEPT))
    return made


def backup(played: Any, home: Path, *, database: str = "db1", answer: str | None = None) -> list[Any]:
    """The copy after a backup; `answer` is the service's, None when it gives none."""
    played.program("docker", f"echo {database}" if database else "exit 1")
    (played.state / "answer").write_text(answer or "")
    played.program("curl", 'cp $state/answer "$5"' if answer is not None else "exit 22")
    done = played.run(BACKUP, places={"/data/backups": str(home.parent)})
    assert done.returncode == 0, done.stderr
    kept: list[Any] = json.loads((home / "records.json").read_text())
    return kept


def test_the_records_are_copied(played: Any, home: Path) -> None:
    assert backup(played, home, answer=json.dumps(OTHER)) == OTHER


def test_that_there_are_no_records_is_copied_too(played: Any, home: Path) -> None:
    assert backup(played, home, answer="[]") == []


@pytest.mark.parametrize("answer", [None, "", "{}", '{"error": "no database"}', "<html>", '[{"_id": "1"}'])
def test_what_is_no_list_of_records_leaves_the_copy_as_it_is(
    played: Any, home: Path, answer: str | None
) -> None:
    assert backup(played, home, answer=answer) == KEPT


@pytest.mark.parametrize("database", ["db2", ""])
def test_another_or_no_database_leaves_the_copy_as_it_is(played: Any, home: Path, database: str) -> None:
    assert backup(played, home, database=database, answer="[]") == KEPT
    assert not played.calls("curl")


def restore(played: Any, home: Path, *, database: str, has: list[Any], puts: str = "true") -> tuple[int, int]:
    """(exit code, records put) of a restore to a database that has these records."""
    played.program("docker", f"echo {database}")
    played.by_words("curl", {"*-X PUT*": puts, "*": f"echo '{json.dumps(has)}'"})
    done = played.run(RESTORE, *WORDS, places={"/data/backups": str(home.parent)})
    return done.returncode, len(played.calls("-X PUT"))


def test_a_new_empty_database_gets_every_record_as_it_was(played: Any, home: Path) -> None:
    assert restore(played, home, database="db2", has=[]) == (0, 2)
    sent = [call.split(" -d ")[1].rsplit(" http", 1)[0] for call in played.calls("-X PUT")]
    assert [json.loads(record) for record in sent] == KEPT
    assert (home / "database").read_text() == "db2\n"


def test_the_database_of_the_copy_gets_nothing(played: Any, home: Path) -> None:
    assert restore(played, home, database="db1", has=[]) == (0, 0)


def test_a_new_database_that_has_records_keeps_them(played: Any, home: Path) -> None:
    assert restore(played, home, database="db2", has=OTHER) == (0, 0)
    assert (home / "database").read_text() == "db2\n"


def test_the_first_database_of_all_is_noted(played: Any, home: Path) -> None:
    (home / "database").unlink()
    (home / "records.json").unlink()
    assert restore(played, home, database="db1", has=[]) == (0, 0)
    assert (home / "database").read_text() == "db1\n"


def test_a_restore_cut_short_is_no_restore(played: Any, home: Path) -> None:
    code, _ = restore(played, home, database="db2", has=[], puts="exit 22")
    assert code != 0
    assert (home / "database").read_text() == "db1\n"  # so backups wait, and the next deployment tries again
