"""The fakes that stand in for the doors, so that everything behind them is tested without machines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lab.errors import LabError
from lab.model import COLORS, Service
from lab.shell import CommandFailed, Result, unfinished


@dataclass(frozen=True)
class Endless:
    """The answer of a script that does not end: its timeout runs out after it printed `stdout`."""

    stdout: str = ""


Answer = Result | Endless | BaseException


def said(stdout: str = "", *, exit: int = 0, stderr: str = "") -> Result:
    """What a script answers; the FakeShell adds its node and the script."""
    return Result("", "", exit, stdout, stderr)


class FakeShell:
    """A Shell that answers by a table of regex -> answer; the first regex found in a script counts.

    `scripts` holds every script it ran, in order. A script that no regex is found in is an error of the
    test: LookupError. `SshShell` keeps the same contract (tests/lab/test_shell.py).
    """

    def __init__(self, answers: Mapping[str, Answer], node: str = "fake") -> None:
        self.node = node
        self.answers = dict(answers)
        self.scripts: list[str] = []

    def run(self, script: str, *, sudo: bool = True, check: bool = True, timeout: float = 120) -> Result:
        self.scripts.append(script)
        answer = self._answer(script)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Endless):
            raise unfinished(self.node, script, timeout, answer.stdout)
        result = replace(answer, node=self.node, command=script)
        if check and result.exit != 0:
            raise CommandFailed(result)
        return result

    def close(self) -> None:
        """Nothing is open."""

    def ran(self, pattern: str) -> list[str]:
        """The scripts that a regex is found in, in order."""
        return [script for script in self.scripts if re.search(pattern, script)]

    def _answer(self, script: str) -> Answer:
        for pattern, answer in self.answers.items():
            if re.search(pattern, script):
                return answer
        raise LookupError(f"the fake {self.node} has no answer to: {script}")


class FakeConsul:
    """Consul with these live colors, by the service's name; one that is no color cannot be told."""

    def __init__(self) -> None:
        self.colors: dict[str, str | None] = {}

    def live_color(self, service: Service) -> str | None:
        noted = self.colors[service.name]
        if noted is not None and noted not in COLORS:
            raise LabError(f"cannot tell the live color of {service.name}", last_seen=repr(noted))
        return noted

    def services(self) -> tuple[str, ...]:
        return tuple(self.colors)


class FakeNotes(dict[str, str]):
    """What is noted in Consul, as ConsulClient keeps it."""

    def noted(self, key: str) -> str | None:
        return self.get(key)

    def note(self, key: str, value: str) -> None:
        self[key] = value

    def forget(self, key: str) -> None:
        self.pop(key, None)
