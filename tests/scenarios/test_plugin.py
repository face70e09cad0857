from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evidence import answers, journal, measures, runs
from evidence.answers import Answer
from evidence.entries import Waited, of
from evidence.journal import Entry, Journal
from evidence.report import model
from evidence.runs import Run
from lab import config, environment, owner
from lab.errors import CheckFailed
from lab.waiting import wait_until
from scenarios import plugin

from .test_attachments import RESULTS, attached, of_all, scenarios

pytest_plugins = ["pytester"]

LAB = config.load(config.LAB_FILE)
ROOT = Path(__file__).parents[2]
OK = Answer(1.0, 1.0, 1.01, 200, "1.0", "blue", "n1", None)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(environment, "STATE", tmp_path)


def run(tmp_path: Path) -> Run:
    return Run(LAB, "pytest features", 7, tmp_path / "runs")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("The live color is stopped", "the-live-color-is-stopped"),
        ("a release: <what>!", "a-release-what"),
        ("…", "scenario"),
        ("x" * 80, "x" * 60),
    ],
)
def test_a_scenarios_folder_is_its_name(name: str, folder: str) -> None:
    assert runs.slug(name) == folder


@pytest.mark.parametrize(
    ("name", "example", "full"),
    [
        ("Good", {}, "Good"),
        ("It is stopped", {"how": "stopped", "seconds": "8"}, "It is stopped"),
        ("Twice", {"how": "well", "n": "2"}, "Twice [well, 2]"),
    ],
)
def test_scenarios_of_an_outline_differ_in_their_names(name: str, example: dict[str, str], full: str) -> None:
    assert plugin.full_name(name, example) == full


@pytest.mark.parametrize(
    ("tag", "seconds"),
    [("deadline-600", 600), ("deadline-0", None), ("deadline-", None), ("deadline-9s", None), ("slow", None)],
)
def test_a_tag_gives_a_deadline(tag: str, seconds: int | None) -> None:
    assert plugin.deadline_of(tag) == seconds


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    assert run(tmp_path).folder != run(tmp_path).folder


def test_a_run_says_what_it_was(tmp_path: Path) -> None:
    facts = json.loads((run(tmp_path).folder / "run.json").read_text())
    assert (facts["lab"], facts["seed"], facts["command"]) == (LAB.name, 7, "pytest features")


def test_a_scenario_is_in_the_journal_before_its_first_step(tmp_path: Path) -> None:
    begun = run(tmp_path)
    begun.begin("First", "A feature")
    entries = journal.read(begun.journal.path)
    assert [(entry.kind, entry.facts()["phase"], entry.facts()["folder"]) for entry in entries] == [
        ("scenario", "begin", "01-first")
    ]


def test_the_end_has_the_numbers_and_how_many_entries_they_come_from(tmp_path: Path) -> None:
    begun = run(tmp_path)
    scenario = begun.begin("First")
    begun.record("probe", "/", 5).write_bytes(answers.line(OK))
    numbers = begun.end("passed", numbers={"x": 1})
    end = journal.read(begun.journal.path)[-1]
    assert (numbers["requests"], end.facts()["judged"], end.facts()["entries"]) == (1, numbers, 2)
    assert runs.requests(scenario.folder) == [OK]


def test_faults_of_this_run_are_taken_once_and_older_ones_never(tmp_path: Path) -> None:
    faults = Journal(journal.of_faults(), durable=True)
    faults.add(of("fault", id="old", phase="injected"))
    begun = run(tmp_path)
    begun.begin("First")
    faults.add(of("fault", id="new", phase="injected"))
    assert [e.facts()["id"] for e in begun.entries() if e.kind == "fault"] == ["new"]
    begun.end("passed")
    assert [e.facts()["id"] for e in begun.entries() if e.kind == "fault"] == ["new"]


def test_waits_are_in_the_journal_while_a_scenario_is_under_way(tmp_path: Path) -> None:
    begun = run(tmp_path)
    wait_until(lambda: True, 1, "before")
    begun.begin("First")
    wait_until(lambda: True, 1, "the books")
    begun.end("passed")
    wait_until(lambda: True, 1, "after")
    waits = [entry for entry in journal.read(begun.journal.path) if isinstance(entry, Waited)]
    assert [entry.what for entry in waits] == ["the books"]


# --- the plugin, played on small features -------------------------------------------------------------------

CONFTEST = """
    import time
    import pytest
    from pytest_bdd import given, then, when
    from pathlib import Path
    from evidence import answers, archive, journal, runs
    from lab import environment
    from scenarios import plugin
    from evidence.answers import Answer
    from evidence.entries import of

    class NoWatchers:
        def __init__(self, lab, journal): pass
        def start(self): pass
        def stop(self): pass

    def pack(lab, folder, scenario):
        seen = [entry.kind for entry in journal.read(folder / "journal.jsonl")]
        path = folder / f"{scenario.name}-evidence.tar.gz"
        path.write_text("healed" if "healed" in seen[-3:] else "before the heal")
        return path

    here = Path(__file__).parent
    runs.RUNS = here / "runs"
    environment.STATE = here  # a run holds its lab: here none but its own
    plugin.Watchers, plugin.DEADLINE, archive.collect = NoWatchers, 2, pack

    def pytest_configure(config):
        config.pluginmanager.register(plugin, "plugin")

    @pytest.fixture
    def healed(request):
        yield
        plugin.running(request.config).journal.add(of("healed"))

    @given("users ask")
    def ask(request, healed, record_property):
        record = plugin.running(request.config).record("probe", "/", 1)
        bad = Answer(1.0, 1.0, 1.5, 503, "", "", "", "http 503", "fail")
        unsure = Answer(2.0, 2.0, 2.5, None, "", "", "", "time-out", "unknown")
        record.write_bytes(answers.line(bad) + answers.line(unsure))
        record_property("measured", 5)

    @then("all is well")
    def well(): pass

    @then("all is not well")
    def ill(): assert False, "as expected"

    @when("nothing ends")
    def hang(): time.sleep(30)
"""
FEATURE = """
    Feature: Small
      Scenario: Good
        Given users ask
        Then all is well
      Scenario: Bad
        Given users ask
        Then all is not well
      @known-limit
      Scenario: Limited
        Then all is well
      @deadline-1
      Scenario: Endless
        Given users ask
        When nothing ends
      Scenario: Hanging
        When nothing ends
      Scenario Outline: Twice
        Then all is <how>
        Examples:
          | how  |
          | well |
"""


@dataclass(frozen=True)
class Played:
    """FEATURE played once: what pytest said, where it ran and the folder of its run."""

    said: str
    place: Path
    folder: Path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    place = tmp_path_factory.mktemp("played")
    (place / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    (place / "small.feature").write_text(textwrap.dedent(FEATURE))
    lines = "from pytest_bdd import scenarios\nscenarios('.')\ndef test_no_scenario(): pass\n"
    (place / "test_small.py").write_text(lines)
    (place / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\nfilterwarnings = error\n")
    options = [
        "-p",
        "no:cacheprovider",
        "--strict-markers",
        "--junitxml=junit.xml",
        "--cucumberjson=cucumber.json",
        f"--alluredir={RESULTS}",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return Played(done.stdout, place, next((place / "runs").iterdir()))


def ends(folder: Path) -> dict[str, Entry]:
    entries = journal.read(folder / "journal.jsonl")
    return {e.facts()["name"]: e for e in entries if e.kind == "scenario" and e.facts()["phase"] == "end"}


def test_every_scenario_of_a_session_ends_with_its_verdict(played: Played) -> None:
    assert {name: end.facts()["verdict"] for name, end in ends(played.folder).items()} == {
        "Good": "passed",
        "Bad": "failed",
        "Limited": "known limit",
        "Endless": "cut",
        "Hanging": "cut",
        "Twice [well]": "passed",
    }


def test_a_hanging_scenario_is_cut_at_its_own_deadline(played: Played) -> None:
    end = ends(played.folder)["Endless"]
    assert "Timeout (>1.0s)" in end.facts()["error"]
    assert 1 <= end.facts()["seconds"] < 10


def test_without_a_tag_the_common_deadline_counts(played: Played) -> None:
    assert "Timeout (>2.0s)" in ends(played.folder)["Hanging"].facts()["error"]


def test_evidence_is_collected_before_the_heal_and_its_path_printed(played: Played) -> None:
    archives = sorted(played.folder.glob("*-evidence.tar.gz"))
    assert [path.read_text() for path in archives] == ["before the heal"] * 3
    assert f"archive  {archives[0]}" in played.said and f"report   {played.folder}/report.html" in played.said


def test_the_command_to_repeat_is_printed(played: Played) -> None:
    assert "again    pytest -p no:cacheprovider --strict-markers" in played.said


def test_a_number_is_the_same_in_junit_journal_json_page_and_words(played: Played) -> None:
    tree = ElementTree.parse(played.place / "junit.xml")
    case = next(case for case in tree.iter("testcase") if case.get("name") == "test_good")
    junit = {str(one.get("name")): str(one.get("value")) for one in case.iter("property")}
    end = ends(played.folder)["Good"].facts()
    scenario = next(one for one in model.load(played.folder).scenarios if one.name == "Good")
    in_json = json.loads(json.dumps(model.plain(model.load(played.folder))))["scenarios"][0]
    plain = {key: str(value) for key, value in end["judged"].items() if not isinstance(value, list)}
    assert (junit["measured"], junit["failed"], junit["unknown"]) == ("5", "2", "1")
    assert plain.items() <= junit.items()
    assert (
        in_json["judged"] == scenario.judged == end["judged"] == measures.judge(scenario.answers, [], 0, "")
    )
    assert in_json["numbers"] == scenario.numbers == end["numbers"] == {"measured": 5}
    shown = (played.folder / "report.html").read_text()
    assert f"<b>{junit['failed']}</b><span>failed</span>" in shown
    assert f"<b>{float(junit['longest_outage']):.1f} s</b><span>longest outage</span>" in shown
    assert measures.says(scenario.answers).startswith(
        f"{junit['requests']} requests, {junit['failed']} failed"
    )


def test_cucumber_json_and_the_page_are_written(played: Played) -> None:
    assert len(json.loads((played.place / "cucumber.json").read_text())[0]["elements"]) == 6
    assert "Endless" in (played.folder / "report.html").read_text()


def test_steps_are_in_the_journal_with_what_went_wrong(played: Played) -> None:
    steps = [e.facts() for e in journal.read(played.folder / "journal.jsonl") if e.kind == "step"]
    failed = [(step["text"], step["error"]) for step in steps if step["phase"] == "failed"]
    assert failed[0][0] == "Then all is not well" and "as expected" in failed[0][1]


def test_each_scenario_has_its_status_and_its_steps(played: Played) -> None:
    found = scenarios(played.place / RESULTS)
    assert {name: result["status"] for name, result in found.items()} == {
        "Good": "passed",
        "Bad": "failed",
        "Limited": "passed",
        "Endless": "failed",
        "Hanging": "failed",
        "Twice": "passed",
    }
    assert [step["name"] for step in found["Good"]["steps"]] == ["Given users ask", "Then all is well"]


@pytest.mark.parametrize("name", ["Bad", "Endless", "Hanging"])
def test_a_failure_has_its_evidence_and_nothing_else_has(name: str, played: Played) -> None:
    (evidence,) = attached(scenarios(played.place / RESULTS)[name])
    assert evidence["name"].endswith(f"{name.lower()}-evidence.tar.gz")
    assert evidence["type"] == "application/gzip"
    assert (played.place / RESULTS / evidence["source"]).read_text() == "before the heal"
    assert attached(scenarios(played.place / RESULTS)["Good"]) == []


def test_the_page_the_numbers_and_the_journal_are_attached_once(played: Played) -> None:
    found = of_all(played.place / RESULTS)
    assert found.keys() == {"report.html", "metrics.txt", "journal.jsonl"}
    assert "Endless" in found["report.html"].read_text()
    assert found["metrics.txt"].read_text().endswith("# EOF\n")
    assert len(list((played.place / RESULTS).glob("*-globals.json"))) == 3


def test_without_scenarios_there_is_no_run(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_other(): pass")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert not (pytester.path / "runs").exists()


def test_a_run_does_not_begin_while_another_command_holds_the_lab(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_other(): pass")
    monkeypatch.setattr(environment, "STATE", pytester.path)
    with owner.held(pytest.fail):
        monkeypatch.delenv(owner.NAME)  # or it would be a part of what holds it
        played = pytester.runpytest_subprocess("-p", "no:cacheprovider")
        monkeypatch.setenv(owner.NAME, str(os.getpid()))
    assert played.ret == CheckFailed.exit_code
    played.stdout.fnmatch_lines(["*the lab is held by another command*"])
    played.assert_outcomes()


@pytest.mark.parametrize(
    ("words", "seed", "line"),
    [
        (["features/chaos", "-k", "a or b"], None, "pytest features/chaos -k 'a or b'"),
        (["features/chaos"], "a7", "pytest features/chaos --seed a7"),
        (["--seed", "7"], "7", "pytest --seed 7"),
        (["--seed=7"], "7", "pytest --seed=7"),
    ],
    ids=["no seed", "a seed that was chosen", "a seed that was given", "given in one word"],
)
def test_the_command_repeats_the_run(words: list[str], seed: str | None, line: str) -> None:
    assert plugin.repeated(words, seed) == line


KILLED = """
import sys, time
from pathlib import Path
from lab import config, environment
from evidence import runs
from evidence.entries import of
environment.STATE = Path(sys.argv[1])
run = runs.Run(config.load(config.LAB_FILE), "x", None, Path(sys.argv[1]) / "killed")
run.begin("Killed")
run.journal.add(of("step", phase="begin", text="When it is killed"))
print(run.folder, flush=True)
time.sleep(60)
"""


def test_a_killed_run_is_readable(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: process.returncode is not None, 5, "the end")
    assert [entry.kind for entry in journal.read(folder / "journal.jsonl")] == ["scenario", "step"]
