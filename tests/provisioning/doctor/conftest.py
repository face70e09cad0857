"""A host on which the lab comes up, and the same host with other words of its engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import config, environment
from lab.network import DockerNetwork, Route
from provisioning.doctor.facts import Cache, Container, Engine, Facts, Kernel, Program, Space
from provisioning.doctor.host import GIB, NEEDED, OF_FAULTS

DEBIAN_12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
INFO = {
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]],
    "DockerRootDir": "/var/lib/docker",
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default", "name=cgroupns"],
    "LiveRestoreEnabled": False,
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "KernelVersion": "6.1.0-18-amd64",
    "CgroupVersion": "2",
    "CgroupDriver": "systemd",
    "MemoryLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
    "HttpProxy": "",
    "HttpsProxy": "",
}


@pytest.fixture
def host() -> Facts:
    """Debian 12 with the distribution's engine and Vagrant, and everything built: nothing is to be noted."""
    lab = config.load(config.LAB_FILE)
    ours = DockerNetwork("lab", lab.subnet, "0123456789abcdef", {"bluegreen-lab": lab.name})
    return Facts(
        lab=lab,
        system="Linux",
        machine="x86_64",
        release="6.1.0-18-amd64",
        os_release=DEBIAN_12,
        python=(3, 11),
        is_root=False,
        given={"PATH": "/usr/bin", "HOME": "/home/alice", "LANG": "de_DE.UTF-8"},
        passing=environment.passing(environment.LIST.read_text()),
        engine=Engine(
            "/var/run/docker.sock",
            {"Version": "20.10.24+dfsg1", "Components": [{"Name": "Engine"}, {"Name": "containerd"}]},
            INFO,
            (DockerNetwork("bridge", "172.17.0.0/16", "fe"), ours),
            (Container("bluegreen-lab-swarm-master", True, (2222,)),),
            frozenset(("base", "node")),
        ),
        settings="",
        command="/usr/sbin/dockerd -H fd://",
        docker=Program("docker", "/usr/bin/docker", "Docker version 20.10.24+dfsg1, build 297e128"),
        vagrant=Program("vagrant", "/usr/bin/vagrant", "Vagrant 2.3.4"),
        browsers=(Program("chromium", "/usr/bin/chromium", "Chromium 120.0.6099.224"),),
        tools={name: f"/usr/bin/{name}" for name in ("ip", "ssh", "ssh-keygen", "sudo", "debootstrap")},
        has_keyring=True,
        bounding="000001ffffffffff",
        is_bounding_of_engine=True,
        vagrantfile=(Path(config.__file__).parents[1] / "Vagrantfile").read_text(),
        kernel=Kernel(frozenset(one.module for one in (*NEEDED, *OF_FAULTS)), frozenset(), None),
        inotify={"max_user_instances": 128, "max_user_watches": 65536},
        meminfo="MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\nSwapFree: 0 kB\n",
        mountinfo="28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n",
        spaces={
            "cache": Space("/home/alice/.cache/bluegreen-lab", 1, 20 * GIB),
            "engine": Space("/var/lib/docker", 1, 20 * GIB),
        },
        listening=frozenset((22, 2222)),
        routes=(Route("default", "eth0"), Route(lab.subnet, ours.bridge)),
        now=2e9,
        newest=1.9e9,
        foreign=(),
        cache=Cache((), True, ""),
    )


@pytest.fixture
def on(host: Facts) -> Callable[..., Facts]:
    """The host with an engine that says something else: `version`, parts of `info`, or what it holds."""

    def changed(
        version: str = "20.10.24+dfsg1", *, holds: dict[str, Any] | None = None, **info: Any
    ) -> Facts:
        assert isinstance(host.engine, Engine)
        said = {**host.engine.version, "Version": version}
        engine = dataclasses.replace(
            host.engine, version=said, info={**host.engine.info, **info}, **(holds or {})
        )
        return dataclasses.replace(host, engine=engine)

    return changed


@pytest.fixture
def down(host: Facts, on: Callable[..., Facts]) -> Facts:
    """The host before the first bring-up: nothing is built and nothing runs."""
    empty = on(holds={"networks": (), "containers": (), "images": frozenset()})
    return dataclasses.replace(
        empty,
        cache=Cache(("consul", "jenkins"), False, "/usr/bin/go"),
        routes=(Route("default", "eth0"),),
        listening=frozenset((22,)),
    )
