"""What every machine of the lab has, of whatever provider it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lab import config
from lab.model import Node
from provisioning.build import Built
from provisioning.resources import File, Reload
from provisioning.roles import machine

IMAGE = Path(__file__).parents[3] / "provisioning/images/node"
LAB = config.load(config.LAB_FILE)


def files(node: Node) -> dict[str, File]:
    listed = machine.resources(LAB, node, Built({}, {}, ("", "")))
    return {resource.path: resource for resource in listed if isinstance(resource, File)}


@pytest.mark.parametrize("node", LAB.nodes, ids=lambda node: node.name)
def test_the_ssh_server_of_every_machine_is_told_what_the_image_of_container_nodes_tells_it(
    node: Node,
) -> None:
    (line,) = (line for line in (IMAGE / "Dockerfile").read_text().splitlines() if "sshd.conf" in line)
    copy, source, target = line.split()
    assert copy == "COPY"
    assert files(node)[target].content == (IMAGE / source).read_text()


def test_the_ssh_server_takes_new_settings_in_at_once() -> None:
    (reload,) = (
        one for one in machine.resources(LAB, LAB.master, Built({}, {}, ("", ""))) if isinstance(one, Reload)
    )
    assert (reload.name, reload.on) == ("ssh.service", ("file:/etc/ssh/sshd_config.d/lab.conf",))


def test_the_nodes_own_locale_wins_over_every_one_that_a_user_sends_along() -> None:
    # Only the first SetEnv counts; LC_ALL wins over LANG and every other LC_ variable.
    text = (IMAGE / "sshd.conf").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("SetEnv "))
    assert line.split()[1:] == ["LANG=C.UTF-8", "LC_ALL=C.UTF-8"]


def given(provider: str) -> set[str]:
    """The playbooks and the gate, as far as a machine of this provider has them."""
    lab = dataclasses.replace(LAB, provider=provider)
    keys = {one.key for one in machine.resources(lab, lab.master, Built({}, {}, ("", "")))}
    return {word for word in ("/vagrant/ansible", "lab-gate.service") if any(word in key for key in keys)}


def test_what_mounts_this_host_needs_no_playbooks_and_what_has_one_network_no_gate() -> None:
    assert given("docker") == {"lab-gate.service"}
    assert given("libvirt") == given("virtualbox") == {"/vagrant/ansible", "lab-gate.service"}
    assert given("ssh") == {"/vagrant/ansible"}
