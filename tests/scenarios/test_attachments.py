from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evidence.report import FILES
from scenarios import attachments

from .test_plugin import CONFTEST, FEATURE
from .test_workers import play

ROOT = Path(__file__).parents[2]
RESULTS = "allure-results"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of FEATURE and of a test that is no scenario left for Allure."""
    place = tmp_path_factory.mktemp("attached")
    (place / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    (place / "small.feature").write_text(textwrap.dedent(FEATURE))
    lines = "from pytest_bdd import scenarios\nscenarios('.')\ndef test_plain(): pass\n"
    (place / "test_small.py").write_text(lines)
    (place / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--alluredir", RESULTS],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 failed, 4 passed" in done.stdout, done.stdout + done.stderr
    return place / RESULTS


def scenarios(folder: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in folder.glob("*-result.json")]
    return {result["name"]: result for result in found}


def attached(result: dict[str, Any]) -> list[dict[str, str]]:
    """Those of a result or of one of its steps."""
    return [one for part in (result, *result.get("steps", ())) for one in part.get("attachments", ())]


def of_all(folder: Path) -> dict[str, Path]:
    """Name -> file of what is attached to the results as a whole."""
    found = [json.loads(path.read_text()) for path in folder.glob("*-globals.json")]
    return {one["name"]: folder / one["source"] for each in found for one in each["attachments"]}


def test_each_scenario_has_its_status_and_its_steps(results: Path) -> None:
    found = scenarios(results)
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
def test_a_failure_has_its_evidence_and_nothing_else_has(name: str, results: Path) -> None:
    (evidence,) = attached(scenarios(results)[name])
    assert evidence["name"].endswith(f"{name.lower()}-evidence.tar.gz")
    assert evidence["type"] == "application/gzip"
    assert (results / evidence["source"]).read_text() == "before the heal"
    assert attached(scenarios(results)["Good"]) == []


def test_the_page_the_numbers_and_the_journal_are_attached_once(results: Path) -> None:
    found = of_all(results)
    assert found.keys() == {"report.html", "metrics.txt", "journal.jsonl"}
    assert "Endless" in found["report.html"].read_text()
    assert found["metrics.txt"].read_text().endswith("# EOF\n")
    assert len(list(results.glob("*-globals.json"))) == 3


def test_workers_write_into_one_folder_and_each_journal_is_attached(tmp_path: Path) -> None:
    play(tmp_path, "-n", "2", f"--alluredir={RESULTS}")
    found = of_all(tmp_path / RESULTS)
    assert len(scenarios(tmp_path / RESULTS)) == 4  # the fifth one's worker is killed
    assert {"report.html", "journal-bluegreen-lab-2.jsonl"} < found.keys() and len(found) == 4


def test_without_alluredir_nothing_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "allure", None)  # to import it would fail
    config: Any = SimpleNamespace(getoption=lambda name, default: default)
    attachments.of_failure(config, tmp_path / "evidence.tar.gz")
    attachments.of_run(config, tmp_path)


def test_every_file_of_a_report_but_its_data_can_be_attached(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).touch()
    assert [path.name for path in attachments.files(tmp_path)] == ["report.html", "metrics.txt"]
