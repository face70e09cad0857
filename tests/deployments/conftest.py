"""What this checkout's own lab keeps on the host is nobody's here: a restore of it may be under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import environment


@pytest.fixture(autouse=True)
def no_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path / "state")
