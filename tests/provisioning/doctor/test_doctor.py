"""The whole list, as each kind of host makes it; and what is never in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from lab import environment
from lab.errors import HostError
from provisioning import doctor
from provisioning.doctor.facts import Check, Engine, Facts, Hypervisor, Kernel, Program, Unseen, blocker
from provisioning.doctor.observing import refused

On = Callable[..., Facts]
NOT_FOUND = (
    "Error while fetching server API version: ('Connection aborted.', FileNotFoundError(2, 'No such file'))"
)


def change(facts: Facts, **changes: Any) -> Facts:
    return dataclasses.replace(facts, **changes)


def others(facts: Facts) -> dict[str, str]:
    """The checks that are not ok, and their states."""
    return {check.name: check.state for check in doctor.judge(facts) if check.state != "ok"}


def program(name: str, said: str) -> Program:
    return Program(name, f"/usr/bin/{name}", said)


def debian_13(on: On) -> Facts:
    return change(
        on("26.1.5+dfsg1", KernelVersion="6.12.6-amd64", Driver="overlay2"),
        os_release='ID=debian\nVERSION_ID="13"\n',
        release="6.12.6-amd64",
        python=(3, 13),
        docker=program("docker", "Docker version 26.1.5+dfsg1, build a72d7cd"),
        vagrant=program("vagrant", "Vagrant 2.3.8.dev"),
    )


def ubuntu(on: On, release: str, kernel: str, version: str) -> Facts:
    return change(
        on(version, KernelVersion=kernel, OperatingSystem=f"Ubuntu {release} LTS"),
        os_release=f'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="{release}"\n',
        release=kernel,
        docker=program("docker", f"Docker version {version}, build 1"),
    )


def test_debian_12_with_its_own_engine_has_nothing_to_note(host: Facts) -> None:
    assert others(host) == {}


def test_debian_13_has_vagrants_trouble_with_newer_engines_to_note(on: On) -> None:
    assert others(debian_13(on)) == {"vagrant": "note"}


def test_debian_13_without_recommendations_has_no_client(on: On) -> None:
    bare = change(debian_13(on), docker=Program("docker", ""))
    assert others(bare) == {"docker": "blocker", "vagrant": "note"}


@pytest.mark.parametrize("version", ["25.0.5", "26.1.4", "27.5.1", "28.2.2", "29.0.0"])
def test_debian_12_with_dockers_own_packages(version: str, on: On) -> None:
    # With containerd's store the driver is named otherwise and says nothing of the file system.
    snapshots = {"Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    assert others(on(version, **snapshots)) == {"vagrant": "note"}


def test_ubuntu_22_04_has_an_older_vagrant_and_too_old_a_python(on: On) -> None:
    facts = change(
        ubuntu(on, "22.04", "5.15.0-91-generic", "24.0.5"),
        python=(3, 10),
        vagrant=program("vagrant", "Vagrant 2.2.19"),
        browsers=(Program("chromium-browser", "/usr/bin/chromium-browser", Unseen("requires the snap")),),
    )
    assert others(facts) == {"system": "note", "python": "blocker", "vagrant": "note", "browser": "note"}


def test_ubuntu_24_04_has_no_vagrant(on: On) -> None:
    facts = change(ubuntu(on, "24.04", "6.8.0-49-generic", "27.3.1"), vagrant=Program("vagrant", ""))
    assert others(facts) == {"system": "note", "vagrant": "blocker"}


def test_a_rootless_engine_blocks(on: On) -> None:
    rootless = on(
        "27.3.1",
        SecurityOptions=["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
        DockerRootDir="/home/alice/.local/share/docker",
    )
    assert others(change(rootless, bounding="000001ffffffffff", is_bounding_of_engine=False)) == {
        "engine": "blocker",
        "vagrant": "note",
        "capabilities": "note",
    }


def test_docker_desktop_blocks(on: On) -> None:
    desktop = on("27.3.1", OperatingSystem="Docker Desktop", KernelVersion="6.10.14-linuxkit")
    assert others(desktop) == {"engine": "blocker", "vagrant": "note"}


def test_a_snap_blocks(on: On) -> None:
    snap = on("27.2.0", DockerRootDir="/var/snap/docker/common/var-lib-docker")
    assert others(snap) == {"engine": "blocker", "vagrant": "note"}


def test_podmans_emulation_blocks(host: Facts) -> None:
    assert isinstance(host.engine, Engine)
    version = {"Version": "4.3.1", "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}
    engine = dataclasses.replace(host.engine, version=version)
    facts = change(host, engine=engine, docker=program("docker", "podman version 4.3.1"))
    assert others(facts) == {"engine": "blocker", "docker": "blocker"}


def test_arm64_was_not_tried(host: Facts) -> None:
    assert others(change(host, machine="aarch64")) == {"architecture": "note"}


def test_settings_that_the_vagrantfile_says_otherwise_are_a_note(on: On) -> None:
    assert others(on(SecurityOptions=["name=no-new-privileges"])) == {"options": "note"}


def test_user_namespaces_block(on: On) -> None:
    remapped = on(
        SecurityOptions=["name=userns", "name=no-new-privileges"],
        DockerRootDir="/var/lib/docker/165536.165536",
    )
    assert others(remapped) == {"options": "blocker"}


def test_no_engine_at_all_blocks_once_and_the_rest_is_not_guessed(host: Facts) -> None:
    error = HostError("no Docker engine answers at unix:///x", last_seen=NOT_FOUND, try_next="lab/host.sh")
    spaces = {"cache": host.spaces["cache"]}
    facts = change(host, engine=refused(error), docker=Program("docker", ""), spaces=spaces)
    assert others(facts) == {
        "engine": "blocker",
        "docker": "blocker",
        **dict.fromkeys(("options", "storage", "cgroups", "disk", "ports", "subnet", "cache"), "note"),
    }


def test_a_remote_engine_blocks_with_what_to_unset(host: Facts) -> None:
    error = HostError(
        "DOCKER_HOST names the Docker engine tcp://alice:pw@192.0.2.9:2375",
        try_next="unset DOCKER_HOST",
    )
    found = next(one for one in doctor.judge(change(host, engine=refused(error))) if one.name == "engine")
    assert (found.state, found.mend) == ("blocker", "unset DOCKER_HOST")
    assert "tcp://192.0.2.9:2375" in found.seen


def test_machines_with_a_kernel_of_their_own_ask_less_of_this_one(host: Facts) -> None:
    bare = change(host, kernel=Kernel(frozenset(), frozenset(), None), bounding="0")
    assert {"kernel", "capabilities"} <= others(bare).keys()
    of_boxes = Hypervisor(True, (), True, None, True, "")
    for provider in ("libvirt", "virtualbox"):
        lab = dataclasses.replace(host.lab, provider=provider)
        names = {check.name for check in doctor.judge(change(bare, lab=lab, hypervisor=of_boxes))}
        assert names & {"kernel", "faults", "capabilities", "storage"} == set()


# --- what `lab up` says -------------------------------------------------------------------------------------


def test_all_blockers_are_one_error(monkeypatch: pytest.MonkeyPatch, host: Facts) -> None:
    bad = change(host, vagrant=Program("vagrant", ""), system="Darwin")
    monkeypatch.setattr(doctor, "observe", lambda lab, with_browser: bad)
    with pytest.raises(HostError) as caught:
        doctor.refuse(host.lab)
    assert str(caught.value) == (
        "2 things keep the lab from this host\n"
        "  last seen: system: Darwin: the lab needs Linux\n"
        "               mend: use a Linux machine\n"
        "             vagrant: the program vagrant is not here\n"
        "               mend: lab/host.sh\n"
        "  try next:  mend these; `lab doctor` shows the whole list"
    )


def test_one_blocker_is_told_as_an_error_of_its_own() -> None:
    error = doctor.refusal([blocker("disk", "1.0 GiB free", "df -h")])
    assert (error.what, error.try_next) == ("disk: 1.0 GiB free", "df -h")


def test_notes_do_not_stop_a_bring_up(monkeypatch: pytest.MonkeyPatch, on: On) -> None:
    facts = debian_13(on)
    monkeypatch.setattr(doctor, "observe", lambda lab, with_browser: facts)
    doctor.refuse(facts.lab)


# --- what may be pasted -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("at tcp://alice:s3/cr@et@192.0.2.9:2375 now", "at tcp://192.0.2.9:2375 now"),
        ("ssh://alice@far", "ssh://far"),
        ("alice:s3cret@far:22", "far:22"),
        ("http://far/x?token=s3cret: no", "http://far/x no"),
        ("/home/alice/.cache/x, /home/alice", "~/.cache/x, ~"),
        ("/home/alicedale/.cache", "/home/alicedale/.cache"),
        (f"{environment.ROOT}/.lab/engine.json", "./.lab/engine.json"),
        ("10.100.199.0/24 is free", "10.100.199.0/24 is free"),
    ],
)
def test_secrets_users_and_homes_are_taken_out(text: str, clean: str) -> None:
    told = doctor.clean(Check("x", "note", text, text), "/home/alice")
    assert (told.seen, told.mend) == (clean, clean)


def test_nothing_of_the_users_shell_is_in_the_list(host: Facts) -> None:
    secrets = {
        "HTTP_PROXY": "http://alice:s3cret@proxy:3128",
        "CONSUL_HTTP_TOKEN": "s3cret",
        "PIP_INDEX_URL": "https://alice:s3cret@mirror/simple",
        "DOCKER_HOST": "unix:///run/s3cret.sock",
    }
    told = str(doctor.judge(change(host, given={**host.given, **secrets}, foreign=("/home/alice/.cache",))))
    assert ("s3cret" in told, "alice" in told) == (False, False)
