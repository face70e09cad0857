from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import environment, network


@pytest.fixture(autouse=True)
def no_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path)
    monkeypatch.setattr(network, "require_present", lambda lab: pytest.fail("it began"))


@pytest.mark.parametrize("minutes", ["nan", "NaN", "-nan", "inf", "-1", "0", "1441", "1e400", "ten", ""])
def test_a_soak_of_no_number_of_minutes_is_refused(
    minutes: str, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = command("soak", "--minutes", minutes)
    assert (code, out) == (2, "") and "--minutes" in err
