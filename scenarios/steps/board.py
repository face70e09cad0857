"""`lab board` as its users have it: a process of its own, its page in a browser, labs that report to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from playwright.sync_api import Page, expect
from pytest_bdd import given, parsers, then, when

from lab.environment import ROOT
from lab.errors import LabError
from lab.waiting import stretched, wait_until
from scenarios.contrast import AA, color, ratio
from scenarios.steps.browser import keep

SHOWN_WITHIN = 60.0  # seconds: a look at each node, or a request that is given up
ENDS_WITHIN = 20.0
# Each element with words of its own: the words, their color, and the first ground below that covers.
WORDS = """() => [...document.querySelectorAll('body *')].flatMap((one) => {
  const own = [...one.childNodes].filter((node) => node.nodeType === 3);
  const words = own.map((node) => node.data.trim()).join(' ').trim();
  const box = one.getBoundingClientRect();
  if (!words || !one.checkVisibility() || box.width <= 1 || one.closest('svg, .skip')) return [];
  let ground = one;
  while (ground.parentElement && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)')
    ground = ground.parentElement;
  return [[words, getComputedStyle(one).color, getComputedStyle(ground).backgroundColor]];
})"""

# What is cut off: but for a head of a table that is there to be heard alone, where it is narrow.
CUT = """() => [...document.querySelectorAll('main *')].filter((one) =>
  one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 1
  && getComputedStyle(one).overflowX !== 'visible').map((one) => one.outerHTML.slice(0, 99))"""


@dataclass
class Shown:
    """The board of a scenario, and who reports to it."""

    process: subprocess.Popen[str]
    url: str
    token: str
    reports: list[subprocess.Popen[str]] = field(default_factory=list)


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """Whatever a scenario starts is gone at its end."""
    with ExitStack() as started:
        yield started


def start(processes: ExitStack, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "board", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    processes.enter_context(process)
    processes.callback(process.kill)
    return process


def opened(processes: ExitStack, *words: str) -> Shown:
    process = start(processes, *words)
    url, join = line(process, process.stdout), line(process, process.stdout)
    found = re.search(r"--token (\S+)", join)
    assert found, join
    return Shown(process, url, found[1])


def line(process: subprocess.Popen[str], stream: IO[str] | None) -> str:
    """The next line of a process. Raises LabError with what it said when it ended instead."""
    assert stream is not None
    said = stream.readline().strip()
    if not said:
        raise LabError("the board ended", last_seen=process.communicate()[1])
    return said


def limit() -> float:
    """Milliseconds, for a browser."""
    return stretched(SHOWN_WITHIN) * 1000


# --- the board ----------------------------------------------------------------------------------------------


@given("the board is open in a browser", target_fixture="shown")
def open_board(processes: ExitStack, page: Page) -> Shown:
    shown = opened(processes, "--port", "0")
    page.goto(shown.url)
    return shown


@when("the board is killed")
def kill_board(shown: Shown) -> None:
    shown.process.kill()
    shown.process.wait()


@when("the board is opened again", target_fixture="shown")
def open_again(processes: ExitStack, shown: Shown) -> Shown:
    return opened(processes, "--port", shown.url.rstrip("/").rpartition(":")[2], "--token", shown.token)


@when("the board is ended with Ctrl-C")
def end_board(shown: Shown) -> None:
    shown.process.send_signal(signal.SIGINT)
    out, err = shown.process.communicate(timeout=stretched(ENDS_WITHIN))
    assert (shown.process.returncode, out, err) == (0, "", "the board has ended\n"), err


@then("its probe runs", target_fixture="probe")
def probe_runs(shown: Shown) -> int:
    """The process that asks as users do."""
    return wait_until(lambda: next(iter(probes(shown.process.pid)), 0), SHOWN_WITHIN, "the board's probe")


def probes(pid: int) -> list[int]:
    """Those that ask as users do; whichever thread began them."""
    found = [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in words_of(path)]
    return [
        child for child in found if "evidence.sender" in "".join(words_of(Path(f"/proc/{child}/cmdline")))
    ]


def words_of(path: Path) -> list[str]:
    """None of a process that has ended meanwhile."""
    try:
        return path.read_text().split()
    except OSError:
        return []


@then("its probe has ended")
def probe_ended(probe: int) -> None:
    def ended() -> bool:
        try:
            os.kill(probe, 0)
        except ProcessLookupError:
            return True
        # Nobody may be there to take an orphan's exit code.
        return ") Z " in Path(f"/proc/{probe}/stat").read_text()

    wait_until(ended, ENDS_WITHIN, "the probe's end")


# --- the page -----------------------------------------------------------------------------------------------


@then(parsers.parse("the board says {word}"))
def says(page: Page, tmp_path: Path, word: str) -> None:
    expect(page.locator("#state-word")).to_have_text(word, timeout=limit())
    keep(page, tmp_path, word.replace(" ", "-"))


@then(parsers.parse("it lists {fault} among the open faults"))
def lists_fault(page: Page, fault: str) -> None:
    expect(page.locator("#faults li")).to_contain_text(fault, timeout=limit())


@then("it lists no open fault")
def lists_none(page: Page) -> None:
    expect(page.locator("#faults")).to_have_text("None.", timeout=limit())


@then(parsers.re("it shows requests (?:by )?(?P<kind>blue|green|failed)"))
def shows_requests(page: Page, tmp_path: Path, kind: str) -> None:
    """Anew: in the words of the last ten seconds, and in the picture."""
    told = page.locator("#summary")
    words = f"[1-9][0-9]* {kind}" if kind == "failed" else f"[1-9][0-9]* by {kind}"
    expect(told).to_have_text(re.compile(words), timeout=limit())
    expect(page.locator(f"#bars rect.{kind}").first).to_be_attached()
    keep(page, tmp_path, kind)


@then("it shows no requests failed of the last 10 seconds")
def shows_no_failed(page: Page) -> None:
    expect(page.locator("#summary")).to_contain_text(" 0 failed, 0 without", timeout=limit())


@then(parsers.parse("the board shows {color_name} live"))
def shows_live(page: Page, color_name: str) -> None:
    expect(page.locator("#services li").first).to_contain_text(f"{color_name} live", timeout=limit())


@then(parsers.parse('its page says "{words}"'))
def page_says_lost(page: Page, tmp_path: Path, words: str) -> None:
    expect(page.locator("#lost")).to_contain_text(words, timeout=limit())
    keep(page, tmp_path, "lost")


@then("its page says nothing of that")
def says_nothing(page: Page) -> None:
    expect(page.locator("#lost")).to_be_hidden(timeout=limit())


# --- who reports --------------------------------------------------------------------------------------------


@when(parsers.parse("a lab reports to the board as {name}"))
def report(processes: ExitStack, shown: Shown, name: str) -> None:
    words = ("--join", shown.url, "--token", shown.token, "--as", name)
    shown.reports.append(start(processes, *words))


@then(parsers.parse("the board shows {name} at {step}, without {what}"))
def shows_attendee(page: Page, tmp_path: Path, name: str, step: str, what: str) -> None:
    row = page.locator("#room tr", has=page.get_by_role("rowheader", name=name, exact=True))
    expect(row).to_contain_text(step, timeout=limit())
    expect(row).to_contain_text(what)
    keep(page, tmp_path, "room")


@then(parsers.parse('that report is refused with exit code {code:d}: "{words}"'))
def is_refused(shown: Shown, code: int, words: str) -> None:
    process = shown.reports[-1]
    _, err = process.communicate(timeout=stretched(SHOWN_WITHIN))
    assert process.returncode == code and words in err, err


# --- for everybody ------------------------------------------------------------------------------------------


@then("every word of it has a contrast of 4.5 to 1, light and dark")
def has_contrast(page: Page, tmp_path: Path) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        keep(page, tmp_path, scheme)
        found = page.evaluate(WORDS)
        assert len(found) > 30, found  # noqa: PLR2004  else it looked at nothing
        weak = [one for one in found if ratio(color(one[1]), color(one[2])) < AA]
        assert weak == [], weak


@then(parsers.parse("it fits widths of {narrow:d} and {wide:d}"))
def fits(page: Page, tmp_path: Path, narrow: int, wide: int) -> None:
    for width in (narrow, wide):
        page.set_viewport_size({"width": width, "height": 900})
        keep(page, tmp_path, f"{width}-wide")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = page.evaluate(CUT)
        assert cut == [], cut


@then("the first key leads past its head")
def can_be_typed(page: Page) -> None:
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@then("nothing on it moves for who wants no motion")
def is_still(page: Page) -> None:
    moving = (
        "() => [...document.querySelectorAll('*')].filter((one) => "
        "getComputedStyle(one).transitionDuration !== '0s' || getComputedStyle(one).animationName !== 'none')"
        ".map((one) => one.id)"
    )
    assert page.evaluate(moving) == ["bars"], "what moves else"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == []
