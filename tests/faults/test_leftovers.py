from __future__ import annotations

from typing import Any

from faults.fault import HOME
from faults.leftovers import LOOK

RULES = """\
*mangle
:LAB-A - [0:0]
-A FORWARD -j LAB-A
COMMIT
*raw
-A PREROUTING -m comment --comment lab-fault-raw -j DROP
*filter
-A INPUT -m comment --comment lab-fault-1 -j DROP
-A INPUT -j ACCEPT
"""
QDISCS = """\
qdisc noqueue 0: dev lo root refcnt 2
qdisc fq_codel 8001: dev eth0 root
qdisc netem 4a1b: dev eth1 root delay 300ms
"""


def look(played: Any, **said: str) -> list[str]:
    for name in ("iptables-save", "systemctl", "tc", "find"):
        text = said.get(name.replace("-", "_"), "")
        played.program(name, f"cat <<'END'\n{text}END" if text else "true")
    folders = played.state / "lab-faults"
    for name in said.get("folders", "").split():
        (folders / name).mkdir(parents=True)
    done = played.run(LOOK, places={HOME: str(folders)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()  # type: ignore[no-any-return]


def test_a_node_on_which_nothing_is_left_is_silent(played: Any) -> None:
    assert look(played) == []
    assert (
        look(played, iptables_save="*filter\n-A INPUT -j ACCEPT\n", tc="qdisc noqueue 0: dev lo root\n") == []
    )


def test_what_a_fault_left_is_a_line_each_with_what_it_is(played: Any) -> None:
    found = look(
        played,
        iptables_save=RULES,
        systemctl="lab-fault-1.timer loaded active\n",
        tc=QDISCS,
        find="/data/nginx/includes/lab-fault-1.conf\n",
        folders="lab-fault-1",
    )
    assert found == [
        "rule of mangle: :LAB-A - [0:0]",
        "rule of mangle: -A FORWARD -j LAB-A",
        "rule of filter: -A INPUT -m comment --comment lab-fault-1 -j DROP",
        "unit: lab-fault-1.timer loaded active",
        "qdisc: qdisc fq_codel 8001: dev eth0 root",
        "qdisc: qdisc netem 4a1b: dev eth1 root delay 300ms",
        "file: /data/nginx/includes/lab-fault-1.conf",
        "folder: lab-fault-1",
    ]


def test_a_look_starts_few_programs(played: Any) -> None:
    """It is made at four nodes, before and after each scenario."""
    look(played)
    assert len(played.calls()) == 4
