"""The same resources of swarm-master as an Ansible playbook, to know what looking at them costs there."""

from __future__ import annotations

import base64
from functools import singledispatch
from typing import Any

import yaml

from lab import machines
from lab.model import Lab
from provisioning import build
from provisioning.resources import Container, Directory, File, Folder, Package, Program, Resource, Unit
from provisioning.stages import wanted


@singledispatch
def task(resource: Resource) -> dict[str, Any]:
    """The Ansible task that looks at the same thing; by the resource's own script where no module does."""
    script = "{% raw %}" + resource.observe + "{% endraw %}"
    return {"ansible.builtin.shell": script, "args": {"executable": "/bin/bash"}, "changed_when": False}


@task.register
def _(resource: Package) -> dict[str, Any]:
    command = "dpkg-query -W " + " ".join(resource.names)
    return {"ansible.builtin.command": command, "changed_when": False}


@task.register
def _(resource: Directory) -> dict[str, Any]:
    return {
        "ansible.builtin.file": {"path": resource.path, "state": "directory", "mode": "0" + resource.mode}
    }


@task.register
def _(resource: File) -> dict[str, Any]:
    content = "{% raw %}" + resource.content + "{% endraw %}"
    mode = "0" + resource.mode
    return {
        "ansible.builtin.copy": {
            "dest": resource.path,
            "content": content,
            "mode": mode,
            "force": not resource.keep,
        }
    }


@task.register
def _(resource: Program) -> dict[str, Any]:
    return {"ansible.builtin.stat": {"path": f"/usr/local/bin/{resource.name}"}}


@task.register
def _(resource: Folder) -> dict[str, Any]:
    return {"ansible.builtin.stat": {"path": f"{resource.path}/.stamp"}}


@task.register
def _(resource: Unit) -> dict[str, Any]:
    return {"ansible.builtin.systemd": {"name": resource.name, "enabled": True}}


@task.register
def _(resource: Container) -> dict[str, Any]:
    return {"ansible.builtin.command": f"docker inspect {resource.name}", "changed_when": False}


def play(lab: Lab) -> None:
    """Run the playbook in check mode on swarm-master, locally and without facts."""
    resources = wanted(lab, build.record(lab))[lab.master.name]
    playbook = [
        {
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "become": True,
            "tasks": [task(resource) for resource in resources],
        }
    ]
    text = base64.b64encode(yaml.safe_dump(playbook).encode()).decode()
    shell = machines.shells(lab)[lab.master.name]
    shell.run(
        f"base64 -d <<<'{text}' >/tmp/reference.yml; trap 'rm /tmp/reference.yml' EXIT; "
        "ANSIBLE_PIPELINING=1 ansible-playbook --check -i localhost, /tmp/reference.yml",
        sudo=False,
        timeout=300,
    )
    shell.close()
