"""How one sees that Consul answers; with programs that are played."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import config
from provisioning.roles import consul

LAB = config.load(config.LAB_FILE)
(MASTER,) = consul.health(LAB, LAB.master)
(CLIENT,) = consul.health(LAB, LAB.swarm_nodes[0])
LEADER = '"10.100.199.200:8300"'


def members(*states: int) -> str:
    """Consul's members, 1 for one that is alive, as it prints them for people."""
    return json.dumps([{"Name": "n", "Status": state, "Tags": {"id": "1"}} for state in states], indent=4)


SEEN = {
    "a leader and all members": (LEADER, members(1, 1, 1, 1), True, "4 alive"),
    "a member that failed": (LEADER, members(1, 4, 1, 1), False, "3 alive"),
    "nobody": (LEADER, members(), False, "0 alive"),
    "members that nobody tells": (LEADER, None, False, "0 alive"),
    "no leader": ('""', members(1, 1, 1, 1), False, 'no leader: ""'),
    "silence": (None, None, False, "no leader: refused"),
}


@pytest.mark.parametrize("case", SEEN)
def test_the_master_is_healthy_only_with(case: str, played: Any) -> None:
    leader, told, healthy, words = SEEN[case]
    played.by_words(
        "curl",
        {
            "*/status/leader": f"echo '{leader}'" if leader else "echo refused >&2; exit 7",
            "*/agent/members*": f"echo '{told}'" if told else "exit 28",
        },
    )
    done = played.run(MASTER.check)
    assert (done.returncode == 0, done.stdout.strip()) == (healthy, words)


@pytest.mark.parametrize(("leader", "healthy"), [(LEADER, True), ('""', False), ("", False)])
def test_a_client_is_healthy_when_it_knows_a_leader(leader: str, healthy: bool, played: Any) -> None:
    played.program("curl", f"echo '{leader}'")
    assert (played.run(CLIENT.check).returncode == 0) == healthy
