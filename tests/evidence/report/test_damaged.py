"""Whatever is in a run's folder, a report tells it: no damage is a crash, a silence or a write elsewhere."""

from __future__ import annotations

import json
import os
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


DEEP = "[" * 900 + "]" * 900
MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
TOLD = {"name", "feature", "text", "what", "error", "target", "detail", "node", "source", "container", "job"}


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


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _holds(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": _holds(b""),
    "cut": _cut,
    "a folder": _folder,
    "a link to itself": _link,
    "a device": _device,
    "a pipe": _pipe,
    "a byte order mark and no more": _holds(b"\xef\xbb\xbf"),
    "two writers at once": lambda path: path.write_bytes(
        bytes(one for one in path.read_bytes() for _ in "ab")
    ),
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


# --- a journal that is whole, and not as it was written -----------------------------------------------------


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def rewritten(run: Path, entries: list[dict[str, Any]]) -> tuple[str, ...]:
    """The warnings of a run with this journal."""
    (run / "journal.jsonl").write_text("".join(json.dumps(one) + "\n" for one in entries))
    return model.load(run).warnings


def end_of(entries: list[dict[str, Any]]) -> int:
    return next(
        at for at, one in enumerate(entries) if (one["kind"], one.get("phase")) == ("scenario", "end")
    )


def test_entries_that_are_gone_are_told(run: Path) -> None:
    told = rewritten(run, [one for one in lines(run) if one["kind"] != "wait"])
    assert "First: 1 of its entries and of those before it are gone" in told


def test_an_end_is_of_no_other_scenario(run: Path) -> None:
    entries = lines(run)
    second = entries.pop()
    told = rewritten(run, [*entries[:3], second, *entries[3:]])
    assert "First: an end (passed) that is not the end of a scenario, passed over" in told
    assert [one.verdict for one in model.load(run).scenarios] == ["cut", "cut"]


def test_a_second_end_is_told(run: Path) -> None:
    entries = lines(run)
    again = entries[end_of(entries)] | {"verdict": "failed"}
    told = rewritten(run, [*entries, again])
    assert "First: an end (failed) that is not the end of a scenario, passed over" in told


def test_a_scenario_that_is_there_twice_is_told(run: Path) -> None:
    assert "01-first: the folder of 2 scenarios" in rewritten(run, lines(run) * 2)


@pytest.mark.parametrize("requests", [4, 900])
def test_requests_that_are_not_as_many_as_were_told_are_told(requests: int, run: Path) -> None:
    entries = lines(run)
    entries[end_of(entries)]["judged"]["requests"] = requests
    told = rewritten(run, entries)
    assert f"First: {requests} requests were told, its records have 9" in told


def test_what_json_has_no_number_for_is_null(run: Path) -> None:
    entries = lines(run)
    entries[end_of(entries)]["numbers"] = {"x": [float("nan"), {"y": -float("inf")}]}
    rewritten(run, entries)
    report.write(run)
    text = (run / "report.json").read_text()
    said = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert said["scenarios"][0]["numbers"] == {"x": [None, {"y": None}]}


def test_what_is_nested_without_end_is_told(run: Path) -> None:
    text = (run / "journal.jsonl").read_text()
    (run / "journal.jsonl").write_text(text.replace('"numbers": {"x": 1}', f'"numbers": {{"x": {DEEP}}}'))
    (run / "run.json").write_text(
        (run / "run.json").read_text().replace('"versions": {', f'"v": {DEEP}, "w": {{')
    )
    told = model.load(run).warnings
    assert any("line 14: it is no entry" in line for line in told)
    assert any("run.json cannot be read: brackets in brackets" in line for line in told)


def test_a_journal_that_is_none_is_told_beside_one_that_is(run: Path) -> None:
    (run / "journal-other.jsonl").mkdir()
    assert any(
        "journal-other.jsonl cannot be read: Is a directory" in line for line in model.load(run).warnings
    )


def test_a_report_is_not_written_through_a_link(run: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    links = [run / name for name in (*report.FILES, report.STORY)]
    for link in links:
        link.symlink_to(tmp_path / "elsewhere")
    looked_at(run)
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert [path for path in links if path.is_symlink()] == []
    assert not [path for path in run.iterdir() if path.name.endswith(".new")]


def test_no_text_of_a_run_is_markup(run: Path) -> None:
    entries = [
        {key: MARKUP if isinstance(one, str) and key in TOLD else one for key, one in entry.items()}
        for entry in lines(run)
    ]
    rewritten(run, entries)
    looked_at(run)
    for name, scripts in (("report.html", 0), ("story.html", 1)):
        text = (run / name).read_text()
        assert text.count("<script") == scripts and "<img src=x" not in text


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
