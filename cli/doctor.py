"""`lab doctor`: what this host brings for the lab, as a list to read or to paste in a bug report."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from cli.progress import Output
from lab.errors import HostError
from lab.model import Lab

if TYPE_CHECKING:
    from provisioning.doctor.facts import Check

COLORS = {"ok": "green", "note": "yellow", "blocker": "red"}


@click.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def doctor(lab: Lab, form: str) -> None:
    """What this host brings for the lab, and what mends it; only looks, exits 4 when something blocks."""
    from provisioning import doctor as checks  # noqa: PLC0415  as in `up`: no other command needs it

    found = checks.examine(lab)
    if form == "json":
        click.echo(json.dumps({"lab": lab.name, "checks": [asdict(check) for check in found]}, indent=2))
    else:
        _show(found)
    blocking = checks.blockers(found)
    if blocking:
        names = ", ".join(check.name for check in blocking)
        raise HostError(f"this host cannot run the lab as it is: {names}", try_next=blocking[0].mend)


def _show(found: Iterable[Check]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for check in found:
        table.add_row(Text(check.state, style=COLORS[check.state]), check.name, _said(check))
    Output().print(table)


def _said(check: Check) -> Text:
    return Text(check.seen + (f"\n-> {check.mend}" if check.mend else ""))
