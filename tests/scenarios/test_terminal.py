"""A terminal that features type in: what its screen says, and that each word arrives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import waiting
from lab.errors import HostError, TimedOut
from scenarios import terminal
from scenarios.terminal import Terminal, is_waiting, prompts

PROMPT = "vagrant@swarm-master:~$"
needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="lab/host.sh --browser brings it")


@pytest.mark.parametrize(
    ("screen", "waits", "count"),
    [
        (f"Linux\n{PROMPT} \n\n\n", True, 1),
        (f"{PROMPT} ls\nfile\nvagrant@swarm-master:/data/compose$ ", True, 2),
        (f"{PROMPT} ls", False, 1),
        (f"{PROMPT} ls\nfile", False, 1),
        (f"echo {PROMPT}", False, 0),
        ("", False, 0),
    ],
)
def test_a_prompt_with_nothing_behind_it_waits(screen: str, waits: bool, count: int) -> None:
    assert (is_waiting(screen), prompts(screen)) == (waits, count)


def test_without_tmux_one_is_told_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(HostError, match="no tmux") as caught:
        Terminal(["true"])
    assert caught.value.try_next == "lab/host.sh --browser"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Terminal]:
    """A shell of this host that asks as a node's does."""
    (tmp_path / "rc").write_text(f"PS1='{PROMPT} '\nunset HISTFILE\n")
    with Terminal(["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"]) as opened:
        yield opened


@needs_tmux
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("""printf '<%s>\\n' 'a b' "it's" '"$HOME" *'""", '<a b>\n<it\'s>\n<"$HOME" *>'),
        ("echo " + 60 * "long ", (60 * "long ").strip()),
        ("echo one; echo two;", "one\ntwo"),
        (r"echo two words \;", "two words ;"),
        ("echo -n Enter; echo", "Enter"),
        ("seq 300 | tail -n 1; sleep 0.3; echo then", "300\nthen"),
    ],
)
def test_a_line_arrives_as_it_was_typed_and_its_end_is_waited_for(
    line: str, shown: str, shell: Terminal
) -> None:
    shell.type(line)
    assert shell.screen().rstrip().endswith(f"{shown}\n{PROMPT}")


def test_a_line_that_is_not_shown_yet_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    screens = [PROMPT, PROMPT, f"{PROMPT} ls", f"{PROMPT} ls\nfile", f"{PROMPT} ls\nfile\n{PROMPT}"]
    played = Terminal.__new__(Terminal)
    monkeypatch.setattr(Terminal, "_tmux", lambda *_: "")
    monkeypatch.setattr(Terminal, "screen", lambda _: screens.pop(0))
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    played.type("ls")
    assert screens == []


@needs_tmux
def test_a_command_that_does_not_end_is_told_with_the_screen(
    shell: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "COMMAND_TIMEOUT", 0.5)
    with pytest.raises(TimedOut, match="the end of echo begun") as caught:
        shell.type("echo begun; sleep 30")
    assert "begun" in (caught.value.last_seen or "")


def test_a_prompt_behind_output_without_an_end_of_line_is_one() -> None:
    screen = "vagrant@swarm-master:~$ curl http://localhost:8500/x?raw\nbluevagrant@swarm-master:~$\n\n"
    assert is_waiting(screen)
    assert prompts(screen) == 2
