from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from board import traffic
from board.traffic import RATE, SHOWN, Second, Traffic, seconds
from evidence.answers import Answer
from lab import config
from lab.errors import HostError

LAB = config.load(config.LAB_FILE)
NOW = 1000.4


def answer(planned: float, color: str = "blue", error: str | None = None) -> Answer:
    outcome = "fail" if error else "ok"
    return Answer(planned, planned, planned + 0.1, 200, "1.0", color, "n", error, outcome)  # type: ignore[arg-type]


def last(*answers: Answer, begin: float | None = None) -> Second:
    """The last whole second, which is 999."""
    return seconds(answers, begin, NOW)[-1]


def test_the_picture_has_the_last_whole_seconds_in_order() -> None:
    told = seconds([], None, NOW)
    assert [one.at for one in told] == list(range(1000 - SHOWN, 1000))
    assert not any(one.failed or one.waiting or one.blue for one in told)


def test_each_request_counts_in_the_second_in_which_it_was_due() -> None:
    told = last(answer(999.0), answer(999.2, "green"), answer(999.9, ""), answer(999.4, error="refused"))
    assert told == Second(999, blue=1, green=1, other=1, failed=1)
    assert last(answer(998.99), answer(1000.0)) == Second(999)


def test_a_request_of_a_color_that_failed_counts_as_failed_alone() -> None:
    assert last(answer(999.0, "blue", error="http 500")) == Second(999, failed=1)


def test_what_is_due_and_has_no_answer_waits() -> None:
    assert last(answer(999.0), begin=990.0).waiting == RATE - 1
    assert last(begin=999.0).waiting == RATE


@pytest.mark.parametrize("begin", [None, 999.5])
def test_nothing_waits_before_the_probe_began(begin: float | None) -> None:
    assert last(begin=begin).waiting == 0


# --- the probe ----------------------------------------------------------------------------------------------


class FakeProbe:
    """Notes what is done with it; `is_running` is the test's."""

    def __init__(self, *words: Any, **options: Any) -> None:
        self.record = Path(words[3])
        self.done: list[str] = []
        self.is_running = True
        self.answers: list[Answer] = []
        probes.append(self)

    def start(self) -> None:
        self.record.write_text("")  # as the sender, which opens it by its name
        self.done.append("start")

    def stop(self) -> None:
        self.done.append("stop")
        raise HostError("the lab's network is gone")

    def kill(self) -> None:
        self.done.append("kill")


probes: list[FakeProbe] = []


@pytest.fixture(autouse=True)
def fake_probes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(traffic, "Probe", FakeProbe)
    yield
    probes.clear()


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_requests_are_sent_while_the_lab_is_here_and_by_one_probe() -> None:
    shown = Traffic(LAB)
    shown.keep(present=False)
    assert probes == []
    shown.keep(present=True)
    shown.keep(present=True)
    assert [one.done for one in probes] == [["start"]]
    shown.keep(present=False)
    assert probes[0].done == ["start", "stop"]


def test_a_probe_that_ended_is_followed_by_another_and_nothing_stays_open() -> None:
    shown, before = Traffic(LAB), open_files()
    shown.keep(present=True)
    probes[0].is_running = False
    shown.keep(present=True)
    assert [one.done for one in probes] == [["start", "stop"], ["start"]]
    shown.keep(present=False)
    assert open_files() == before


def test_answers_of_the_probe_before_are_still_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    shown = Traffic(LAB)
    shown.keep(present=True)
    probes[0].answers = [answer(998.0), answer(999.0), answer(NOW - SHOWN - 1)]
    shown.keep(present=False)
    assert [one.blue for one in shown.seconds(NOW)[-2:]] == [1, 1]


def test_the_record_of_the_requests_is_in_no_folder() -> None:
    Traffic(LAB).keep(present=True)
    assert str(probes[0].record).startswith(f"/proc/{os.getpid()}/fd/")
    assert "memfd" in os.readlink(probes[0].record)


def test_a_lab_that_goes_away_as_the_probe_begins_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **options: object) -> FakeProbe:
        raise HostError("the lab's network is not on this host")

    monkeypatch.setattr(traffic, "Probe", refuse)
    shown, before = Traffic(LAB), open_files()
    shown.keep(present=True)
    assert asdict(shown.seconds(NOW)[-1])["waiting"] == 0
    assert open_files() == before


def test_at_the_end_nobody_waits_for_the_requests_under_way() -> None:
    shown = Traffic(LAB)
    shown.end()
    shown.keep(present=True)
    shown.end()
    assert probes[0].done == ["start", "kill"]
