"""What the steps of the browser decide, and what they put back; no browser is started."""

from __future__ import annotations

import base64
import re

import pytest

from lab import config
from lab.model import Lab
from lab.testing import FakeShell, said
from provisioning.templates import render
from scenarios.steps import browser

LAB = config.load(config.LAB_FILE)
STATIC = "http://10.100.199.200:8080/static/2e8191e3/images"


@pytest.mark.parametrize("ball", ["blue", "blue_anime", "red", "grey_anime", "yellow"])
def test_a_ball_is_found_among_other_pictures(ball: str) -> None:
    pictures = [f"{STATIC}/atom.gif", f"{STATIC}/16x16/{ball}.gif", f"{STATIC}/16x16/stop.gif"]
    assert browser.ball_in(pictures) == ball


@pytest.mark.parametrize(
    "pictures", [[], [f"{STATIC}/atom.gif"], [f"{STATIC}/blueprint.gif", "blue.d/x.gif"]]
)
def test_without_a_ball_there_is_none(pictures: list[str]) -> None:
    assert browser.ball_in(pictures) == ""


class FakeJenkins:
    """In place of JenkinsClient: its node is online at the second look."""

    looks = 0

    def __init__(self, lab: Lab) -> None:
        pass

    def online(self, node: str) -> bool:
        FakeJenkins.looks += 1
        return FakeJenkins.looks > 1

    def close(self) -> None:
        pass


def test_the_settings_of_jenkins_are_those_of_provisioning_again_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browser, "JenkinsClient", FakeJenkins)
    shell = FakeShell({"": said()})
    story = browser.settings_put_back(LAB, shell)
    next(story)
    assert shell.scripts == []
    with pytest.raises(StopIteration):
        next(story)
    (script,) = shell.scripts
    words = ("docker stop", "base64 -d", "mv /data/jenkins/config.xml.new", "docker start jenkins")
    places = [script.index(word) for word in words]
    assert places == sorted(places)
    (content,) = re.findall("<<<'([^']+)'", script)
    assert base64.b64decode(content).decode() == render("jenkins/config.xml", LAB)
    assert FakeJenkins.looks == 2


@pytest.mark.parametrize(
    ("ball", "ended"),
    [
        ("", False),
        ("grey", False),
        ("grey_anime", False),
        ("blue_anime", False),
        ("blue", True),
        ("red", True),
    ],
)
def test_a_build_that_waits_or_runs_has_not_ended(ball: str, ended: bool) -> None:
    assert browser.has_ended(ball) == ended
