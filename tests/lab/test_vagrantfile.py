"""What the Vagrantfile keeps of a container node when its container is removed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import config
from lab.model import Node
from provisioning.roles.consul import agent_settings

TEXT = (Path(__file__).parents[2] / "Vagrantfile").read_text()
LAB = config.load(config.LAB_FILE)
(LINE,) = re.findall(r"^KEPT = \{(.*)\}$", TEXT, re.MULTILINE)
KEPT = dict(re.findall(r'"([a-z-]*)" => "(/[a-z/]+)"', LINE))


@pytest.mark.parametrize("node", LAB.nodes, ids=lambda node: node.name)
def test_consuls_data_outlive_the_container_of_a_node(node: Node) -> None:
    assert agent_settings(LAB, node)["data_dir"] in KEPT.values()


@pytest.mark.parametrize("path", ["/data", "/var/lib/docker"])
def test_what_the_services_and_jenkins_keep_outlives_the_container_of_a_node(path: str) -> None:
    assert path in KEPT.values()


def test_each_kept_folder_is_a_volume_of_its_own_with_the_labs_mark() -> None:
    assert len(set(KEPT)) == len(set(KEPT.values())) == 3
    (volume,) = re.findall(r"^def volume\(name, path\) = (.*)$", TEXT, re.MULTILINE)
    assert "volume-label=#{MARK}" in volume
