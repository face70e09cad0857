"""exhaust_memory.sh on a node that is played: when the kernel is said to have killed a container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faults.fault import script

EXHAUST = script(
    "exhaust_memory.sh", container="4d5e", spare="4096", home="/home-of-fault", hog="hog", limit="9"
)


def exhausted(played: Any, tmp_path: Path, state: str) -> tuple[int, str]:
    """Exit code, and the limit that the container's group has, when its engine says this of its end."""
    group = tmp_path / "cgroup/memory/docker/4d5e"
    for folder in (group, tmp_path / "proc/77", tmp_path / "home"):
        folder.mkdir(parents=True)
    (tmp_path / "proc/77/cgroup").write_text("3:cpu:/docker/4d5e\n4:memory:/docker/4d5e\n")
    (group / "memory.usage_in_bytes").write_text("1000\n")
    played.program("systemd-run")
    played.by_words("docker", {"*State.Pid*": "echo 77", "*OOMKilled*": f"echo {state}"})
    played.clock = 10
    places = {
        "/sys/fs/cgroup": f"{tmp_path}/cgroup",
        "/proc/": f"{tmp_path}/proc/",
        "/home-of-fault": f"{tmp_path}/home",
    }
    done = played.run(f". /etc/lab/waiting.sh\n{EXHAUST}", places=places)
    return done.returncode, (group / "memory.limit_in_bytes").read_text().strip()


@pytest.mark.parametrize("state", ["true false 137", "true true 0", "false false 137"])
def test_a_container_that_was_killed_ran_out_of_memory(state: str, played: Any, tmp_path: Path) -> None:
    assert exhausted(played, tmp_path, state) == (0, "5096")


@pytest.mark.parametrize("state", ["false true 0", "false false 0", "false false 1", ""])
def test_a_container_that_lives_or_ended_by_itself_did_not(state: str, played: Any, tmp_path: Path) -> None:
    assert exhausted(played, tmp_path, state)[0] == 1
