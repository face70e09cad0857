"""Registrator on every swarm node: containers with published ports appear in Consul's catalogue."""

from __future__ import annotations

from lab.model import Lab, Node
from provisioning.build import Built
from provisioning.resources import Container, Resource, Trouble
from provisioning.roles import Health, Logs, ask, image, is_master, runs, socket
from provisioning.templates import render


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if is_master(node):
        return []
    options = ("--net=host", "-v", "/var/run/docker.sock:/var/run/docker.sock")
    command = ("-ip", node.address, f"consul://{node.address}:8500")
    known = render("registrator/known.sh", lab, node=node, ask=ask)
    return [
        Container("registrator", image(lab, "registrator"), built.images["registrator"], options, command),
        Trouble("unknown-services", unknown(lab, node), known),
    ]


def unknown(lab: Lab, node: Node) -> str:
    """Shell that prints what runs on a node and is not in Consul's catalogue."""
    return render("registrator/unknown.sh", lab, node=node, ask=ask, socket=socket)


def health(lab: Lab, node: Node) -> list[Health]:
    if is_master(node):
        return []
    # Its start hangs while Consul is out of reach: "running" alone would say nothing.
    check = (
        f"{runs('registrator')} && "
        f"{{ {ask(socket('/containers/registrator/logs?stdout=1&stderr=1'))} | "
        "grep -a -q 'Listening for Docker events' || { echo 'listens to no events'; false; }; } && "
        f"{{ unknown=$(\n{unknown(lab, node)}\n); "
        'echo "not in the catalogue: $unknown"; [ -z "$unknown" ]; }'
    )
    return [Health("registrator", node.name, check, Logs(containers=("registrator",)))]
