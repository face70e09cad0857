"""The archive of a failure: how everything stood before anything was healed."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from evidence import journal
from lab import machines
from lab.errors import LabError
from lab.model import Lab
from lab.shell import Shell, in_parallel
from lab.waiting import limit, stretched
from provisioning.stages import healths

TIMEOUT = 25.0  # seconds a node gets for one question
LINES = 1000  # of a component's log
# What is asked of every node, one file each; beside it the logs that each of its components declares. A limit
# of time stands in braces: how long it is, is known when it is asked.
QUESTIONS = {
    "docker-ps.txt": "docker ps -a --no-trunc",
    "docker-inspect.json": 'ids=$(docker ps -aq); [ -z "$ids" ] || docker inspect $ids',
    "iptables.txt": "iptables-save",
    "network.txt": "ip addr; ip route; tc qdisc show; ss -tanp",
    "units.txt": "systemctl list-units --all --no-pager --no-legend; systemctl list-timers --all --no-pager",
    "journal.txt": "journalctl --no-pager -n 3000",
    "containers.log": (
        "for c in $(docker ps -a --format '{{.Names}}'); do echo \"== $c\"; "
        "timeout {SECONDS} docker logs -t --tail 200 $c 2>&1; done"
    ),
    "processes.txt": "ps -eo pid,ppid,lstart,stat,args --forest; free -m; df -h",
}
# What is asked of Consul over HTTP.
CONSUL = {
    "catalog.json": "/v1/catalog/services",
    "checks.json": "/v1/health/state/any",
    "nodes.json": "/v1/catalog/nodes",
    "members.json": "/v1/agent/members",
    "keys.json": "/v1/kv/services/?recurse",
}


def collect(lab: Lab, run: Path, scenario: Path) -> Path:
    """Ask every node and Consul, and pack the answers with the journals; returns the archive's path.

    A node or Consul that does not answer has a file that says so. Raises HostError when the lab's network is
    not on this host.
    """
    shells = machines.shells_of_present(lab)
    try:
        found = ask_nodes(shells, questions(lab)) | ask_consul(lab)
    finally:
        for shell in shells.values():
            shell.close()
    return pack(run / f"{scenario.name}-evidence.tar.gz", found, journals(run, scenario))


def questions(lab: Lab) -> dict[str, dict[str, str]]:
    """Node -> the script behind each file of it. Pure."""
    each = {file: script.replace("{SECONDS}", limit(5)) for file, script in QUESTIONS.items()}
    asked = {node.name: dict(each) for node in lab.nodes}
    for health in healths(lab):
        asked[health.node][f"{health.component}.log"] = health.logs.last(LINES)
    return asked


def ask_nodes(shells: Mapping[str, Shell], asked: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """`node/file` -> what the node said. A node that is silent once is asked no more."""

    def ask(node: str) -> dict[str, str]:
        said: dict[str, str] = {}
        for file, script in asked[node].items():
            try:
                done = shells[node].run(script, check=False, timeout=TIMEOUT)
            except LabError as error:
                said[f"{node}/{file}"] = f"no answer: {error}\n"
                break
            said[f"{node}/{file}"] = done.stdout + done.stderr
        return said

    by_node = in_parallel(ask, shells)
    return {path: text for said in by_node.values() for path, text in said.items()}


def ask_consul(lab: Lab, get: Callable[[str], str] | None = None) -> dict[str, str]:
    """`consul/file` -> what Consul on the master said."""
    asked = get or _get
    said = {}
    for file, path in CONSUL.items():
        try:
            said[f"consul/{file}"] = asked(f"http://{lab.master.address}:8500{path}")
        except (httpx.HTTPError, OSError) as error:
            said[f"consul/{file}"] = f"no answer: {error}\n"
    return said


def _get(url: str) -> str:
    return httpx.get(url, timeout=stretched(3.0), trust_env=False).text


def journals(run: Path, scenario: Path) -> list[Path]:
    """The run's own files and the journal of faults; those that are there."""
    own = [*run.glob("*.json*"), *scenario.glob("*.jsonl"), journal.of_faults()]
    return [path for path in own if path.is_file()]


def pack(archive: Path, texts: Mapping[str, str], files: list[Path]) -> Path:
    with tarfile.open(archive, "w:gz", compresslevel=3) as tar:
        for name, text in sorted(texts.items()):
            content = text.encode()
            member = tarfile.TarInfo(f"{archive.name.removesuffix('.tar.gz')}/{name}")
            member.size, member.mtime = len(content), int(time.time())
            tar.addfile(member, io.BytesIO(content))
        for path in files:
            tar.add(path, f"{archive.name.removesuffix('.tar.gz')}/journals/{path.name}")
    return archive
