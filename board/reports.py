"""What an attendee's lab tells the board, and nothing else of it: step, what that lacks, colors, times.

`parsed` holds that at the board, whoever sends; both are pure.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lab.errors import ConfigError, shown
from lab.model import COLORS

MOST_BYTES = 4096  # of a report
MOST_NAME = 40  # characters
MOST_CHECK = 300
MOST_STEPS = 1000
MOST_SECONDS = 7 * 24 * 3600.0
SECRET = 32  # hexadecimal digits
LIVE, RUNNING, STOPPED, GONE = STATES = ("live", "running", "stopped", "gone")


@dataclass(frozen=True)
class Report:
    """One attendee at one moment. Times are spans, in seconds: two clocks need not agree."""

    name: str
    secret: str  # of the reporting process: by it the board knows who comes back
    step: int | None  # the one to do next, one more than `of` when all are done; None when nobody can tell
    of: int
    check: str  # what that step lacks; "" when nothing is known to be missing
    on_step: float  # since when this step is the next one
    stuck: float  # since when the check says the same
    colors: Mapping[str, str]  # color -> one of STATES; empty when nobody can tell


KEYS = tuple(field.name for field in fields(Report))


def text(report: Report) -> bytes:
    """A report as it is sent."""
    return json.dumps(asdict(report), ensure_ascii=False).encode()


def parsed(body: bytes) -> Report:
    """A report that was sent. Raises ConfigError that says what is wrong with it."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ConfigError("the report is no JSON") from error
    if not isinstance(told, dict) or set(told) != set(KEYS):
        raise ConfigError("a report has these and no other keys: " + ", ".join(KEYS))
    wrong = [key for key in KEYS if not _is_sound(key, told[key])]
    if wrong:
        raise ConfigError("the report cannot be: " + ", ".join(wrong))
    return Report(**{**told, "name": name(told["name"])})


def _is_sound(key: str, value: Any) -> bool:
    return bool(_SOUND[key](value))


def _is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _is_span(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= MOST_SECONDS
    )


def _are_colors(value: Any) -> bool:
    return isinstance(value, dict) and all(
        color in COLORS and isinstance(state, str) and state in STATES for color, state in value.items()
    )


_SOUND: Mapping[str, Callable[[Any], object]] = {
    "name": lambda value: isinstance(value, str),
    "secret": lambda value: isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{SECRET}}}", value),
    "step": lambda value: value is None or _is_count(value, MOST_STEPS + 1),
    "of": lambda value: _is_count(value, MOST_STEPS),
    "check": lambda value: isinstance(value, str) and len(value) <= MOST_CHECK and value.isprintable(),
    "on_step": _is_span,
    "stuck": _is_span,
    "colors": _are_colors,
}


def name(said: str) -> str:
    """An attendee's name as it is shown. Raises ConfigError for what is no name for a table."""
    kept = unicodedata.normalize("NFC", said.strip())
    if not 0 < len(kept) <= MOST_NAME or not kept.isprintable():
        raise ConfigError(
            f"{shown(said)} is no name for the board",
            try_next=f"one line of 1 to {MOST_NAME} characters that can be seen: --as NAME",
        )
    return kept


def key(said: str) -> str:
    """The same for two names that a reader would take for one."""
    return unicodedata.normalize("NFKC", said).casefold()
