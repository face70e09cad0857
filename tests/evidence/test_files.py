from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from evidence.files import DEEPEST, content, plain


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x\0y")
    (tmp_path / "b").symlink_to("a")
    assert content(tmp_path / "b") == b"x\0y"


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name in ("pipe", "device", "loop", "folder", "socket", "none"):
            with pytest.raises(OSError):
                content(tmp_path / name)


def test_json_is_read_as_deep_as_it_can_be_told() -> None:
    assert plain('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert plain("[" * DEEPEST + "]" * DEEPEST)
    for depth in (DEEPEST + 1, 900, 100_000):
        with pytest.raises((ValueError, RecursionError)):
            plain("[" * depth + "]" * depth)
