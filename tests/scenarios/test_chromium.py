"""The browser that is taken is the first one that starts; here the programs are played."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Error, Playwright

from lab.errors import HostError
from scenarios import chromium

STUB = (
    "BrowserType.launch: Target page, context or browser has been closed\nBrowser logs:\n"
    "<launching> /usr/bin/chromium-browser\n[pid=7][err] requires the chromium snap to be installed."
)


class FakePlaywright:
    """Starts the programs of `starting` and no other."""

    def __init__(self, *starting: str) -> None:
        self.chromium, self.starting = self, starting
        self.tried: list[dict[str, Any]] = []

    def launch(self, **given: Any) -> str:
        self.tried.append(given)
        if Path(given["executable_path"]).name in self.starting:
            return "a browser"
        raise Error(STUB)


def launch(playwright: FakePlaywright) -> tuple[str, Any]:
    return chromium.launch(cast(Playwright, playwright))


def have(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda asked: f"/usr/bin/{asked}" if asked in names else None)


@pytest.mark.parametrize("name", chromium.PROGRAMS)
def test_any_chromium_of_this_host_will_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, name)
    assert launch(FakePlaywright(name)) == (f"/usr/bin/{name}", "a browser")


def test_a_stub_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, "chromium-browser", "google-chrome")
    assert launch(FakePlaywright("google-chrome"))[0] == "/usr/bin/google-chrome"


def test_where_none_starts_each_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, "chromium-browser")
    with pytest.raises(HostError) as caught:
        launch(FakePlaywright())
    assert caught.value.last_seen == "/usr/bin/chromium-browser: requires the chromium snap to be installed."
    assert caught.value.try_next == "lab/host.sh --browser"


def test_where_none_is_the_names_that_will_do_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch)
    with pytest.raises(HostError) as caught:
        launch(FakePlaywright())
    assert "google-chrome" in str(caught.value.last_seen)


@pytest.mark.parametrize(("user", "words"), [(0, ["--no-sandbox"]), (1000, [])])
def test_root_has_no_sandbox(user: int, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    have(monkeypatch, "chromium")
    playwright = FakePlaywright("chromium")
    launch(playwright)
    assert playwright.tried[0]["args"] == words


def test_a_slow_host_waits_longer_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PATIENCE", "3")
    have(monkeypatch, "chromium")
    playwright = FakePlaywright("chromium")
    launch(playwright)
    assert playwright.tried[0]["timeout"] == 3 * chromium.START_TIMEOUT * 1000
