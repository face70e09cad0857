"""lab/host.sh, run with programs that are played: nothing is installed on this host."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

HOST = (Path(__file__).parents[2] / "lab/host.sh").read_text()
APT = ["apt-get update", "apt-get install -y --no-install-recommends chromium fonts-liberation"]


@pytest.fixture
def host(played: Any) -> Any:
    """A Debian with root and no browser."""
    played.program("apt-get")
    played.program("id", "echo ${uid:-0}")
    return played


def run(host: Any, *words: str) -> subprocess.CompletedProcess[str]:
    # Its own PATH only: /usr/sbin of this host is not the played one's.
    done: subprocess.CompletedProcess[str] = host.run(
        HOST, *words, places={"$PATH:/usr/local/sbin:/usr/sbin:/sbin": "$PATH"}
    )
    return done


def test_a_browser_is_installed_where_there_is_none(host: Any) -> None:
    done = run(host, "--browser")
    assert done.returncode == 0, done.stderr
    assert host.calls("apt-get") == APT
    assert "to install: chromium fonts-liberation" in done.stderr


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_that_is_there_is_left_alone_and_nothing_is_said(name: str, host: Any) -> None:
    host.program(name)
    done = run(host, "--browser")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert host.calls("apt-get") == []


def test_without_a_terminal_nobody_is_asked_for_sudo_and_nothing_is_installed(host: Any) -> None:
    host.program("id", "echo 1000")
    host.program("sudo", '"$@"')
    done = run(host, "--browser")
    assert (done.returncode, host.calls("apt-get")) == (4, [])
    assert "LAB_YES=1" in done.stderr


def test_on_a_system_without_apt_the_packages_are_named(host: Any) -> None:
    (host.bin / "apt-get").unlink()
    done = run(host, "--browser")
    assert done.returncode == 4
    assert "This is not Debian or Ubuntu" in done.stderr and "  chromium fonts-liberation" in done.stderr


def test_an_install_that_fails_shows_its_last_lines(host: Any) -> None:
    host.by_words("apt-get", {"install*": "echo 'E: no space left'; exit 100"}, otherwise="true")
    done = run(host, "--browser")
    assert done.returncode == 4
    assert "E: no space left" in done.stderr


@pytest.mark.parametrize("word", ["--browsers", "browser", "-h"])
def test_an_unknown_word_is_refused_with_the_usage(word: str, host: Any) -> None:
    done = run(host, word)
    assert (done.returncode, host.calls("apt-get")) == (2, [])
    assert "usage: lab/host.sh [--venv-only | --browser]" in done.stderr


def test_a_lab_alone_needs_no_browser() -> None:
    everything = HOST.partition("missing_packages() {")[2].partition("\n}\n")[0]
    assert "debootstrap" in everything and "chromium" not in everything
