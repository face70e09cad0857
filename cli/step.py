"""`lab steps` and `lab step`: the article's steps, for somebody who learns them."""

from __future__ import annotations

from functools import partial
from itertools import groupby

import click

from cli.options import WAIT
from cli.progress import say
from lab import machines, named, owner
from lab.clients.consul import ConsulClient
from lab.errors import CheckFailed
from lab.model import Lab
from scenarios.workshop import playing, progress, reading
from scenarios.workshop.reading import Step


def _passed(consul: ConsulClient, known: tuple[Step, ...], step: Step, done: int) -> None:
    progress.note(consul, known, max(done, step.number))
    click.echo(f"step {step.number}: ok")


@click.command()
@click.pass_obj
def steps(lab: Lab) -> None:
    """The article's steps, which are done, and which is next."""
    known = reading.steps(lab)
    done = progress.done(ConsulClient(lab), known)
    for step in known:
        mark = "done" if step.number <= done else "next" if step.number == done + 1 else ""
        click.echo(f"{mark:<4}  {step.number}  {step.title}")


@click.group()
def step() -> None:
    """One step of the article: see it, check it, have it done, go where it begins."""


@step.command()
@click.argument("number")
@click.pass_obj
def show(lab: Lab, number: str) -> None:
    """What step NUMBER is about, and its commands. Needs no lab."""
    known = reading.steps(lab)
    click.echo(shown(reading.find(known, number), len(known)))


def shown(step: Step, count: int) -> str:
    """A step as one reads it; what is to be typed is indented, and nothing else is. Pure."""
    parts = [f"Step {step.number} of {count}: {step.title}", step.explanation]
    for node, group in groupby(step.commands, key=lambda commands: commands.node):
        typed = [f"  {line}" for commands in group for line in commands.text.splitlines()]
        parts.append("\n".join([f"On {node}:\n", *typed]))
    parts.append("Then: " + named.command(f"step check {step.number}"))
    return "\n\n".join(part for part in parts if part)


@step.command()
@click.argument("number")
@click.pass_obj
def check(lab: Lab, number: str) -> None:
    """Whether step NUMBER is done; changes nothing. Exits 1 with what is missing, and a hint."""
    known = reading.steps(lab)
    chosen = reading.find(known, number)
    shells = machines.shells_of_present(lab)
    consul = ConsulClient(lab)
    done = progress.done(consul, known)
    try:
        playing.check(lab, shells, *chosen.checks)
    except CheckFailed:
        if chosen.number <= done:
            anew = named.command(f"step goto {number}")
            say(f"step {number} was done before; `{anew}` begins it anew")
        raise
    _passed(consul, known, chosen, done)


@step.command()
@click.argument("number")
@click.pass_obj
def solve(lab: Lab, number: str) -> None:
    """Do step NUMBER, as its commands would. Exits 1 where the lab is not at its beginning."""
    known = reading.steps(lab)
    chosen = reading.find(known, number)
    shells = machines.shells_of_present(lab)
    owner.refuse_held()
    consul = ConsulClient(lab)
    done = progress.done(consul, known)
    playing.solve(lab, shells, known, chosen, say)
    _passed(consul, known, chosen, done)


@step.command()
@click.argument("number")
@WAIT
@click.pass_obj
def goto(lab: Lab, number: str, wait: bool) -> None:
    """Bring the lab, whatever it is like, to where step NUMBER begins."""
    known = reading.steps(lab)
    chosen = reading.find(known, number)
    shells = machines.shells_of_present(lab)
    with owner.held(say, wait=wait):
        consul = ConsulClient(lab)
        note = partial(progress.note, consul, known)
        playing.goto(lab, shells, known, chosen, say=say, note=note)
    click.echo(f"step {number} begins here")
