"""How scripts wait on a node, as every script of the lab has it, run with programs that are played."""

from __future__ import annotations

from typing import Any

import pytest

PRELUDE = ". /etc/lab/waiting.sh\n"


def say(played: Any, factor: str, monkeypatch: pytest.MonkeyPatch, script: str) -> Any:
    monkeypatch.setenv("LAB_PATIENCE", factor)
    played.know_patience()
    return played.run(PRELUDE + script)


@pytest.mark.parametrize(
    ("factor", "seconds"), [("1", "5 180 1"), ("3", "15 540 3"), ("1.5", "7 270 1"), ("100", "500 18000 100")]
)
def test_limits_are_stretched_in_whole_seconds(
    factor: str, seconds: str, played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = say(played, factor, monkeypatch, "echo $(stretched 5) $(stretched 180) $(stretched 1)")
    assert done.stdout.strip() == seconds


@pytest.mark.parametrize(("factor", "tries"), [("1", 3), ("3", 7)])
def test_what_never_becomes_true_is_given_up_when_its_stretched_time_is_over(
    factor: str, tries: int, played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.program("look", "exit 1")
    played.clock = 10
    done = say(played, factor, monkeypatch, "until_true 20 look\necho ended with $?")
    assert (len(played.calls("look")), done.stdout) == (tries, "ended with 1\n")


def test_what_becomes_true_ends_the_wait(played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    played.program("look", "echo >>$state/looks; [ $(wc -l <$state/looks) = 2 ]")
    done = say(played, "1", monkeypatch, "until_true 20 look; echo ended with $?")
    assert (len(played.calls("look")), done.stdout) == (2, "ended with 0\n")


def test_what_was_given_up_is_told_with_what_a_slow_host_needs(
    played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.program("look", "echo noise; exit 1")
    done = say(played, "3", monkeypatch, "wait_for 2 look at it")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "gave up after 6 s waiting for: look at it (on a slow host: LAB_PATIENCE=3 lab up)\n"
    )


@pytest.mark.parametrize(("factor", "limit"), [("1", "5"), ("3", "15")])
def test_a_question_has_a_limit(
    factor: str, limit: str, played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.program("curl")
    say(played, factor, monkeypatch, "ask -o /dev/null http://there")
    assert played.calls() == [f"curl -fsS -m {limit} -o /dev/null http://there"]


def test_a_command_ends_within_its_limit(played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (played.bin / "timeout").unlink()
    played.program("timeout")
    say(played, "3", monkeypatch, "within 5 docker version -f 'a b'")
    assert played.calls() == ["timeout 15 docker version -f a b"]
