"""Features in parallel: each worker of pytest-xdist plays its scenarios on a lab of its own.

The main process gives each worker the name of a lab and the folder of the run. A worker whose lab is not up
brings it up. In the end the labs that the run brought up on this host are taken down.
`names`, `fitting`, `needed` and `ordered` decide and are pure.
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
from itertools import count
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

LAB_KIB = 1_300 * 1024  # what a lab takes while scenarios are played on it: docs/testing.md
LABS_A_CORE = 1  # a deployment by Ansible keeps one busy
SECONDS = "lab/seconds"  # pytest's cache: node id -> how long it took the last time
LAST_LINES = 15


# --- deciding ---------------------------------------------------------------------------------------------


def names(first: str, chosen: str) -> Iterator[str]:
    """The labs of a run, without end: the one it is run on, then labs beside it. As LAB names them. Pure."""
    yield chosen
    for number in count(2):
        yield f"{first}-{number}"


def fitting(available_kib: int, up: int) -> int:
    """How many labs the memory carries, `up` of which run already. At least one. Pure."""
    return max(1, up + available_kib // LAB_KIB)


def chosen_by(available_kib: int, up: int, cores: int) -> int:
    """How many labs `-n auto` means. Pure."""
    return max(1, min(fitting(available_kib, up), cores * LABS_A_CORE))


def ordered(items: Sequence[pytest.Item], seconds: Mapping[str, float]) -> list[pytest.Item]:
    """The longest first, by what each took the last time; one that is new is taken for long. Pure."""
    return sorted(items, key=lambda item: -seconds.get(item.nodeid, float("inf")))


def available_kib(meminfo: str) -> int:
    """MemAvailable of /proc/meminfo. Pure."""
    return next(
        (int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemAvailable:")), 0
    )


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
        line = " ".join(["lab", *(["-n", name] if name else []), *words])
        raise LabError(f"{line} ended with {done.returncode}", last_seen="\n".join(lines), try_next=line)


def journal(folder: Path) -> Journal:
    """The journal of the lab that LAB names, in the folder of a run."""
    return Journal(runs.journal_of(folder, lab_config.load().name))


# --- a worker ---------------------------------------------------------------------------------------------


def bring_lab_up(kept: Journal) -> None:
    """Bring the lab up that LAB names; how long each phase took, and its waits, go into its journal."""
    waiting.observer = runs.waits_into(kept)
    try:
        bring_up.bring_up_chosen(lambda _: None, partial(runs.phase, kept, BRING_UP))
    finally:
        waiting.observer = None


class Worker:
    """The part of pytest in a worker."""

    def __init__(self, told: dict[str, Any]) -> None:
        os.environ[environment.LAB] = told["lab"]
        self._told, self._folder = told, joined(told)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """Its lab is up before its first scenario. Without a lab the whole run ends."""
        try:
            if not is_up():
                bring_lab_up(journal(self._folder))
        except LabError as error:
            session.shouldfail = f"a worker has no lab\n{error}"
            raise session.Failed(session.shouldfail) from error
        return (yield)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What a worker on another host leaves goes to the main process with its last word."""
        if not self._told["is_here"]:
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
        first = lab_config.load().name
        self._names = names(first, named.chosen())
        self._free: list[str] = []
        self._labs: dict[str, str] = {}  # worker -> its lab
        self._to_take_down: list[str] = []
        self._seconds: dict[str, float] = {}

    def pytest_xdist_auto_num_workers(self) -> int:
        chosen = chosen_by(_available_kib(), self._up(), os.cpu_count() or 1)
        print(
            f"labs: {chosen}, by {os.cpu_count()} cores and {_available_kib() / 2**20:.1f} GiB of free memory"
        )
        return chosen

    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        try:
            is_up()  # an engine that does not answer is told before any worker begins
        except LabError as error:
            raise pytest.UsageError(str(error)) from error
        here = sum(bool(spec.popen) for spec in specs)
        fit = fitting(_available_kib(), self._up())
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
        name = self._free.pop(0) if self._free else next(self._names)
        self._labs[node.gateway.id] = name
        is_here = bool(node.gateway.spec.popen)
        if is_here:
            with named.used(name):
                if not is_up() and name not in self._to_take_down:
                    self._to_take_down.append(name)
        node.workerinput |= {
            "lab": name,
            "is_here": is_here,
            "run": self._run(self._config).folder.name,
            "seconds": self._config.cache.get(SECONDS, {}) if self._config.cache else {},
        }

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        name = self._labs.pop(node.gateway.id)
        self._free.append(name)
        output = getattr(node, "workeroutput", None) or {}
        if "left" in output:
            unpack(output["left"], self._run(self._config).folder)
        if error and node.gateway.spec.popen:
            with named.used(name):
                self._after_crash()

    def _after_crash(self) -> None:
        """The evidence of what a worker was at when it died; then what it had broken is healed."""
        lab = lab_config.load()
        try:
            with owner.held(print, wait=True):
                Run(lab, "", joined=self._run(self._config).folder).keep_evidence_of_cut()
                Harness(lab, machines.shells(lab)).heal_all()
        except LabError as failed:
            print(f"\nafter the crash of a worker: {failed}", file=sys.stderr)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        cache = self._config.cache
        if cache is not None and self._seconds:
            cache.set(SECONDS, {**cache.get(SECONDS, {}), **self._seconds})
        kept = [self._journal(name) for name in self._to_take_down]
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(_take_down, self._to_take_down, kept))

    def _journal(self, name: str) -> Journal:
        with named.used(name):
            return journal(self._run(self._config).folder)


def _take_down(name: str, kept: Journal) -> None:
    try:
        with runs.phase(kept, TAKING_DOWN):
            lab_command(name, "down", "--wait")
    except LabError as error:
        print(f"\n{error}", file=sys.stderr)


def _available_kib() -> int:
    return available_kib(Path("/proc/meminfo").read_text())
