from __future__ import annotations

import json
from typing import Any

import pytest

from deployments import baseline, by_hand
from lab import config, waiting
from lab.testing import FakeConsul, FakeShell, said

LAB = config.load(config.LAB_FILE)
BOOKS = LAB.service("books-service")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)


def shell(answers: bool) -> FakeShell:
    return FakeShell(
        {
            r"-m 3 -o /dev/null http://10\.100\.199\.200/api": said(exit=0 if answers else 22),
            "": said("[]"),
        }
    )


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The larger steps of a first release, noted in place of done."""
    steps: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        by_hand, "deploy", lambda lab, master, s, release, say: steps.append(("deploy", release))
    )
    monkeypatch.setattr(baseline, "revive", lambda master, s, color: steps.append(("revive", color)))
    return steps


@pytest.mark.parametrize(
    ("live", "answers", "steps"),
    [
        (None, False, [("deploy", "1.0")]),
        ("green", True, []),
        ("green", False, [("revive", "green")]),
    ],
    ids=["never deployed", "answers", "does not answer"],
)
def test_a_first_release_is_made_only_where_there_is_none(
    live: str | None,
    answers: bool,
    steps: list[tuple[object, ...]],
    called: list[tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consul = FakeConsul()
    consul.colors = {BOOKS.name: live}
    monkeypatch.setattr(baseline, "ConsulClient", lambda lab: consul)
    baseline.first_release(LAB, shell(answers), BOOKS, lambda line: None)
    assert called == steps


@pytest.mark.parametrize("color", ["blue", "green"])
def test_a_color_is_brought_back_as_a_new_container_never_renamed_by_compose(color: str) -> None:
    entry = json.dumps([{"Service": {"Address": "", "Port": 1}, "Node": {"Address": "10.100.199.202"}}])
    shell = FakeShell({"v1/health/service": said(entry), "": said()}, node="swarm-master")
    baseline.revive(shell, LAB.main_service, color)
    steps = [script.rsplit("docker-compose ")[1] for script in shell.ran(rf"docker-compose .*{color}")]
    assert steps == [f"rm -sf {color}", f"up -d --no-deps {color}"]


class Building:
    """Jenkins, whose builds write the service's definition, and the master's shell, which removes it.

    A definition that is there long enough brings another build, `heals` times at most.
    """

    node = "swarm-master"

    def __init__(self, looks: list[bool], heals: int = 0) -> None:
        self.looks, self.heals, self.defined = looks, heals, True

    def building(self) -> bool:
        busy = self.looks.pop(0) if self.looks else False
        self.defined = self.defined or busy
        if not busy and self.defined and self.heals:
            self.heals -= 1
            self.looks = [True]
        return busy

    def run(self, script: str, **_: object) -> None:
        assert "rm -f /etc/consul.d/service-*.json" in script
        self.defined = False


@pytest.mark.parametrize(
    "looks", [[], [True], [True, True, True], [False, True], [True, False, True, False, True]]
)
@pytest.mark.parametrize("heals", [0, 1, 2])
def test_at_rest_nothing_is_checked_whenever_a_build_ended(looks: list[bool], heals: int) -> None:
    world: Any = Building(looks, heals)
    baseline.come_to_rest(world, world)
    assert (world.defined, world.building()) == (False, False)
