"""What the steps of the article read out of its commands' output."""

from __future__ import annotations

import pytest

from scenarios.steps.article import changes, nothing_changed
from scenarios.steps.world import Story

RECAP = "PLAY RECAP *****\n10.100.199.200 : ok=3 changed={} unreachable=0 failed=0 skipped=0\n"


@pytest.mark.parametrize("counts", [[], [0], [1, 0], [0, 12]])
def test_every_play_s_changes_are_counted(counts: list[int]) -> None:
    assert changes("".join(map(RECAP.format, counts))) == counts


@pytest.mark.parametrize("counts", [[1, 0], [0, 1], [0], []])
def test_one_play_that_changes_something_is_not_hidden_by_another(counts: list[int]) -> None:
    nothing_changed(Story(output=RECAP.format(0) * 2))
    with pytest.raises(AssertionError):
        nothing_changed(Story(output="".join(map(RECAP.format, counts))))
