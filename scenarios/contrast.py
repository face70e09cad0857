"""How well a text can be read: the contrast of two colors, as WCAG 2 counts it. Pure."""

from __future__ import annotations

import re

AA = 4.5  # to 1, the least for text
DARK = 0.04045  # up to here the standard's curve is a line
Color = tuple[float, float, float]  # red, green and blue, 0 to 255


def color(said: str) -> Color:
    """The color that a browser computed, as `rgb(11, 87, 208)`. Raises ValueError for one seen through."""
    found = re.fullmatch(r"rgba?\((\d+), (\d+), (\d+)(?:, ([0-9.]+))?\)", said)
    if found is None or float(found[4] or 1) < 1:
        raise ValueError(f"{said!r} is not a color that covers")
    return float(found[1]), float(found[2]), float(found[3])


def ratio(one: Color, other: Color) -> float:
    """From 1, the same, to 21, black on white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(of: Color) -> float:
    red, green, blue = (_linear(part / 255) for part in of)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= DARK else ((part + 0.055) / 1.055) ** 2.4
