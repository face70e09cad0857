"""Features from outside of this checkout, as docs/ci.md says: their conftest.py takes the lab's phrases."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What docs/ci.md shows; the rest keeps the lab of this host out of it.
SHOWN = re.search(r"```python\n(from features.*?)```", (ROOT / "docs/ci.md").read_text(), re.DOTALL)
AND_NO_LAB = """
    from pathlib import Path
    from evidence import archive, runs
    from lab import config, environment

    class NoWatchers:
        def __init__(self, *given): pass
        def start(self): pass
        def stop(self): pass

    here = Path(__file__).parents[1]
    runs.RUNS, environment.STATE, plugin.Watchers = here / "runs", here, NoWatchers
    archive.collect = lambda lab, run, scenario: run / "evidence.tar.gz"

    @pytest.fixture(scope="session")
    def lab():
        return config.load(config.LAB_FILE)

    @pytest.fixture(scope="session")
    def shells():
        pytest.fail("a phrase of the lab asks for its nodes")
"""
FEATURE = """
    Feature: Ours
      Scenario: Our own
        Given the shop is open
      Scenario: The lab's
        Given the lab is at its baseline
      Scenario: Nobody's
        Given nobody wrote this
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("team") / "features"
    folder.mkdir()
    assert SHOWN is not None, "docs/ci.md shows no conftest.py"
    (folder / "conftest.py").write_text(SHOWN[1] + textwrap.dedent(AND_NO_LAB))
    (folder / "ours.feature").write_text(textwrap.dedent(FEATURE))
    (folder / "test_ours.py").write_text('from pytest_bdd import scenarios\n\nscenarios(".")\n')
    done = subprocess.run(
        # as .venv/bin/pytest does it
        [sys.executable, "-I", "-m", "pytest", "-c", "pyproject.toml", "-o", f"cache_dir={folder}/c", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_their_own_phrases_are_played(played: str) -> None:
    assert "2 failed, 1 passed" in played, played


def test_the_labs_phrases_are_known_to_them(played: str) -> None:
    assert re.search("^E +Failed: a phrase of the lab asks for its nodes$", played, re.MULTILINE)
    assert set(re.findall("Step definition is not found: (.*?)[.]", played)) == {'Given "nobody wrote this"'}


def test_the_seed_and_the_page_are_told(played: str) -> None:
    assert re.search(r"^seed: [0-9]+$", played, re.MULTILINE)
    assert re.search(r"^report   .*/runs/[0-9-]+/report.html$", played, re.MULTILINE)
