from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cli.report import TEXTS
from evidence import answers, runs
from evidence.answers import Answer
from evidence.report import FORMS
from evidence.runs import Run
from lab import config, environment

Said = tuple[int, str, str]


@pytest.fixture
def lab(command: Callable[..., Said]) -> Callable[..., Said]:
    """Runs `lab report WORDS...`; answers its exit code, stdout and stderr."""
    return partial(command, "report")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(environment, "STATE", tmp_path)


@pytest.fixture
def run() -> Run:
    begun = Run(config.load(config.LAB_FILE), "pytest", None)
    begun.begin("First")
    begun.record("probe", "/", 1).write_bytes(answers.line(Answer(1, 1, 1, 200, "1.0", "blue", "", None)))
    begun.end("passed")
    return begun


def test_the_path_of_the_newest_report_is_printed(lab: Callable[..., Said], run: Run) -> None:
    code, out, _ = lab()
    assert (code, out.strip()) == (0, str(run.folder / "report.html"))
    assert "First" in (run.folder / "report.html").read_text()
    assert (run.folder / "report.json").exists()


def test_an_unknown_run_is_a_usage_error(lab: Callable[..., Said], run: Run) -> None:
    code, _, err = lab("nonsense")
    assert code == 2 and 'no run "nonsense"' in err


def test_a_stored_run_is_judged_again(lab: Callable[..., Said], run: Run) -> None:
    assert lab("--recheck", run.folder.name)[0] == 0
    (run.folder / "01-first" / "probe.jsonl").unlink()
    code, _, err = lab("--recheck", run.folder.name)
    assert code == 1 and "First: requests was told as 1, is 0" in err


def test_the_numbers_are_printed_for_other_tools(lab: Callable[..., Said], run: Run) -> None:
    code, out, _ = lab("--format", "markdown")
    assert code == 0 and "| First | ✓ passed |" in out
    code, out, _ = lab("--format", "openmetrics", run.folder.name)
    assert code == 0 and 'bluegreen_lab_scenario_requests{scenario="First",feature=""} 1\n' in out
    assert out.endswith("# EOF\n")
    assert tuple(FORMS) == TEXTS


def test_the_path_of_the_slides_is_printed(lab: Callable[..., Said], run: Run) -> None:
    code, out, _ = lab("--story", run.folder.name)
    assert (code, out.strip()) == (0, str(run.folder / "story.html"))
    assert "First" in (run.folder / "story.html").read_text()
    assert not (run.folder / "report.html").exists()


def test_slides_are_told_of_chosen_scenarios(lab: Callable[..., Said], run: Run) -> None:
    begun = Run(config.load(config.LAB_FILE), "pytest", None, joined=run.folder)
    begun.begin("Second")
    begun.end("passed")
    assert lab("--story", "--scenario", "SECO")[0] == 0
    text = (run.folder / "story.html").read_text()
    assert "Second" in text and "First" not in text


def test_slides_of_a_scenario_that_is_none_are_a_usage_error(lab: Callable[..., Said], run: Run) -> None:
    code, _, err = lab("--story", "--scenario", "Frist")
    assert code == 2 and 'did you mean "First"' in err and "lab report --story" in err
    assert not (run.folder / "story.html").exists()


@pytest.mark.parametrize(
    "words",
    [("--story", "--recheck"), ("--story", "--format", "markdown"), ("--scenario", "First")],
)
def test_slides_are_no_other_format(words: tuple[str, ...], lab: Callable[..., Said], run: Run) -> None:
    code, _, err = lab(*words)
    assert code == 2 and "--story" in err


def test_slides_of_a_run_in_which_nothing_began_say_so(lab: Callable[..., Said], tmp_path: Path) -> None:
    run = Run(config.load(config.LAB_FILE), "pytest", None)
    assert lab("--story")[0] == 0
    assert "no scenario began in this run" in (run.folder / "story.html").read_text()


def test_slides_that_cannot_be_written_are_told_as_the_page_is(lab: Callable[..., Said], run: Run) -> None:
    (run.folder / "story.html").mkdir()
    (run.folder / "report.html").mkdir()
    assert lab("--story")[0] == lab()[0] == 5
    assert "cannot be written" in lab("--story")[2]


def test_a_run_is_judged_again_in_no_other_format(lab: Callable[..., Said], run: Run) -> None:
    code, _, err = lab("--recheck", "--format", "markdown")
    assert code == 2 and "no other --format" in err
