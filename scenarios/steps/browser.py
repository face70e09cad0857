"""The article's pages in a headless Chromium. Each step leaves a picture in the scenario's tmp_path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Response, expect, sync_playwright
from pytest_bdd import given, parsers, then, when

from deployments import books
from lab import named
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.clients.proxy import ProxyClient
from lab.errors import LabError
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import stretched, wait_until
from provisioning.resources import File
from provisioning.templates import render
from scenarios.chromium import launch
from scenarios.steps.world import Story

SCREEN = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PAGE_TIMEOUT = 15_000.0  # milliseconds, for whatever a page is asked for
ONLINE_TIMEOUT = 90.0
BUILD_TIMEOUT = 120.0
JENKINS_SETTINGS = "/data/jenkins/config.xml"


# --- the browser --------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        _, browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    context = chromium.new_context(viewport=SCREEN)  # type: ignore[arg-type]
    context.set_default_timeout(stretched(PAGE_TIMEOUT))
    opened = context.new_page()
    yield opened
    keep(opened, tmp_path, "end")  # also what a failed step saw
    context.close()


def keep(page: Page, folder: Path, name: str) -> None:
    """A picture of the whole page, numbered in the order of the steps."""
    number = len(list(folder.glob("*.png"))) + 1
    page.screenshot(path=folder / f"{number:02}-{name}.png", full_page=True)


# --- what is done -------------------------------------------------------------------------------------------


@when(parsers.parse("a browser opens {url}"), target_fixture="opened")
def open_page(page: Page, tmp_path: Path, url: str) -> Response:
    opened = page.goto(url)
    if opened is None or not opened.ok:
        raise LabError(f"{url} cannot be opened", last_seen=f"status {opened.status}" if opened else None)
    keep(page, tmp_path, "opened")
    return opened


@when(parsers.parse("it clicks {names}"))
def click(lab: Lab, page: Page, tmp_path: Path, story: Story, names: str) -> None:
    *_, job, last = ["", *names.split(" > ")]
    if last == "Build Now":
        with closing(JenkinsClient(lab)) as jenkins:
            story.builds = jenkins.last_number(job)
    for name in names.split(" > "):
        page.get_by_role("link", name=name, exact=True).first.click()
        page.wait_for_load_state()
    keep(page, tmp_path, last)


@when(parsers.parse("it presses {name}"))
def press(page: Page, tmp_path: Path, name: str) -> None:
    keep(page, tmp_path, f"before-{name}")
    page.get_by_role("button", name=name, exact=True).locator("visible=true").click()
    page.wait_for_load_state()


@when(parsers.parse("it types {words} as {label}"))
def type_as(page: Page, words: str, label: str) -> None:
    setting(page, label).fill(words)


def setting(page: Page, label: str) -> Locator:
    """The field beside a label in a form of Jenkins, which ties them by nothing but their row."""
    name = f"td[contains(@class, 'setting-name') and normalize-space() = '{label}']"
    field = "following-sibling::td[contains(@class, 'setting-main')]//input"
    return page.locator(f"xpath=//{name}/{field}").locator("visible=true")


@when(parsers.parse("it selects {option}"))
def select(page: Page, option: str) -> None:
    """A radio button by its label, or the option of a list."""
    lists = page.locator("select", has=page.locator("option", has_text=option))
    if lists.count():
        lists.select_option(label=option)
    else:
        page.get_by_text(option, exact=True).click()


# --- books-fe -----------------------------------------------------------------------------------------------


@then("the page lists the three books")
def lists_books(lab: Lab, page: Page, tmp_path: Path) -> None:
    entries = page.locator("#books li")
    expect(entries).to_have_count(len(books.BOOKS))
    with closing(ProxyClient(lab)) as proxy:
        listed = [books.kept(book) for book in proxy.books()]
    assert listed == list(books.BOOKS), listed
    shown = [entry.splitlines() for entry in entries.all_inner_texts()]
    wanted = [[book["title"], book["author"], book["description"]] for book in listed]
    assert [[line for line in entry if line] for entry in shown] == wanted, shown
    keep(page, tmp_path, "books")


@then(parsers.parse("it says which release of {service} serves it, on which color and node"))
def says_who_serves(lab: Lab, page: Page, opened: Response, service: str) -> None:
    release, color, node = (opened.headers[f"x-{name}"] for name in ("release", "color", "node"))
    expect(page.locator("header p")).to_have_text(f"Release {release} {color} on {node}")
    assert color == ConsulClient(lab).live_color(lab.service(service))
    assert node in [one.name for one in lab.swarm_nodes]


@then("it fits a phone")
def fits_phone(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    keep(page, tmp_path, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


# --- Jenkins ------------------------------------------------------------------------------------------------


@then(parsers.parse("it lists the jobs {names}"))
def lists_jobs(page: Page, names: str) -> None:
    shown = set(page.locator("#projectstatus td:nth-child(3) a").all_inner_texts())
    assert shown == set(names.split(" and ")), shown


@then(parsers.parse("it shows the node {name} online"))
def shows_online(lab: Lab, page: Page, tmp_path: Path, name: str) -> None:
    url = f"http://{lab.master.address}:8080/computer/"
    pictures = page.locator(f"#computers tr:has(a[href$='/computer/{name}/']) td:first-child img")

    def online() -> bool:
        page.goto(url)
        picture = Path(pictures.get_attribute("src", timeout=stretched(1000)) or "").stem
        if picture != "computer":  # else it has a cross or a flash
            raise LabError(f"{name} is shown as {picture}")
        return True

    wait_until(online, ONLINE_TIMEOUT, f"the node {name} to be shown online", try_next=f"{url}{name}/log")
    keep(page, tmp_path, "online")


@then("the build's ball blinks and turns blue")
def turns_blue(page: Page, tmp_path: Path, story: Story) -> None:
    seen: list[str] = []

    def ended() -> bool:
        ball = ball_of(page, story.builds + 1)
        if ball and ball not in seen:
            seen.append(ball)
            keep(page, tmp_path, ball)
        if not has_ended(ball):
            page.reload()
        return has_ended(ball)

    wait_until(
        ended, BUILD_TIMEOUT, f"the ball of build {story.builds + 1}", try_next=named.command("logs jenkins")
    )
    assert seen[-1] == "blue" and any(ball.endswith("_anime") for ball in seen), seen


def ball_of(page: Page, number: int) -> str:
    """The ball of a build in the history that is shown; "" when the build is not there."""
    rows = page.locator("#buildHistory tr.build-row", has_text=re.compile(rf"#{number}\b"))
    return ball_in(rows.locator("img").evaluate_all("found => found.map(one => one.src)"))


def has_ended(ball: str) -> bool:
    """A build that waits in the queue has a grey ball, one that runs a blinking one."""
    return ball not in ("", "grey") and not ball.endswith("_anime")


def ball_in(pictures: Sequence[str]) -> str:
    """The ball among pictures, such as `blue` or `grey_anime`; "" when none is one."""
    stems = [Path(picture).stem for picture in pictures]
    return next((stem for stem in stems if re.fullmatch("(blue|red|yellow|grey)(_anime)?", stem)), "")


@then(parsers.parse("the build ran on the node {name}"))
def ran_on(page: Page, tmp_path: Path, story: Story, name: str) -> None:
    page.goto(f"{page.url.split('?')[0].rstrip('/')}/{story.builds + 1}/console")
    keep(page, tmp_path, "console")
    text = page.locator("pre").first.inner_text()
    assert f"Building remotely on {name}" in text, text
    assert "Finished: SUCCESS" in text, text


@given("Jenkins' settings are put back in the end")
def settings_put_back(lab: Lab, master: Shell) -> Iterator[None]:
    yield
    # Stopped first, or it would write its own over them; then as after provisioning.
    settings = File(JENKINS_SETTINGS, render("jenkins/config.xml", lab)).converge("", frozenset())
    master.run(f"docker stop -t 5 jenkins; {settings}; docker start jenkins")
    with closing(JenkinsClient(lab)) as jenkins:
        wait_until(
            lambda: jenkins.online("cd"),
            ONLINE_TIMEOUT,
            "the node cd",
            try_next=named.command("logs jenkins"),
        )


@then(parsers.parse("Jenkins has no node {name}"))
def has_no_node(lab: Lab, page: Page, tmp_path: Path, name: str) -> None:
    page.goto(f"http://{lab.master.address}:8080/computer/")
    expect(page.locator("#computers")).to_be_visible()
    expect(page.locator(f"#computers a[href$='/computer/{name}/']")).to_have_count(0)
    keep(page, tmp_path, f"no-{name}")


@when("Jenkins' container is restarted", target_fixture="history")
def restart_jenkins(lab: Lab, master: Shell) -> dict[str, tuple[int, str]]:
    with closing(JenkinsClient(lab)) as jenkins:
        before = history_of(jenkins)
        master.run("docker restart -t 5 jenkins")
        wait_until(
            lambda: jenkins.online("cd"),
            ONLINE_TIMEOUT,
            "the node cd",
            try_next=named.command("logs jenkins"),
        )
    return before


def history_of(jenkins: JenkinsClient) -> dict[str, tuple[int, str]]:
    """Job -> the number of its newest build and that build's log ("" when it has none)."""
    numbers = {job: jenkins.last_number(job) for job in jenkins.jobs()}
    return {job: (number, jenkins.console(job, number) if number else "") for job, number in numbers.items()}


@then("Jenkins has the jobs and builds it had")
def has_history(lab: Lab, history: dict[str, tuple[int, str]]) -> None:
    with closing(JenkinsClient(lab)) as jenkins:
        now = history_of(jenkins)
    assert now == history, f"{history} before, {now} after"
    assert any(log for _, log in history.values()), "there was no build to keep"


# --- Consul -------------------------------------------------------------------------------------------------


@then(parsers.parse('the page says "{words}"'))
def page_says(page: Page, tmp_path: Path, words: str) -> None:
    expect(page.get_by_text(words).first).to_be_visible(timeout=stretched(PAGE_TIMEOUT))
    keep(page, tmp_path, "says")
