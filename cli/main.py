"""The `lab` command. Progress goes to stderr, data to stdout; a subcommand calls one function of a room."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

import faults
from cli import board, bundle, checkpoint, doctor, fault, report, screens, soak, step
from cli.options import BUNDLE_FILE, WAIT
from cli.progress import Progress, console, drop_output
from deployments import by_hand
from deployments.checkpoints import shelf
from lab import config, engine, environment, labs, machines, named, owner, waiting
from lab.errors import CheckFailed, ConfigError, HostError, LabError, nearest, of_file, shown
from lab.model import Lab
from lab.providers import kvm
from provisioning import build, provision
from provisioning.stages import healths
from scenarios.workshop import playing


def interrupted() -> str:
    up, down = named.command("up"), named.command("down")
    return f"interrupted; what was made stays: `{up}` goes on from there, `{down}` removes it"


class Commands(click.Group):
    """Click takes every broken pipe for stdout's, and ends without a word, as if a check had failed."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if _output_is_lost():
                ctx.exit(0)  # who reads it has seen enough, such as `head`
            raise LabError("what was spoken to has gone away", last_seen=str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lab-file", type=click.Path(path_type=Path), help="Another lab.yml.")
@click.option("-n", "--name", help="A lab beside the first, in a subnet of its own; or LAB=NAME.")
@click.pass_context
def cli(context: click.Context, lab_file: Path | None, name: str | None) -> None:
    """The lab: four nodes on which blue-green deployment and self-healing really happen.

    Exit codes: 0 ok, 1 a check failed, 2 usage or a bad lab file, 3 timed out, 4 this host cannot,
    5 an error inside the lab, 130 interrupted.
    """
    if lab_file is not None:
        os.environ["LAB_FILE"] = os.path.abspath(lab_file)  # the Vagrantfile reads it too
    if name is not None:
        os.environ[environment.LAB] = name
    waiting.patience()  # a factor that makes no sense is told before anything is done
    context.obj = config.load()
    kvm.adopt_patience(context.obj)
    if context.invoked_subcommand != "doctor":  # which only looks
        faults.heal_overdue(context.obj, Progress())


@cli.command()
@click.option("--bundle", "file", type=BUNDLE_FILE, help="Take all from this file, nothing from a network.")
@click.option("--from", "url", metavar="URL", help="The same from `lab bundle serve`: http://HOST:PORT.")
def up(file: Path | None, url: str | None) -> None:
    """Bring the lab up, or mend what is down; a healthy lab is left as it is."""
    # It looks at all of the host: no other command need wait until that is loaded.
    from deployments import bring_up  # noqa: PLC0415

    say = Progress()
    source = bundle.source(file, url)
    with owner.held(say, wait=True):
        lab = bring_up.bring_up_chosen(say, source)
    screens.closing(lab)


@cli.command()
@click.option("--force", is_flag=True, help="Also a lab that another checkout made.")
@click.option("--all", "every", is_flag=True, help="Every lab of this checkout.")
@click.option("--purge", is_flag=True, help="On your own machines, also the packages that the lab installed.")
@click.option("--boxes", is_flag=True, help="With libvirt, also the box that machines are made of.")
@WAIT
@click.pass_obj
def down(lab: Lab, *, force: bool, every: bool, purge: bool, boxes: bool, wait: bool) -> None:
    """Remove everything that carries the lab's mark, and prove that nothing is left."""
    say = Progress()
    if not (every or force):
        labs.refuse_other_file(lab)
    for one in _of_this_checkout() if every else [lab]:
        _take_down(one, say, force=force, purge=purge, wait=wait)
    if boxes and lab.provider == "libvirt":
        build.boxes.remove_all(say)


def _of_this_checkout() -> Iterator[Lab]:
    """Each lab of this checkout, the first one last; LAB names it while it is used."""
    first = config.read(config.lab_file()).name
    beside = {one.lab for one in labs.here() if one.is_ours} | named.names()
    for name in (*sorted(beside - {first}), ""):
        with named.used(name):
            yield config.load()


def _take_down(lab: Lab, say: Progress, *, force: bool, purge: bool, wait: bool) -> None:
    others = [] if force else labs.of_others(lab)
    if others:
        raise HostError(
            f"the lab {lab.name} was made from another folder: somebody may be using it",
            last_seen="\n".join(f"{one.checkout} (of {one.user})" for one in others),
            try_next=f"there: `{named.command('down')}`; or here: `{named.command('down --force')}`",
        )
    with owner.held(say, wait=wait):
        left = machines.destroy(lab, say, force=force, purge=purge)
        if left:
            raise CheckFailed("still there: " + ", ".join(left), try_next=named.command("down"))
        gone = shelf.clear()
        if gone:
            say(f"{gone} checkpoint{'s' if gone > 1 else ''} went with it")
        named.forget()
    say("nothing of the lab is left")


@cli.command("list")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def list_labs(form: str) -> None:
    """The labs of this host: which, from which checkout, since when, whose."""
    found = labs.here()
    if form == "json":
        click.echo(json.dumps([screens.lab_facts(one) for one in found], indent=2))
    else:
        screens.labs_table(found)


@cli.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def status(lab: Lab, form: str) -> None:
    """Nodes, components, colors and where each container runs; exits 1 when something does not answer."""
    shelf.refuse_unended()
    seen = screens.gather(lab)
    if form == "json":
        click.echo(json.dumps(seen, indent=2))
    else:
        screens.status_table(seen)
    if not seen["healthy"]:
        raise CheckFailed("not everything answers", try_next=named.command("up"))


@cli.command()
@click.argument("node")
@click.pass_obj
def ssh(lab: Lab, node: str) -> None:
    """A shell on a node."""
    lab.node(node)
    machines.shells(lab)
    os.execvp("ssh", machines.ssh_words(node))


@cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(lab: Lab, node: str, command: tuple[str, ...]) -> None:
    """Run COMMAND on NODE as the user vagrant, with this terminal's input and output.

    Its words arrive as they are, so a pipe is bash's: lab exec NODE -- bash -c 'docker ps | wc -l'. Its exit
    code is the command's; 255 when the node does not answer over SSH.
    """
    lab.node(node)
    machines.shells(lab)
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    os.execvp("ssh", machines.ssh_words(node, command, terminal=is_terminal))


@cli.command()
@click.argument("component")
@click.pass_obj
def logs(lab: Lab, component: str) -> None:
    """The last log lines of COMPONENT on every node that has it."""
    chosen = [health for health in healths(lab) if health.component == component]
    if not chosen:
        known = sorted({health.component for health in healths(lab)})
        raise ConfigError(
            f"no component {shown(component)}{nearest(component, known)}",
            try_next="one of " + ", ".join(known),
        )
    shells = machines.shells_of_present(lab)
    for health in chosen:
        click.echo(f"== {health.node}")
        click.echo(shells[health.node].run(health.logs.last(), check=False).stdout, nl=False)


@cli.command()
@click.pass_obj
def plan(lab: Lab) -> None:
    """What provisioning would change, without changing it."""
    changes = provision.plan(lab, build.record(lab), machines.shells_of_present(lab))
    for change in changes:
        click.echo(f"{change.node}  {change.key}")
    console.print(f"{len(changes)} to change")


@cli.command()
@click.argument("service")
@click.argument("release")
@click.pass_obj
def deploy(lab: Lab, service: str, release: str) -> None:
    """Bring RELEASE of SERVICE out on its idle color: pull, start, test directly, cut over, stop the old."""
    chosen = lab.service(service)
    owner.refuse_held()
    shelf.refuse_unended()
    done = by_hand.deploy(lab, machines.shells_of_present(lab)[lab.master.name], chosen, release, Progress())
    click.echo(f"{service} {done.release} is live on {done.color} at {done.address}")


@cli.command()
@WAIT
@click.pass_obj
def reset(lab: Lab, wait: bool) -> None:
    """Back to the baseline: blue with the first release live, no green, three books."""
    shells = machines.shells_of_present(lab)
    say = Progress()
    with owner.held(say, wait=wait):
        playing.reset(lab, shells, say)


cli.add_command(board.board)
cli.add_command(bundle.bundle)
cli.add_command(checkpoint.save)
cli.add_command(checkpoint.restore)
cli.add_command(checkpoint.checkpoints)
cli.add_command(checkpoint.checkpoint)
cli.add_command(doctor.doctor)
cli.add_command(fault.fault)
cli.add_command(report.report)
cli.add_command(soak.soak)
cli.add_command(step.step)
cli.add_command(step.steps)


def main() -> None:
    """Run the command; every error ends in its documented exit code."""
    try:
        _require_folder()
        engine.adopt_environment()
        cli(prog_name="lab", standalone_mode=False)
    except click.exceptions.Abort:
        console.print(interrupted())
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except KeyboardInterrupt:
        console.print(interrupted())
        sys.exit(130)
    except LabError as error:
        console.print(str(error), markup=False, style="red")
        if _is_of_interruption(error):
            console.print(interrupted())
            sys.exit(130)
        sys.exit(error.exit_code)
    except OSError as error:
        _output_is_lost()
        refused = of_file(error, _owner(error.filename), environment.user())
        if refused is None:
            _own_error()
        console.print(str(refused), markup=False, style="red")
        sys.exit(HostError.exit_code)
    except Exception:
        _own_error()


def _require_folder() -> None:
    """Raises HostError in a folder that was removed: no path means anything there."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise HostError("this folder is not there any more", try_next="cd, to one that is") from error


def _is_of_interruption(error: BaseException) -> bool:
    """Whether it came while a Ctrl-C was undone, such as of a connection that the Ctrl-C ended too."""
    before = error.__context__
    return before is not None and (isinstance(before, KeyboardInterrupt) or _is_of_interruption(before))


def _output_is_lost() -> bool:
    """Whether stdout takes nothing more; then what is left for it is dropped."""
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()
        return True
    return False


def _owner(name: object) -> str:
    """Whose a file is, or the folder that it would be in; "" when nobody can say."""
    path = Path(str(name))
    try:
        return (path if path.exists() else path.parent).owner()
    except (OSError, KeyError):
        return ""


def _own_error() -> NoReturn:
    console.print_exception()
    console.print("this is an error of the lab's own code; the lines above say where")
    sys.exit(5)
