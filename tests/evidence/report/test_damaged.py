"""Whatever is in a run's folder, a report tells it: no damage is a crash, a silence or a write elsewhere."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from evidence import answers, report
from evidence.answers import Answer
from evidence.entries import of
from evidence.report import model
from evidence.runs import Run
from lab import config, environment
from lab.errors import LabError

pytestmark = pytest.mark.usefixtures("drawn_once")
LAB = config.load(config.LAB_FILE)
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 10**400, float("nan"), float("inf"), -1e300, 1e300),
    *(
        "",
        "x" * 5000,
        "../..",
        "/etc/passwd",
        "a\x00b",
        "\ud800",
        "\x1b[31m",
        "$x_{",
        "<b>&",
        "NaN",
        "\u2028",
    ),
    *([], [[]], {}, {"a": {"b": []}}, ["x"], [None]),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with one of each kind of entry; it stays whole."""
    place = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "STATE", place)
        return played(place)


@pytest.fixture
def run(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be damaged."""
    monkeypatch.setattr(environment, "STATE", tmp_path)
    return Path(shutil.copytree(whole, tmp_path / "runs" / whole.name))


def played(place: Path) -> Path:
    begun = Run(LAB, "pytest features", 7, place / "runs")
    scenario = begun.begin("First", "A feature")
    at = scenario.begin
    told = [
        Answer(at + n / 10, at + n / 10, at + n / 10 + 0.01, 200, "1.0", "blue", "n1", None) for n in range(9)
    ]
    begun.record("probe", "/", 10).write_bytes(b"".join(map(answers.line, told)))
    undo = {"place": "m", "heal": "h", "healed": "i", "timed": True, "last": False}
    for kind, facts in (
        ("step", {"phase": "begin", "text": "When it breaks"}),
        ("wait", {"what": "the books", "seconds": 0.1}),
        (
            "fault",
            {
                "id": "f",
                "phase": "inject",
                "name": "kill",
                "target": "nginx",
                "on": ["nginx"],
                "undo": [undo],
            },
        ),
        ("fault", {"id": "f", "phase": "healed", "seconds": 5, "deadline": at + 5, "detail": ""}),
        ("consul", {"node": "m", "check": "api", "service": "books", "was": "passing", "now": "critical"}),
        ("consul", {"color_of": "books-service", "was": "blue", "now": "green"}),
        ("consul", {"who": "Consul", "now": "does not answer", "error": "refused"}),
        ("swarm", {"container": "a_blue_1", "node": "n", "image": "i", "was": "", "now": "running"}),
        ("jenkins", {"job": "b", "build": 3, "was": "", "now": "SUCCESS", "seconds": 2.5}),
        ("log", {"node": "n", "source": "/x/y.log", "text": "a line"}),
        ("evidence", {"file": "evidence.tar.gz"}),
    ):
        begun.journal.add(of(kind, at + 0.2, **facts))
    begun.end("passed", numbers={"x": 1}, error="")
    begun.begin("Second")
    return begun.folder


def looked_at(folder: Path) -> tuple[str, ...]:
    """The warnings of a report that was written, and of judging again."""
    report.write(folder)
    page = (folder / "report.html").read_text()
    assert "</html>" in page and "\x1b" not in page
    slides = report.write_story(folder).read_text()
    assert "</html>" in slides and "\x1b" not in slides
    json.loads((folder / "report.json").read_text())
    assert list(text_string_to_metric_families((folder / "metrics.txt").read_text()))
    assert report.text(folder, "markdown").startswith("## ")
    try:
        again = model.recheck(folder)
    except LabError as error:
        again = [str(error)]
    return (*model.load(folder).warnings, *again)


def facts_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each fact of a JSON value, whole objects and lists included."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from facts_of(one, (*path, key))


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    copy = json.loads(json.dumps(value))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = odd
    return copy


@pytest.mark.parametrize("seed", range(10))
def test_a_fact_that_cannot_be_is_no_crash(seed: int, run: Path) -> None:
    chance = random.Random(seed)
    for name in ("journal.jsonl", "run.json", "01-first/probe.jsonl"):
        path = run / name
        whole = path.read_text()
        lines = whole.splitlines() if name.endswith("l") else [whole]
        for _ in range(3):
            place = chance.randrange(len(lines))
            value = json.loads(lines[place])
            odd = changed(value, chance.choice(list(facts_of(value))), chance.choice(ODD))
            lines[place] = json.dumps(odd)
        path.write_text("\n".join(lines) + "\n")
    looked_at(run)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _holds(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": _holds(b""),
    "cut": _cut,
    "a folder": _folder,
    "a link to itself": _link,
    "binary": _holds(bytes(range(256)) * 9),
    "one bracket": _holds(b"["),
    "many brackets": _holds(b"[" * 100_000),
    "a word": _holds(b'"word"\n'),
    "a list": _holds(b"[1, 2]\n"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["journal.jsonl", "run.json", "01-first/probe.jsonl"])
def test_a_damaged_file_is_told_by_its_name(name: str, damage: str, run: Path) -> None:
    DAMAGE[damage](run / name)
    told = looked_at(run)
    if damage == "empty" and name.endswith("probe.jsonl"):
        name = "First: requests"  # was told as 9, is 0
    assert any(name in line for line in told), told


def test_a_folder_of_a_scenario_that_is_gone_is_told(run: Path) -> None:
    shutil.rmtree(run / "01-first")
    assert any("probe.jsonl is missing" in line for line in looked_at(run))


# --- where a report may be written --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "/", "..", "/etc", "01-first", "\x00", "a\nb", "x" * 5000])
def test_what_is_no_run_is_refused_and_nothing_is_written(
    name: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent.parent)
    before = sorted(run.parent.parent.rglob("*"))
    with pytest.raises(LabError, match="no run"):
        report.write(model.find(name, run.parent))
    assert sorted(run.parent.parent.rglob("*")) == before


def test_a_run_is_found_by_its_path(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    assert model.find(".", run.parent).resolve() == run
    assert model.find(str(run), run.parent) == run


def test_the_newest_run_is_the_one_that_began_last_whatever_its_name(run: Path) -> None:
    shutil.copytree(run, older := run.with_name("zzz"))
    text = (older / "run.json").read_text()
    (older / "run.json").write_text(re.sub(r'"started": [0-9.]+', '"started": 1000.0', text))
    (run.parent / "zzzz-no-run").mkdir()
    assert model.find(None, run.parent) == run


def test_a_folder_that_takes_no_files_is_told(run: Path) -> None:
    (run / "report.html").mkdir()
    with pytest.raises(LabError, match="cannot be written"):
        report.write(run)
