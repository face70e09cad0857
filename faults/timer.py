"""The dead man's timer: a unit on the node that undoes a fault at its deadline, whoever is gone by then.

It is armed before the fault and disarmed after the fault was seen healed. An undo that fails is tried again
every five seconds.
"""

from __future__ import annotations

from faults.fault import NAME_FILE, Action, here, lines
from lab.model import Lab

EXACT = "--timer-property=AccuracySec=100ms"
AGAIN = "--property=Restart=on-failure --property=RestartSec=5"


def only_here(lab: Lab, node: str) -> str:
    """Refuses a node that is not this lab's."""
    return (
        f'if [ "$(cat {NAME_FILE} 2>/dev/null) $(hostname)" != "{lab.name} {node}" ]; then\n'
        f'  echo "no fault here: {NAME_FILE} does not say that this is {node} of {lab.name}" >&2\n'
        "  exit 78\n"
        "fi"
    )


def armed(lab: Lab, id: str, action: Action, after: float) -> str:
    """The timer, then the fault; `after` is in seconds."""
    assert action.place is not None, "the host has no timer"
    home = action.home(id)
    undo = lines("(", action.heal, ")", f"( {action.healed}\n) && rm -rf {home}")
    return lines(
        only_here(lab, action.place),
        f"mkdir -p {home} || exit 1",
        here(undo, f"{home}/undo"),
        f"systemd-run --quiet --collect --unit={action.mark(id)} --on-active={after:g} {EXACT} {AGAIN} "
        f"/bin/bash {home}/undo || exit 1",
        lines("(", action.inject, ")") if action.inject else "",
    )


def undone(id: str, action: Action) -> str:
    """Undo, look again, and only then disarm. Exits 0 when nothing of the fault is left in this place."""
    undo = lines("(", action.heal, ")", f"( {action.healed}\n) || exit 1")
    if action.place is None:
        return undo
    mark = action.mark(id)
    return lines(
        undo,
        f"systemctl stop {mark}.timer {mark}.service 2>/dev/null",
        f"systemctl reset-failed '{mark}*' 2>/dev/null",
        f"rm -rf {action.home(id)}",
    )
