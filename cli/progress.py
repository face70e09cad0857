"""What a command says while it works, on stderr; its data are on stdout."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.markup import escape

from lab.errors import printable

console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """A line as it is, on stderr."""
    click.echo(line, err=True)


class Progress:
    """Lines with the seconds since the start, on stderr."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, line: str) -> None:
        console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/dim]  {escape(printable(line))}")
