"""Jenkins on the master: container `jenkins`, its home in /data/jenkins, port 8080 on the lab address."""

from __future__ import annotations

from lab.config import Lab, Node
from provisioning.built import Built
from provisioning.resources import Container, Directory, Package, Resource
from provisioning.roles import Health, container_logs, image, is_master, responds


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if not is_master(node):
        return []
    options = ("--net=host", "-v", "/data/jenkins:/data/jenkins")
    command = (f"--httpListenAddress={node.address}",)
    return [
        Package(("openjdk-17-jre-headless",)),  # for the agent of the node `cd`
        Directory("/data/jenkins"),
        Container("jenkins", image(lab, "jenkins"), built.images["jenkins"], options, command),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    if not is_master(node):
        return []
    check = responds(f"http://{node.address}:8080/api/json")
    return [Health("jenkins", node.name, check, container_logs("jenkins"), late=True)]
