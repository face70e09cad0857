"""`lab bundle` and `lab up --bundle` as they are typed: what is said, and the exit code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import main as lab_command
from deployments import bring_up
from lab import environment
from provisioning.bundle import serve
from tests.provisioning.bundle.bundles import Machine, renamed

Said = tuple[int, str, str]
Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def no_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path / "state")
    monkeypatch.setenv(environment.LAB, "")
    monkeypatch.delenv("LAB_FILE", raising=False)


def test_a_whole_bundle_is_told_with_what_it_is_for(command: Command, machine: Machine, bundle: Path) -> None:
    code, out, err = command("bundle", "verify", str(bundle))
    assert (code, err) == (0, "")
    assert "6 members" in out and "hosts with " in out and "identity " in out


def test_a_bundle_is_made(command: Command, machine: Machine, tmp_path: Path) -> None:
    code, out, _ = command("bundle", "create", str(tmp_path / "x"))
    assert code == 0 and f"{tmp_path}/x: " in out and (tmp_path / "x").is_file()


def test_a_damaged_bundle_exits_with_1_and_the_member(
    command: Command, machine: Machine, bundle: Path
) -> None:
    content = b"rsync_3.2.7-1_amd64.deb"
    bundle.write_bytes(bundle.read_bytes().replace(2 * content, content + content.upper()))
    code, out, err = command("bundle", "verify", str(bundle))
    assert (code, out) == (1, "")
    assert "debs/rsync_3.2.7-1_amd64.deb is damaged" in err and "lab bundle create FILE" in err


def test_a_foreign_bundle_exits_with_1_after_what_it_is_for(
    command: Command, machine: Machine, bundle: Path
) -> None:
    code, out, err = command("bundle", "verify", str(renamed(bundle, architecture="m68k")))
    assert code == 1 and "for m68k" in out and "it is for m68k; this machine is" in err


@pytest.mark.parametrize(
    "words",
    [
        ("bundle", "verify", "/no such file"),
        ("bundle", "serve", "/no such file"),
        ("bundle", "create", "/no such folder/x"),
        ("bundle", "create"),
        ("up", "--bundle", "/no such file"),
        ("up", "--bundle", __file__, "--from", "http://h:1"),
        ("up", "--bundle", "."),
    ],
    ids=" ".join,
)
def test_odd_words_exit_with_2(words: tuple[str, ...], command: Command, machine: Machine) -> None:
    assert command(*words)[0] == 2


def test_a_port_that_is_taken_exits_with_4(command: Command, machine: Machine, bundle: Path) -> None:
    with serve.Server(("127.0.0.1", 0), bundle, print) as server:
        code, _, err = command("bundle", "serve", str(bundle), "--port", str(server.server_port))
    assert code == 4 and "another --port" in err


def test_a_server_says_what_to_type_and_ends_with_ctrl_c(
    command: Command, machine: Machine, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: serve.Server) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serve.Server, "serve_forever", interrupted)
    code, out, _ = command("bundle", "serve", str(bundle), "--port", "0")
    assert code == 130 and out.startswith("make lab-up FROM=http://127.0.0.1:")


@pytest.mark.parametrize(("word", "source"), [("--bundle", __file__), ("--from", "http://10.0.0.1:8700")])
def test_up_gives_the_bundle_on(
    word: str, source: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    monkeypatch.setattr(bring_up, "bring_up_chosen", lambda say, bundle: given.append(bundle))
    monkeypatch.setattr(lab_command.screens, "closing", lambda lab: None)
    assert command("up", word, source)[0] == 0
    assert given == [source]


@pytest.mark.parametrize("words", [("bundle", "verify"), ("bundle", "serve"), ("up", "--bundle")])
def test_what_is_no_file_is_refused_and_not_waited_for(
    words: tuple[str, ...], command: Command, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, _, err = command(*words, str(tmp_path / "pipe"))
    assert code == 2 and "pipe' is not a file" in err
