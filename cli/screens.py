"""What the `lab` command shows: the closing screen of `up` and the tables of `status`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from cli.progress import Output
from lab import machines, named, network
from lab.clients.consul import ConsulClient
from lab.clients.swarm import SwarmClient
from lab.errors import LabError
from lab.labs import Found
from lab.model import OWN_HOSTS, Lab, Service, other
from provisioning import health


def closing(lab: Lab) -> None:
    """Where everything is, what to paste, what to try next."""
    address, service = lab.master.address, lab.main_service
    shell = named.command("ssh") if named.chosen() or lab.provider == OWN_HOSTS else "vagrant ssh"
    deploy = named.command(f"deploy {service.name} {service.releases[-1]}")
    click.echo(
        f"""
{service.name:<15} {lab.public_address(service)}
Consul          http://{address}:8500/ui/
Jenkins         http://{address}:8080/
Swarm           {lab.swarm_endpoint}

  curl {lab.public_address(service)}
  docker -H {lab.swarm_endpoint} ps

Next: {shell} {lab.master.name}, or: {deploy}
The article step by step: {named.command("steps")}"""
    )


def lab_facts(one: Found) -> dict[str, Any]:
    """A lab of this host as plain data; `since` in seconds of the epoch."""
    return asdict(one) | {"checkout": str(one.checkout), "user": one.user}


def labs_table(found: list[Found]) -> None:
    if not found:
        click.echo("no lab is on this host")
        return
    table = Table(box=None)
    for column in ("lab", "subnet", "nodes", "since", "user"):
        table.add_column(column, no_wrap=True)
    table.add_column("checkout", overflow="fold")
    for one in found:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.since))
        checkout = "this one" if one.is_ours else str(one.checkout)
        words = (one.lab, one.subnet or "-", f"{one.running} of {one.nodes}", since, one.user, checkout)
        table.add_row(*map(escape, words))
    Output().print(table)


def gather(lab: Lab) -> dict[str, Any]:
    """Everything `lab status` tells, as plain data. Raises HostError when the lab's network is not here."""
    network.require_present(lab)
    answering = machines.answering(lab)
    components = _components(lab) if answering == machines.names(lab) else []
    services = _told(_services, lab)
    healthy = (
        answering == machines.names(lab)
        and all(component["healthy"] for component in components)
        and not any(service["wrong"] for service in services)
    )
    return {
        "lab": lab.name,
        "healthy": healthy,
        "nodes": [
            {"name": node.name, "address": node.address, "answers": node.name in answering}
            for node in lab.nodes
        ],
        "components": components,
        "services": services,
        "containers": _told(_containers, lab),
    }


def _told(question: Callable[[Lab], list[dict[str, Any]]], lab: Lab) -> list[dict[str, Any]]:
    """The rows, or none when whom they come from does not answer: the components say who that is."""
    try:
        return question(lab)
    except LabError:
        return []


def _components(lab: Lab) -> list[dict[str, Any]]:
    return [
        {"component": one.component, "node": one.node, "healthy": one.wrong is None, "seen": one.wrong}
        for one in health.look(lab, machines.shells(lab))
    ]


def _services(lab: Lab) -> list[dict[str, Any]]:
    consul = ConsulClient(lab)
    consul.services()  # one that does not answer is told among the components
    return [_colors(consul, service) for service in lab.services]


def _colors(consul: ConsulClient, service: Service) -> dict[str, Any]:
    live = wrong = None
    try:
        live = consul.live_color(service)
    except LabError as error:
        wrong = error.last_seen
    return {"service": service.name, "live": live, "idle": other(live) if live else None, "wrong": wrong}


def _containers(lab: Lab) -> list[dict[str, Any]]:
    swarm = SwarmClient(lab)
    try:
        return [
            {"name": placed.name, "node": placed.node, "state": placed.state, "image": placed.image}
            for placed in swarm.containers()
            if any(service.owns(placed.name) for service in lab.services)
        ]
    finally:
        swarm.close()


def _live(row: dict[str, Any]) -> str:
    return f"[red]{escape(row['wrong'])}[/red]" if row["wrong"] else row["live"] or "-"


def status_table(seen: dict[str, Any]) -> None:
    out = Output()
    components = Table("component", "node", "health", box=None)
    for row in seen["components"]:
        health = "[green]ok[/green]" if row["healthy"] else f"[red]{escape(row['seen'])}[/red]"
        components.add_row(row["component"], row["node"], health)
    down = [node["name"] for node in seen["nodes"] if not node["answers"]]
    if down:
        out.print("[red]no answer over SSH:[/red] " + ", ".join(down))
    out.print(components)
    services = Table("service", "live", "idle", box=None)
    for row in seen["services"]:
        services.add_row(row["service"], _live(row), row["idle"] or "-")
    containers = Table("container", "node", "state", "image", box=None)
    for row in seen["containers"]:
        containers.add_row(row["name"], row["node"], row["state"], row["image"])
    if seen["services"]:
        out.print(services)
        out.print(containers)
