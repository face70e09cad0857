from __future__ import annotations

import pytest

from scenarios.contrast import AA, Color, color, ratio

BLACK, WHITE, GREY = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), (118.0, 118.0, 118.0)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (BLACK, WHITE, 21.0),
        (WHITE, BLACK, 21.0),
        (GREY, GREY, 1.0),
        (GREY, WHITE, 4.54),
        ((255, 0, 0), WHITE, 4.0),
    ],
)
def test_the_contrast_of_two_colors_is_the_standard_s(one: Color, other: Color, wanted: float) -> None:
    assert ratio(one, other) == pytest.approx(wanted, abs=0.01)


def test_the_lightest_grey_that_can_be_read_on_white_is_a_known_one() -> None:
    assert ratio(GREY, WHITE) >= AA > ratio((119.0, 119.0, 119.0), WHITE)


@pytest.mark.parametrize("said", ["rgb(1, 2, 3)", "rgba(1, 2, 3, 1)"])
def test_a_color_is_read_as_the_browser_writes_it(said: str) -> None:
    assert color(said) == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("said", ["rgba(1, 2, 3, 0.5)", "rgba(0, 0, 0, 0)", "red", "", "color(srgb 1 0 0)"])
def test_a_color_that_is_seen_through_has_no_contrast(said: str) -> None:
    with pytest.raises(ValueError, match="not a color that covers"):
        color(said)
