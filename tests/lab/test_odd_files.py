"""Odd lab files by the hundred: each is a lab, or is refused in words that a terminal can show."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import config
from lab.errors import ConfigError

GOOD = config.LAB_FILE.read_text()
WORDS = [word for line in GOOD.splitlines() for word in line.split("#")[0].split() if len(word) > 1]
ODD = (
    *("", "null", "~", "true", "no", "0", "-1", "1e9", "0x10", "010", ".inf", ".nan", "1_000", "="),
    *("<<", "? a", "2026-11-27", "!!python/object:os.system x", "!!binary aGk=", "!!str", "*none"),
    *("&a [*a]", "{}", "[]", "| \n  block", "> \n  fold", "'", '"', '"\\x00"', '"\\ud800"', '"\\UFFFFFFFF"'),
    *('"\\e[2J"', "\x85", "\u2028", "\ufeff", "\t", "%YAML 9.9", "--- ", "...", "@a", "`a`", "x" * 3000, "ä"),
    *("\uff21", "\u0661\u0660.100.199.200", "10.100.199.0/\u0662\u0664", "host", "../..", "/etc/passwd"),
    *("yes", "on", "10:20", "!!set {a}", "!x [a]", "! a", '"8080"', '"\\udfff"', '"\\x9b2J"', "a\u200bb"),
    *("10.100.199.0/024", "fe80::1", "h:22", "[node, node]", "1e400", "\u2029name: x", "%TAG ! x:", "'# a'"),
    *("a b", "a;id", "$(id)", "10.100.199.200", "::1", "10.100.199.0/33", "0/0", "latest", "1.0\n"),
)  # fmt: skip


def swap_word(text: str, chance: random.Random) -> str:
    return text.replace(chance.choice(WORDS), chance.choice(ODD), chance.choice([1, -1]))


def drop_line(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    lines.pop(chance.randrange(len(lines)))
    return "".join(lines)


def double_line(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return "".join(lines)


def turn_byte(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    return (
        text[:place] + chr(chance.choice([0, 7, 27, 58, 91, 123, 255, 0x202E, 0x1F600])) + text[place + 1 :]
    )


def insert(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    return text[:place] + chance.choice(ODD) + text[place:]


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    *(swap_word, swap_word, swap_word, drop_line, double_line, turn_byte, insert),
)


@pytest.mark.parametrize("seed", range(300))
def test_an_odd_file_is_a_lab_or_refused_in_words(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    text = GOOD
    for _ in range(chance.randint(1, 3)):
        text = chance.choice(CHANGES)(text, chance)
    (tmp_path / "lab.yml").write_bytes(text.encode(errors="surrogatepass"))
    try:
        lab = config.load(tmp_path / "lab.yml")
    except ConfigError as error:
        told = str(error)
        assert told.startswith(str(tmp_path / "lab.yml"))
        assert all(character.isprintable() or character == "\n" for character in told)
        assert len(told) < 1000
        return
    names = [node.name for node in lab.nodes] + [service.name for service in lab.services]
    assert len(names) == len(set(names)) and all(name.isascii() and name.islower() for name in names)


def test_the_vagrantfile_gets_words_and_no_traceback_for_an_odd_file(tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text(GOOD.replace("bluegreen-lab", '"\\e[2J"'))
    words = [sys.executable, "-I", "-m", "lab"]
    done = subprocess.run(
        words, env={"LAB_FILE": str(tmp_path / "lab.yml")}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, b"Traceback" in done.stderr, b"\x1b" in done.stderr) == (
        2,
        b"",
        False,
        False,
    )
    json.dumps(done.stderr.decode())
