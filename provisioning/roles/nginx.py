"""The proxy on the master: container `nginx`, all of its settings under /data/nginx."""

from __future__ import annotations

from lab.model import Lab, Node
from provisioning.build import Built
from provisioning.resources import Container, Directory, Resource
from provisioning.roles import Health, Logs, ask, image, is_master

FOLDERS = ("conf.d", "includes", "upstreams", "templates", "servers", "logs")


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if not is_master(node):
        return []
    options = ("-p", f"{node.address}:80:80", "-v", "/data/nginx:/data/nginx")
    return [
        Directory("/data/nginx"),
        *(Directory(f"/data/nginx/{name}") for name in FOLDERS),
        Container("nginx", image(lab, "nginx"), built.images["nginx"], options),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    if not is_master(node):
        return []
    check = ask(f"--no-fail -o /dev/null -w '%{{http_code}}' http://{node.address}/ 2>&1")
    return [
        Health("nginx", node.name, check, Logs(containers=("nginx",), files=("/data/nginx/logs/error.log",)))
    ]
