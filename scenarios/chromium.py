"""This host's Chromium: the first of a few names that really starts, for the features that look at pages.

A name on PATH is not enough: Ubuntu's `chromium-browser` only says which snap to install. `python -m
scenarios.chromium` says which one it is; lab/host.sh asks that before it installs one.
"""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from lab.errors import HostError
from lab.waiting import stretched

PROGRAMS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "microsoft-edge-stable", "brave-browser", "brave-browser-stable"),
)
START_TIMEOUT = 20.0


def programs() -> list[str]:
    """The paths of what may be a Chromium; whether it starts is not known yet."""
    return [path for path in map(shutil.which, PROGRAMS) if path]


def launch(playwright: Playwright) -> tuple[str, Browser]:
    """The first program that starts, and the browser that it became. HostError when none does."""
    # Chromium does not start its sandbox for root.
    words = ["--no-sandbox"] if os.geteuid() == 0 else []
    refused = []
    for path in programs():
        try:
            return path, playwright.chromium.launch(
                executable_path=path, args=words, timeout=stretched(START_TIMEOUT) * 1000
            )
        except Error as error:
            refused.append(f"{path}: {_reason(str(error))}")
    raise HostError(
        "no Chromium that starts is on this host",
        last_seen="\n".join(refused) or "none of " + ", ".join(PROGRAMS),
        try_next="lab/host.sh --browser",
    )


def _reason(said: str) -> str:
    """The line in which the program says why, else the first one."""
    lines = said.splitlines() or [""]
    return next((line.split("[err]", 1)[1].strip() for line in lines if "[err]" in line), lines[0])


def main() -> None:
    with sync_playwright() as playwright:
        path, browser = launch(playwright)
        browser.close()
    print(path)


if __name__ == "__main__":
    try:
        main()
    except HostError as error:
        raise SystemExit(str(error)) from None
