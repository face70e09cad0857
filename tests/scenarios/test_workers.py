from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from execnet import XSpec

from evidence import journal
from evidence.entries import BRING_UP, TAKING_DOWN, LabPhase, Waited
from evidence.report import model
from lab import environment
from lab.errors import HostError, LabError
from scenarios import placing, workers

from .test_attachments import RESULTS, of_all, scenarios

ROOT = Path(__file__).parents[2]


def test_a_command_that_fails_is_told_with_its_last_lines_and_how_to_type_it() -> None:
    with pytest.raises(LabError, match="lab -n two fault inject nothing there ended with 2") as caught:
        workers.lab_command("two", "fault", "inject", "nothing", "there")
    assert 'no fault "nothing"' in (caught.value.last_seen or "")


# --- before any worker begins -------------------------------------------------------------------------------


def main(*typed: str, tx: tuple[str, ...] = ("popen",)) -> workers.Main:
    """The part of the main process of a run with these words and workers."""
    option = SimpleNamespace(maxschedchunk=None, maxworkerrestart=None, tx=tx)
    given = SimpleNamespace(args=typed)
    config: Any = SimpleNamespace(option=option, invocation_params=given)
    return workers.Main(config, lambda _: pytest.fail("a run began"))


def refusal(main: workers.Main, *specs: str) -> str:
    with pytest.raises(pytest.UsageError) as caught:
        main.pytest_xdist_setupnodes([XSpec(spec) for spec in specs])
    return str(caught.value)


@pytest.fixture
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "is_up", lambda: False)
    monkeypatch.setattr(workers.labs, "here", list)


@pytest.mark.usefixtures("no_lab")
def test_more_labs_than_the_memory_carries_are_refused_with_the_number_that_fits() -> None:
    said = refusal(main(), *["popen"] * 200)
    assert "200 labs do not fit" in said and "-n auto" in said


def test_an_engine_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_up() -> bool:
        raise HostError("no Docker engine answers", try_next="lab/host.sh")

    monkeypatch.setattr(workers, "is_up", is_up)
    assert "no Docker engine answers" in refusal(main(), "popen")


@pytest.mark.parametrize(
    "word", [placing.ALONE, f"{placing.ALONE}/test_cuts.py::test_x", "features/chaos/crash/"]
)
def test_what_is_played_alone_is_refused_where_it_is_asked_for_with_others(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    said = refusal(main("-n", "2", word), "popen", "popen")
    assert "is played without -n" in said and "make crash" in said


def test_a_path_of_this_checkout_is_refused_for_a_worker_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    said = refusal(main("features/healing"), "ssh=host//chdir=lab")
    assert f"{ROOT}/features/healing" in said and "-o testpaths=" in said


def test_a_worker_elsewhere_without_its_folder_is_refused() -> None:
    assert "chdir=FOLDER" in refusal(main(), f"ssh=host//chdir={placing.NO_FOLDER}")


def test_a_worker_that_cannot_begin_is_not_replaced_for_ever() -> None:
    config: Any = main(tx=("ssh=one", "ssh=two"))._config
    assert config.option.maxworkerrestart == 2 * workers.RESTARTS


# --- played on small features -------------------------------------------------------------------------------

CONFTEST = """
    import json
    import os
    import secrets
    import signal
    from pathlib import Path
    import pytest
    from pytest_bdd import when
    from evidence import archive, journal, runs
    from lab import environment, owner
    from lab.errors import LabError
    from lab.waiting import wait_until
    from scenarios import plugin, workers

    class Nothing:
        def __init__(self, *given): pass
        def start(self): pass
        def stop(self): pass
        def heal_all(self): note("healed", os.environ["LAB"])

    here = Path(__file__).parent
    runs.RUNS, environment.STATE = here / "runs", here
    plugin.Watchers = workers.Harness = Nothing

    def note(*words):
        with (here / "noted").open("a") as file:
            print(*words, file=file)

    def lab_command(name, *words):
        note(name, *words)

    def bring_up(say, phase):
        note(os.environ["LAB"], "up")
        note("held by", json.loads(owner.file().read_text())["command"])
        if (here / "no lab").exists():
            raise LabError("the lab does not come up", try_next="lab doctor")
        with phase("machines"):
            wait_until(lambda: True, 1, "SSH on every node")
        (here / ("up-" + os.environ["LAB"])).touch()

    def collect(lab, run, scenario):
        note("evidence of", scenario.name)
        return run / "evidence.tar.gz"

    archive.collect, workers.lab_command, workers.bring_up.bring_up_chosen = collect, lab_command, bring_up
    workers.is_up = lambda: (here / ("up-" + os.environ["LAB"])).exists()
    workers.machines.shells = lambda lab: {}

    def pytest_addoption(parser):
        parser.addoption("--seed", type=int, default=secrets.randbelow(10**6))

    def pytest_collection_finish(session):
        note("seed", session.config.getoption("--seed"))

    def pytest_configure(config):
        told = workers.of_worker(config)
        config.pluginmanager.register(workers.Worker(told) if told else workers.Main(config, plugin.running))
        config.pluginmanager.register(plugin, "plugin")

    @when("it is played")
    def played(): pass

    @when("its worker is killed")
    def killed():
        os.kill(os.getpid(), signal.SIGKILL)
"""
FEATURE = """
    Feature: Small
      Scenario: Deadly
        When its worker is killed
      Scenario Outline: Plain <number>
        When it is played
        Examples:
          | number |
          | one    |
          | two    |
          | three  |
          | four   |
"""


@dataclass(frozen=True)
class Played:
    exit: int
    said: str
    place: Path

    @property
    def noted(self) -> list[str]:
        return noted(self.place)


def noted(place: Path) -> list[str]:
    """What was done in a checkout, a line each."""
    file = place / "noted"
    return file.read_text().splitlines() if file.exists() else []


def lay_out(place: Path) -> None:
    """A checkout with small features, in which the first lab is up, unless none comes up."""
    (place / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    (place / "small.feature").write_text(textwrap.dedent(FEATURE))
    (place / "test_small.py").write_text("from pytest_bdd import scenarios\nscenarios('.')\n")
    if not (place / "no lab").exists():
        (place / "up-").touch()


def play(place: Path, *words: str) -> Played:
    lay_out(place)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *(words or ("-n", "2")), "--junitxml=junit.xml"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), environment.LAB: ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return Played(done.returncode, done.stdout + done.stderr, place)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp("parallel"), "-n", "2", f"--alluredir={RESULTS}")


def test_one_run_folder_and_one_report_hold_the_scenarios_of_every_lab(played: Played) -> None:
    (folder,) = (played.place / "runs").iterdir()
    report = model.load(folder)
    assert {scenario.name for scenario in report.scenarios} == {
        "Deadly",
        *(f"Plain {number}" for number in ("one", "two", "three", "four")),
    }
    assert len(list(folder.glob("journal-*.jsonl"))) == 2
    assert f"report   {folder}/report.html" in played.said and (folder / "report.html").exists()
    cases = list(ElementTree.parse(played.place / "junit.xml").iter("testcase"))
    assert len(cases) == 5


def test_the_crash_of_a_worker_is_a_failure_with_evidence_and_its_lab_is_healed(played: Played) -> None:
    assert played.exit == 1 and "1 failed, 4 passed" in played.said
    (folder,) = (played.place / "runs").iterdir()
    deadly = next(one for one in model.load(folder).scenarios if one.name == "Deadly")
    assert (deadly.verdict, deadly.evidence) == ("cut", "evidence.tar.gz")
    assert f"evidence of {deadly.folder}" in played.noted
    assert [line for line in played.noted if line.startswith("healed")] in (
        [["healed "], ["healed bluegreen-lab-2"]]
    )


def test_only_the_lab_that_the_run_brought_up_is_taken_down(played: Played) -> None:
    commands = [line for line in played.noted if line.startswith("bluegreen-lab")]
    assert commands == ["bluegreen-lab-2 up", "bluegreen-lab-2 down --wait"]


def test_the_bring_up_of_a_lab_its_waits_and_its_end_are_among_where_the_time_went(played: Played) -> None:
    (folder,) = (played.place / "runs").iterdir()
    parts = {row.part: row.times for row in model.load(folder).spending.rows if not row.what}
    assert (parts[BRING_UP], parts[TAKING_DOWN]) == (1, 1)
    kept = journal.read(folder / "journal-bluegreen-lab-2.jsonl")
    assert [(one.kind, one.facts()["what"]) for one in kept if isinstance(one, LabPhase | Waited)] == [
        ("wait", "SSH on every node"),
        (BRING_UP, "machines"),
        (TAKING_DOWN, ""),
    ]


def test_a_worker_holds_its_lab_in_the_name_of_the_run(played: Played) -> None:
    (holder,) = [line for line in played.noted if line.startswith("held by")]
    assert holder.startswith("held by pytest ")


def test_a_seed_that_was_not_typed_is_the_same_for_every_worker_and_is_told(played: Played) -> None:
    seeds = {line for line in played.noted if line.startswith("seed")}
    assert len(seeds) == 1
    assert f"--seed {seeds.pop().split()[1]}" in played.said


def test_how_long_each_took_is_kept_for_the_next_run(played: Played) -> None:
    kept = (played.place / ".pytest_cache/v/lab/seconds").read_text()
    assert kept.count("test_small.py::") == 5


def test_workers_attach_to_one_folder_each_its_journal(played: Played) -> None:
    found = of_all(played.place / RESULTS)
    assert len(scenarios(played.place / RESULTS)) == 4  # the fifth one's worker is killed
    assert {"report.html", "journal-bluegreen-lab-2.jsonl"} < found.keys() and len(found) == 4


def test_a_run_whose_lab_does_not_come_up_ends_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "no lab").touch()
    done = play(tmp_path, "-n", "1")
    assert done.exit != 0 and "the lab does not come up" in done.said and "lab doctor" in done.said


def crash_test(place: Path) -> None:
    folder = place / placing.ALONE
    folder.mkdir(parents=True)
    (folder / "test_cut.py").write_text("def test_cut(): pass\n")


def test_what_is_played_alone_is_skipped_among_the_rest(tmp_path: Path) -> None:
    crash_test(tmp_path)
    done = play(tmp_path, "-n", "1", "-rs", "-k", "cut or one", "-p", "no:cacheprovider")
    assert "1 passed, 1 skipped" in done.said and "played without -n" in done.said
    assert done.exit == 0  # also where nothing is remembered, without pytest's cache


# --- in another checkout ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Path]:
    """Played by a worker in another checkout, of this host's for once; and that one's folder."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    lay_out(there)
    return play(here, "-d", f"--tx=popen//chdir={there}"), there


def test_a_worker_elsewhere_plays_on_a_lab_that_has_a_name_of_its_own(elsewhere: tuple[Played, Path]) -> None:
    played, there = elsewhere
    (lab,) = {line.split()[0] for line in noted(there) if line.endswith(" up")}
    assert lab == next(placing.names_there("bluegreen-lab", f"this host in {there}"))
    assert noted(played.place) == []


def test_what_a_worker_elsewhere_played_is_in_the_one_report(elsewhere: tuple[Played, Path]) -> None:
    played, _ = elsewhere
    (folder,) = (played.place / "runs").iterdir()
    assert len(model.load(folder).scenarios) == 5
    assert "1 failed, 4 passed" in played.said


def test_a_lab_elsewhere_is_healed_by_the_next_worker_there(elsewhere: tuple[Played, Path]) -> None:
    played, there = elsewhere
    did = [line.split()[0] for line in noted(there) if line.startswith(("evidence", "healed"))]
    assert did == ["evidence", "healed"]
    assert "the next one there heals its lab" in played.said


def test_a_lab_elsewhere_is_taken_down_by_the_last_worker_of_the_run_that_brought_it_up(
    elsewhere: tuple[Played, Path],
) -> None:
    _, there = elsewhere
    commands = [line.split(" ", 1)[1] for line in noted(there) if line.startswith("bluegreen")]
    assert commands == ["up", "down --wait"]


def test_nothing_is_copied_to_another_checkout(elsewhere: tuple[Played, Path]) -> None:
    _, there = elsewhere
    assert not (there / "pytest").exists() and not (there / "_pytest").exists()


def test_what_a_worker_on_another_host_left_joins_the_run(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    (there / "two-01-first").mkdir(parents=True)
    (there / "journal-two.jsonl").write_text("its journal")
    (there / "two-01-first" / "probe.jsonl").write_text("its answers")
    here.mkdir()
    (here / "journal-one.jsonl").write_text("ours")
    workers.unpack(workers.packed(there), here)
    assert {str(path.relative_to(here)): path.read_text() for path in here.rglob("*.jsonl")} == {
        "journal-one.jsonl": "ours",
        "journal-two.jsonl": "its journal",
        "two-01-first/probe.jsonl": "its answers",
    }
