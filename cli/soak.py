"""`lab soak`: random faults for some minutes, then a report."""

from __future__ import annotations

import math
import secrets
import time
from collections import Counter
from typing import Any

import click

from cli.options import WAIT
from lab import machines, named, network, owner
from lab.errors import CheckFailed
from lab.model import Lab


class Minutes(click.FloatRange):
    """A range that NaN is not in: it is neither below nor above anything."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number of minutes.", param, ctx)
        return number


@click.command()
@click.option("--minutes", type=Minutes(0, 24 * 60, min_open=True), default=10.0, show_default=True)
@click.option("--seed", type=int, help="Makes every fault of a soak repeatable; else one is drawn and told.")
@WAIT
@click.pass_obj
def soak(lab: Lab, minutes: float, seed: int | None, wait: bool) -> None:
    """Break something, let the lab recover, and again, for MINUTES; then write a report and print its path.

    Exits 1 when the lab was not steady again after a fault.
    """
    from evidence import report  # noqa: PLC0415  what draws takes a second to load
    from evidence.runs import Run  # noqa: PLC0415
    from scenarios.soak import Soak  # noqa: PLC0415

    network.require_present(lab)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    begin = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - begin:6.1f} s  {line}", err=True)

    again = named.command(f"soak --minutes {minutes:g} --seed {chosen}")
    say(again)
    with owner.held(say, wait=wait):
        run = Run(lab, again, chosen)
        outcomes = Soak(lab, machines.shells(lab), run, chosen, say).go(minutes)
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    say(f"{len(outcomes)} faults, {verdicts['failed']} not recovered from")
    click.echo(report.write(run.folder))
    if verdicts["failed"]:
        raise CheckFailed(
            f"the lab did not recover from {verdicts['failed']} of {len(outcomes)} faults", try_next=again
        )
