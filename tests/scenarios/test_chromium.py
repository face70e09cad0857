"""Of the programs that may be a Chromium, the first that really starts is taken."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from playwright.sync_api import Error

from lab.errors import HostError
from scenarios import chromium

STUB = "BrowserType.launch: Failed\n[pid=1][err] This command needs the snap\n"


class Playwright:
    """Starts what is named in `starts`; everything else is a stub."""

    def __init__(self, *starts: str) -> None:
        self.starts, self.chromium = starts, self

    def launch(self, executable_path: str, **options: Any) -> str:
        if executable_path not in self.starts:
            raise Error(STUB)
        return f"browser of {executable_path}"


@pytest.fixture(autouse=True)
def every_name_is_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.parametrize("name", chromium.PROGRAMS)
def test_a_stub_is_passed_over_for_one_that_starts(name: str) -> None:
    path = f"/usr/bin/{name}"
    started: Any = chromium.launch(Playwright(path))  # type: ignore[arg-type]
    assert started == (path, f"browser of {path}")


def test_a_host_where_none_starts_is_told_why_and_how_to_get_one() -> None:
    with pytest.raises(HostError, match="no Chromium that starts is on this host") as caught:
        chromium.launch(Playwright())  # type: ignore[arg-type]
    assert "/usr/bin/chromium: This command needs the snap" in (caught.value.last_seen or "")
    assert caught.value.try_next == "lab/host.sh --browser"


def test_a_host_without_any_is_told_which_names_were_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(HostError) as caught:
        chromium.launch(Playwright())  # type: ignore[arg-type]
    assert "google-chrome" in (caught.value.last_seen or "")
