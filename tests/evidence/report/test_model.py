from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evidence import answers, runs
from evidence.answers import Answer
from evidence.entries import TAKING_DOWN, LabPhase, of
from evidence.journal import Entry, Journal
from evidence.report import model
from evidence.runs import Run
from lab import config, environment
from lab.errors import ConfigError

LAB = config.load(config.LAB_FILE)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(environment, "STATE", tmp_path)


def answer(at: float, error: str | None = None) -> Answer:
    outcome: answers.Outcome = "fail" if error else "ok"
    return Answer(at, at, at + 0.01, None if error else 200, "1.0", "blue", "n1", error, outcome)


@pytest.fixture
def run() -> Run:
    """A run of two scenarios, one with a fault and requests, one with neither."""
    begun = Run(LAB, "pytest features", 7)
    scenario = begun.begin("First", "A feature")
    at = scenario.begin
    told = [answer(at + n / 10, "refused" if 10 < n < 20 else None) for n in range(50)]
    begun.record("probe", "/", 10).write_bytes(b"".join(map(answers.line, told)))
    begun.journal.add(of("step", phase="begin", text="When it breaks"))
    begun.journal.add(of("fault", at + 1, **{"id": "f", "phase": "injected", "name": "kill"}))
    begun.journal.add(of("step", phase="passed", text="When it breaks"))
    begun.journal.add(of("consul", node="m", check="api", service="books", was="passing", now="critical"))
    begun.end("passed", numbers={"x": 1}, error="")
    begun.begin("Second")
    begun.end("failed", numbers={}, error="no")
    return begun


def test_a_run_is_its_scenarios_in_order(run: Run) -> None:
    report = model.load(run.folder)
    assert [(one.name, one.verdict, len(one.answers)) for one in report.scenarios] == [
        ("First", "passed", 50),
        ("Second", "failed", 0),
    ]
    assert (report.facts["seed"], report.warnings) == (7, ())


def test_a_scenario_holds_what_happened_in_it(run: Run) -> None:
    first = model.load(run.folder).scenarios[0]
    assert [(step.text, step.outcome) for step in first.steps] == [("When it breaks", "passed")]
    assert [(event.text, event.mood) for event in first.events] == [
        ("books (api): passing → critical", "bad")
    ]
    assert [fault.name for fault in first.faults] == ["kill"]
    assert (first.judged["failed"], first.numbers) == (9, {"x": 1})


def test_a_fault_from_before_a_scenario_is_none_of_its_own(run: Run) -> None:
    third = run.begin("Third")
    run.journal.add(of("fault", third.begin - 9, id="g", phase="inject", name="stop"))
    run.journal.add(of("fault", third.begin + 1, id="h", phase="inject", name="kill"))
    run.end("passed")
    assert [fault.name for fault in model.load(run.folder).scenarios[2].faults] == ["kill"]


def test_a_scenario_knows_which_color_was_live_before_it(run: Run) -> None:
    run.journal.add(of("consul", 5.0, color_of=LAB.main_service.name, now="green", first=True))
    run.begin("Third")
    run.end("passed")
    assert model.load(run.folder).scenarios[2].live == ((5.0, "green"),)


def test_the_report_is_plain_data_too(run: Run) -> None:
    plain = json.loads(json.dumps(model.plain(model.load(run.folder))))
    first = plain["scenarios"][0]
    assert (plain["run"], plain["seed"], first["verdict"]) == (run.folder.name, 7, "passed")
    assert sum(row["requests"] for row in first["by_second"]) == 50
    assert sum(row["failed"] for row in first["by_second"]) == 9


def test_the_report_tells_where_the_time_went(run: Run) -> None:
    report = model.load(run.folder)
    names = [row.name for row in report.spending.rows if not row.what]
    assert names == ["steps", "outside of steps"]
    assert report.spending.rows[-1].times == len(report.scenarios)
    plain = model.plain(report)["spending"]
    assert [row["part"] for row in plain["rows"]] == [row.part for row in report.spending.rows]


def test_taking_down_the_lab_of_a_cut_scenario_is_not_of_the_scenario(run: Run) -> None:
    begun = run.begin("Third")
    run.journal.add(LabPhase(at=begun.begin + 100.0, kind=TAKING_DOWN, seconds=1.0))
    report = model.load(run.folder)
    assert report.scenarios[-1].verdict == "cut" and report.scenarios[-1].seconds < 50
    assert [row.seconds for row in report.spending.rows if row.part == TAKING_DOWN] == [1.0]


# --- finding ----------------------------------------------------------------------------------------------


def test_the_newest_run_is_found_without_a_name(run: Run) -> None:
    newer = Run(LAB, "pytest", None)
    assert model.find(None) == newer.folder
    assert model.find(run.folder.name) == run.folder
    assert model.find(str(run.folder)) == run.folder


def test_an_unknown_run_is_an_error_with_the_nearest_name(run: Run) -> None:
    with pytest.raises(ConfigError, match=f'did you mean "{run.folder.name}"'):
        model.find(run.folder.name[:-1] + "x")


@pytest.mark.parametrize("name", [None, "20200101-000000"])
def test_without_any_run_that_is_said(name: str | None) -> None:
    with pytest.raises(ConfigError, match="no run"):
        model.find(name)


# --- what a run may be left as ----------------------------------------------------------------------------


def test_an_empty_folder_is_a_report_that_says_so(tmp_path: Path) -> None:
    report = model.load(tmp_path)
    assert report.scenarios == ()
    assert any("run.json cannot be read" in warning for warning in report.warnings)
    assert any("journal.jsonl is empty" in warning for warning in report.warnings)


def test_a_run_in_which_nothing_began_is_said(tmp_path: Path) -> None:
    run = Run(LAB, "pytest", None)
    run.journal.add(of("consul", who="Consul", now="does not answer"))
    assert model.load(run.folder).warnings == ("no scenario began in this run",)


def test_a_scenario_without_an_end_was_cut(run: Run) -> None:
    run.begin("Third")
    run.record("probe", "/", 1).write_bytes(answers.line(answer(1)))
    third = model.load(run.folder).scenarios[2]
    assert (third.verdict, third.judged["requests"]) == ("cut", 1)
    assert "the run ended in the middle" in third.error


def test_a_journal_cut_in_the_middle_of_a_line_is_read_up_to_it(run: Run) -> None:
    text = run.journal.path.read_text()
    run.journal.path.write_text(text[: text.rindex('"kind": "scenario", "phase": "end"') + 20])
    report = model.load(run.folder)
    assert [one.verdict for one in report.scenarios] == ["passed", "cut"]
    assert len(report.warnings) == 1 and "cut short" in report.warnings[0]


def test_a_record_that_is_missing_is_told(run: Run) -> None:
    (run.folder / "01-first" / "probe.jsonl").unlink()
    report = model.load(run.folder)
    assert report.scenarios[0].answers == ()
    assert any("probe.jsonl is missing" in warning for warning in report.warnings)


def test_a_record_cut_in_the_middle_of_a_line_is_read_up_to_it(run: Run) -> None:
    record = run.folder / "01-first" / "probe.jsonl"
    record.write_bytes(record.read_bytes()[:-30])
    report = model.load(run.folder)
    assert len(report.scenarios[0].answers) == 49
    assert any("line 50 is cut short" in warning for warning in report.warnings)


# --- what happened ----------------------------------------------------------------------------------------


def test_what_is_not_understood_is_told_and_nothing_else_is_lost(run: Run) -> None:
    before = model.load(run.folder)
    with (run.folder / "journal.jsonl").open("a") as file:
        file.write('{"at": 9, "kind": "of a later version", "x": 1}\n{"at": 9, "kind": "step"}\n')
    report = model.load(run.folder)
    assert len(report.scenarios) == len(before.scenarios)
    assert [warning.partition(": ")[2][:47] for warning in report.warnings] == [
        "an entry of the kind 'of a later version' is no",
        "an entry of the kind 'step' is not understood: ",
    ]


def test_what_was_so_from_the_start_is_no_event() -> None:
    first = of("consul", 1, **{"color_of": "books", "now": "blue", "first": True})
    assert model.events([first]) == []


def test_a_flood_of_events_is_bounded() -> None:
    many = [of("log", n, **{"text": "x"}) for n in range(model.MOST_EVENTS + 5)]
    assert len(model.events(many)) == model.MOST_EVENTS


def test_a_build_lasts_from_when_it_was_seen_to_its_end() -> None:
    def seen(at: float, number: int, now: str) -> Entry:
        return of("jenkins", at, **{"job": "books", "build": number, "now": now, "seconds": 4})

    found = model.builds(
        [seen(1, 7, "building"), seen(6, 7, "SUCCESS"), seen(20, 8, "FAILURE"), seen(30, 9, "building")]
    )
    assert [(one.number, one.begin, one.end, one.result) for one in found] == [
        (7, 1, 6, "SUCCESS"),
        (8, 16, 20, "FAILURE"),
        (9, 30, None, "building"),
    ]


# --- judged again -----------------------------------------------------------------------------------------


def test_a_stored_run_is_judged_as_it_was(run: Run, tmp_path: Path) -> None:
    moved = shutil.move(run.folder, tmp_path / "elsewhere")
    assert model.recheck(Path(moved)) == []


def test_what_came_after_a_scenario_does_not_change_it(run: Run) -> None:
    Journal(run.journal.path).add(of("consul", node="m", check="api", was="passing", now="critical"))
    assert model.recheck(run.folder) == []


def test_a_changed_answer_is_a_difference(run: Run) -> None:
    record = run.folder / "01-first" / "probe.jsonl"
    record.write_bytes(record.read_bytes().replace(b'"fail"', b'"ok"', 1))
    found = model.recheck(run.folder)
    assert "First: failed was told as 9, is 8" in found


def test_a_changed_number_is_a_difference(run: Run) -> None:
    path = run.journal.path
    path.write_text(path.read_text().replace('"longest_outage": 0.9', '"longest_outage": 0.1'))
    assert model.recheck(run.folder) == ["First: longest_outage was told as 0.1, is 0.9"]


def test_a_missing_record_is_a_difference(run: Run) -> None:
    (run.folder / "01-first" / "probe.jsonl").unlink()
    assert "First: requests was told as 50, is 0" in model.recheck(run.folder)


def test_a_scenario_that_did_not_end_is_a_difference(run: Run) -> None:
    run.begin("Third")
    assert model.recheck(run.folder) == ["Third: it did not end, so nothing was told of it"]


def test_nothing_to_judge_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to judge"):
        model.recheck(tmp_path)


def test_what_came_while_it_was_judged_does_not_change_it() -> None:
    begun = Run(LAB, "pytest", None)
    begun.begin("First")
    begun.end("passed")
    *before, end = begun.journal.path.read_text().splitlines()
    late = '{"at": 9e9, "kind": "fault", "id": "f", "phase": "injected"}'
    begun.journal.path.write_text("\n".join([*before, late, end]) + "\n")
    assert model.recheck(begun.folder) == []
