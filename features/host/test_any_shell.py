"""Whatever a user's shell exports, a command works as without it, or is refused before anything is done."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from lab import engine, environment, named, owner
from lab.model import Lab
from lab.providers import containers

pytestmark = pytest.mark.usefixtures("one_baseline")
LAB = str(Path(sys.executable).with_name("lab"))
ELSEWHERE = "http://192.0.2.1:1"  # nobody is there
# Other tools' variables, a row a tool: none of them may matter.
STRANGE: dict[str, dict[str, str]] = {
    "consul": {"CONSUL_HTTP_ADDR": ELSEWHERE, "CONSUL_HTTP_TOKEN": "x", "CONSUL_HTTP_SSL": "true"},
    "consul's address": {"CONSUL_HTTP_ADDR": "192.0.2.1:8500"},
    "proxies": dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), ELSEWHERE
    ),
    "locale": {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"},
    "docker": {"DOCKER_API_VERSION": "1.12", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere"},
    "pip": {"PIP_USER": "1", "PIP_INDEX_URL": ELSEWHERE, "PIP_TARGET": "/nowhere"},
    "vagrant": {
        "VAGRANT_CWD": "/nowhere",
        "VAGRANT_DOTFILE_PATH": "/nowhere",
        "VAGRANT_DEFAULT_PROVIDER": "virtualbox",
        "VAGRANT_HOME": "/nowhere",
    },
    "ansible": {"ANSIBLE_CONFIG": "/nowhere", "ANSIBLE_STDOUT_CALLBACK": "none", "ANSIBLE_INVENTORY": "/x"},
    "compose": {"COMPOSE_PROJECT_NAME": "x", "COMPOSE_FILE": "/nowhere"},
    "go": {"GOFLAGS": "-mod=vendor", "GOOS": "windows", "GOARCH": "arm", "GOPATH": "x"},
    "temporary folder": {"TMPDIR": "/nowhere with a space"},
    "no home": {"HOME": ""},
    "lab": {"LAB_FILE": "", "LAB_CACHE": "", "LAB_PATIENCE": ""},
}
COMMANDS = (
    ("up",),
    ("status",),
    ("down",),
    ("reset",),
    ("deploy", "books-service", "1.1"),
    ("fault", "inject", "stop", "the live color"),
)


def run(
    *words: str, shell: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LAB, *words],
        env={
            **environment.given(),
            owner.NAME: os.environ[owner.NAME],
            environment.LAB: named.chosen(),
            **shell,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def foreign_package(folder: Path) -> dict[str, str]:
    """A PYTHONPATH on which other packages have the names of the lab's."""
    for name in ("cli", "lab", "faults", "scenarios"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('a foreign package')")
    return {"PYTHONPATH": str(folder)}


def docker_config(folder: Path, *, context: str = "", helper: str = "") -> dict[str, str]:
    """A user's Docker settings, with a context of that address as the current one."""
    (folder / "config.json").write_text(
        json.dumps({"currentContext": "far" if context else "", "credsStore": helper})
    )
    if context:
        place = folder / "contexts/meta" / hashlib.sha256(b"far").hexdigest()
        place.mkdir(parents=True)
        (place / "meta.json").write_text(
            json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": context}}})
        )
    # Of a worker's shell the engine is named already, which wins over any context.
    return {"DOCKER_CONFIG": str(folder), **({"DOCKER_HOST": ""} if context else {})}


@pytest.fixture(scope="module")
def plain(lab: Lab) -> dict[str, object]:
    """What `lab status` says in a shell that exports nothing strange."""
    done = run("status", "--format", "json", shell={})
    assert done.returncode == 0, done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


def works(
    shell: Mapping[str, str], plain: Mapping[str, object], lab: Lab, folder: Path | None = None
) -> None:
    seen = run("status", "--format", "json", shell=shell, folder=folder)
    assert (seen.returncode, json.loads(seen.stdout or "{}")) == (0, plain), seen.stderr
    words = ("exec", lab.master.name, "--", "printf", "%s|", "a  b", "it's", "$HOME")
    said = run(*words, shell=shell, folder=folder)
    assert (said.returncode, said.stdout) == (0, "a  b|it's|$HOME|"), said.stderr


@pytest.mark.parametrize("tool", STRANGE)
def test_another_tools_variables_do_not_matter(tool: str, plain: dict[str, object], lab: Lab) -> None:
    works(STRANGE[tool], plain, lab)


def test_neither_does_a_foreign_package_a_folder_or_a_missing_credential_helper(
    plain: dict[str, object], lab: Lab, tmp_path: Path
) -> None:
    works(foreign_package(tmp_path), plain, lab, tmp_path)
    works(docker_config(tmp_path, helper="not-there"), plain, lab, tmp_path)


def test_the_whole_life_of_a_lab_goes_on_in_a_shell_that_exports_all_of_them(
    plain: dict[str, object], lab: Lab, tmp_path: Path
) -> None:
    shell = {name: value for row in STRANGE.values() for name, value in row.items()}
    shell |= foreign_package(tmp_path) | docker_config(tmp_path, helper="not-there")
    play = f"cd /vagrant/ansible && ansible-playbook {lab.main_service.name}.yml -i hosts/prod"
    for words in (
        ("up",),
        ("fault", "inject", "stop", "the live color", "--seconds", "2"),
        ("exec", lab.master.name, "--", "bash", "-c", play),
        ("deploy", lab.main_service.name, lab.main_service.releases[-1]),
        ("reset",),
    ):
        done = run(*words, shell=shell, folder=tmp_path)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    works(shell, plain, lab)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("by", ["DOCKER_HOST", "DOCKER_CONTEXT", "the current context"])
def test_an_engine_that_is_not_this_hosts_is_refused_before_anything_is_done(
    by: str, words: tuple[str, ...], lab: Lab, tmp_path: Path
) -> None:
    shell = docker_config(tmp_path, context=lab.swarm_endpoint)
    if by == "DOCKER_HOST":
        shell = {"DOCKER_HOST": lab.swarm_endpoint}
    elif by == "DOCKER_CONTEXT":
        (tmp_path / "config.json").unlink()
        shell["DOCKER_CONTEXT"] = "far"
    before = sorted(thing.name for thing in containers.marked(lab))
    done = run(*words, shell=shell)
    assert done.returncode == 4, f"{done.stdout}{done.stderr}"
    assert by in done.stderr and "the lab runs on this host's own engine" in done.stderr
    assert sorted(thing.name for thing in containers.marked(lab)) == before


def test_a_node_that_stands_still_is_not_taken_for_healed_by_another_engine(lab: Lab) -> None:
    node = lab.swarm_nodes[-1].name
    done = run("fault", "inject", "freeze", node, "--seconds", "1", "--detach", shell={})
    assert done.returncode == 0, done.stderr
    wrong = run("fault", "heal", "--all", shell={"DOCKER_HOST": lab.swarm_endpoint})
    assert wrong.returncode == 4
    right = run("fault", "heal", "--all", shell={})
    assert right.returncode == 0, right.stderr
    with closing(engine.connect()) as client:
        assert client.containers.get(f"{lab.name}-{node}").status == "running"
