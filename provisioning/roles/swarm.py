"""Standalone Swarm: the manager in a container on the master, an agent that joins on every swarm node."""

from __future__ import annotations

from lab.model import Lab, Node
from lab.waiting import limit
from provisioning.build import Built
from provisioning.resources import Container, Resource, Trouble
from provisioning.roles import Health, Logs, ask, ask_engine, image, is_master, runs
from provisioning.templates import render


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    discovery = f"consul://{node.address}:8500/swarm"
    name: str
    command: tuple[str, ...]
    if is_master(node):
        name, command = "swarm-master", ("manage", "-H", lab.swarm_endpoint, discovery)
    else:
        # 20 s is the least that Consul's sessions allow. On a slow host a heartbeat may come later, and a
        # manager that knows no node schedules nothing. Without a delay the node joins at once.
        ttl = ("--delay=0s", f"--heartbeat={limit(10)}s", f"--ttl={limit(20)}s")
        name, command = "swarm-node", ("join", f"--advertise={node.address}:2375", *ttl, discovery)
    container = Container(name, image(lab, "swarm"), built.images["swarm"], ("--net=host",), command)
    return [container, _strangers(lab)] if is_master(node) else [container]


def _strangers(lab: Lab) -> Trouble:
    """A machine made anew has another engine ID. Once out of the discovery, its agent brings it back."""
    signs = render("swarm/changed.sh", lab, ask=ask, manager=ask_engine(f"-H {lab.swarm_endpoint}"))
    forget = ask("-o /dev/null -X DELETE http://localhost:8500/v1/kv/swarm/docker/swarm/nodes/$engine")
    return Trouble("swarm-nodes", signs, f"for engine in $(\n{signs}\n); do\n{forget}\ndone")


def health(lab: Lab, node: Node) -> list[Health]:
    if not is_master(node):
        return [Health("swarm", node.name, runs("swarm-node"), Logs(containers=("swarm-node",)))]
    manager = lab.swarm_endpoint.replace("tcp", "http")
    info = f"{ask(f'{manager}/info')} 2>/dev/null | grep -o '\"Healthy\"' | wc -l"
    check = f'healthy=$({info}); echo $healthy nodes healthy; test "$healthy" = {len(lab.swarm_nodes)}'
    return [Health("swarm", node.name, check, Logs(containers=("swarm-master",)))]
