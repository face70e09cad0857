"""What Jenkins reads at its first start."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from lab import config
from lab.model import Lab
from provisioning.templates import render

LAB = config.load(config.LAB_FILE)
ONE = dataclasses.replace(LAB, services=LAB.services[:1])


def settings(lab: Lab = LAB) -> ElementTree.Element:
    return ElementTree.fromstring(render("jenkins/config.xml", lab))


def job(name: str) -> ElementTree.Element:
    return ElementTree.fromstring(render("jenkins/job.xml", LAB, service=LAB.service(name)))


def texts(root: ElementTree.Element, *paths: str) -> list[str | None]:
    return [root.findtext(path) for path in paths]


def test_the_node_cd_is_the_one_of_the_article() -> None:
    (node,) = settings().findall("slaves/slave")
    assert texts(node, "name", "remoteFS") == ["cd", "/data/jenkins/slaves/cd"]
    launcher = node.find("launcher")
    assert launcher is not None and launcher.get("class") == "hudson.plugins.sshslaves.SSHLauncher"
    words = ("host", "port", "username", "password")
    assert texts(launcher, *words) == ["10.100.199.200", "22", "vagrant", "vagrant"]


@pytest.mark.parametrize(("lab", "executors"), [(LAB, "2"), (ONE, "1")], ids=["two services", "one service"])
def test_every_service_may_be_deployed_at_once_and_only_on_the_node_cd(lab: Lab, executors: str) -> None:
    assert texts(settings(lab), "numExecutors", "slaves/slave/numExecutors") == ["0", executors]


def test_a_build_starts_at_once() -> None:
    assert settings().findtext("quietPeriod") == "0"


@pytest.mark.parametrize("name", [service.name for service in LAB.services])
def test_a_job_runs_the_playbook_of_its_service_on_the_node_cd(name: str) -> None:
    root = job(name)
    assert texts(root, "assignedNode", "canRoam", "disabled", "concurrentBuild") == [
        *("cd", "false", "false", "false")
    ]
    command = root.findtext("builders/hudson.tasks.Shell/command") or ""
    line = f"ansible-playbook /vagrant/ansible/{name}.yml -i /vagrant/ansible/hosts/prod"
    assert command.splitlines()[0] == "#!/bin/bash -l"
    assert command.endswith(f"exec {line}")


def test_passwords_are_taken_from_the_lab_network_alone() -> None:
    lines = render("jenkins/sshd.conf", LAB).splitlines()
    place = lines.index("Match Address 10.100.199.0/24")
    assert [line.split()[0] for line in lines[place + 1 :]] == ["PasswordAuthentication"]
    assert "PasswordAuthentication" not in "\n".join(line for line in lines[:place] if line[0] != "#")
