"""The dead man's timer: a unit on the node that undoes a fault at its deadline, whoever is gone by then.

It is armed before the fault and disarmed after the fault was seen healed. An undo that fails is tried again
every five seconds.
"""

from __future__ import annotations

from scenarios.faults.fault import HOME, HOST, NAME_FILE, On, Part, here, lines

EXACT = "--timer-property=AccuracySec=100ms"
AGAIN = "--property=Restart=on-failure --property=RestartSec=5"


def only_here(on: On) -> str:
    """Refuses a node that is not this lab's."""
    return (
        f'if [ "$(cat {NAME_FILE} 2>/dev/null) $(hostname)" != "{on.lab.name} {on.node.name}" ]; then\n'
        f'  echo "no fault here: {NAME_FILE} does not say that this is {on.node.name} of {on.lab.name}" >&2\n'
        "  exit 78\n"
        "fi"
    )


def armed(on: On, inject: str, heal: str, healed: str, after: float) -> str:
    """The timer, then the fault; `after` is in seconds."""
    return lines(
        only_here(on),
        f"mkdir -p {on.home} || exit 1",
        here(lines("(", heal, ")", f"( {healed}\n) && rm -rf {on.home}"), f"{on.home}/undo"),
        f"systemd-run --quiet --collect --unit={on.mark} --on-active={after:g} {EXACT} {AGAIN} "
        f"/bin/bash {on.home}/undo || exit 1",
        "(",
        inject,
        ")",
    )


def undone(id: str, part: Part) -> str:
    """Undo, look again, and only then disarm. Exits 0 when nothing of the fault is left in this place."""
    mark = f"lab-fault-{id}"
    undo = lines("(", part.heal, ")", f"( {part.healed}\n) || exit 1")
    if part.place == HOST:
        return undo
    return lines(
        undo,
        f"systemctl stop {mark}.timer {mark}.service 2>/dev/null",
        f"systemctl reset-failed '{mark}*' 2>/dev/null",
        f"rm -rf {HOME}/{id}",
    )
