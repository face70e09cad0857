"""The copies of the services' records: never an empty one over a full one, never half a one back."""

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
URL = "http://10.100.199.201:32768/api/v1/books"
COPY = '[{"_id": "1"}, {"_id": "2"}]'


class Home:
    """/data/backups of the master, a database and the service that answers with its records."""

    def __init__(self, played: Any, root: Path) -> None:
        self.played, self.root = played, root
        self.home = root / "backups/books-service"
        self.home.mkdir(parents=True)
        self.id = "echo db-1 n1"
        self.records = f"echo '{COPY}'"
        self.put = "true"

    def has(self, database: str | None, records: str | None, node: str | None = None) -> None:
        for name, text in (("database", database), ("records.json", records), ("node", node)):
            if text is not None:
                (self.home / name).write_text(text)

    def copy(self) -> tuple[str | None, str | None]:
        """The database and the records of the copy, as they are now."""
        paths = [self.home / name for name in ("database", "records.json")]
        database, records = (path.read_text().strip() if path.exists() else None for path in paths)
        return database, records

    def run(self, script: str, *words: str) -> int:
        # `-o FILE` as curl takes it
        into = 'out=/dev/stdout; while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done'
        get = f"{into}; {{ {self.records}; }} >$out"
        self.played.by_words("curl", {"*-X PUT*": f"cat >>$state/put; {self.put}"}, otherwise=get)
        # `{{.Id}}` alone, or with the node
        self.played.by_words("docker", {"*Node.Name*": self.id}, otherwise=f"set -- $({self.id}) && echo $1")
        code: int = self.played.run(
            script, *words, places={"/data/backups": f"{self.root}/backups"}
        ).returncode
        return code

    def backup(self) -> None:
        assert self.run(BACKUP) == 0

    def restore(self) -> int:
        return self.run(RESTORE, "books-service", "booksservice_db_1", URL)

    @property
    def deletes(self) -> list[str]:
        return [call.rsplit("/", 1)[1] for call in self.played.calls("-X DELETE")]

    @property
    def puts(self) -> list[dict[str, str]]:
        put = self.played.state / "put"
        return [json.loads(line) for line in put.read_text().splitlines()] if put.exists() else []


@pytest.fixture
def home(played: Any, tmp_path: Path) -> Home:
    return Home(played, tmp_path)


# --- backup -------------------------------------------------------------------------------------------------


def test_the_records_of_the_database_that_is_meant_are_copied(home: Home) -> None:
    home.has("db-1", "[]")
    home.backup()
    assert home.copy() == ("db-1", COPY)


KEPT = {
    "the database is another one": ("echo db-2", "echo '[]'"),
    "the database is gone": ("exit 1", "echo '[]'"),
    "the service is silent": ("echo db-1", "exit 7"),
    "the service answers with no list": ("echo db-1", 'echo \'{"error": "no database"}\''),
    "the answer is cut short": ("echo db-1", "printf '[{\"_id\"'"),
    "the answer is empty": ("echo db-1", "true"),
}


@pytest.mark.parametrize("case", KEPT)
def test_the_copy_stays_as_it_is_when(case: str, home: Home) -> None:
    home.has("db-1", COPY)
    home.id, home.records = KEPT[case]
    home.backup()
    assert home.copy() == ("db-1", COPY)


def test_no_database_was_ever_meant_and_so_none_is_copied(home: Home) -> None:
    home.backup()
    assert home.copy() == (None, None)


def test_only_services_with_a_database_are_copied(home: Home) -> None:
    home.has("db-1", COPY)
    home.backup()
    assert len(home.played.calls("docker")) == 1


# --- restore ------------------------------------------------------------------------------------------------


def test_a_new_empty_database_gets_every_record_through_the_service(home: Home) -> None:
    home.has("db-0", COPY)
    home.records = "echo '[]'"
    assert home.restore() == 0
    assert home.puts == json.loads(COPY)
    assert home.copy() == ("db-1", COPY)


def test_a_record_longer_than_an_argument_can_be_is_restored(home: Home) -> None:
    records = json.dumps([{"_id": "what?", "title": "x" * 2_000_000}, {"_id": "é / .."}])
    home.has("db-0", records)
    home.records = "echo '[]'"
    assert home.restore() == 0
    assert home.puts == json.loads(records)


def test_the_id_of_a_record_that_goes_is_no_part_of_another_address(home: Home) -> None:
    home.has("db-0", "[]", "n0")
    home.records = """echo '[{"_id": "1?x"}, {"_id": "a/b#c"}, {"_id": ".."}]'"""
    assert home.restore() == 0
    assert home.deletes == ["1%3Fx", "a%2Fb%23c", ".."]
    assert all("--path-as-is" in call for call in home.played.calls("-X DELETE"))


def test_the_same_database_is_left_alone(home: Home) -> None:
    home.has("db-1", COPY)
    assert home.restore() == 0
    assert home.played.calls("curl") == []


@pytest.mark.parametrize("node", ["n1", None], ids=["of the same node", "of a copy that knows no node"])
def test_a_new_database_with_records_of_its_own_keeps_them(node: str | None, home: Home) -> None:
    home.has("db-0", COPY, node)
    home.records = 'echo \'[{"_id": "9"}]\''
    assert home.restore() == 0
    assert (home.puts, home.deletes, home.copy()[0]) == ([], [], "db-1")


@pytest.mark.parametrize("copy", [COPY, "[]"], ids=["books", "no book"])
def test_a_database_on_another_node_has_the_copy_whatever_that_node_kept(copy: str, home: Home) -> None:
    home.has("db-0", copy, "n2")
    home.records = 'echo \'[{"_id": "1", "title": "old"}, {"_id": "a/ b"}, {"_id": 12}]\''
    assert home.restore() == 0
    kept = [book["_id"] for book in json.loads(copy)]
    assert home.deletes == [one for one in ("1", "a%2F%20b", "12") if one not in kept]
    assert home.puts == json.loads(copy)
    assert home.copy() == ("db-1", copy)


@pytest.mark.parametrize(("database", "node"), [("db-0", "n2"), ("db-1", None), (None, None)])
def test_the_node_of_the_database_that_is_meant_is_noted(
    database: str | None, node: str | None, home: Home
) -> None:
    home.has(database, COPY, node)
    assert home.restore() == 0
    assert (home.home / "node").read_text() == "n1\n"


@pytest.mark.parametrize("records", [None, ""], ids=["no copy", "an empty file"])
def test_without_a_copy_the_database_is_meant_from_now_on(records: str | None, home: Home) -> None:
    home.has(None, records)
    home.records = "echo '[]'"
    assert home.restore() == 0
    assert (home.puts, home.copy()[0]) == ([], "db-1")


def test_a_silent_service_fails_it_and_the_copy_stays_the_one_of_the_old_database(home: Home) -> None:
    home.has("db-0", COPY)
    home.records = "exit 7"
    assert home.restore() != 0
    assert home.copy() == ("db-0", COPY)


def test_a_database_that_is_gone_fails_it(home: Home) -> None:
    home.has("db-0", COPY)
    home.id = "exit 1"
    assert home.restore() != 0
    assert home.copy() == ("db-0", COPY)


def test_a_restore_that_broke_off_begins_again(home: Home) -> None:
    home.has("db-0", COPY)
    home.records, home.put = "echo '[]'", "[ ! -e $state/one ] && echo >$state/one"
    assert home.restore() != 0
    assert home.copy()[0] == "db-0"
    home.records, home.put = 'echo \'[{"_id": "1"}]\'', "true"
    assert home.restore() == 0
    assert home.puts == 2 * json.loads(COPY)
    assert home.copy() == ("db-1", COPY)
