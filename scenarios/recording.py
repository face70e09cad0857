"""The folder of a run, and the pytest plugin that fills it.

`.lab/runs/<YYYYmmdd-HHMMSS>/` holds run.json (what was run), journal.jsonl (what happened, in order) and
`<number>-<scenario>/` with the record of each probe. All is written as it happens and readable after a kill.

Kinds of entries: `scenario` (phase begin or end; the end has verdict, seconds, error, what the steps measured
as `numbers` and what `verdicts.judge` says as `judged`), `step`, `probe`, `fault`, `consul`, `swarm`,
`jenkins`, `log`, `evidence`.
"""

from __future__ import annotations

import json
import platform
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from lab import config as lab_config
from lab import environment
from lab.config import Lab
from lab.errors import LabError
from lab.waiting import stretched
from scenarios import answers, evidence, journal, verdicts
from scenarios.answers import Answer
from scenarios.journal import Entry, Journal
from scenarios.watching import Watchers

RUNS = environment.STATE / "runs"
FAULTS = journal.of_faults()
JOURNAL = "journal.jsonl"
RUN = "run.json"
DEADLINE = 300  # seconds a scenario may take; the tag @deadline-600 gives another number
EXAMPLE = "_pytest_bdd_example"  # the fixture that every scenario of pytest-bdd has, and only those
CUT = "Timeout (>"  # how pytest-timeout begins what it says
KNOWN_LIMIT = "known-limit"
VERSIONS = ("pytest", "pytest-bdd", "docker", "fabric", "httptools")


# --- a run --------------------------------------------------------------------------------------------------


def slug(name: str) -> str:
    """A name as a folder: small letters, digits and hyphens, at most 60 of them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "scenario"


@dataclass
class Scenario:
    """One scenario under way."""

    name: str
    feature: str
    folder: Path
    begin: float


class Run:
    """One run: begins and ends scenarios, and keeps what they leave. `seed` is what made its choices."""

    def __init__(
        self, lab: Lab, command: str, seed: int | str | None = None, runs: Path | None = None
    ) -> None:
        self.lab = lab
        self.started = time.time()
        self.folder = _new_folder(runs or RUNS, self.started)
        self.journal = Journal(self.folder / JOURNAL)
        self.scenario: Scenario | None = None
        self._count = 0
        self._faults_seen = len(journal.read(FAULTS))
        self.describe(command, seed)

    def describe(self, command: str, seed: int | str | None) -> None:
        """run.json; again when the seed became known later."""
        facts = {
            "lab": self.lab.name,
            "service": self.lab.services[0].name,
            "started": self.started,
            "command": command,
            "seed": seed,
            "check_interval": self.lab.check_interval,
            "versions": {"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        }
        (self.folder / RUN).write_text(json.dumps(facts, indent=2) + "\n")

    def begin(self, name: str, feature: str = "") -> Scenario:
        self._count += 1
        folder = self.folder / f"{self._count:02d}-{slug(name)}"
        folder.mkdir()
        entry = self.journal.write("scenario", phase="begin", name=name, feature=feature, folder=folder.name)
        self.scenario = Scenario(name, feature, folder, entry.at)
        return self.scenario

    def entries(self) -> list[Entry]:
        """What the run's journal has so far, in the order it happened; the journal of faults included."""
        self.take_faults()
        return sorted(journal.read(self.journal.path), key=lambda entry: entry.at)

    def record(self, name: str, **facts: Any) -> Path:
        """The path for a probe's record, noted in the journal with what the probe does."""
        assert self.scenario is not None, "no scenario has begun"
        path = self.scenario.folder / f"{name}.jsonl"
        self.journal.write("probe", record=path.name, **facts)
        return path

    def note_fault(self, moment: float, target: str) -> None:
        """A fault that a step injected by hand, under the step's own words; none when the journal has one."""
        assert self.scenario is not None, "no scenario has begun"
        own = [entry for entry in self.entries() if entry.at >= self.scenario.begin]
        if verdicts.faults(own):
            return
        # Without the keyword: "When the live color is stopped" is the fault "the live color is stopped".
        words = [
            entry.facts["text"].partition(" ")[2]
            for entry in own
            if entry.kind == "step" and entry.at <= moment
        ]
        facts = {"id": self.scenario.folder.name, "phase": "injected", "target": target}
        self.journal.add(Entry(moment, "fault", {**facts, "name": words[-1] if words else "broken"}))

    def keep_evidence(self) -> Path:
        """Archive how everything stands now in the scenario under way; answers the archive's path."""
        assert self.scenario is not None, "no scenario has begun"
        path = evidence.collect(self.lab, self.folder, self.scenario.folder)
        self.journal.write("evidence", file=path.name)
        return path

    def take_faults(self) -> None:
        """Copy what came to the journal of faults since the last time."""
        entries = journal.read(FAULTS)
        for entry in entries[self._faults_seen :]:
            self.journal.add(entry)
        self._faults_seen = len(entries)

    def judge(self) -> tuple[dict[str, Any], int]:
        """The numbers of the scenario under way, and how many entries they come from."""
        assert self.scenario is not None, "no scenario has begun"
        self.take_faults()
        entries = journal.read(self.journal.path)
        return judged(self.scenario.folder, entries, self.scenario.begin, self.lab.services[0].name), len(
            entries
        )

    def end(self, verdict: str, **facts: Any) -> dict[str, Any]:
        """The end of the scenario under way; verdict is passed, failed, known limit or cut."""
        assert self.scenario is not None, "no scenario has begun"
        numbers, count = self.judge()
        self.journal.write(
            "scenario",
            phase="end",
            name=self.scenario.name,
            folder=self.scenario.folder.name,
            verdict=verdict,
            seconds=round(time.time() - self.scenario.begin, 2),
            judged=numbers,
            entries=count,
            **facts,
        )
        self.scenario = None
        return numbers


def _new_folder(runs: Path, started: float) -> Path:
    """A folder of its own, also for the second run of one second."""
    while True:
        folder = runs / time.strftime("%Y%m%d-%H%M%S", time.localtime(started))
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            started += 1
        else:
            return folder


def requests(folder: Path, warn: Callable[[str], None] = lambda _: None) -> list[Answer]:
    """The answers of every probe of a scenario's folder, in the order they were due."""
    found = [answer for path in sorted(folder.glob("*.jsonl")) for answer in answers.read(path, warn)]
    return sorted(found, key=lambda answer: answer.planned)


def judged(folder: Path, entries: list[Entry], begin: float, service: str) -> dict[str, Any]:
    """What `verdicts.judge` says of a scenario, by the files it left."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    return verdicts.judge(requests(folder), ordered, begin, service)


# --- pytest -------------------------------------------------------------------------------------------------


RUNNING = pytest.StashKey[Run]()
VERDICT = pytest.StashKey[tuple[str, str]]()


def running(config: pytest.Config) -> Run:
    """The run of this session, made when its first scenario begins."""
    if RUNNING not in config.stash:
        lab = lab_config.load()
        run = Run(lab, command(config), seed(config))
        config.stash[RUNNING] = run
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
    seconds = deadline_of(tag)
    if seconds is None:
        return None
    pytest.mark.timeout(stretched(seconds))(function)
    return True


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
    running(request.config).journal.write("step", phase="begin", text=_text(step))


def pytest_bdd_after_step(request: pytest.FixtureRequest, step: Any) -> None:
    running(request.config).journal.write("step", phase="passed", text=_text(step))


def pytest_bdd_step_error(request: pytest.FixtureRequest, step: Any, exception: BaseException) -> None:
    running(request.config).journal.write(
        "step", phase="failed", text=_text(step), error=str(exception)[:2000]
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
    except Exception as error:  # what failed first is what is told
        item.add_report_section("call", "evidence", f"no evidence: {error}")
        return
    item.add_report_section("call", "evidence", str(path))


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
    if run is None:
        return
    run.describe(command(config), seed(config))
    terminalreporter.section("evidence")
    for entry in journal.read(run.journal.path):
        if entry.kind == "evidence":
            terminalreporter.write_line(f"archive  {run.folder / entry.facts['file']}")
    terminalreporter.write_line(f"report   {_report(run)}")
    if seed(config) is not None:
        terminalreporter.write_line(f"seed     {seed(config)}")
    terminalreporter.write_line(f"again    {command(config)}")


def _report(run: Run) -> str:
    # Drawing takes a second to load and is needed only here.
    from scenarios.report import write  # noqa: PLC0415

    try:
        return str(write(run.folder))
    except (LabError, OSError) as error:
        return f"none: {error}"
