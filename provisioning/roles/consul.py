"""Consul: a server with its UI on the master, a client on every other node."""

from __future__ import annotations

import json

from lab.model import Lab, Node
from lab.waiting import limit, patience
from provisioning.build import Built
from provisioning.resources import Directory, File, Program, Resource, Unit
from provisioning.roles import Health, Logs, ask, is_master

DATA = "/var/lib/consul"
SLOWEST_RAFT = 10  # the most that Consul takes
UNIT = """[Unit]
Description=Consul agent
After=network.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/bin/consul agent -config-dir=/etc/consul.d
ExecReload=/bin/kill -HUP $MAINPID
KillSignal=SIGINT
TimeoutStopSec=10
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def agent_settings(lab: Lab, node: Node) -> dict[str, object]:
    """The agent listens on the lab address and on localhost, nowhere else."""
    settings: dict[str, object] = {
        "node_name": node.name,
        "datacenter": "lab",
        "data_dir": DATA,
        "bind_addr": node.address,
        "client_addr": f"127.0.0.1 {node.address}",
        "ports": {"grpc": -1, "grpc_tls": -1},  # for a mesh, which is not here
        "disable_update_check": True,
        "enable_script_checks": False,
        # A node that stops stays known as failed: it is expected back.
        "leave_on_terminate": False,
        "skip_leave_on_interrupt": True,
        # As long as this host needs: on a slow one, agents would take each other for dead.
        "performance": {"raft_multiplier": max(1, min(SLOWEST_RAFT, round(patience())))},
        "gossip_lan": {"probe_interval": f"{limit(1)}s", "probe_timeout": f"{limit(500)}ms"},
        "log_level": "INFO",
    }
    if is_master(node):
        settings |= {"server": True, "bootstrap_expect": 1, "ui_config": {"enabled": True}}
    else:
        settings |= {"retry_join": [lab.master.address], "retry_interval": "1s"}
    return settings


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    program = Program("consul", *built.programs["consul"])
    settings = File("/etc/consul.d/agent.json", json.dumps(agent_settings(lab, node), indent=2) + "\n")
    unit = File("/etc/systemd/system/consul.service", UNIT)
    folders = [Directory(f"/data/consul/{name}") for name in ("logs", "scripts", "config")]
    return [
        program,
        Directory(DATA),
        Directory("/data"),
        Directory("/data/consul"),
        *folders,
        settings,
        unit,
        Unit("consul.service", restart_on=(program.key, settings.key, unit.key)),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    url = f"http://{node.address}:8500"
    leader = ask(f"{url}/v1/status/leader")
    check = f'said=$({leader} 2>&1); [[ $said == *:8300* ]] || {{ echo "no leader: $said"; false; }}'
    if is_master(node):
        members = ask(f"'{url}/v1/agent/members?pretty'")
        alive = f"alive=$({members} | grep -c '\"Status\": 1,')"  # 1: alive
        check += f' && {{ {alive}; echo "$alive alive"; test "$alive" = {len(lab.nodes)}; }}'
    return [Health("consul", node.name, check, Logs(units=("consul",)))]
