"""The folder of a run: what was run, what happened, and what each scenario left.

`.lab/runs/<YYYYmmdd-HHMMSS>/` holds run.json (what was run), journal.jsonl (what happened, in order) and
`<number>-<scenario>/` with the record of each probe. All is written as it happens and readable after a kill.
A lab that joins the run of another has its own journal-<lab>.jsonl and <lab>-<number>-<scenario>/ there.

What the journal's entries are: evidence/entries.py.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evidence import answers, archive, journal, measures
from evidence.answers import Answer
from evidence.entries import (
    Entry,
    EvidenceKept,
    LabPhase,
    ProbeBegan,
    ScenarioBegan,
    ScenarioEnded,
    Waited,
)
from evidence.journal import Journal
from lab import environment, waiting
from lab.model import Lab

RUNS = environment.STATE / "runs"
JOURNAL = "journal.jsonl"
RUN = "run.json"
VERSIONS = ("pytest", "pytest-bdd", "docker", "fabric", "httptools")


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
    """One lab's part of a run: begins and ends scenarios, and keeps what they leave.

    `seed` is what made its choices. `joined` is the folder of a run that has begun already.
    """

    def __init__(
        self,
        lab: Lab,
        command: str,
        seed: int | str | None = None,
        runs: Path | None = None,
        *,
        joined: Path | None = None,
    ) -> None:
        self.lab = lab
        self.started = time.time()
        self.folder = joined or _new_folder(runs or RUNS, self.started)
        self._own = f"{lab.name}-" if joined else ""
        self.journal = Journal(journal_of(self.folder, lab.name) if joined else self.folder / JOURNAL)
        self.scenario: Scenario | None = None
        self._count = len(list(self.folder.glob(f"{self._own}[0-9]*/")))
        self._faults_seen = len(journal.read(journal.of_faults()))
        if not joined:
            self.describe(command, seed)

    def describe(self, command: str, seed: int | str | None) -> None:
        """run.json; again when the seed became known later."""
        facts = {
            "lab": self.lab.name,
            "service": self.lab.main_service.name,
            "started": self.started,
            "command": command,
            "seed": seed,
            "check_interval": self.lab.check_interval,
            "versions": {"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        }
        (self.folder / RUN).write_text(json.dumps(facts, indent=2) + "\n")

    def begin(self, name: str, feature: str = "") -> Scenario:
        self._count += 1
        folder = self.folder / f"{self._own}{self._count:02d}-{slug(name)}"
        folder.mkdir()
        entry = self.journal.add(ScenarioBegan(name=name, feature=feature, folder=folder.name))
        self.scenario = Scenario(name, feature, folder, entry.at)
        waiting.observer = waits_into(self.journal)
        return self.scenario

    def entries(self) -> list[Entry]:
        """What the run's journal has so far, in the order it happened; the journal of faults included."""
        self.take_faults()
        return sorted(journal.read(self.journal.path), key=lambda entry: entry.at)

    def record(self, name: str, path: str, rate: float) -> Path:
        """The file for a probe's record, noted in the journal with what the probe asks, and how often."""
        assert self.scenario is not None, "no scenario has begun"
        file = self.scenario.folder / f"{name}.jsonl"
        self.journal.add(ProbeBegan(record=file.name, path=path, rate=rate))
        return file

    def keep_evidence(self) -> Path:
        """Archive how everything stands now in the scenario under way; returns the archive's path."""
        assert self.scenario is not None, "no scenario has begun"
        path = archive.collect(self.lab, self.folder, self.scenario.folder)
        self.journal.add(EvidenceKept(file=path.name))
        return path

    def keep_evidence_of_cut(self) -> None:
        """The same of the scenario that a process was at when it was killed; nothing when it was at none."""
        phases = [
            entry
            for entry in journal.read(self.journal.path)
            if isinstance(entry, ScenarioBegan | ScenarioEnded)
        ]
        if phases and isinstance(phases[-1], ScenarioBegan):
            last = phases[-1]
            self.scenario = Scenario(last.name, last.feature, self.folder / last.folder, last.at)
            self.keep_evidence()

    def take_faults(self) -> None:
        """Copy what came to the journal of faults since the last time."""
        entries = journal.read(journal.of_faults())
        for entry in entries[self._faults_seen :]:
            self.journal.add(entry)
        self._faults_seen = len(entries)

    def judge(self) -> tuple[dict[str, Any], int]:
        """The numbers of the scenario under way, and how many entries they come from."""
        assert self.scenario is not None, "no scenario has begun"
        self.take_faults()
        entries = journal.read(self.journal.path)
        return judged(self.scenario.folder, entries, self.scenario.begin, self.lab.main_service.name), len(
            entries
        )

    def end(self, verdict: str, *, numbers: dict[str, Any] | None = None, error: str = "") -> dict[str, Any]:
        """The end of the scenario under way; verdict is passed, failed, known limit or cut."""
        assert self.scenario is not None, "no scenario has begun"
        own, count = self.judge()
        self.journal.add(
            ScenarioEnded(
                name=self.scenario.name,
                folder=self.scenario.folder.name,
                verdict=verdict,
                seconds=round(max(0.0, time.time() - self.scenario.begin), 2),  # a clock may be set back
                judged=own,
                entries=count,
                numbers=numbers or {},
                error=error,
            )
        )
        self.scenario = None
        waiting.observer = None
        return own


def waits_into(kept: Journal) -> Callable[[str, float], None]:
    """An observer of waits that keeps them in a journal."""

    def waited(what: str, seconds: float) -> None:
        kept.add(Waited(what=what, seconds=round(seconds, 3)))

    return waited


@contextmanager
def phase(kept: Journal, kind: str, what: str = "") -> Iterator[None]:
    """Keep how long a phase of bring-up or of taking down took, however it ends."""
    began = time.monotonic()
    try:
        yield
    finally:
        kept.add(LabPhase(kind=kind, what=what, seconds=round(time.monotonic() - began, 3)))


def journal_of(folder: Path, lab: str) -> Path:
    """The journal of a lab that has joined the run of this folder."""
    return folder / f"journal-{lab}.jsonl"


def journals(folder: Path) -> list[Path]:
    """The journals of a run, one a lab; those that are there."""
    return [path for path in sorted(folder.glob("journal*.jsonl")) if path.is_file()]


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
    """What `measures.judge` says of a scenario, by the files it left."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    return measures.judge(requests(folder), ordered, begin, service)
