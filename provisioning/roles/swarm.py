"""Standalone Swarm: the manager in a container on the master, an agent that joins on every swarm node."""

from __future__ import annotations

from lab.config import Lab, Node
from provisioning.built import Built
from provisioning.resources import Container, Resource
from provisioning.roles import Health, ask_engine, container_logs, image, is_master


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    discovery = f"consul://{node.address}:8500/swarm"
    name: str
    command: tuple[str, ...]
    if is_master(node):
        name, command = "swarm-master", ("manage", "-H", lab.swarm_endpoint, discovery)
    else:
        # 20 s is the least that Consul's sessions allow; without a delay the node joins at once.
        ttl = ("--delay=0s", "--heartbeat=10s", "--ttl=20s")
        name, command = "swarm-node", ("join", f"--advertise={node.address}:2375", *ttl, discovery)
    return [Container(name, image(lab, "swarm"), built.images["swarm"], ("--net=host",), command)]


def health(lab: Lab, node: Node) -> list[Health]:
    if not is_master(node):
        check = "docker inspect -f '{{.State.Status}}' swarm-node 2>&1 | grep -x running"
        return [Health("swarm", node.name, check, container_logs("swarm-node"))]
    info = f"{ask_engine(f'-H {lab.swarm_endpoint} info')} 2>/dev/null | grep -c 'Status: Healthy'"
    check = f'healthy=$({info}); echo $healthy nodes healthy; test "$healthy" = {len(lab.swarm_nodes)}'
    return [Health("swarm", node.name, check, container_logs("swarm-master"))]
