"""Where the time of a run went, as on its page."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from evidence import spending
from evidence.report import model
from lab.errors import printable


def table(folder: Path) -> Table:
    """A run's seconds in bring-up, resets, steps and waits, by what took longest."""
    spent = model.load(folder).spending
    title = f"run {folder.name}: {spent.seconds:.0f} s of all labs together, {spent.clock:.0f} s by the clock"
    found = Table("where the time went", title=escape(printable(title)))
    for column in spending.COLUMNS:
        found.add_column(column, justify="right")
    for row in spent.rows:
        name = escape(printable(row.name))
        found.add_row(f"  {name}" if row.what else f"[b]{name}[/b]", *row.cells)
    return found
