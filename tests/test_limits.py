"""LAB_PATIENCE stretches every limit: no command on a node has one of its own, in whatever file it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import config
from lab.model import Lab
from provisioning.stages import healths

ROOT = Path(__file__).parents[1]
LAB = config.load(config.LAB_FILE)
ROOMS = ("lab", "provisioning", "deployments", "faults", "evidence", "scenarios", "board", "cli", "features")
# Limits that are the host's script's (no lab is there yet), the images' programs' own, or a measure itself.
OTHERS = ("lab/host.sh", "provisioning/images/")
BARE = re.compile(
    r"curl [^|;\n]*-m [0-9]|--max-time [0-9]|\btimeout [0-9]|\bseq [0-9]+\b|SECONDS \+ [0-9]"
    r"|iptables[^|]* -w [0-9]|Client\([^)]*timeout=[0-9]"
)


def sources() -> list[Path]:
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    return [
        path
        for path in files
        if path.suffix in ("", ".py", ".sh", ".yml", ".j2", ".service")
        and not str(path.relative_to(ROOT)).startswith(OTHERS)
    ]


def bare(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if BARE.search(line)]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_limit_is_a_bare_number(path: Path) -> None:
    assert bare(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "curl -fsS -m 5 http://x",
        "timeout 5 docker version",
        "for _ in $(seq 100); do sleep 0.3; done",
        "end=$((SECONDS + 60))",
        "httpx.Client(base_url=url, timeout=10.0)",
    ],
)
def test_a_bare_number_would_be_seen(line: str) -> None:
    assert bare(line) == [line]


LIMIT = re.compile(r"(?:-m|timeout) ([0-9.]+)")


def limits(lab: Lab) -> list[float]:
    return [float(word) for health in healths(lab) for word in LIMIT.findall(health.check)]


def test_every_limit_inside_a_health_check_is_stretched(monkeypatch: pytest.MonkeyPatch) -> None:
    once = limits(LAB)
    monkeypatch.setenv("LAB_PATIENCE", "3")
    assert limits(LAB) == [3 * seconds for seconds in once]
    assert len(once) > len(LAB.nodes)
