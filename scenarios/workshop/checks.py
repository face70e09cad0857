"""What must hold when a step is done: one phrase, one pure function of what was seen. All of it is pure.

A function returns None, or what is missing with a hint. A hint depends on what was seen; it names no command.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from deployments.observed import Container
from lab.model import COLORS, Lab, other
from scenarios.workshop.looking import Seen

LIVE = "the live color"
CLOCKS = 2.0  # seconds by which the clocks of two nodes may differ
AGAIN = "wait a few seconds and check again"


@dataclass(frozen=True)
class Missing:
    """What a step lacks, and what helps one to find out why."""

    what: str
    hint: str


Check = Callable[..., Missing | None]


def missing(lab: Lab, seen: Seen, *phrases: str) -> Missing | None:
    """What is missing of the first phrase that does not hold; None when all do."""
    for phrase in phrases:
        check, words = _found(phrase)
        if lacking := check(lab, seen, *words):
            return lacking
    return None


def is_known(phrase: str) -> bool:
    return re.fullmatch(PHRASE, phrase) is not None


def _found(phrase: str) -> tuple[Check, tuple[str, ...]]:
    for pattern, check in CHECKS.items():
        if match := re.fullmatch(pattern, phrase):
            return check, match.groups()
    raise LookupError(phrase)


# --- containers ---------------------------------------------------------------------------------------------


def runs_beside(lab: Lab, seen: Seen, new: str, old: str) -> Missing | None:
    return _runs_newest(lab, seen, new) or _still_runs(lab, seen, old)


def _runs_newest(lab: Lab, seen: Seen, color: str) -> Missing | None:
    service = lab.main_service
    name, one = service.container(color), _container(lab, seen, color)
    wanted = f"{service.name}:{service.releases[-1]}"
    if one is None:
        return Missing(
            f"there is no container {name}",
            f"the project in {service.folder} says what {color} is: its image is pulled, then it is started",
        )
    if one.state != "running":
        return Missing(
            f"{name} is {one.state}", "it was there before: what its log says tells why it does not run"
        )
    if not one.image.endswith(f"/{wanted}"):
        return Missing(
            f"{name} is of {one.image}, not of {wanted}",
            "the project's .env says what a color is to run; an old container goes before a new one comes",
        )
    return None


def _still_runs(lab: Lab, seen: Seen, color: str) -> Missing | None:
    one = _container(lab, seen, color)
    if one and one.state == "running":
        return None
    found, served = one.state if one else "gone", seen.noted.users.color
    return Missing(
        f"{lab.main_service.container(color)} is {found}",
        f"users get {served}: the lab is past this step"
        if served == other(color)
        else "users still need it: the color that serves them runs on until the other one does that",
    )


def is_stopped(lab: Lab, seen: Seen, color: str) -> Missing | None:
    """Gone is as good as stopped."""
    one = _container(lab, seen, color)
    if one is None or one.state != "running":
        return None
    return Missing(
        f"{one.name} still runs",
        "users still get it: the other color comes first"
        if seen.noted.users.color == color
        else "nobody asks it any more, so it may be stopped",
    )


def idle_is_stopped(lab: Lab, seen: Seen) -> Missing | None:
    return _no_color(seen) or is_stopped(lab, seen, other(seen.noted.color))


def _container(lab: Lab, seen: Seen, color: str) -> Container | None:
    return seen.observation.container(lab.main_service.container(color))


# --- where users are sent -----------------------------------------------------------------------------------


def is_registered(lab: Lab, seen: Seen, color: str) -> Missing | None:
    one = _container(lab, seen, color)
    known = [entry.address for entry in seen.noted.known[color]]
    if one and any(address in known for address in one.addresses):
        return None
    return Missing(
        f"Consul does not know where {color} is",
        f"Registrator tells it, on the node that the container is on: {AGAIN}"
        if one and one.state == "running"
        else "what does not run has no address",
    )


def is_served(lab: Lab, seen: Seen, color: str) -> Missing | None:
    """Consul's key, nginx's file and the answer that users get all mean the color."""
    if color == LIVE:
        return _no_color(seen) or is_served(lab, seen, seen.noted.color)
    noted = seen.noted
    if noted.color != color:
        return Missing(
            f"Consul notes {noted.color or 'no color'} as live, not {color}",
            "a key of Consul's says which color is live: the next deployment reads it there",
        )
    one = _container(lab, seen, color)
    if one is None or one.state != "running":
        return Missing(f"{color} is live, but does not run", _healing(seen))
    if not any(f"server {address};" in noted.upstream for address in one.addresses):
        return Missing(
            f"nginx's file does not send users to {color}",
            "the file is made from a template, one a color, with the address that Consul knows",
        )
    if noted.users.color != color or noted.users.books is None:
        return Missing(
            f"users get {noted.users.color or 'no release'}, not the books of {color}",
            f"nginx's file is right, but nginx reads it only when it is told to; if it was: {AGAIN}",
        )
    return None


def _no_color(seen: Seen) -> Missing | None:
    if seen.noted.color in COLORS:
        return None
    return Missing(
        f"Consul notes {seen.noted.color!r} as the live color", "that key of Consul's holds blue, or green"
    )


def _healing(seen: Seen) -> str:
    if seen.check == "unknown":
        return "nobody looks after it yet: what was stopped by hand is started by hand"
    return f"Consul's check and Jenkins look after it: {AGAIN}"


# --- who looks after it -------------------------------------------------------------------------------------


def is_checked(lab: Lab, seen: Seen) -> Missing | None:
    name = lab.main_service.name
    if seen.check == "passing":
        return None
    if seen.check == "unknown":
        return Missing(
            f"Consul has no check of {name}",
            "the service's playbook brings one along: nothing that was typed by hand did",
        )
    return Missing(f"Consul's check of {name} is {seen.check}", _healing(seen))


def is_built(lab: Lab, seen: Seen) -> Missing | None:
    """The container of the live color was made while Jenkins' newest build ran."""
    name, build = lab.main_service.name, seen.build
    if build is None:
        return Missing(
            f"Jenkins never built {name}", "each service has a job there, and each job a way to begin it"
        )
    if build.result is None:
        return Missing(f"build {build.number} of {name} is running", "wait for its end and check again")
    if build.result != "SUCCESS":
        return Missing(
            f"build {build.number} of {name} ended: {build.result}", "its console in Jenkins says why"
        )
    if lacking := _no_color(seen):
        return lacking
    one = _container(lab, seen, seen.noted.color)
    if one and build.begin - CLOCKS <= _made(one) <= build.end + CLOCKS:
        return None
    return Missing(
        f"what is live did not come by build {build.number} of {name}, Jenkins' newest",
        "each service has a job in Jenkins; if one was just asked for, it waits for its turn: " + AGAIN,
    )


def _made(one: Container) -> float:
    return datetime.fromisoformat(one.created).timestamp()


def has_healed(lab: Lab, seen: Seen) -> Missing | None:
    """The healing saw the check fail, and said that it passes again."""
    name = lab.main_service.name
    if f"{name}: passes its check again" in seen.log:
        return None
    if seen.check == "unknown":
        return Missing(
            f"Consul has no check of {name}", "without one nothing heals: a playbook brings it along"
        )
    if f"Service {name} is critical" in seen.log:
        return Missing(
            f"{name} is being healed", "the watchers' log says how far that is: wait and check again"
        )
    if seen.noted.users.color:
        return Missing("nothing had to be healed yet", "users are still served: stop what serves them")
    return Missing(
        f"{name} does not answer, and Consul has not noticed yet",
        f"it asks every {lab.check_interval} seconds: {AGAIN}",
    )


COLOR = f"({'|'.join(COLORS)})"
CHECKS: dict[str, Check] = {
    f"{COLOR} runs beside {COLOR}": runs_beside,
    f"Consul knows where {COLOR} is": is_registered,
    f"users get ({'|'.join((*COLORS, LIVE))})": is_served,
    f"{COLOR} is stopped": is_stopped,
    "the idle color is stopped": idle_is_stopped,
    "Consul checks the service": is_checked,
    "Jenkins brought the live color out": is_built,
    "the service was healed": has_healed,
}
PHRASE = "|".join(CHECKS)
