from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence import answers, probe
from evidence.answers import Answer
from evidence.probe import Probe, Writer
from evidence.sender import MOST_REQUESTS, Schedule
from lab import config, waiting
from lab.errors import ConfigError, HostError, LabError

ROOT = Path(__file__).parents[2]
LAB = config.load(config.LAB_FILE)


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "require_present", lambda lab: None)
    monkeypatch.setattr(probe, "device_towards", lambda address: "br-lab")


@pytest.mark.parametrize("rate", [0, -1, 2000.1, float("nan")])
def test_a_rate_that_is_none_or_too_high_is_refused(rate: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="requests a second"):
        Probe(LAB, "/", rate, tmp_path / "p.jsonl")


def test_books_are_written_no_faster_than_fifty_a_second(present: None, tmp_path: Path) -> None:
    assert Writer(LAB, "/", 50, tmp_path / "p.jsonl").schedule.rate == 50
    with pytest.raises(ConfigError, match="at most 50"):
        Writer(LAB, "/", 51, tmp_path / "p.jsonl")


def test_without_the_labs_network_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(lab: object) -> None:
        raise HostError("the lab's network is not on this host")

    monkeypatch.setattr(probe, "require_present", absent)
    with pytest.raises(HostError, match="not on this host"):
        Probe(LAB, "/", 50, tmp_path / "p.jsonl")


def test_requests_leave_over_the_labs_own_device_only(present: None, tmp_path: Path) -> None:
    plan = Probe(LAB, "/api/v1/books", 50, tmp_path / "p.jsonl").schedule
    assert (plan.host, plan.port, plan.device) == (LAB.master.address, 80, "br-lab")


def test_a_probe_asks_until_it_is_stopped(tmp_path: Path) -> None:
    # Nobody listens there: refusals are answers too.
    with Probe.of(Schedule("127.0.0.1", 9, "/", 50, "lo", str(tmp_path / "new" / "p.jsonl"))) as running:
        waiting.wait_until(lambda: len(running.answers) >= 5, 10, "answers")
    ended = running.stop()
    assert [answer.error for answer in ended] == ["refused"] * len(ended)
    assert ended == sorted(ended, key=lambda answer: answer.planned)
    assert running.stop() == ended


def test_a_probe_that_broke_is_an_error_not_a_silence(tmp_path: Path) -> None:
    broken = Probe.of(Schedule("127.0.0.1", 9, "/", 50, "no-such-dev", str(tmp_path / "p.jsonl")))
    broken.start()
    with pytest.raises(LabError, match="the probe broke"):
        broken.stop()


class FakeProxy:
    """In place of ProxyClient: books in memory; refuses the first `refuses` questions."""

    def __init__(self, ids: list[str], refuses: int = 0) -> None:
        self.ids, self.refuses = ids, refuses

    def books(self) -> list[dict[str, Any]]:
        if self.refuses:
            self.refuses -= 1
            raise LabError("502 to GET")
        return [{"_id": one} for one in self.ids]

    def delete(self, book_id: str) -> None:
        self.ids.remove(book_id)

    def close(self) -> None:
        pass


@pytest.fixture
def writer(present: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    yield Writer(LAB, "/api/v1/books", 10, tmp_path / "w.jsonl")


def test_only_what_was_answered_well_is_acknowledged(writer: Writer) -> None:
    told = [
        Answer(1, 1, 1, 200, "", "", "", None, "ok", "p-0"),
        Answer(2, 2, 2, None, "", "", "", "timeout", "unknown", "p-1"),
        Answer(3, 3, 3, 503, "", "", "", "http 503", "fail", "p-2"),
    ]
    Path(writer.schedule.record).write_bytes(b"".join(map(answers.line, told)))
    assert writer.acknowledged == {"p-0"}


def test_a_writer_removes_its_own_books_and_no_other(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    own = [f"{writer.schedule.books}{n}" for n in range(3)]
    proxy = FakeProxy(["1", *own, "probe-another-0"], refuses=2)
    monkeypatch.setattr(probe, "ProxyClient", lambda lab: proxy)
    writer.clean_up()
    assert proxy.ids == ["1", "probe-another-0"]


def test_a_probe_sends_as_many_requests_as_it_is_told(present: None, tmp_path: Path) -> None:
    assert Probe(LAB, "/", 50, tmp_path / "p.jsonl", most=7).schedule.most == 7
    assert Probe(LAB, "/", 50, tmp_path / "p.jsonl").schedule.most == MOST_REQUESTS
    assert Writer(LAB, "/", 50, tmp_path / "p.jsonl").schedule.most == MOST_REQUESTS


def nowhere(folder: Path, **options: int) -> Probe:
    return Probe.of(Schedule("127.0.0.1", 9, "/", 50, "lo", str(folder / "p.jsonl"), **options))


def test_a_probe_runs_until_it_has_sent_its_most_requests(tmp_path: Path) -> None:
    short = nowhere(tmp_path, most=3)
    assert not short.is_running
    short.start()
    assert short.is_running
    waiting.wait_until(lambda: not short.is_running, 10, "its end")
    assert len(short.stop()) == 3


def test_a_probe_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    endless = nowhere(tmp_path)
    endless.kill()
    endless.start()
    endless.kill()
    assert not endless.is_running
    endless.stop()


HARNESS = """
import signal, sys, time
from evidence.probe import Probe
from evidence.sender import MOST_REQUESTS, Schedule
probe = Probe.of(Schedule("127.0.0.1", 9, "/", 50, "lo", sys.argv[1]))
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
with probe:
    print(probe._sender.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_harness_that_is_cut_ends_as_that_and_ends_its_probe(how: signal.Signals, tmp_path: Path) -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(tmp_path / "p.jsonl")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert harness.stdout is not None
    sender = Path("/proc") / harness.stdout.readline().strip()
    assert sender.exists()
    waiting.wait_until((tmp_path / "p.jsonl").exists, 10, "the first answers")
    os.killpg(harness.pid, how)
    _, said = harness.communicate()
    assert harness.returncode == -how, said

    def gone() -> bool:
        # Nobody may be there to take an orphan's exit code: a zombie has ended too.
        return not sender.exists() or ") Z " in (sender / "stat").read_text()

    waiting.wait_until(gone, 5, "the sender's end")
