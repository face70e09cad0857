"""What was seen on a host: facts, and each step with its seconds; the table of docs/hosts.md."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.hosts.machine import Host

FACTS = ("system", "kernel", "cgroup", "engine", "storage", "vagrant", "python", "user", "runs on")
BEGIN, END = "<!-- begin: make hosts writes this -->", "<!-- end -->"


@dataclass(frozen=True)
class Step:
    name: str
    seconds: float
    ok: bool
    note: str = ""  # the lines that failed
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))


@dataclass(frozen=True)
class Record:
    """Facts by their word, steps by their name, in the order in which they were first done."""

    facts: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Step] = field(default_factory=dict)

    def with_step(self, step: Step) -> Record:
        return Record(self.facts, {**self.steps, step.name: step})

    def with_facts(self, facts: Mapping[str, str]) -> Record:
        return Record({**self.facts, **facts}, self.steps)


def parse_facts(said: str) -> dict[str, str]:
    """The lines "word=value" of guest/facts; other lines are not facts."""
    pairs = [line.partition("=") for line in said.splitlines()]
    return {word: value for word, _, value in pairs if word in FACTS}


def load(host: Host) -> Record:
    try:
        kept = json.loads(host.file("record.json").read_text())
    except FileNotFoundError:
        return Record()
    return Record(kept["facts"], {name: Step(**step) for name, step in kept["steps"].items()})


def save(host: Host, record: Record) -> None:
    host.file("record.json").write_text(json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n")


def table(records: Mapping[str, Record], order: Iterable[str]) -> str:
    """Markdown: one column a host, its facts and then its steps, in that order."""
    names = [name for name, record in records.items() if record.steps]
    steps = [step for step in order if any(step in records[name].steps for name in names)]
    rows = [["", *names], ["---"] * (len(names) + 1)]
    rows += [[fact, *(records[name].facts.get(fact, "") for name in names)] for fact in FACTS]
    rows += [[f"`{step}`", *(_cell(records[name].steps.get(step)) for name in names)] for step in steps]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(step: Step | None) -> str:
    if step is None:
        return "not run"
    note = f": {step.note}" if step.note else ""
    return f"{step.seconds:.0f} s, {'ok' if step.ok else 'failed'}{note} ({step.date})"


def write(page: Path, shown: str) -> None:
    """Put the table between the two marks of the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{shown}\n\n{END}{after}")


def exit_code(records: Sequence[Record]) -> int:
    return 0 if all(step.ok for record in records for step in record.steps.values()) else 1
