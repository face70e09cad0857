"""Jenkins as desired state: what is its own from its first start on, and how one sees that it is of use."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from lab import config
from lab.model import Lab
from provisioning.build import Built
from provisioning.resources import Container, Directory, File, Made, OwnFile, Password, Reload
from provisioning.roles import jenkins

LAB = config.load(config.LAB_FILE)
BUILT = Built({}, {"jenkins": "d1"}, ("", ""))
RESOURCES = jenkins.resources(LAB, LAB.master, BUILT)
(MADE,) = (resource for resource in RESOURCES if isinstance(resource, Made))
FILES = {resource.path: resource for resource in RESOURCES if isinstance(resource, File)}
KEYS = [resource.key for resource in RESOURCES]


def test_it_is_on_the_master_alone() -> None:
    assert [jenkins.resources(LAB, node, BUILT) + jenkins.health(LAB, node) for node in LAB.swarm_nodes] == [
        [],
        [],
        [],
    ]


def test_what_jenkins_writes_itself_is_given_once_and_then_kept() -> None:
    assert {path: file.keep for path, file in FILES.items()} == {
        "/etc/ssh/sshd_config.d/jenkins.conf": False,
        "/data/jenkins/jobs/books-service/config.xml": True,
        "/data/jenkins/jobs/books-fe/config.xml": True,
    }


def test_its_home_is_there_before_it_starts_and_outlives_its_container() -> None:
    last = RESOURCES[-1]
    assert isinstance(last, Container)
    assert last.options[:3] == ("--net=host", "-v", "/data/jenkins:/data/jenkins")


def test_a_folder_is_made_before_what_lies_in_it() -> None:
    paths = [r.path for r in RESOURCES if isinstance(r, Directory | File) and r.path.startswith("/data")]
    for i, path in enumerate(paths):
        parent = path.rpartition("/")[0]
        assert parent == "/data" or parent in paths[:i], path


def test_the_node_cd_is_reached_as_vagrant_whose_folder_it_is() -> None:
    owners = {r.path: r.owner for r in RESOURCES if isinstance(r, Directory)}
    assert owners["/data/jenkins/slaves/cd"] == "vagrant"
    assert Password("vagrant", "vagrant") in RESOURCES
    (reload,) = (r for r in RESOURCES if isinstance(r, Reload))
    assert (reload.name, reload.on) == (
        "ssh.service",
        ("file:/etc/ssh/sshd_config.d/jenkins.conf", f"file:{jenkins.HOST_KEY}"),
    )
    assert KEYS.index(reload.on[0]) < KEYS.index(reload.key) < KEYS.index("container:jenkins")


SEEN = {
    "cd is online": ('echo \'{"idle":true,"offline":false}\'', True),
    "cd is offline": ('echo \'{"idle":true,"offline":true,"temporarilyOffline":false}\'', False),
    "there is no cd": ("exit 22", False),
    "Jenkins is silent": ("exit 7", False),
}


@pytest.mark.parametrize("case", SEEN)
def test_it_is_healthy_only_when(case: str, played: Any) -> None:
    answer, healthy = SEEN[case]
    played.program("curl", answer)
    (health,) = jenkins.health(LAB, LAB.master)
    assert (played.run(health.check).returncode == 0) == healthy
    assert all("http://10.100.199.200:8080/computer/cd/" in call for call in played.calls("curl"))


def test_settings_without_the_node_cd_or_without_crumbs_are_written_anew_while_jenkins_is_stopped(
    played: Any, tmp_path: Path
) -> None:
    (own,) = (resource for resource in RESOURCES if isinstance(resource, OwnFile))
    path = tmp_path / "config.xml"
    here = OwnFile(replace(own.file, path=str(path), owner=getuser()), own.needs, own.container)
    played.program("docker")
    for there, written in (
        *(("", True), ("<hudson/>", True), ("<slave><name>cd</name></slave>", True)),
        *(("DefaultCrumbIssuer", True), ("DefaultCrumbIssuer\n<slave><name>cd</name></slave>", False)),
    ):
        path.write_text(there)
        seen = played.run(here.observe).stdout.strip()
        assert (here.converge(seen, frozenset()) is not None) == written, there
    script = here.converge("", frozenset()) or ""
    stop, start = script.index("docker stop jenkins"), script.index("docker start jenkins")
    assert stop < script.index(f"mv {path}.new") < start
    assert all(words in own.file.content for words in own.needs)


def test_a_service_more_is_another_container_which_reads_its_job() -> None:
    more = replace(LAB, services=(*LAB.services, replace(LAB.services[1], name="shop", path="/shop")))

    def made(lab: Lab) -> Container:
        return next(one for one in jenkins.resources(lab, lab.master, BUILT) if isinstance(one, Container))

    assert made(more).spec != made(LAB).spec
    assert made(replace(LAB, check_interval=5)).spec == made(LAB).spec


@pytest.mark.parametrize(
    "left", ["", ".new", ".new.pub"], ids=["from nothing", "after a cut", "after another"]
)
def test_a_master_without_a_host_key_that_jenkins_knows_gets_one(left: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    if left:
        Path(f"{key}{left}").touch()
    for _ in range(2):  # what is there is looked at, and kept
        made = replace(MADE, path=str(key), command=MADE.command.replace(MADE.path, str(key)))
        observed = subprocess.run(
            ["bash", "-c", made.observe], capture_output=True, text=True, check=True
        ).stdout
        subprocess.run(["bash", "-ec", made.converge(observed.strip(), frozenset()) or "true"], check=True)
        said = subprocess.check_output(["ssh-keygen", "-l", "-f", key], text=True)
        assert said.startswith("2048 ") and said.endswith("(RSA)\n")
    assert [*tmp_path.iterdir()] == [key] and key.stat().st_mode & 0o077 == 0
    assert observed == "there\n"
