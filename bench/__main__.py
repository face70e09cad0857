"""`make bench`: each figure of the lab beside a reference measured in the same run; where a run's time went.

The lab is taken down and brought up again on the way; it is up in the end. `--cold` also builds all
artifacts and images from an empty cache (10 minutes and more).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench import ansible_reference, board, evidence, faults, providers, recovery, spending
from bench.figure import Figure, seconds
from evidence.report import model
from lab import config, engine, environment, machines
from lab.clients.jenkins import JenkinsClient
from lab.errors import ConfigError
from lab.model import Lab
from lab.providers import containers, kvm

LAB = str(Path(sys.executable).with_name("lab"))


def lab_command(*words: str, env: dict[str, str] | None = None) -> None:
    """One `lab` command as a user would type it; its output is shown only when it fails."""
    done = subprocess.run(
        [LAB, *words], capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    if done.returncode != 0:
        sys.exit(f"lab {' '.join(words)} failed with {done.returncode}\n{done.stdout}{done.stderr}")


def vagrant_status() -> None:
    subprocess.run(["vagrant", "status"], cwd=environment.ROOT, check=True, capture_output=True)


def idle_memory(lab: Lab) -> float:
    """GiB that the nodes use, everything in them included."""
    containers = engine.connect().containers.list(filters={"label": lab.label})
    used = 0
    for container in containers:
        stats: Any = container.stats(stream=False)
        memory = stats["memory_stats"]
        # Page cache is not the lab's need: the kernel gives it back.
        used += memory["usage"] - memory["stats"].get(
            "total_inactive_file", memory["stats"].get("inactive_file", 0)
        )
    return used / 2**30


def again(lab: Lab) -> list[Figure]:
    ours, status = seconds(lambda: lab_command("up")), seconds(vagrant_status)
    plan = seconds(lambda: lab_command("plan"))
    ansible = seconds(lambda: ansible_reference.play(lab))
    return [
        Figure("lab up on a healthy lab", f"{ours:.1f} s", "6 s", f"{status:.1f} s, one vagrant status"),
        Figure(
            "provisioning's part, 4 nodes",
            f"{plan:.1f} s",
            "2 s",
            f"{ansible:.1f} s, ansible-playbook on the same resources of swarm-master alone",
        ),
    ]


def resets(lab: Lab) -> list[Figure]:
    nothing, no_op = [], seconds(lambda: lab_command("up"))
    for _ in range(5):
        nothing.append(seconds(lambda: lab_command("reset")))
    deployment = ("deploy", lab.main_service.name, lab.main_service.releases[-1])
    times = []
    for _ in range(5):
        lab_command(*deployment)
        times.append(seconds(lambda: lab_command("reset")))
    deploy = seconds(lambda: lab_command(*deployment))
    lab_command("reset")
    return [
        Figure(
            "reset with nothing to do, worst of 5",
            f"{max(nothing):.1f} s",
            "1 s",
            f"{no_op:.1f} s, one lab up",
        ),
        Figure(
            "reset after a deployment, worst of 5",
            f"{max(times):.1f} s",
            "3 s",
            f"{deploy:.1f} s, one lab deploy",
        ),
    ]


def recoveries(lab: Lab, runs: int, seed: int, say: Callable[[str], None]) -> list[Figure]:
    """The live color stopped `runs` times, with the article's check interval and with one of 1 s."""
    swarm_mode = f"{recovery.spread(recovery.swarm_mode(lab, runs))}, Swarm mode's restart of a killed task"
    figures = [
        figure
        for interval, target in ((10, "median 18, p95 25 s"), (1, "median 9 s"))
        for figure in _recoveries(lab, interval, target, runs=runs, seed=seed, reference=swarm_mode, say=say)
    ]
    lab_command("up")
    lab_command("reset")
    return figures


def _recoveries(
    lab: Lab,
    interval: int,
    target: str,
    *,
    runs: int,
    seed: int,
    reference: str,
    say: Callable[[str], None],
) -> list[Figure]:
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(
            re.sub(r"(?m)^check_interval: \d+", f"check_interval: {interval}", config.lab_file().read_text())
        )
        file.flush()
        lab_command("--lab-file", file.name, "up")
        quick = config.load(Path(file.name))
        say(f"a check every {interval} s: the live color is stopped {runs} times")
        shells = machines.shells(quick)
        build = JenkinsClient(quick).build(quick.main_service.name)  # Consul checks the service from here on
        found = recovery.recover(quick, shells, runs, seed, say)
        for shell in shells.values():
            shell.close()
    say("share of each link, seconds in the mean:")
    for link, mean, share in recovery.shares(found):
        say(f"  {share:5.1%}  {mean:5.2f}  {link}")
    name = f"stopped live color, check every {interval} s"
    figures = [
        Figure(f"{name}: detected", recovery.spread([one.detected for one in found]), "-", "-"),
        Figure(f"{name}: recovered", recovery.spread([one.answered for one in found]), target, reference),
        Figure("Jenkins build to new color live", f"{build.seconds:.1f} s", "12 s", "-"),
    ]
    for figure in figures:
        say(f"{figure.what}: {figure.value}")
    return figures


def down_and_up(lab: Lab) -> list[Figure]:
    down = seconds(lambda: lab_command("down"))
    left = containers.marked(lab)
    bare = seconds(lambda: machines.up(lab))
    lab_command("down")
    warm = seconds(lambda: lab_command("up"))
    return [
        Figure("lab down", f"{down:.1f} s, {len(left)} things left", "12 s", "-"),
        Figure(
            "no lab, cache warm, to books answering",
            f"{warm:.1f} s",
            "60 s",
            f"{bare:.1f} s, the bare nodes alone",
        ),
    ]


def cold() -> Figure:
    """Everything built from empty caches, beside the Go builds alone."""
    with tempfile.TemporaryDirectory() as folder:
        env = {
            "LAB_CACHE": f"{folder}/lab",
            "GOCACHE": f"{folder}/go",
            "GOMODCACHE": f"{folder}/mod",
            "GOFLAGS": "-modcacherw",
        }
        script = (
            "import time; from provisioning.build import artifacts\n"
            "from lab import config; from provisioning import build\n"
            "start = time.monotonic()\n"
            "for name in artifacts.NAMES: artifacts.obtain(name, lambda line: None)\n"
            "go = time.monotonic() - start\n"
            "build.make(config.load(), lambda line: None)\n"
            "print(f'{time.monotonic() - start:.0f} {go:.0f}')"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **env},
        )
    total, go = done.stdout.split()
    return Figure(
        "artifacts and images from nothing",
        f"{total} s",
        "15 min with the lab",
        f"{go} s, the artifacts alone",
    )


def bring_up(lab: Lab) -> list[Figure]:
    figures = [*again(lab), *resets(lab)]
    figures.append(Figure("memory of the idle lab", f"{idle_memory(lab):.2f} GiB", "2.5 GiB", "-"))
    return figures + down_and_up(lab)


def labs(lab: Lab) -> list[Figure]:
    """Two labs more beside the first, which build nothing, and what all three take at rest."""
    one, more = idle_memory(lab), [f"{lab.name}-{number}" for number in (2, 3)]
    first = seconds(lambda: lab_command("up"))
    ups = [seconds(partial(lab_command, "-n", name, "up")) for name in more]
    memory = one + sum(idle_memory(replace(lab, name=name)) for name in more)
    for name in more:
        lab_command("-n", name, "down")
    return [
        Figure(
            "a second and a third lab, up", f"{ups[0]:.1f} and {ups[1]:.1f} s", "-", f"{first:.1f} s, lab up"
        ),
        Figure("memory of three labs at rest", f"{memory:.2f} GiB", "3 GiB", f"{one:.2f} GiB, one of them"),
    ]


def features(lab: Lab) -> list[Figure]:
    """The article and its healing on as many labs as the machine carries, beside the same on one."""
    words = [sys.executable, "-m", "pytest", "features/article", "features/healing", "-q"]

    def play(*more: str) -> float:
        return seconds(lambda: subprocess.run([*words, *more], cwd=environment.ROOT, check=True))

    many, alone = play("-n", "auto"), play()
    return [
        Figure("the article and its healing, -n auto", f"{many:.0f} s", "360 s", f"{alone:.0f} s, on one lab")
    ]


PARTS = ("bring-up", "labs", "recovery", "faults", "evidence")
FEATURES = "features"  # half an hour and more: only when it is asked for
PROVIDERS = "providers"  # of the lab that LAB_FILE names, to be compared with another's
TIME = "time"  # needs no lab, only a run
BOARD = "board"  # needs no lab


@click.command()
@click.option("--cold", "with_cold", is_flag=True, help="Also build everything from an empty cache.")
@click.option(
    "--only",
    type=click.Choice((*PARTS, PROVIDERS, FEATURES, TIME, BOARD)),
    multiple=True,
    help="Measure only this part.",
)
@click.option("--runs", default=20, show_default=True, help="How often the live color is stopped.")
@click.option("--seed", default=1, show_default=True, help="Of the moments at which it is stopped.")
@click.option("--run", help="Tell where the time of this run of features went; else of the newest one.")
def main(with_cold: bool, only: tuple[str, ...], runs: int, seed: int, run: str | None) -> None:
    """Measure the lab, and tell where the time of a run of features went."""
    parts = [part for part in only or PARTS if part not in (TIME, BOARD)]
    if parts or with_cold:
        measure(parts, with_cold, runs, seed)
    if BOARD in only or not only:
        show(board.measure())
    if TIME in only or not only:
        tell_time(run)


def measure(parts: Sequence[str], with_cold: bool, runs: int, seed: int) -> None:
    engine.adopt_environment()
    lab = config.load()
    kvm.adopt_patience(lab)
    say = Console(stderr=True, highlight=False).print
    say("bringing the lab up")
    lab_command("up")
    lab_command("reset")
    work: dict[str, Callable[[], list[Figure]]] = {
        "bring-up": lambda: bring_up(lab),
        "labs": lambda: labs(lab),
        PROVIDERS: lambda: providers.measure(lab, lab_command),
        FEATURES: lambda: features(lab),
        "recovery": lambda: recoveries(lab, runs, seed, say),
        "faults": lambda: faults.measure(lab),
        "evidence": lambda: [evidence.schedule(), evidence.drawing(), evidence.memory()],
    }
    figures = [figure for part in parts for figure in work[part]()]
    if with_cold:
        figures.append(cold())
    show(figures)


def show(figures: Sequence[Figure]) -> None:
    table = Table("figure", "measured", "target", "reference in the same run")
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.target, figure.reference)
    Console(width=140).print(table)


def tell_time(run: str | None) -> None:
    try:
        Console(width=140, highlight=False).print(spending.table(model.find(run)))
    except ConfigError as error:
        if run is not None:
            sys.exit(str(error))
        click.echo(error.what)  # no run was ever played: nothing is wrong with that


main()
