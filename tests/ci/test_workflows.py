"""What the workflows and the examples in docs/ci call is in this repository, and each job is bounded.

Whether they are workflows at all is for actionlint: `make lint-ci`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
EXAMPLES = ROOT / "docs/ci"
OURS = {path.name: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
ALL = OURS | {"the example": yaml.safe_load((EXAMPLES / "github.yml").read_text())}
GITLAB = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())
JENKINS = (EXAMPLES / "Jenkinsfile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SUBMODULE = "bluegreen-lab/"  # where the examples have the lab
ON = True  # what YAML reads as the word `on`


def bad(commands: Iterable[str]) -> list[str]:
    """The commands that are neither a target of the Makefile nor a script of this repository."""
    lines = [line for command in commands for line in command.splitlines() if line.strip()]
    return [line for line in lines if not is_ours(shlex.split(line))]


def is_ours(words: list[str]) -> bool:
    program, *rest = words
    if any(word in ("&&", "||", "|", ";") for word in words):
        return False
    if program != "make":
        script = ROOT / program.removeprefix(SUBMODULE)
        return "/" in program and script.is_file() and os.access(script, os.X_OK)
    named = [word for word in rest if re.fullmatch(r"[a-z-]+|\$\w+", word) and word not in ("-s", "-C")]
    targets = [word for word in named if word + "/" != SUBMODULE]
    return bool(targets) and all(target in TARGETS or target == "$TARGET" for target in targets)


def jobs(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from workflow["jobs"].values()


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in jobs(workflow):
        yield from job.get("steps", ())


def calls() -> Iterator[dict[str, Any]]:
    """The inputs of every call of play.yml, a matrix's each."""
    for workflow in OURS.values():
        for job in jobs(workflow):
            for row in job.get("strategy", {}).get("matrix", {}).get("include", [{}]):
                if "uses" in job:
                    yield {name: filled(value, row) for name, value in job["with"].items()}


def filled(value: Any, row: dict[str, Any]) -> Any:
    found = re.fullmatch(r"\$\{\{ matrix\.(\w+) \}\}", str(value))
    return row[found[1]] if found else value


@pytest.mark.parametrize("name", ALL)
def test_a_step_is_a_make_target_or_a_script_of_this_repository(name: str) -> None:
    runs = [step["run"] for step in steps(ALL[name]) if "run" in step]
    assert bad(runs) == []


def test_the_workflows_run_something() -> None:
    assert sum("run" in step for workflow in OURS.values() for step in steps(workflow)) > 5


@pytest.mark.parametrize(
    "line",
    [
        "make nothing",
        "make lint nothing",
        "make",
        "make -s -C bluegreen-lab",
        "pip install x",
        ".ci/no-such-script",
        "lab/host/packages.sh",
        "make lint && curl x",
    ],
)
def test_another_command_would_be_seen(line: str) -> None:
    assert bad([line]) == [line]


def test_what_is_played_is_there() -> None:
    given = list(calls())
    assert {call["target"] for call in given} <= TARGETS and len(given) > 5
    assert [call["part"] for call in given if not (ROOT / call.get("part", "")).exists()] == []
    names = [call["name"] for call in given]
    assert len(names) == len(set(names)), "two results of one name"


def test_every_feature_is_played_at_night() -> None:
    parts = {ROOT / call["part"] for call in calls() if "part" in call}
    files = [*(ROOT / "features").rglob("test_*.py")]
    assert files and [file for file in files if not parts & {file, *file.parents}] == []


@pytest.mark.parametrize("name", ALL)
def test_each_workflow_may_only_read_and_each_job_is_bounded(name: str) -> None:
    workflow = ALL[name]
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job or "uses" in job for job in jobs(workflow))
    # One that is called runs in the group of its caller.
    assert "concurrency" in workflow or list(workflow[ON]) == ["workflow_call"]


@pytest.mark.parametrize("name", ALL)
def test_every_action_has_a_version_and_no_checkout_keeps_a_credential(name: str) -> None:
    used = [step for step in steps(ALL[name]) if "uses" in step]
    actions = [step["uses"] for step in used]
    assert [one for one in actions if not re.fullmatch(r"actions/[a-z/-]+@v[0-9]+", one)] == []
    checkouts = [step for step in used if step["uses"].startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("name", ["play.yml", "the example"])
def test_results_are_kept_also_after_a_failure(name: str) -> None:
    (upload,) = [step for step in steps(ALL[name]) if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"
    assert upload["with"]["include-hidden-files"] is True, "or .lab is left out"
    (summary,) = [step for step in steps(ALL[name]) if "summary" in step.get("run", "")]
    assert summary["if"] == "always()"


def test_the_example_for_gitlab_calls_what_is_there_and_keeps_the_results() -> None:
    lab = GITLAB["lab"]
    assert bad([*lab["script"], *lab["after_script"]]) == []
    assert lab["artifacts"]["when"] == "always" and "timeout" in lab
    assert lab["artifacts"]["reports"]["junit"].removeprefix(SUBMODULE) in (ROOT / "Makefile").read_text()


def test_the_example_for_jenkins_calls_what_is_there_and_keeps_the_results() -> None:
    commands = re.findall(r"^ *sh '(.*)'$", JENKINS, re.MULTILINE)
    assert bad(commands) == ["git submodule update --init"]
    assert JENKINS.count("{") == JENKINS.count("}") and len(commands) == JENKINS.count("sh '")
    assert "junit testResults: 'bluegreen-lab/.lab/junit.xml'" in JENKINS and "timeout(" in JENKINS


def test_the_page_on_ci_names_every_example_and_every_workflow() -> None:
    page = (ROOT / "docs/ci.md").read_text()
    for path in (*WORKFLOWS, *EXAMPLES.iterdir()):
        assert path.name in page, path
