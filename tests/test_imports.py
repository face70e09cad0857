"""Imports flow downwards from room to room, and nowhere in a circle.

The rooms, lowest first: lab, provisioning, deployments, evidence, faults, scenarios, board, cli.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    "lab",
    "provisioning",
    "deployments",
    "evidence",
    "faults",
    "scenarios",
    "board",
    "cli",
)  # lowest first
OUTSIDE = ("features", "tests", "bench")  # no room may import these
# Of each room's own imports, beside itself and those below.
APART = {"evidence": ("deployments",)}  # it looks at what runs, however it got there


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and full name of every absolute import, also those inside functions.

    `from a import b` counts as a.b, which is a module or a name of one.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def upward(room: str, source: str) -> list[str]:
    """What a file of a room imports from a room above it, or from one it stands apart from."""
    forbidden = (*ROOMS[ROOMS.index(room) + 1 :], *OUTSIDE, *APART.get(room, ()))
    names = ((line, name.split(".")[0]) for line, name in imported(source))
    return [f"line {line}: {room} imports {name}" for line, name in names if name in forbidden]


def modules(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Module -> those among `sources` that it imports; a package counts when a name of its own is taken."""
    return {
        module: {
            found for _, name in imported(source) if (found := _module(name, sources)) and found != module
        }
        for module, source in sources.items()
    }


def _module(name: str, known: Iterable[str]) -> str | None:
    parent = name.rpartition(".")[0]
    return next((one for one in (name, parent) if one in known), None)


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The modules of some circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def python_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_from_above(room: str) -> None:
    files = python_files(room)
    assert files, f"no Python file in {room}: the check would check nothing"
    assert [f"{f.relative_to(ROOT)} {bad}" for f in files for bad in upward(room, f.read_text())] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    sources = {name_of(file): file.read_text() for room in ROOMS for file in python_files(room)}
    assert circle(modules(sources)) == []


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("lab", "import cli.main", "line 1: lab imports cli"),
        ("lab", "import os, provisioning as p", "line 1: lab imports provisioning"),
        ("provisioning", "def f():\n    from faults.kinds import x", "line 2: provisioning imports faults"),
        ("evidence", "from faults import history", "line 1: evidence imports faults"),
        ("evidence", "from deployments import baseline", "line 1: evidence imports deployments"),
        ("scenarios", "from cli import main", "line 1: scenarios imports cli"),
        ("cli", "import tests.fakes", "line 1: cli imports tests"),
    ],
)
def test_the_check_sees_an_import_from_above(room: str, source: str, found: str) -> None:
    assert upward(room, source) == [found]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_may_import_itself_and_what_is_below(room: str) -> None:
    below = [name for name in ROOMS[: ROOMS.index(room) + 1] if name not in APART.get(room, ())]
    source = "\n".join(f"from {name} import x" for name in below) + "\nfrom . import y\nimport os"
    assert upward(room, source) == []


@pytest.mark.parametrize(
    "sources",
    [
        {"lab.a": "from lab import b", "lab.b": "import lab.a"},
        {"lab.a": "import lab.b", "lab.b": "def f():\n    import lab.c", "lab.c": "from lab.a import z"},
        {"faults": "from faults.kinds import x", "faults.kinds": "from faults import made"},
        {"evidence.runs": "import evidence.report", "evidence.report": "from evidence import runs"},
    ],
)  # fmt: skip
def test_the_check_sees_a_circle(sources: dict[str, str]) -> None:
    assert set(circle(modules(sources))) == set(sources)


def test_modules_that_share_one_below_are_no_circle() -> None:
    sources = {"lab.a": "from lab import c\nfrom lab.b import x", "lab.b": "from lab import c", "lab.c": ""}
    assert circle(modules(sources)) == []
