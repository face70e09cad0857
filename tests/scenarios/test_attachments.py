from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evidence.report import FILES
from scenarios import attachments

RESULTS = "allure-results"


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


def test_without_alluredir_nothing_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "allure", None)  # to import it would fail
    config: Any = SimpleNamespace(getoption=lambda name, default: default)
    attachments.of_failure(config, tmp_path / "evidence.tar.gz")
    attachments.of_run(config, tmp_path)


def test_every_file_of_a_report_but_its_data_can_be_attached(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).touch()
    assert [path.name for path in attachments.files(tmp_path)] == ["report.html", "metrics.txt"]
