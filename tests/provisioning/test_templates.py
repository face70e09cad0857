"""Rendering, and what holds for every file of provisioning/files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from jinja2 import UndefinedError

from lab import config
from lab.model import COLORS
from provisioning import templates
from provisioning.roles import ask, socket
from provisioning.templates import render

LAB = config.load(config.LAB_FILE)
FILES = Path(templates.__file__).parent / "files"
NAMES = sorted(str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file())


def rendered(name: str) -> str:
    releases = dict(zip(COLORS, ("1.0", "1.1"), strict=True))
    values = {"service": LAB.main_service, "color": "blue", "colors": COLORS, "releases": releases}
    words = {"node": LAB.swarm_nodes[0], "ask": ask, "socket": socket, "manager": "docker"}
    return render(name, LAB, **values, **words)


def names(*ends: str) -> list[str]:
    found = [name for name in NAMES if name.endswith(ends)]
    assert found, f"no file ends in {ends}: the check would check nothing"
    return found


SCRIPTS = [name for name in NAMES if (FILES / name).read_text().startswith("#!")]


@pytest.mark.parametrize("name", NAMES)
def test_every_file_renders_whole(name: str) -> None:
    text = rendered(name)
    assert text.endswith("\n")
    assert ("[%" in text, "%]" in text, "[#" in text) == (False, False, False)


def test_the_scripts_are_found() -> None:
    assert {"healing/heal_service.sh", "healing/redeploy_service.sh", "service/lab-resume"} <= {*SCRIPTS}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_rendered_script_is_bash(name: str) -> None:
    done = subprocess.run(["bash", "-n"], input=rendered(name), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", names(".json"))
def test_every_rendered_json_is_json(name: str) -> None:
    json.loads(rendered(name))


@pytest.mark.parametrize("name", names(".xml"))
def test_every_rendered_xml_is_xml(name: str) -> None:
    ElementTree.fromstring(rendered(name))


@pytest.mark.parametrize("name", names(".yml"))
def test_every_rendered_yaml_is_yaml(name: str) -> None:
    assert yaml.safe_load(rendered(name))


def test_the_watch_is_the_one_of_the_article() -> None:
    (watch,) = json.loads(rendered("healing/watchers.json"))["watches"]
    assert watch == {
        "type": "checks",
        "state": "critical",
        "handler": "/data/consul/scripts/redeploy_service.sh >>/data/consul/logs/watchers.log",
    }


def test_what_a_template_wants_and_nobody_gives_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'color' is undefined"):
        render("service/upstream.conf.ctmpl", LAB, service=LAB.main_service)


def test_the_words_of_docker_and_consul_template_are_left() -> None:
    text = rendered("service/docker-compose.yml.ctmpl")
    assert "{{ range $i, $db := service" in text and "${BLUE_RELEASE}" in text
