from __future__ import annotations

import pytest

from cli import screens
from lab import config, machines, network
from lab.clients.swarm import Placed
from lab.model import Lab
from lab.testing import FakeConsul
from provisioning import health
from provisioning.health import Seen

LAB = config.load(config.LAB_FILE)


class FakeSwarm:
    def __init__(self, lab: Lab) -> None:
        pass

    def containers(self) -> tuple[Placed, ...]:
        names = ("booksservice_blue_1", "registrator", "booksfe_blue_1", "other_booksservice_1")
        return tuple(Placed(name, "n1", "running", "i") for name in names)

    def close(self) -> None:
        pass


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str | None]:
    """What a look at the components tells; the nodes all answer."""
    seen: dict[tuple[str, str], str | None] = {("consul", "swarm-master"): None}
    monkeypatch.setattr(network, "require_present", lambda lab: None)
    monkeypatch.setattr(machines, "answering", machines.names)
    monkeypatch.setattr(machines, "shells", lambda lab: {})
    monkeypatch.setattr(
        health, "look", lambda lab, shells: [Seen(*key, wrong) for key, wrong in seen.items()]
    )
    consul = FakeConsul()
    consul.colors = {"books-service": "green", "books-fe": None}
    monkeypatch.setattr(screens, "ConsulClient", lambda lab: consul)
    monkeypatch.setattr(screens, "SwarmClient", FakeSwarm)
    return seen


def test_a_healthy_lab_tells_colors_and_the_containers_of_its_services(
    wrong: dict[tuple[str, str], str | None],
) -> None:
    seen = screens.gather(LAB)
    assert seen["healthy"] is True
    assert seen["services"] == [
        {"service": "books-service", "live": "green", "idle": "blue", "wrong": None},
        {"service": "books-fe", "live": None, "idle": None, "wrong": None},
    ]
    assert [row["name"] for row in seen["containers"]] == ["booksservice_blue_1", "booksfe_blue_1"]


@pytest.mark.usefixtures("wrong")
def test_a_live_color_that_cannot_be_told_makes_the_lab_ill_and_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    consul = FakeConsul()
    consul.colors = {"books-service": "purple", "books-fe": "blue"}
    monkeypatch.setattr(screens, "ConsulClient", lambda lab: consul)
    seen = screens.gather(LAB)
    assert seen["healthy"] is False
    assert [row["live"] for row in seen["services"]] == [None, "blue"]
    screens.status_table(seen)
    assert "purple" in capsys.readouterr().out


def test_one_silent_component_makes_the_lab_ill(wrong: dict[tuple[str, str], str | None]) -> None:
    wrong["nginx", "swarm-master"] = "refused"
    seen = screens.gather(LAB)
    assert seen["healthy"] is False
    assert seen["components"][1] == {
        "component": "nginx",
        "node": "swarm-master",
        "healthy": False,
        "seen": "refused",
    }


@pytest.mark.usefixtures("wrong")
def test_a_node_that_does_not_answer_makes_the_lab_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "answering", lambda lab: frozenset({"swarm-master"}))
    seen = screens.gather(LAB)
    assert seen["healthy"] is False
    assert [row["answers"] for row in seen["nodes"]] == [True, False, False, False]


def test_the_closing_screen_names_every_address(capsys: pytest.CaptureFixture[str]) -> None:
    screens.closing(LAB)
    told = capsys.readouterr().out
    for line in ("http://10.100.199.200/api/v1/books", "docker -H tcp://10.100.199.200:2375 ps"):
        assert line in told
