from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from board import joining, serving
from lab import environment
from lab.errors import ConfigError

Command = Callable[..., tuple[int, str, str]]
JOIN = ("--join", "http://10.0.0.5:8765", "--as", "Ada", "--token", "t" * 22)


@pytest.fixture(autouse=True)
def no_board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path)
    monkeypatch.setattr(serving.Serving, "run", lambda self: None)
    monkeypatch.setattr(serving, "leave", lambda: None)
    monkeypatch.setattr(joining, "join", lambda *words: pytest.fail("it joined"))


def test_a_board_says_where_it_is_and_how_one_joins(command: Command) -> None:
    code, out, err = command("board", "--port", "0")
    page, join = out.splitlines()
    assert code == 0 and page.startswith("http://127.0.0.1:")
    assert join.startswith(f"lab board --join {page.rstrip('/')} --token ") and join.endswith(" --as NAME")
    assert err == "the board has ended\n"


def test_a_board_that_others_reach_says_so(command: Command) -> None:
    code, _, err = command("board", "--port", "0", "--address", "0.0.0.0")
    assert code == 0 and "everybody who reaches 0.0.0.0" in err


def test_a_board_may_keep_the_token_of_the_one_before(command: Command) -> None:
    assert f"--token {'t' * 22} " in command("board", "--port", "0", "--token", "t" * 22)[1]


def test_the_token_is_written_into_no_file(command: Command, tmp_path: Path) -> None:
    token = command("board", "--port", "0")[1].split("--token ")[1].split()[0]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and token in path.read_text()]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (JOIN[:4], "without --token"),
        (JOIN[2:], "without --join"),
        (JOIN[:2], "without --as, --token"),
        ((*JOIN, "--port", "0"), "with --address or --port"),
        ((*JOIN, "--address", "127.0.0.1"), "with --address or --port"),
        (("--token", "weak"), "no token of a board"),
        (("--port", "65536"), "--port"),
        (("--port", "-1"), "--port"),
        (("--port", "http"), "--port"),
        (("--address", ""), "is no address"),
        (("here",), "unexpected extra argument"),
    ],
)
def test_words_that_make_no_board_are_refused(words: tuple[str, ...], told: str, command: Command) -> None:
    code, out, err = command("board", *words)
    assert (code, out) == (2, "") and told in err


def test_one_leaves_the_room_with_ctrl_c(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(joining, "join", interrupted)
    assert command("board", *JOIN) == (0, "", "the board is told no more\n")


def test_what_the_board_refuses_is_the_exit_code(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*words: object) -> None:
        raise ConfigError("the board takes another token", try_next="the line that the board printed")

    monkeypatch.setattr(joining, "join", refused)
    code, out, err = command("board", *JOIN)
    assert (code, out) == (2, "") and "another token" in err and "try next" in err
