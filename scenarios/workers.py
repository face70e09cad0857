"""Features in parallel: each worker of pytest-xdist plays its scenarios on a lab of its own.

The main process gives each worker the name of a lab and the folder of the run. A worker whose lab is not up
brings it up. In the end the labs that the run brought up are taken down: those of this checkout by the main
process, those of another checkout, which is most often on another host, by their workers.
Who plays where is decided in placing.py.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deployments import bring_up
from evidence import runs
from evidence.entries import BRING_UP, TAKING_DOWN
from evidence.journal import Journal
from evidence.runs import Run
from faults.harness import Harness
from lab import config as lab_config
from lab import environment, labs, machines, named, network, owner, waiting
from lab.errors import HostError, LabError
from scenarios import placing

SECONDS = "lab/seconds"  # pytest's cache: node id -> how long it took the last time
LAST_LINES = 15
RESTARTS = 4  # of crashed workers, for each that was asked for
MADE_BY = "made-by"  # in a lab's state: the run that brought it up, and takes it down in the end


# --- both -------------------------------------------------------------------------------------------------


def of_worker(config: pytest.Config) -> dict[str, Any] | None:
    """What the main process told this worker; None in the main process itself."""
    told: dict[str, Any] | None = getattr(config, "workerinput", None)
    return told


def is_parallel(config: pytest.Config) -> bool:
    """Whether this is the main process of a run whose scenarios are played by workers."""
    return of_worker(config) is None and config.pluginmanager.hasplugin("dsession")


def run_folder(config: pytest.Config) -> Path | None:
    """The folder of the run that a worker joins; None in the main process."""
    told = of_worker(config)
    return None if told is None else joined(told)


def joined(told: Mapping[str, Any]) -> Path:
    """The folder of the run that a worker was told of."""
    folder: Path = runs.RUNS / told["run"]
    folder.mkdir(parents=True, exist_ok=True)  # on another host it is not there yet
    return folder


def is_up() -> bool:
    """Whether the lab that LAB names is here: its network is, and the way to its nodes is known."""
    return machines.ssh_config().exists() and network.is_present(lab_config.load())


def lab_command(name: str, *words: str) -> None:
    """One `lab` command on the lab of this name. Raises LabError with its last lines."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=environment.ROOT,
        env={**os.environ, environment.LAB: name},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()[-LAST_LINES:]
        line = named.command(" ".join(words), name)
        raise LabError(f"{line} ended with {done.returncode}", last_seen="\n".join(lines), try_next=line)


def journal(folder: Path) -> Journal:
    """The journal of the lab that LAB names, in the folder of a run."""
    return Journal(runs.journal_of(folder, lab_config.load().name))


def heal_after_crash(folder: Path) -> None:
    """Keep what a worker was at when it died; then heal what it had broken. Raises LabError."""
    lab = lab_config.load()
    with owner.held(print, wait=True):
        Run(lab, "", joined=folder).keep_evidence_of_cut()
        Harness(lab, machines.shells(lab)).heal_all()


def take_down(name: str, kept: Journal) -> None:
    """Take a lab down; what goes wrong is told, since the run has ended."""
    try:
        with runs.phase(kept, TAKING_DOWN):
            lab_command(name, "down", "--wait")
    except LabError as error:
        print(f"\n{error}", file=sys.stderr)


# --- a worker ---------------------------------------------------------------------------------------------


def bring_lab_up(kept: Journal) -> None:
    """Bring the lab up that LAB names; how long each phase took, and its waits, go into its journal."""
    waiting.observer = runs.waits_into(kept)
    try:
        bring_up.bring_up_chosen(lambda _: None, phase=partial(runs.phase, kept, BRING_UP))
    finally:
        waiting.observer = None


class Worker:
    """The part of pytest in a worker."""

    def __init__(self, told: dict[str, Any]) -> None:
        os.environ[environment.LAB] = told["lab"]
        self._told, self._folder = told, joined(told)

    def pytest_configure(self, config: pytest.Config) -> None:
        config.option.seed = self._told["seed"]  # one that was not typed is the main process's
        if self._told["after_crash"]:
            config.option.wait = True  # the one that died may still be about to let go of the lab

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if placing.is_alone(item.path):
                item.add_marker(pytest.mark.skip(reason=f"played without -n: {placing.WHY_ALONE}"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """Its lab is up before its first scenario. Without a lab the whole run ends."""
        try:
            if not is_up():
                self._note_who_made_it()
                bring_lab_up(journal(self._folder))
            if self._told["after_crash"]:
                heal_after_crash(self._folder)
        except LabError as error:
            session.shouldfail = f"a worker has no lab\n{error}"
            raise session.Failed(session.shouldfail) from error
        return (yield)

    def _note_who_made_it(self) -> None:
        # On the disk, since the worker that takes the lab down may be another one.
        environment.lab_state().mkdir(parents=True, exist_ok=True)
        (environment.lab_state() / MADE_BY).write_text(self._told["run"])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In another checkout: its lab is taken down, and what it leaves goes to the main process."""
        if self._told["is_here"]:
            return
        made_by = environment.lab_state() / MADE_BY
        if made_by.exists() and made_by.read_text() == self._told["run"]:
            take_down(named.chosen(), journal(self._folder))
        output: Any = session.config
        output.workeroutput["left"] = packed(self._folder)


def packed(folder: Path) -> bytes:
    """A folder as a tar."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        tar.add(folder, ".")
    return whole.getvalue()


def unpack(whole: bytes, folder: Path) -> None:
    """What `packed` made, into a folder that is there."""
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        tar.extractall(folder, filter="data")


# --- the main process -------------------------------------------------------------------------------------


class Main:
    """The part of pytest in the main process: it gives out labs, and remembers how long scenarios take."""

    def __init__(self, config: pytest.Config, run: Callable[[pytest.Config], Run]) -> None:
        self._config, self._run = config, run
        # One at a time, so that none waits behind a long one while another worker has nothing to do.
        config.option.maxschedchunk = config.option.maxschedchunk or 1
        # xdist's own limit, which it has for -n alone: a worker that cannot begin is not replaced for ever.
        config.option.maxworkerrestart = config.option.maxworkerrestart or RESTARTS * len(config.option.tx)
        self._first = lab_config.load().name
        self._names: dict[str, Iterator[str]] = {}  # place -> its labs
        self._free: dict[str, list[str]] = {}  # place -> those whose worker has ended
        self._labs: dict[str, str] = {}  # worker -> its lab
        self._crashed: set[str] = set()  # labs of other places whose worker died, until another has them
        self._to_take_down: list[str] = []
        self._seconds: dict[str, float] = {}

    def pytest_xdist_auto_num_workers(self) -> int:
        chosen = placing.chosen_by(_available_kib(), self._up(), os.cpu_count() or 1)
        print(
            f"labs: {chosen}, by {os.cpu_count()} cores and {_available_kib() / 2**20:.1f} GiB of free memory"
        )
        return chosen

    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        typed = placing.paths([str(word) for word in self._config.invocation_params.args], Path.cwd())
        if any(map(placing.is_alone, typed)):
            raise pytest.UsageError(
                f"{placing.ALONE} is played without -n: {placing.WHY_ALONE}\n  try next:  make crash"
            )
        here = sum(map(placing.is_here, specs))
        if here < len(specs):
            self._prepare_others(specs, typed)
        if here:
            self._refuse_what_cannot_be(here)

    def _prepare_others(self, specs: Sequence[Any], typed: Sequence[Path]) -> None:
        """Nothing is copied to another checkout, as xdist would: it is there, and has its own pytest."""
        if any(spec.chdir == placing.NO_FOLDER for spec in specs):
            raise pytest.UsageError(
                "in which folder another host has its checkout was not said\n"
                "  try next:  --tx ssh=HOST//chdir=FOLDER//python=FOLDER/.venv/bin/python"
            )
        if typed:
            raise pytest.UsageError(
                f"{typed[0]} is of this checkout, and workers of another one do not find it\n"
                "  try next:  -o testpaths='features/article features/healing', -k for some of these, and"
                " --option=FILE"
            )
        manager: Any = self._config.pluginmanager.getplugin("dsession")
        manager.nodemanager.roots.clear()

    def _refuse_what_cannot_be(self, here: int) -> None:
        try:
            is_up()  # an engine that does not answer is told before any worker begins
        except LabError as error:
            raise pytest.UsageError(str(error)) from error
        fit = placing.fitting(_available_kib(), self._up())
        if here > fit:
            raise pytest.UsageError(
                f"{here} labs do not fit into this machine's memory: {fit} would\n"
                f"  try next:  -n {fit}, or -n auto"
            )

    def _up(self) -> int:
        try:
            return sum(one.is_ours for one in labs.here())
        except HostError:
            return 0

    def pytest_configure_node(self, node: Any) -> None:
        spec = node.gateway.spec
        name = self._labs[node.gateway.id] = self._next_lab(spec)
        if placing.is_here(spec):
            with named.used(name):
                if not is_up() and name not in self._to_take_down:
                    self._to_take_down.append(name)
        node.workerinput |= {
            "lab": name,
            "is_here": placing.is_here(spec),
            "after_crash": name in self._crashed,
            "run": self._run(self._config).folder.name,
            "seed": self._config.getoption("--seed", default=None),
            "seconds": self._remembered(),
        }
        self._crashed.discard(name)

    def _next_lab(self, spec: Any) -> str:
        """One whose worker has ended, or the next name there is at this place."""
        place = placing.place_of(spec)
        if self._free.get(place):
            return self._free[place].pop(0)
        if place not in self._names:
            here, there = placing.names(self._first, named.chosen()), placing.names_there(self._first, place)
            self._names[place] = there if place else here
        return next(self._names[place])

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        spec, name = node.gateway.spec, self._labs.pop(node.gateway.id)
        place = placing.place_of(spec)
        self._free.setdefault(place, []).append(name)
        output = getattr(node, "workeroutput", None) or {}
        if "left" in output:
            unpack(output["left"], self._run(self._config).folder)
        if error:
            self._after_crash(name, place)

    def _after_crash(self, name: str, place: str) -> None:
        """Here the lab is healed at once; elsewhere by the worker that comes in place of the dead one."""
        if place:
            self._crashed.add(name)
            print(
                f"\na worker on {place} died: the next one there heals its lab\n"
                f"  if none comes:  {named.command('fault heal --all', name)}, there",
                file=sys.stderr,
            )
            return
        try:
            with named.used(name):
                heal_after_crash(self._run(self._config).folder)
        except LabError as failed:
            print(f"\nafter the crash of a worker: {failed}", file=sys.stderr)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if self._seconds and self._cache is not None:
            self._cache.set(SECONDS, {**self._remembered(), **self._seconds})
        kept = [self._journal(name) for name in self._to_take_down]
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(take_down, self._to_take_down, kept))

    @property
    def _cache(self) -> pytest.Cache | None:
        return getattr(self._config, "cache", None)  # none with -p no:cacheprovider

    def _remembered(self) -> dict[str, float]:
        return self._cache.get(SECONDS, {}) if self._cache is not None else {}

    def _journal(self, name: str) -> Journal:
        with named.used(name):
            return journal(self._run(self._config).folder)


def _available_kib() -> int:
    return placing.available_kib(Path("/proc/meminfo").read_text())
