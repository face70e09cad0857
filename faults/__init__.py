"""Faults that always end: named, bounded, journaled before they happen, undone whatever happens.

A fault is one frozen record (see `fault.py`); docs/faults.md has a section for each.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from faults.fault import Fault
from faults.harness import DEFAULT_SECONDS, Harness, heal_overdue, reset
from faults.history import Injected, open_faults
from faults.kinds import FAULTS
from lab.errors import ConfigError, nearest, shown

__all__ = [
    "DEFAULT_SECONDS",
    "FAULTS",
    "Fault",
    "Harness",
    "Injected",
    "heal_overdue",
    "made",
    "open_faults",
    "reset",
]


def made(name: str, /, **settings: str) -> Fault:
    """A fault by its name, with settings as words. Raises ConfigError that names the nearest known word."""
    if name not in FAULTS:
        raise ConfigError(f"no fault {shown(name)}{nearest(name, FAULTS)}", try_next="lab fault list --known")
    kind = FAULTS[name]
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, word in settings.items():
        if key not in known:
            raise ConfigError(
                f'"{name}" has no setting {shown(key)}{nearest(key, known)}',
                try_next="its settings: " + (", ".join(known) or "none"),
            )
        values[key] = _value(name, key, word, type(known[key].default))
    return kind(**values)


def _value(name: str, key: str, word: str, kind: type) -> object:
    try:
        return kind(word)
    except ValueError as error:
        raise ConfigError(
            f'{key} of "{name}" is a number, not {shown(word)}', try_next=f"{key}=10"
        ) from error
