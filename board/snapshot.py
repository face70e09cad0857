"""What was seen, as the plain data that the page shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from typing import Any

from board.looking import Around, Inside, one_line
from board.traffic import RATE, Second
from lab.clients.consul import Check
from lab.clients.swarm import Placed
from lab.model import COLORS, Lab, Node, Service, other
from scenarios.workshop.reading import Step

MOST_OUTPUT = 200  # characters of what a check printed
# The states of a lab; the page has a word and a sign for each.
LOOKING, DOWN, UNWELL, BROKEN, STEADY = "looking", "down", "unwell", "broken", "steady"


def state(around: Around | None, inside: Inside | None) -> tuple[str, str]:
    """One word for the lab, and why in a line."""
    if around is None:
        return LOOKING, "the first look has not ended yet"
    if around.away:
        return DOWN, around.away
    if around.silent:
        return UNWELL, "; ".join(around.silent.values())
    if around.faults:
        return BROKEN, "a fault is open: " + ", ".join(f"{one.name} on {one.target}" for one in around.faults)
    return _by_nodes(around, inside)


def _by_nodes(around: Around, inside: Inside | None) -> tuple[str, str]:
    critical = [one.name for one in around.checks if one.status == "critical"]
    if critical:
        return UNWELL, "critical in Consul: " + ", ".join(critical)
    if inside is None or inside.away:
        return LOOKING, "the nodes have not been asked yet"
    if inside.wrong:
        return UNWELL, inside.wrong
    return STEADY, "every component answers and no fault is open"


def lab(
    lab: Lab,
    steps: tuple[Step, ...],
    around: Around | None,
    inside: Inside | None,
    *,
    since: float,
    stuck: float,
) -> dict[str, Any]:
    """The lab on the page. `since` is when its state became this one, `stuck` when its check did."""
    word, why = state(around, inside)
    seen = around or Around(0.0)
    placed = containers(lab, seen, inside)
    return {
        "lab": lab.name,
        "state": word,
        "why": why,
        "since": round(since),
        "looked": {"around": seen.at or None, "inside": inside.at if inside else None},
        "services": [_service(service, seen) for service in lab.services],
        "nodes": [
            _node(
                lab,
                node,
                seen,
                inside,
                [_container(lab, one, seen) for one in placed if one.node == node.name],
            )
            for node in lab.nodes
        ],
        "checks": [_check(one) for one in seen.checks if one.service],
        "faults": [
            {"id": one.id, "name": one.name, "target": one.target, "on": ", ".join(one.on)}
            | {"at": one.at, "deadline": one.deadline}
            for one in seen.faults
        ],
        "builds": [
            {"job": job, "number": one.number, "result": one.result, "begin": one.begin, "end": one.end}
            for job, one in seen.builds
        ],
        "asked": around is not None and not around.away,
        "silent": dict(seen.silent or {}),
        "step": _step(steps, inside, stuck),
    }


def _service(service: Service, seen: Around) -> dict[str, Any]:
    live = (seen.live or {}).get(service.name)
    return {"name": service.name, "live": live, "idle": other(live) if live else None}


def containers(lab: Lab, seen: Around, inside: Inside | None) -> list[Placed]:
    """Those of the services. Swarm learns late of what was paused: the main one's are as their nodes tell."""
    told = inside.containers if inside else None
    if told is None:
        return list(seen.containers)
    others = [one for one in seen.containers if not lab.main_service.owns(one.name)]
    return [*(Placed(one.name, one.node, one.state, one.image) for one in told), *others]


def _node(
    lab: Lab, node: Node, seen: Around, inside: Inside | None, placed: list[dict[str, Any]]
) -> dict[str, Any]:
    unwell = [one for one in inside.unwell if one.node == node.name] if inside else []
    alive = [one.status for one in seen.checks if one.node == node.name and not one.service]
    return {
        "name": node.name,
        "address": node.address,
        "master": node == lab.master,
        "agent": next((status for status in ("critical", "warning", "passing") if status in alive), None),
        "unwell": [f"{one.component}: {one_line(one.wrong or '')}" for one in unwell],
        "containers": placed,
    }


def _container(lab: Lab, placed: Placed, seen: Around) -> dict[str, Any]:
    owner = next(service for service in lab.services if service.owns(placed.name))
    color = next((color for color in COLORS if placed.name == owner.container(color)), None)
    live = (seen.live or {}).get(owner.name)
    return {
        "name": placed.name,
        "state": placed.state,
        "image": placed.image.rpartition("/")[2],
        "color": color,
        "live": color is not None and color == live,
    }


def _check(one: Check) -> dict[str, Any]:
    return {
        "node": one.node,
        "name": one.name,
        "service": one.service,
        "status": one.status,
        "output": one_line(one.output, MOST_OUTPUT),
    }


def _step(steps: tuple[Step, ...], inside: Inside | None, stuck: float) -> dict[str, Any] | None:
    """The step to do next; None when nobody can tell."""
    if inside is None or inside.step is None:
        return None
    done = inside.step > len(steps)
    return {
        "number": inside.step,
        "of": len(steps),
        "done": done,
        "title": "" if done else steps[inside.step - 1].title,
        "check": inside.check,
        "since": round(stuck),
    }


def traffic(seconds: Iterable[Second], now: float) -> dict[str, Any]:
    """The picture of the requests: one row a second, as `Second` has its fields."""
    return {"now": now, "rate": RATE, "seconds": [astuple(one) for one in seconds]}
