"""One contract for every Shell: the fake, and the real one over a connection that leads to this host."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import CommandTimedOut
from invoke.runners import Result as Ran

from lab.errors import LabError, TimedOut
from lab.shell import CommandFailed, Result, Shell, SshShell, command_line, in_parallel
from lab.testing import Answer, Endless, FakeShell, said
from lab.waiting import SLOW_HOST


class HereConnection:
    """In place of fabric's connection: the same `run`, on this host."""

    is_connected = True

    def run(self, line: str, *, timeout: float, **options: Any) -> Any:
        assert options == {"hide": True, "warn": True, "in_stream": False, "pty": False}
        here = line.replace("bash -lc", "bash -c", 1)  # without what a profile of this host says
        try:
            done = subprocess.run(
                ["sh", "-c", here], check=False, capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired as error:
            said_so_far = Ran(stdout=(error.stdout or b"").decode())
            raise CommandTimedOut(said_so_far, timeout) from error  # type: ignore[arg-type]
        return Ran(stdout=done.stdout, stderr=done.stderr, exited=done.returncode)


class BrokenConnection:
    is_connected = True
    closed = False

    def run(self, line: str, **options: Any) -> Any:
        raise EOFError("the other side hung up")

    def close(self) -> None:
        self.closed = True


class CutConnection(BrokenConnection):
    """The channel closes and says nothing, after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def run(self, line: str, **options: Any) -> Any:
        time.sleep(self.seconds)
        return Ran(stdout="half", exited=-1)


class DeafConnection:
    is_connected = False

    def open(self) -> None:
        raise OSError("No route to host")


def ssh_shell(tmp_path: Path, connection: object) -> SshShell:
    (tmp_path / "ssh_config").write_text("Host here\n  HostName 192.0.2.1\n")
    shell = SshShell("here", tmp_path / "ssh_config")
    shell._connection = connection
    return shell


def over_ssh(tmp_path: Path) -> Shell:
    return ssh_shell(tmp_path, HereConnection())


def fake(tmp_path: Path) -> Shell:
    answers: dict[str, Answer] = {
        "sleep": Endless("begun\n"),
        "seq 20": said("".join(f"{n}\n" for n in range(1, 21)), exit=7, stderr="the end\n"),
        "echo it": said("it's\n"),
    }
    return FakeShell(answers, node="here")


FAILS = "seq 20; echo the end >&2; exit 7"


@pytest.fixture(params=[fake, over_ssh], ids=["fake", "ssh"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    make: Callable[[Path], Shell] = request.param
    return make(tmp_path)


def test_a_result_holds_node_script_exit_and_both_outputs(shell: Shell) -> None:
    script = "echo it\\'s"
    assert shell.run(script, sudo=False) == Result("here", script, 0, "it's\n", "")


def test_a_failure_raises_with_node_exit_and_the_last_lines(shell: Shell) -> None:
    with pytest.raises(CommandFailed) as caught:
        shell.run(FAILS, sudo=False)
    assert (caught.value.node, caught.value.result.exit) == ("here", 7)
    assert caught.value.what == f"exit 7 from: {FAILS}"
    last = (caught.value.last_seen or "").split()
    assert last[0] != "1"
    assert last[-3:] == ["20", "the", "end"]


def test_an_unchecked_failure_is_an_answer(shell: Shell) -> None:
    result = shell.run(FAILS, sudo=False, check=False)
    assert (result.exit, result.stderr) == (7, "the end\n")


def test_a_script_that_does_not_end_is_timed_out_even_unchecked(shell: Shell) -> None:
    with pytest.raises(TimedOut) as caught:
        shell.run("echo begun; exec sleep 30", sudo=False, check=False, timeout=0.5)
    assert caught.value.node == "here"
    assert caught.value.what == "no end after 0.5 s: echo begun; exec sleep 30"
    assert caught.value.last_seen == "begun\n"


def test_a_broken_connection_is_an_error_of_its_node_and_is_closed(tmp_path: Path) -> None:
    connection = BrokenConnection()
    with pytest.raises(LabError) as caught:
        ssh_shell(tmp_path, connection).run("true", check=False)
    assert str(caught.value) == "here: the SSH connection broke\n  last seen: the other side hung up"
    assert connection.closed


def test_a_node_that_does_not_answer_is_named_with_what_to_try(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        ssh_shell(tmp_path, DeafConnection()).run("true")
    assert (caught.value.node, caught.value.last_seen, caught.value.try_next) == (
        "here",
        "No route to host",
        "lab up",
    )


@pytest.mark.parametrize(("sudo", "begins"), [(True, "sudo -n bash -c "), (False, "bash -lc ")])
def test_a_command_line_is_one_bash_with_the_script_as_one_word(sudo: bool, begins: str) -> None:
    script = """echo "it's"; echo '$HOME' `x` \\ && for i in 1; do :; done\necho 2"""
    line = command_line(script, sudo)
    assert line.startswith(begins)
    assert shlex.split(line) == [*begins.split(), script]


def test_quotes_of_a_script_survive_the_command_line() -> None:
    script = "printf '%s|' \"it's\" '$HOME' \"a\nb\""
    line = command_line(script, sudo=False).replace("bash -lc", "bash -c", 1)
    said_here = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert said_here.stdout == "it's|$HOME|a\nb|"


def test_a_long_command_is_cut_in_the_error_and_whole_in_its_result() -> None:
    result = Result("here", "x" * 500, 1, "", "")
    error = CommandFailed(result)
    assert error.what == f"exit 1 from: {'x' * 200}..."
    assert error.result is result


def test_a_fake_remembers_what_it_ran() -> None:
    shell = FakeShell({"": said()})
    shell.run("one")
    shell.run("two", check=False)
    assert shell.scripts == ["one", "two"]
    assert shell.ran("tw") == ["two"]


def test_a_fake_without_an_answer_says_so() -> None:
    with pytest.raises(LookupError, match="the fake n1 has no answer to: other"):
        FakeShell({"^this$": said()}, node="n1").run("other")


def test_the_first_pattern_of_a_fake_counts() -> None:
    shell = FakeShell({"one": said("1"), "": said("rest")})
    assert [shell.run("one").stdout, shell.run("two").stdout] == ["1", "rest"]


def test_work_in_parallel_answers_by_node_in_order() -> None:
    assert list(in_parallel(str.upper, ["b", "a"]).items()) == [("b", "B"), ("a", "A")]
    assert in_parallel(str.upper, []) == {}


def test_work_in_parallel_raises_after_all_have_ended() -> None:
    ended: list[str] = []

    def work(node: str) -> None:
        if node == "bad":
            raise LabError("no", node=node)
        ended.append(node)

    with pytest.raises(LabError, match="no"):
        in_parallel(work, ["bad", "n1", "n2"])
    assert sorted(ended) == ["n1", "n2"]


def test_what_paramiko_logs_of_a_broken_connection_is_not_on_the_users_screen() -> None:
    words = "import logging, lab.shell; logging.getLogger('paramiko.transport').error('Exception (client)')"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


# --- slow hosts ---------------------------------------------------------------------------------------------


def test_a_script_is_given_more_time_on_a_slow_host_and_the_error_says_how_much(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", "2")
    with pytest.raises(TimedOut) as caught:
        shell.run("echo begun; exec sleep 30", sudo=False, timeout=0.2)
    assert caught.value.what == "no end after 0.4 s: echo begun; exec sleep 30"
    assert caught.value.try_next == SLOW_HOST


@pytest.mark.parametrize(("factor", "seconds"), [("1", (10, 15, 30)), ("3", (30, 45, 90))])
def test_a_connection_is_given_more_time_on_a_slow_host(
    factor: str, seconds: tuple[float, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", factor)
    (tmp_path / "ssh_config").write_text("Host here\n  HostName 192.0.2.1\n  IdentityFile /a/key\n")
    connection = SshShell("here", tmp_path / "ssh_config")._connection
    limits = connection.connect_kwargs
    assert (connection.connect_timeout, limits["banner_timeout"], limits["auth_timeout"]) == seconds
    assert limits["key_filename"] == ["/a/key"]


def test_a_command_without_an_exit_code_is_a_connection_that_broke(tmp_path: Path) -> None:
    connection = CutConnection(0)
    with pytest.raises(LabError, match="the SSH connection broke") as caught:
        ssh_shell(tmp_path, connection).run("true", check=False)
    assert caught.value.last_seen == "half" and connection.closed


def test_a_command_that_was_closed_when_its_time_was_over_is_out_of_time(tmp_path: Path) -> None:
    with pytest.raises(TimedOut, match=r"no end after 0\.01 s: true"):
        ssh_shell(tmp_path, CutConnection(0.05)).run("true", check=False, timeout=0.01)
