"""What the nodes see as /vagrant/ansible."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from lab import config
from lab.model import Service
from provisioning import build, stages
from provisioning.resources import Container, Resource, Unit

ROOT = Path(__file__).parents[3] / "provisioning/ansible"
ROLE = ROOT / "roles/service"
LAB = config.load(config.LAB_FILE)
RAW, SCRIPT = "ansible.builtin.raw", "ansible.builtin.script"
YAML = sorted(ROOT.rglob("*.yml"))
TASK_LISTS = {
    **{path.name: yaml.safe_load(path.read_text())[0].get("tasks", []) for path in ROOT.glob("*.yml")},
    "role service": yaml.safe_load((ROLE / "tasks/main.yml").read_text()),
}


def tasks(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every task, with those inside blocks."""
    for task in listed:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part, []))


def role_tasks() -> list[dict[str, Any]]:
    return list(tasks(TASK_LISTS["role service"]))


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_is_yaml(path: Path) -> None:
    assert yaml.safe_load(path.read_text())


@pytest.mark.parametrize("name", TASK_LISTS)
def test_every_task_has_a_name(name: str) -> None:
    assert [task for task in tasks(TASK_LISTS[name]) if not task.get("name")] == []


def test_the_tasks_are_found() -> None:
    counts = {name: len(list(tasks(listed))) for name, listed in TASK_LISTS.items()}
    assert counts["role service"] > 10
    assert (counts["infra.yml"], counts["jenkins.yml"], counts["books-fe.yml"]) == (3, 2, 0)


def test_the_infrastructure_is_what_the_roles_run() -> None:
    everywhere = stages.wanted(LAB, build.record(LAB))
    master, node = everywhere[LAB.master.name], everywhere[LAB.swarm_nodes[0].name]
    units, of_master, of_nodes = (json.dumps(task) for task in TASK_LISTS["infra.yml"])
    assert json.loads(units)["loop"] == [one.name for one in master if isinstance(one, Unit) and one.started]
    assert f"for name in {' '.join(containers(master))}; do" in of_master
    assert f"for name in {' '.join(containers(node))}; do" in of_nodes


def containers(resources: Iterable[Resource]) -> list[str]:
    return [one.name for one in resources if isinstance(one, Container)]


@pytest.mark.parametrize("service", LAB.services, ids=lambda service: service.name)
def test_each_service_has_a_playbook_that_says_what_the_lab_says(service: Service) -> None:
    (play,) = yaml.safe_load((ROOT / f"{service.name}.yml").read_text())
    said = play["vars"]
    assert (said["container_name"], said["http_address"]) == (service.name, service.path)
    assert (said["has_db"], play["roles"]) == (service.database, ["service"])


def test_playbooks_of_services_differ_in_their_variables_alone() -> None:
    plays = [yaml.safe_load((ROOT / f"{service.name}.yml").read_text())[0] for service in LAB.services]
    without = [{key: value for key, value in play.items() if key != "vars"} for play in plays]
    assert without.count(without[0]) == len(LAB.services) >= 2


def test_ids_of_checks_differ_between_services() -> None:
    default = yaml.safe_load((ROLE / "defaults/main.yml").read_text())["check_id"]
    plays = [yaml.safe_load((ROOT / f"{service.name}.yml").read_text())[0] for service in LAB.services]
    ids = [
        play["vars"].get("check_id", default.replace("{{ container_name }}", play["vars"]["container_name"]))
        for play in plays
    ]
    assert ids == ["api", "books-fe-api"]


def test_the_inventory_names_the_master_of_the_lab() -> None:
    lines = (ROOT / "hosts/prod").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["[service]", LAB.master.address]


def test_every_script_of_the_role_is_run_and_every_script_that_is_run_is_there() -> None:
    run = {task[SCRIPT].split()[0] for task in role_tasks() if SCRIPT in task}
    assert run == {path.name for path in (ROLE / "files").iterdir()}


def position(words: str) -> int:
    (found,) = (i for i, task in enumerate(role_tasks()) if words in json.dumps(task.get("name")))
    return found


def test_a_color_is_started_tested_and_made_live_in_this_order_and_the_old_one_stopped_last() -> None:
    order = ["idle color runs", "passes its direct test", "Users are sent to it", "old color is stopped"]
    places = [position(words) for words in order]
    assert places == sorted(places)
    assert position("variables make sense") == 0


def test_the_lock_is_given_back_however_a_deployment_ends() -> None:
    (block,) = (task for task in TASK_LISTS["role service"] if "block" in task)
    (last,) = block["always"]
    assert "/v1/session/destroy/' ~ session" in last[RAW]


@pytest.mark.parametrize("task", role_tasks(), ids=lambda task: task["name"].replace(" ", "-"))
def test_no_failure_is_ignored_but_that_of_giving_back_a_lock_that_is_gone(task: dict[str, Any]) -> None:
    ignored = "ignore_errors" in task or task.get("failed_when") is False
    assert ignored == (task["name"] == "The next deployment may come")


# A module's Python takes 0.4 s of processor before it does anything: ten of them were half of a deployment's.
WITHOUT_PYTHON = {RAW, SCRIPT, "ansible.builtin.assert"}


def test_no_step_starts_a_python_of_its_own() -> None:
    modules = {key for task in role_tasks() for key in task if key.startswith("ansible.")}
    assert modules == WITHOUT_PYTHON


# --- the service's definition -------------------------------------------------------------------------------


def definition(patience: str = "1") -> dict[str, Any]:
    text = (ROLE / "templates/service.json.j2").read_text()
    told: dict[str, Any] = json.loads(
        Environment(undefined=StrictUndefined, autoescape=False)
        .from_string(text)
        .render(
            container_name="books-service",
            lab_address="10.100.199.200",
            http_address="/api/v1/books",
            check_id="api",
            check_interval=10,
            patience=patience,
        )
    )
    return told["service"]  # type: ignore[no-any-return]


def test_the_definition_of_a_service_is_the_one_of_the_article() -> None:
    service = definition()
    (check,) = service.pop("checks")
    assert service == {"name": "books-service", "tags": ["service"], "port": 80, "address": "10.100.199.200"}
    assert {key: check[key] for key in ("id", "name", "http", "interval")} == {
        "id": "api",
        "name": "HTTP on port 80",
        "http": "http://10.100.199.200/api/v1/books",
        "interval": "10s",
    }


def test_a_check_is_not_born_critical() -> None:
    assert definition()["checks"][0]["status"] == "passing"


def test_every_variable_of_the_role_is_given_somewhere() -> None:
    texts = [path.read_text() for path in ROLE.rglob("*") if path.is_file() and path.suffix != ".sh"]
    wanted = {name for text in texts for name in re.findall(r"\{\{ (\w+)", text)}
    given = set(yaml.safe_load((ROLE / "defaults/main.yml").read_text()))
    given |= set(yaml.safe_load((ROOT / "hosts/group_vars/all.yml").read_text()))
    given |= set(yaml.safe_load((ROOT / "books-fe.yml").read_text())[0]["vars"])
    given |= {task["register"] for task in role_tasks() if "register" in task} | {"release"}
    assert wanted - given == {"has_db"} - given


# Ansible gives every variable of a variable as text.
@pytest.mark.parametrize(("patience", "timeout"), [("1", "5s"), ("3", "15s"), ("1.5", "7s")])
def test_consuls_check_waits_as_long_as_its_host_needs(patience: str, timeout: str) -> None:
    assert definition(patience)["checks"][0]["timeout"] == timeout


@pytest.mark.parametrize("task", role_tasks(), ids=lambda task: task["name"].replace(" ", "-"))
def test_no_variable_becomes_a_part_of_a_shells_script(task: dict[str, Any]) -> None:
    for words in re.findall(r"\{\{.*?\}\}", task.get(SCRIPT, "") + task.get(RAW, "")):
        assert words.endswith(("| map('quote') | join(' ') }}", "| quote }}"))


RELEASES = {
    **dict.fromkeys(("1.1", "v2", "2026-01-01", "_1", "x" * 128), True),
    **dict.fromkeys(
        ("latest", "", "a b", "1;id", "$(id)", "a/b", "-1", ".1", "1.1\n", "x" * 129, "é"), False
    ),
}


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_is_looked_at_before_anything_is_done(release: str) -> None:
    (task,) = (task for task in role_tasks() if "wanted is match" in json.dumps(task))
    environment = Environment(undefined=StrictUndefined, autoescape=True)
    environment.tests["match"] = lambda text, pattern: re.match(pattern, text) is not None
    condition = environment.compile_expression(task["ansible.builtin.assert"]["that"])
    assert condition(wanted=release) is RELEASES[release]
    assert position("can be an image's tag") < position("One deployment at a time")
