"""`tests/hosts/host`: one step, several, or all of them."""

from __future__ import annotations

import sys
import time

import click

from lab import engine
from lab.errors import LabError
from tests.hosts import record
from tests.hosts.machine import HOSTS, ROOT, VIRTUAL, Host
from tests.hosts.record import Record, Step
from tests.hosts.steps import NEEDED, STEPS, off

PAGE = ROOT / "docs" / "hosts.md"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=click.Choice([*HOSTS, "all", "table"]))
@click.argument("steps", nargs=-1, type=click.Choice(list(STEPS)))
def main(name: str, steps: tuple[str, ...]) -> None:
    """Type the README's commands on another machine: STEPS of host NAME, all of them when none is named.

    `all` is every host but QEMU's, with every step, and then the table: without KVM those take hours, so they
    are played when they are named. `table` writes docs/hosts.md anew from what was seen. All that is made is
    in .lab/hosts/NAME; typed.log there has what was typed and what came.

    Read from the environment: LAB_PATIENCE, HOSTS_MEMORY, HOSTS_CPUS, HOSTS_ACCEL (kvm or tcg), and
    HOSTS_FILES, what the disk takes over from this machine: "FILE" or "FILE:PLACE", white space between them.
    """
    chosen = [HOSTS[name]] if name in HOSTS else [host for host in HOSTS.values() if host.kind != VIRTUAL]
    engine.adopt_environment()
    if name != "table":
        refuse_other_engine()
        for host in chosen:
            play(host, steps or tuple(STEPS))
    records = {host.name: record.load(host) for host in HOSTS.values()}
    table = record.table(records, STEPS)
    click.echo("\n" + table)
    if name in ("all", "table"):
        record.write(PAGE, table)
    sys.exit(record.exit_code([record.load(host) for host in chosen]))


def refuse_other_engine() -> None:
    """Ends the command where this machine's own engine is not the one that would be spoken to."""
    try:
        engine.require_here()
    except LabError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)


def play(host: Host, steps: tuple[str, ...]) -> Record:
    """The steps one after the other; after one that the others need failed, only `off`."""
    for name in steps:
        step = timed(host, name)
        record.save(host, record.load(host).with_step(step))
        click.echo(f"{host.name} {name}: {step.seconds:.1f} s, {step.note or 'ok'}")
        if not step.ok and name in NEEDED:
            if "off" in steps:
                off(host)
            break
    return record.load(host)


def timed(host: Host, name: str) -> Step:
    click.echo(f"\n=== {host.name}: {name}")
    start = time.monotonic()
    try:
        note = STEPS[name](host)
    except LabError as error:
        note = str(error)
    return Step(name, round(time.monotonic() - start, 1), not note, note.replace("\n", " ").replace("|", "/"))


if __name__ == "__main__":
    main()
