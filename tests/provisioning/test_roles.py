"""What the roles say of the default lab, how their checks ask, and that every script they hold is bash."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from lab import config, waiting
from lab.model import COLORS, Lab, Node, Service
from lab.shell import command_line
from lab.testing import FakeShell, said
from provisioning import converge
from provisioning.build import Built
from provisioning.resources import Container, File, Resource
from provisioning.roles import ask, consul, machine, runs, service, socket, swarm
from provisioning.stages import ROLES, healths, wanted

ROOT = Path(__file__).parents[2]
LAB = config.load(config.LAB_FILE)
BUILT = Built(
    {name: (f"digest-{name}", f"/lab-cache/{name}") for name in ("consul", "consul-template")},
    {name: f"digest-{name}" for name in ("nginx", "mongo", "jenkins", "swarm", "registrator")},
    ("digest-store", "/lab-cache/registry/digest-store"),
)
BY_NODE = wanted(LAB, BUILT)
NODES = {node.name: node for node in LAB.nodes}
MASTER = LAB.master.name
LONGEST_WORD = 128 * 1024  # of an argument, in Linux


def file(node: str, path: str) -> File:
    (found,) = [r for r in BY_NODE[node] if isinstance(r, File) and r.path == path]
    return found


def files(node: str, part: str) -> list[File]:
    return [r for r in BY_NODE[node] if isinstance(r, File) and part in r.path]


def container(node: str, name: str) -> Container:
    (found,) = [r for r in BY_NODE[node] if isinstance(r, Container) and r.name == name]
    return found


def daemon(node: str) -> dict[str, object]:
    settings: dict[str, object] = json.loads(file(node, "/etc/docker/daemon.json").content)
    return settings


def role_name(role: ModuleType) -> str:
    return role.__name__.rpartition(".")[2]


# --- slow hosts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "raft"), [("1", 1), ("1.5", 2), ("6", 6), ("60", 10)])
def test_a_slow_hosts_nodes_do_not_take_each_other_for_dead(
    factor: str, raft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PATIENCE", factor)
    settings = consul.agent_settings(LAB, LAB.master)
    assert settings["performance"] == {"raft_multiplier": raft}
    times = float(factor)
    assert settings["gossip_lan"] == {"probe_interval": f"{times:g}s", "probe_timeout": f"{500 * times:g}ms"}
    (joined,) = (one for one in swarm.resources(LAB, LAB.swarm_nodes[0], BUILT) if isinstance(one, Container))
    assert {f"--heartbeat={10 * times:g}s", f"--ttl={20 * times:g}s"} <= {*joined.command}


def test_a_slow_hosts_service_waits_longer_for_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PATIENCE", "6")
    (compose,) = [
        one for one in service.resources(LAB, LAB.master, BUILT)
        if isinstance(one, File) and one.path == f"{LAB.main_service.folder}/docker-compose.yml.ctmpl"
    ]  # fmt: skip
    assert compose.content.count("- LAB_PATIENCE=6\n") == len(COLORS)


@pytest.mark.parametrize(
    ("patience", "connect", "read"), [("1", 2000, 10000), ("1.5", 3000, 15000), ("6", 12000, 60000)]
)
def test_nginx_waits_for_a_color_as_long_as_its_host_needs(
    patience: str, connect: int, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(waiting.PATIENCE, patience)
    found = [r for r in service.resources(LAB, LAB.master, BUILT) if isinstance(r, File)]
    includes = [r.content for r in found if r.path.startswith("/data/nginx/includes/")]
    limits = f"  proxy_connect_timeout {connect}ms;\n  proxy_read_timeout {read}ms;\n"
    assert [limits in include for include in includes] == [True] * len(LAB.services)


# --- who listens where --------------------------------------------------------------------------------------


def test_only_the_engines_of_swarm_nodes_listen_on_tcp() -> None:
    socket = "unix:///var/run/docker.sock"
    assert {name: daemon(name)["hosts"] for name in NODES} == {
        "swarm-master": [socket],
        "swarm-node-01": [socket, "tcp://10.100.199.201:2375"],
        "swarm-node-02": [socket, "tcp://10.100.199.202:2375"],
        "swarm-node-03": [socket, "tcp://10.100.199.203:2375"],
    }


@pytest.mark.parametrize("node", NODES)
def test_ports_are_published_on_the_address_of_their_node(node: str) -> None:
    assert daemon(node)["ip"] == NODES[node].address


@pytest.mark.parametrize("node", NODES)
def test_nothing_listens_everywhere(node: str) -> None:
    """Neither by an address that means all of them, nor by a published port without an address."""
    told = [r.content for r in BY_NODE[node] if isinstance(r, File)]
    told += [" ".join((*r.options, *r.command)) for r in BY_NODE[node] if isinstance(r, Container)]
    everywhere = re.compile(r"0\.0\.0\.0|\[::\]|(?:-p|--publish)[ =]\d+:\d+(?!:)|tcp://:|addr: :")
    assert [text for text in told if everywhere.search(text)] == []


@pytest.mark.parametrize("node", NODES)
def test_consul_listens_on_the_address_of_its_node_and_on_localhost(node: str) -> None:
    settings = json.loads(file(node, "/etc/consul.d/agent.json").content)
    address = NODES[node].address
    assert (settings["bind_addr"], settings["client_addr"]) == (address, f"127.0.0.1 {address}")


def test_the_master_is_the_one_server_of_consul_and_all_others_join_it() -> None:
    settings = {name: json.loads(file(name, "/etc/consul.d/agent.json").content) for name in NODES}
    assert [name for name in NODES if settings[name].get("server")] == [MASTER]
    assert [settings[name].get("retry_join") for name in NODES] == [None, *[[LAB.master.address]] * 3]


def test_the_registry_listens_where_every_engine_expects_it() -> None:
    settings = yaml.safe_load(file(MASTER, "/etc/lab/registry.yml").content)
    assert settings["http"]["addr"] == "10.100.199.200:5000"
    assert {tuple(daemon(name)["insecure-registries"]) for name in NODES} == {("10.100.199.200:5000",)}  # type: ignore[arg-type]


def test_nginx_and_jenkins_listen_on_the_address_of_the_master() -> None:
    assert container(MASTER, "nginx").options[:2] == ("-p", "10.100.199.200:80:80")
    assert container(MASTER, "jenkins").command == ("--httpListenAddress=10.100.199.200",)


def test_the_swarm_manager_and_its_agents_meet_in_their_own_consul() -> None:
    assert container(MASTER, "swarm-master").command == (
        *("manage", "-H", "tcp://10.100.199.200:2375"),
        "consul://10.100.199.200:8500/swarm",
    )
    agent = container("swarm-node-02", "swarm-node").command
    assert (agent[1], agent[-1]) == (
        "--advertise=10.100.199.202:2375",
        "consul://10.100.199.202:8500/swarm",
    )


# --- what is where ------------------------------------------------------------------------------------------


def test_each_node_runs_its_containers() -> None:
    names = {name: {r.name for r in BY_NODE[name] if isinstance(r, Container)} for name in NODES}
    agent = {"swarm-node", "registrator"}
    assert names == {
        "swarm-master": {"swarm-master", "nginx", "jenkins"},
        "swarm-node-01": agent,
        "swarm-node-02": agent,
        "swarm-node-03": agent,
    }


@pytest.mark.parametrize("node", NODES)
def test_keys_are_given_once_on_a_node(node: str) -> None:
    keys = [resource.key for resource in BY_NODE[node]]
    assert sorted({key for key in keys if keys.count(key) > 1}) == []


@pytest.mark.parametrize("node", NODES)
def test_what_restarts_or_reloads_on_a_resource_comes_after_it(node: str) -> None:
    seen: set[str] = set()
    for resource in BY_NODE[node]:
        causes = {*getattr(resource, "restart_on", ()), *getattr(resource, "on", ())}
        assert causes <= seen, resource.key
        seen.add(resource.key)


@pytest.mark.parametrize("node", NODES)
def test_images_come_from_the_registry_of_the_lab(node: str) -> None:
    images = [r.image for r in BY_NODE[node] if isinstance(r, Container)]
    assert [image for image in images if not image.startswith("10.100.199.200:5000/")] == []


# The role `service` holds tools and files; the services themselves are the deployments' to look at.
# Of `machine`, SSH itself tells.
@pytest.mark.parametrize("node", NODES.values(), ids=str)
@pytest.mark.parametrize("role", [role for role in ROLES if role not in (machine, service)], ids=role_name)
def test_a_component_has_a_health_check_wherever_its_resources_are(role: ModuleType, node: Node) -> None:
    checks = [(health.component, health.node) for health in role.health(LAB, node)]
    assert checks == ([(role_name(role), node.name)] if role.resources(LAB, node, BUILT) else [])


def test_only_jenkins_is_not_waited_for() -> None:
    assert {health.component for health in healths(LAB) if health.late} == {"jenkins"}


def test_every_role_is_in_one_stage() -> None:
    shipped = {path.stem for path in (ROOT / "provisioning" / "roles").glob("*.py")} - {"__init__"}
    assert sorted(shipped) == sorted(role_name(role) for role in ROLES)


# --- how checks ask, with programs that are played ----------------------------------------------------------


STATES = {
    "running": ('{"Id":"1","Args":["\\"State\\":{\\"Status\\":\\"x"],"State":{"Status":"running"}}', True),
    "exited": ('{"Id":"1","State":{"Status":"exited","Running":false}}', False),
    "not there": ("", False),
}


@pytest.mark.parametrize("state", STATES)
def test_a_container_runs_only_when_the_engine_says_so(state: str, played: Any) -> None:
    told, healthy = STATES[state]
    played.program("curl", f"printf '%s' {shlex.quote(told)}" if told else "exit 22")
    done = played.run(runs("registrator"))
    assert (done.returncode == 0, done.stdout.strip()) == (healthy, state)


def test_each_question_has_the_time_and_the_options_of_one_and_the_first_failure_ends_them() -> None:
    assert ask("http://a/") == "curl -fsS -m 4 http://a/"
    assert ask("-o /dev/null http://a/", socket("/b")) == (
        "curl --fail-early -fsS -m 4 -o /dev/null http://a/ "
        "--next -fsS -m 4 --unix-socket /var/run/docker.sock 'http://localhost/b'"
    )


# --- the files of a service ---------------------------------------------------------------------------------


def compose(name: str) -> dict[str, dict[str, object]]:
    text = file(MASTER, f"/data/compose/config/{name}/docker-compose.yml.ctmpl").content
    rendered: dict[str, dict[str, object]] = yaml.safe_load(re.sub(r"\{\{.*\}\}", "10.0.0.9:27017", text))
    return rendered


def test_compose_knows_the_database_and_both_colors() -> None:
    assert list(compose("books-service")) == ["db", "blue", "green"]
    assert list(compose("books-fe")) == ["blue", "green"]


def test_a_color_runs_its_release_and_is_known_by_its_name() -> None:
    green = compose("books-service")["green"]
    assert green["image"] == "10.100.199.200:5000/books-service:${GREEN_RELEASE}"
    assert green["ports"] == ["8080"]
    assert green["labels"] == {"bluegreen-lab": LAB.name}
    assert green["environment"] == [
        "SERVICE_NAME=books-service-green",
        "COLOR=green",
        "LAB_PATIENCE=1",
        "DB_PORT_27017_TCP=tcp://10.0.0.9:27017",
    ]


def test_a_service_without_a_database_is_told_of_none() -> None:
    assert compose("books-fe")["blue"]["environment"] == ["SERVICE_NAME=books-fe-blue", "COLOR=blue"]


def test_the_database_keeps_its_data_in_a_volume_of_its_service() -> None:
    assert compose("books-service")["db"]["volumes"] == ["booksservice_db:/data/db"]


def test_the_first_release_is_blue_and_the_second_green() -> None:
    env = file(MASTER, "/data/compose/config/books-service/.env")
    assert env.content == "COMPOSE_PROJECT_NAME=booksservice\nBLUE_RELEASE=1.0\nGREEN_RELEASE=1.1\n"
    assert env.keep


def test_a_service_of_one_release_has_it_in_both_colors() -> None:
    one = Service("shop", "/", 80, False, ("2.0",))
    lab = Lab(LAB.name, LAB.provider, LAB.subnet, 10, LAB.nodes, (one,))
    texts = [r.content for r in service.resources(lab, lab.master, BUILT) if isinstance(r, File)]
    assert "COMPOSE_PROJECT_NAME=shop\nBLUE_RELEASE=2.0\nGREEN_RELEASE=2.0\n" in texts


def test_nginx_has_a_location_and_an_upstream_for_each_service() -> None:
    for each in LAB.services:
        include = file(MASTER, f"/data/nginx/includes/{each.name}.conf").content
        limits = "  proxy_connect_timeout 2000ms;\n  proxy_read_timeout 10000ms;\n"
        assert include == f"location {each.path} {{\n  proxy_pass http://{each.name};\n{limits}}}\n"
        upstream = file(MASTER, f"/data/nginx/upstreams/{each.name}.conf")
        assert (f"upstream {each.name} {{" in upstream.content, upstream.keep) == (True, True)


@pytest.mark.parametrize("node", NODES)
def test_no_marker_of_the_templates_is_left(node: str) -> None:
    left = re.compile(r"\[%|%\]|\[\[ [a-z]|[a-z] \]\]")
    templated = [r for part in ("/data/", "lab-resume", "consul-template") for r in files(node, part)]
    assert [r.path for r in templated if left.search(r.content.replace("[[:", ""))] == []


# --- scripts ------------------------------------------------------------------------------------------------


def broken(script: str) -> str:
    """What `bash -n` says against a script; nothing when it is right."""
    done = subprocess.run(["bash", "-n"], input=script, check=False, capture_output=True, text=True)
    return done.stderr or ("" if done.returncode == 0 else f"exit {done.returncode}")


def scripts(node: str) -> dict[str, str]:
    resources: list[Resource] = BY_NODE[node]
    found = {f"{r.key} observe": r.observe for r in resources}
    for resource in resources:
        for state in ("", "other"):
            script = resource.converge(state, frozenset())
            found[f"{resource.key} from {state!r}"] = script or ""
        if isinstance(resource, Container):
            found[f"{resource.key} stopped"] = resource.converge(f"exited {resource.spec}", frozenset()) or ""
        if isinstance(resource, File) and resource.content.startswith("#!"):
            found[resource.path] = resource.content
    for health in healths(LAB):
        if health.node == node:
            found |= {
                f"{health.component} check": health.check,
                f"{health.component} logs": health.logs.last(),
            }
    return found


@pytest.mark.parametrize("node", NODES)
def test_every_snippet_is_bash(node: str) -> None:
    wrong = {name: broken(script) for name, script in scripts(node).items()}
    assert {name: said for name, said in wrong.items() if said} == {}


@pytest.mark.parametrize("node", NODES)
def test_the_gathered_scripts_are_bash_and_fit_in_one_word(node: str) -> None:
    resources = BY_NODE[node]
    shell = FakeShell({"": said()}, node=node)
    converge.observe(shell, resources)
    converge.apply(shell, converge.plan(node, resources, {}))
    assert [broken(script) for script in shell.scripts] == ["", ""]
    assert max(len(command_line(script, sudo=True)) for script in shell.scripts) < LONGEST_WORD


def shell_files() -> list[Path]:
    listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    paths = [ROOT / name for name in listed if (ROOT / name).is_file()]
    begins = [(path, path.read_bytes().partition(b"\n")[0]) for path in paths]
    return [path for path, line in begins if re.match(rb"#!.*\b(ba)?sh\b", line)]


def test_every_shell_file_is_bash() -> None:
    paths = [path for path in shell_files() if "[% " not in path.read_text()]
    assert ROOT / "lab" / "host.sh" in paths
    wrong = {str(path.relative_to(ROOT)): broken(path.read_text()) for path in paths}
    assert {name: said for name, said in wrong.items() if said} == {}


def test_the_check_sees_what_is_no_bash() -> None:
    assert broken("if true; then echo") != ""
    assert broken("echo 'open") != ""
