"""Imports flow lab <- provisioning <- scenarios <- cli, never upwards."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("lab", "provisioning", "scenarios", "cli")  # each may import itself and those before it
OUTSIDE = ("features", "tests", "bench")  # no room may import these


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and first name of every absolute import, also those inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def upward(room: str, source: str) -> list[str]:
    above = ROOMS[ROOMS.index(room) + 1 :] + OUTSIDE
    return [f"line {line}: {room} imports {name}" for line, name in imported(source) if name in above]


def python_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_from_above(room: str) -> None:
    files = python_files(room)
    assert files, f"no Python file in {room}: the check would check nothing"
    assert [f"{f.relative_to(ROOT)} {bad}" for f in files for bad in upward(room, f.read_text())] == []


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("lab", "import cli.main", "line 1: lab imports cli"),
        ("lab", "import os, provisioning as p", "line 1: lab imports provisioning"),
        (
            "provisioning",
            "def f():\n    from scenarios.steps import x",
            "line 2: provisioning imports scenarios",
        ),
        ("scenarios", "from cli import main", "line 1: scenarios imports cli"),
        ("cli", "import tests.fakes", "line 1: cli imports tests"),
    ],
)
def test_the_check_sees_an_import_from_above(room: str, source: str, found: str) -> None:
    assert upward(room, source) == [found]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_may_import_itself_and_what_is_below(room: str) -> None:
    below = ROOMS[: ROOMS.index(room) + 1]
    assert (
        upward(room, "\n".join(f"from {name} import x" for name in below) + "\nfrom . import y\nimport os")
        == []
    )
