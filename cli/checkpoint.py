"""`lab save`, `restore`, `checkpoints`, `checkpoint rm`: the whole lab as it was at one moment."""

from __future__ import annotations

import json
import time

import click
from rich.markup import escape
from rich.table import Table

from cli.options import WAIT
from cli.progress import Output, Progress, say
from deployments.checkpoints import by_provider, restoring, saving, shelf
from deployments.checkpoints.manifest import Manifest
from faults.harness import Harness
from lab import machines, named, owner
from lab.errors import CheckFailed
from lab.model import Lab
from scenarios import steady


@click.command()
@click.argument("name")
@WAIT
@click.pass_obj
def save(lab: Lab, name: str, wait: bool) -> None:
    """Keep the lab as it is now, as the checkpoint NAME; its users wait for a few seconds."""
    by_provider.kind_of(lab)
    shelf.refuse_taken(name)
    shells = machines.shells_of_present(lab)
    progress = Progress()
    with owner.held(progress, wait=wait):
        wrong = steady.unsteady(lab, shells, Harness(lab, shells))
        if wrong:
            raise CheckFailed(
                "the lab is not well: nothing was saved",
                last_seen="\n".join(wrong),
                try_next=f"{named.command('up')}, or {named.command('fault heal --all')}",
            )
        saved = saving.save(lab, shells, name, progress)
    click.echo(f"saved {name}: {megabytes(saved)}, {'; '.join(saved.live) or 'no service is out'}")


@click.command()
@click.argument("name")
@WAIT
@click.pass_obj
def restore(lab: Lab, name: str, wait: bool) -> None:
    """Bring the lab back to the checkpoint NAME; whatever came after it is lost. Other checkpoints stay."""
    by_provider.kind_of(lab)
    shelf.find(name)
    progress = Progress()
    with owner.held(progress, wait=wait):
        still_open = Harness(lab, {}).open()
        if still_open:
            raise CheckFailed(
                f"a fault is open: {still_open[0].name} {still_open[0].id}",
                try_next=named.command("fault heal --all"),
            )
        saved = restoring.restore(lab, name, progress)
    click.echo(f"restored {name}: {'; '.join(saved.live) or 'no service is out'}")


@click.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def checkpoints(lab: Lab, form: str) -> None:
    """The checkpoints of this lab: when, how large, which releases users had."""
    by_provider.kind_of(lab)
    found = shelf.all_of_lab(say)
    if form == "json":
        click.echo(json.dumps([one.facts for one in found], indent=2))
        return
    if not found:
        click.echo("this lab has no checkpoint")
        return
    table = Table("name", "saved", "size", "live", box=None)
    for one in found:
        saved = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.at))
        table.add_row(*map(escape, (one.name, saved, megabytes(one), "; ".join(one.live))))
    Output().print(table)


def megabytes(one: Manifest) -> str:
    return f"{one.size / 1e6:.0f} MB"


@click.group()
def checkpoint() -> None:
    """One checkpoint of this lab."""


@checkpoint.command()
@click.argument("name")
@WAIT
@click.pass_obj
def rm(lab: Lab, name: str, wait: bool) -> None:
    """Remove the checkpoint NAME."""
    kind = by_provider.kind_of(lab)
    progress = Progress()
    with owner.held(progress, wait=wait):
        shelf.take_away(name)  # from here on it is none, whatever is left of it on the nodes
        with kind.opened(lab, beside=False) as store:
            store.clear([one.id for one in shelf.all_of_lab(progress)])
    click.echo(f"removed {name}")
