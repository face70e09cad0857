"""What a command says while it works, on stderr; its data are on stdout."""

from __future__ import annotations

import os
import sys
import time

import click
from rich.console import Console
from rich.markup import escape

from lab.errors import printable

console = Console(stderr=True, highlight=False, soft_wrap=True)


def drop_output() -> None:
    """What is left for stdout goes nowhere, and troubles nobody."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Output(Console):
    """Data for a reader, on stdout. One that has seen enough, such as `head`, changes no command's end."""

    def __init__(self, *, markup: bool = True) -> None:
        super().__init__(highlight=False, markup=markup)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        drop_output()


def say(line: str) -> None:
    """A line as it is, on stderr."""
    click.echo(line, err=True)


class Progress:
    """Lines with the seconds since the start, on stderr."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, line: str) -> None:
        console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/dim]  {escape(printable(line))}")
