"""The world of a scenario: how often its users ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scenarios.steps import world

LAB: Any = SimpleNamespace(main_service=SimpleNamespace(path="/api/v1/books"))


@pytest.mark.parametrize(("patience", "rate"), [("1", 60.0), ("3", 20.0)])
@pytest.mark.parametrize(
    ("asker", "step"),
    [
        ("Probe", lambda run: world.users_ask(LAB, world.Story(), "/", 60, run)),
        ("Writer", lambda run: world.users_write(LAB, world.Story(), 60, run)),
    ],
)
def test_on_a_slower_host_users_ask_as_much_less_often_and_the_record_says_so(
    asker: str,
    step: Callable[[Any], None],
    patience: str,
    rate: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    recorded: list[float] = []

    def record(_name: str, _path: str, told: float) -> Path:
        recorded.append(told)
        return Path("record")

    monkeypatch.setenv("LAB_PATIENCE", patience)
    monkeypatch.setattr(world, "_begin", lambda probe: None)
    monkeypatch.setattr(world, asker, lambda lab, path, told, file: asked.append(told))
    step(SimpleNamespace(record=record))
    assert asked == recorded == [rate]
