from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from execnet import XSpec

from scenarios import placing

GIB = 2**20  # in KiB


def test_the_first_worker_plays_on_the_lab_that_was_named_and_the_others_beside_it() -> None:
    assert list(islice(placing.names("bluegreen-lab", ""), 3)) == ["", "bluegreen-lab-2", "bluegreen-lab-3"]
    assert list(islice(placing.names("two", "two"), 2)) == ["two", "two-2"]


@pytest.mark.parametrize(
    ("gib", "up", "labs"), [(0.1, 0, 1), (1.3, 0, 1), (2.6, 0, 2), (2.6, 1, 3), (0.0, 2, 2), (24, 0, 18)]
)
def test_as_many_labs_fit_as_the_memory_carries_beside_those_that_run(gib: float, up: int, labs: int) -> None:
    assert placing.fitting(int(gib * GIB), up) == labs


@pytest.mark.parametrize(("cores", "labs"), [(1, 1), (2, 2), (4, 4), (64, 18)])
def test_auto_is_bounded_by_cores_and_by_memory(cores: int, labs: int) -> None:
    assert placing.chosen_by(24 * GIB, 0, cores) == labs


def test_the_memory_is_what_the_kernel_calls_available() -> None:
    assert placing.available_kib("MemTotal:  9 kB\nMemFree:  1 kB\nMemAvailable:   5 kB\n") == 5
    assert placing.available_kib("") == 0


def test_the_longest_go_first_and_what_is_new_before_them() -> None:
    items: Any = [SimpleNamespace(nodeid=name) for name in ("short", "new", "long", "other")]
    seconds = {"short": 1.0, "long": 90.0, "other": 1.0}
    assert [item.nodeid for item in placing.ordered(items, seconds)] == ["new", "long", "short", "other"]


@pytest.mark.parametrize(
    ("path", "alone"),
    [
        ("/x/features/chaos/crash", True),
        ("/x/features/chaos/crash/test_cuts.py", True),
        ("/x/features/chaos", False),
        ("/x/features/chaos/crashes", False),
    ],
)
def test_the_folder_of_the_crash_tests_is_played_alone(path: str, *, alone: bool) -> None:
    assert placing.is_alone(Path(path)) == alone


def test_the_words_that_are_paths_are_found_also_as_a_tests_name(tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    words = ["-k", "books", "features", "features::test_x", "--junitxml=features", "x" * 5000, "gone/a.py"]
    assert placing.paths(words, tmp_path) == [tmp_path / "features"] * 2


def test_names_elsewhere_differ_by_place() -> None:
    one, other = (placing.names_there("lab", place) for place in ("a@host in lab", "b@host in lab"))
    assert len({*islice(one, 2), *islice(other, 2)}) == 4


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ("popen", ""),
        ("popen//chdir=/srv/lab", "this host in /srv/lab"),
        ("ssh=ada@host//chdir=lab", "ada@host in lab"),
    ],
)
def test_a_worker_in_another_folder_is_elsewhere_whichever_its_host(spec: str, place: str) -> None:
    assert placing.place_of(XSpec(spec)) == place
    assert placing.is_here(XSpec(spec)) == (place == "")
