"""`lab fault`: break something on purpose, for a while, and see that it ends."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import click
from rich.table import Table

import faults
from cli.progress import Output, say
from evidence import journal
from evidence.entries import Entry
from faults import harness as harness_module
from faults import history
from faults.harness import Harness, Plan
from faults.history import Injected
from lab import machines, named, owner
from lab.errors import CheckFailed, ConfigError, shown
from lab.model import Lab


@click.group()
def fault() -> None:
    """Faults: named, bounded, journaled, and always undone."""


def _harness(lab: Lab, seed: str | None = None) -> Harness:
    return Harness(lab, machines.shells_of_present(lab), chance=random.Random(seed))


def _entries() -> list[Entry]:
    return journal.read(journal.of_faults(), say)


@fault.command("list")
@click.option("--known", is_flag=True, help="The faults there are, not those that are open.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def list_faults(known: bool, form: str) -> None:
    """The open faults: injected and not yet seen healed."""
    if known:
        _show_known(form)
    else:
        _show(history.open_faults(_entries()), form)


@fault.command("history")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def show_history(form: str) -> None:
    """Every fault of the journal and how it ended."""
    _show(history.faults(_entries()), form)


def _show(shown: Iterable[Injected], form: str) -> None:
    if form == "json":
        told = [{**vars(one), "undo": [action.place or "host" for action in one.undo]} for one in shown]
        click.echo(json.dumps(told, indent=2))
        return
    table = Table("id", "fault", "target", "on", "begun", "deadline", "phase", "seen", box=None)
    for one in shown:
        begun, deadline = (time.strftime("%H:%M:%S", time.localtime(at)) for at in (one.at, one.deadline))
        table.add_row(one.id, one.name, one.target, ", ".join(one.on), begun, deadline, one.phase, one.detail)
    Output(markup=False).print(table)


def _show_known(form: str) -> None:
    rows: list[dict[str, Any]] = [
        {
            "fault": name,
            "takes": kind.takes,
            "settings": {field.name: field.default for field in fields(kind)},  # type: ignore[arg-type]
            "what": (kind.__doc__ or "").strip().split("\n")[0],
        }
        for name, kind in faults.FAULTS.items()
    ]
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("fault", "takes", "settings", "what", box=None)
    for row in rows:
        words = " ".join(f"{key}={value}" for key, value in row["settings"].items())
        table.add_row(str(row["fault"]), str(row["takes"]), words, str(row["what"]))
    Output(markup=False).print(table)


@fault.command()
@click.argument("name")
@click.argument("target")
@click.argument("settings", nargs=-1, metavar="[SETTING=VALUE]...")
@click.option("--seconds", type=float, default=faults.DEFAULT_SECONDS, show_default=True)
@click.option("--seed", help="Makes the choice of `any node` and the like repeatable.")
@click.option("--detach", is_flag=True, help="Return at once; the fault ends at its deadline.")
@click.option("--dry-run", is_flag=True, help="Print what would run and what it would touch.")
@click.pass_obj
def inject(
    lab: Lab,
    /,
    name: str,
    target: str,
    settings: tuple[str, ...],
    *,
    seconds: float,
    seed: str | None,
    detach: bool,
    dry_run: bool,
) -> None:
    """Inject fault NAME on TARGET, hold it for its seconds, heal it and look again.

    TARGET is a node, a container ("registrator on swarm-node-01") or a meaning: "the live color",
    "the node of the database", "any node", "a minority". Ctrl-C heals at once.
    """
    chosen = faults.made(name, **_settings(settings))
    seed = seed or secrets.token_hex(3)
    harness = _harness(lab, seed)
    if dry_run:
        _print_plan(harness.plan(chosen, target, seconds))
        return
    owner.refuse_held()
    begun = harness.inject(chosen, target, seconds)
    say(f"{begun.name} {begun.id} on {', '.join(begun.on)} for {seconds:g} s (seed {seed})")
    click.echo(begun.id)
    if detach:
        return
    try:
        harness_module.hold(begun)
    finally:
        _tell(harness.heal(begun.id))


def _settings(words: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{shown(word)} is no setting", try_next="SETTING=VALUE, such as percent=30")
        if key in found:
            raise ConfigError(f"the setting {shown(key)} is given twice", try_next="each one once")
        found[key] = value
    return found


def _print_plan(planned: Plan) -> None:
    touched = ", ".join(f"{site.node.name} ({site.node.address})" for site in planned.sites)
    click.echo(f"# {planned.fault.name} on {', '.join(planned.found.on)}, {planned.seconds:g} s")
    click.echo(f"# touches: {touched}")
    for site in planned.sites:
        within = [site.container.name] if site.container else sorted(one.name for one in site.running)
        click.echo(f"# containers concerned on {site.node.name}: {', '.join(within) or 'none'}")
    for action in planned.actions:
        if action.inject:
            click.echo(f"\n# inject, on {action.where}\n{planned.script(action)}")
        click.echo(f"\n# heal, on {action.where}\n{action.heal}\n\n# nothing is left when\n{action.healed}")


@fault.command()
@click.argument("id", required=False)
@click.option("--all", "every", is_flag=True, help="Every open fault.")
@click.pass_obj
def heal(lab: Lab, id: str | None, every: bool) -> None:
    """Undo fault ID, or every open one, and look again; exits 1 when one is not seen healed."""
    if (id is None) != every:
        raise ConfigError("one id, or --all", try_next=named.command("fault list"))
    if every and not history.open_faults(_entries()):
        say("no fault is open")
        return
    if id is not None:
        history.find(_entries(), id)
    harness = _harness(lab)
    _tell(*(harness.heal_all() if id is None else [harness.heal(id)]))


def _tell(*healed: Injected) -> None:
    for one in healed:
        say(f"{one.name} {one.id} on {', '.join(one.on)}: {one.phase} {one.detail}".rstrip())
    left = [one.id for one in healed if one.is_open]
    if left:
        raise CheckFailed(
            f"not seen healed: {', '.join(left)}", try_next=named.command(f"fault heal {left[0]}")
        )
