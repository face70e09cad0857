"""Root is asked for once, and only when it is needed."""

from __future__ import annotations

import io
import sys

import pytest

from lab import root
from lab.errors import HostError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not root, with sudo, and nothing said yet."""
    monkeypatch.setattr(root, "_said_yes", False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.delenv("LAB_YES", raising=False)
    for name in root.PROXIES:
        monkeypatch.delenv(name, raising=False)


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))


@pytest.mark.parametrize("answer", ["y", "Y", "yes"])
def test_who_said_yes_is_not_asked_again(
    answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, answer, "n")
    root.ask("do this")
    root.ask("do that")
    assert capsys.readouterr().err == "To do this, sudo is needed. Go on? [y/N] "


@pytest.mark.parametrize("answer", ["", "n", "no", "what?"])
def test_anything_but_a_yes_is_a_no(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, answer)
    with pytest.raises(HostError, match="without sudo nobody can do this"):
        root.ask("do this")


def test_without_a_terminal_the_way_to_say_yes_is_told() -> None:
    with pytest.raises(HostError, match="LAB_YES=1"):
        root.ask("do this")


@pytest.mark.parametrize("said", ["0", "yes", ""])
def test_only_1_answers_for_the_user(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_YES", said)
    with pytest.raises(HostError):
        root.ask("do this")


def test_without_sudo_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(HostError, match="sudo is not here"):
        root.ask("do this")


def test_root_is_not_asked_and_needs_no_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    root.ask("do this")
    assert root.as_root(["mount", "it"]) == ["mount", "it"]


def test_a_user_keeps_the_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.test")
    assert root.as_root(["mount", "it"]) == ["sudo", "env", "https_proxy=http://proxy.test", "mount", "it"]
