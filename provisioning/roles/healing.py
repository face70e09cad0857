"""Self-healing on the master: Consul's watch of critical checks and the scripts it calls."""

from __future__ import annotations

from lab.model import Lab, Node
from provisioning.build import Built
from provisioning.resources import File, Reload, Resource
from provisioning.roles import Health, Logs, ask, is_master
from provisioning.templates import render

SCRIPTS = ("redeploy_service.sh", "heal_service.sh", "remove_doubles.sh")


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if not is_master(node):
        return []
    watchers = File("/etc/consul.d/watchers.json", render("healing/watchers.json", lab))
    return [
        *(
            File(f"/data/consul/scripts/{name}", render(f"healing/{name}", lab), mode="755")
            for name in SCRIPTS
        ),
        watchers,
        Reload("consul.service", on=(watchers.key,)),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    if not is_master(node):
        return []
    agent = ask("http://localhost:8500/v1/agent/self")
    check = f"""[[ $({agent}) == *'"Watches":[{{'* ]] || {{ echo no watches; false; }}"""
    return [Health("healing", node.name, check, Logs(files=("/data/consul/logs/watchers.log",)))]
