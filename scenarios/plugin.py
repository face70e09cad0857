"""The pytest plugin that keeps a run of the features: it begins and ends its scenarios."""

from __future__ import annotations

import re
import shlex
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import pytest

from evidence import journal, runs
from evidence.entries import EvidenceKept, StepPhase
from evidence.runs import Run
from evidence.watching import Watchers
from lab import config as lab_config
from lab import owner
from lab.errors import CheckFailed, LabError
from lab.waiting import stretched
from scenarios import attachments, workers
from scenarios.workshop.reading import number_of

DEADLINE = 300  # seconds a scenario may take; the tag @deadline-600 gives another number
EXAMPLE = "_pytest_bdd_example"  # the fixture that every scenario of pytest-bdd has, and only those
CUT = "Timeout (>"  # how pytest-timeout begins what it says
KNOWN_LIMIT = "known-limit"
RUNNING = pytest.StashKey[Run]()
VERDICT = pytest.StashKey[tuple[str, str]]()


def running(config: pytest.Config) -> Run:
    """The run of this session, made when its first scenario begins, or its first worker."""
    if RUNNING not in config.stash:
        lab = lab_config.load()
        joined = workers.run_folder(config)
        run = config.stash[RUNNING] = Run(lab, command(config), seed(config), joined=joined)
        if not workers.is_parallel(config):
            watchers = Watchers(lab, run.journal)
            watchers.start()
            config.add_cleanup(watchers.stop)
    return config.stash[RUNNING]


def seed(config: pytest.Config) -> str | None:
    given = config.getoption("--seed", default=None)
    return None if given is None else str(given)


def command(config: pytest.Config) -> str:
    """The line that repeats this run."""
    return repeated([str(word) for word in config.invocation_params.args], seed(config))


def repeated(words: Sequence[str], chosen: str | None) -> str:
    """`pytest` with these words, and the seed also when it was not among them."""
    if chosen is None or any(word.startswith("--seed") for word in words):
        return shlex.join(["pytest", *words])
    return shlex.join(["pytest", *words, "--seed", chosen])


def deadline_of(tag: str) -> int | None:
    """The seconds that a tag such as `deadline-600` gives, or None for another tag."""
    found = re.fullmatch(r"deadline-([1-9][0-9]*)", tag)
    return int(found[1]) if found else None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{KNOWN_LIMIT}: the article's design cannot do better; not a failure")


def pytest_bdd_apply_tag(tag: str, function: Any) -> bool | None:
    if number_of(tag) is not None:
        return True  # a step of the article: scenarios/workshop reads it
    seconds = deadline_of(tag)
    if seconds is None:
        return None
    pytest.mark.timeout(stretched(seconds))(function)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """The whole run holds the lab. Another command that does ends it before its first scenario."""
    if session.config.option.collectonly or workers.is_parallel(session.config):
        return (yield)
    try:
        wait = session.config.getoption("--wait", default=False)
        with owner.held(print, wait=wait, command=command(session.config)):
            return (yield)
    except CheckFailed as error:
        pytest.exit(str(error), returncode=error.exit_code)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        is_scenario = EXAMPLE in getattr(item, "fixturenames", ())
        if is_scenario and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(stretched(DEADLINE)))


def pytest_bdd_before_scenario(request: pytest.FixtureRequest, feature: Any, scenario: Any) -> None:
    name = full_name(scenario.name, request.getfixturevalue(EXAMPLE))
    running(request.config).begin(name, feature.name)


def full_name(name: str, example: Mapping[str, str]) -> str:
    """A scenario's name; with its example's values unless one of them is in it already."""
    values = [str(value) for value in example.values()]
    told = not values or any(value in name for value in values)
    return name if told else f"{name} [{', '.join(values)}]"


def pytest_bdd_before_step(request: pytest.FixtureRequest, step: Any) -> None:
    running(request.config).journal.add(StepPhase(phase="begin", text=_text(step)))


def pytest_bdd_after_step(request: pytest.FixtureRequest, step: Any) -> None:
    running(request.config).journal.add(StepPhase(phase="passed", text=_text(step)))


def pytest_bdd_step_error(request: pytest.FixtureRequest, step: Any, exception: BaseException) -> None:
    running(request.config).journal.add(
        StepPhase(phase="failed", text=_text(step), error=str(exception)[:2000])
    )


def _text(step: Any) -> str:
    return f"{step.keyword} {step.name}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    run = item.config.stash.get(RUNNING, None)
    if run is not None and run.scenario is not None:
        if call.when == "call":
            item.stash[VERDICT] = verdict(call, known_limit=item.get_closest_marker(KNOWN_LIMIT) is not None)
            if call.excinfo is not None:
                collect(item, run)
        elif call.when == "teardown":
            # Only now the probes have ended and the faults are healed; the properties go into the JUnit file.
            finish(item, run, call)
    report = yield
    return report


def verdict(call: pytest.CallInfo[None], *, known_limit: bool) -> tuple[str, str]:
    """A scenario's verdict and its error's text."""
    if call.excinfo is None:
        return ("known limit" if known_limit else "passed"), ""
    error = str(call.excinfo.value)
    return ("cut" if error.startswith(CUT) else "failed"), error


def collect(item: pytest.Item, run: Run) -> None:
    """The evidence of a failure, before anything is healed; its path is printed."""
    try:
        path = run.keep_evidence()
        item.add_report_section("call", "evidence", str(path))
        attachments.of_failure(item.config, path)
    except Exception as error:  # what failed first is what is told
        item.add_report_section("call", "evidence", f"not all of it is kept: {error}")


def finish(item: pytest.Item, run: Run, call: pytest.CallInfo[None]) -> None:
    word, error = item.stash.get(VERDICT, ("failed", "it did not begin"))
    if call.excinfo is not None:
        word = "failed" if word in ("passed", "known limit") else word
        error = f"{error}\nafterwards: {call.excinfo.value}".strip()
    measured = dict(item.user_properties)
    for name, value in run.end(word, numbers=measured, error=error[:4000]).items():
        if name not in measured and not isinstance(value, list):
            item.user_properties.append((name, value))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    run = config.stash.get(RUNNING, None)
    if run is None or workers.of_worker(config) is not None:
        return
    run.describe(command(config), seed(config))
    terminalreporter.section("evidence")
    for entry in (entry for path in runs.journals(run.folder) for entry in journal.read(path)):
        if isinstance(entry, EvidenceKept):
            terminalreporter.write_line(f"archive  {run.folder / entry.file}")
    terminalreporter.write_line(f"report   {_report(run)}")
    attachments.of_run(config, run.folder)
    if seed(config) is not None:
        terminalreporter.write_line(f"seed     {seed(config)}")
    terminalreporter.write_line(f"again    {command(config)}")


def _report(run: Run) -> str:
    # Drawing takes a second to load and is needed only here.
    from evidence.report import write  # noqa: PLC0415

    try:
        return str(write(run.folder))
    except (LabError, OSError) as error:
        return f"none: {error}"
