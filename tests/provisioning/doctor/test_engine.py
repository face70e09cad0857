from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from provisioning.doctor import engine
from provisioning.doctor.facts import Engine, Facts, Program, Unseen

On = Callable[..., Facts]
SILENT = Unseen("no Docker engine answers at unix:///var/run/docker.sock", "lab/host.sh", is_certain=True)


def change(facts: Facts, **changes: Any) -> Facts:
    return dataclasses.replace(facts, **changes)


# --- which engine -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version", ["20.10.24+dfsg1", "24.0.7", "25.0.3", "26.1.5+dfsg1", "28.2.2", "29.0.0-rc1"]
)
def test_an_engine_of_the_distribution_or_of_docker_is_ok(version: str, on: On) -> None:
    check = engine.engine(on(version))
    assert (check.state, check.seen) == ("ok", f"Docker {version} at /var/run/docker.sock")


@pytest.mark.parametrize("version", ["19.03.15", "1.13.1", "18.09.1"])
def test_an_engine_without_private_cgroup_namespaces_blocks(version: str, on: On) -> None:
    check = engine.engine(on(version))
    assert check.state == "blocker"
    assert "older than 20.10" in check.seen


@pytest.mark.parametrize("version", ["", "dev", "library-import"])
def test_an_engine_that_names_no_version_is_a_note(version: str, on: On) -> None:
    assert engine.engine(on(version)).state == "note"


KINDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "rootless": (
        {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]},
        "rootless",
        "context",
    ),
    "Desktop": ({"OperatingSystem": "Docker Desktop"}, "Docker Desktop: it is in a virtual", "context"),
    "snap": (
        {"DockerRootDir": "/var/snap/docker/common/var-lib-docker"},
        "a snap: it sees no hidden",
        "snap rem",
    ),
    "another kernel": ({"KernelVersion": "5.15.49-linuxkit"}, "on another kernel", "unset DOCKER_HOST"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_that_cannot_carry_nodes_is_refused_with_the_reason(kind: str, on: On) -> None:
    info, reason, mend = KINDS[kind]
    check = engine.engine(on("27.3.1", **info))
    assert check.state == "blocker"
    assert reason in check.seen
    assert mend in check.mend


def test_podman_behind_dockers_socket_is_refused(host: Facts) -> None:
    assert isinstance(host.engine, Engine)
    said = {"Version": "4.3.1", "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}
    check = engine.engine(change(host, engine=dataclasses.replace(host.engine, version=said)))
    assert (check.state, "Podman" in check.seen) == ("blocker", True)


def test_no_engine_is_a_blocker_with_what_starts_it(host: Facts) -> None:
    check = engine.engine(change(host, engine=SILENT))
    assert (check.state, check.mend) == ("blocker", "lab/host.sh")


def test_an_engine_that_is_slow_to_answer_is_not_taken_for_none(host: Facts) -> None:
    check = engine.engine(change(host, engine=Unseen("no answer in 1 s")))
    assert (check.state, check.seen) == ("note", "could not tell: no answer in 1 s")


@pytest.mark.parametrize("check", [engine.options, engine.storage, engine.cgroups])
def test_what_only_the_engine_knows_is_a_note_without_one(check: Any, host: Facts) -> None:
    told = check(change(host, engine=SILENT))
    assert (told.state, told.seen) == ("note", "could not tell: no engine answers")


# --- its options --------------------------------------------------------------------------------------------


def test_an_engine_as_it_is_installed_has_nothing_to_note(host: Facts) -> None:
    assert engine.options(host).state == "ok"


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "init": ({}, {"settings": '{"init": true}'}),
    "no-new-privileges": ({"SecurityOptions": ["name=no-new-privileges"]}, {}),
    "live-restore": ({"LiveRestoreEnabled": True}, {}),
    "iptables=false": ({}, {"settings": '{"iptables": false}'}),
    "SELinux": ({"SecurityOptions": ["name=selinux"]}, {}),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_would_change_the_nodes_is_noted(option: str, on: On) -> None:
    info, changes = OPTIONS[option]
    check = engine.options(change(on(**info), **changes))
    assert (check.state, option in check.seen) == ("note", True)


def test_an_engine_that_gives_the_files_of_root_away_is_refused(on: On) -> None:
    check = engine.options(on(SecurityOptions=["name=seccomp,profile=default", "name=userns"]))
    assert (check.state, "userns-remap" in check.seen, "daemon.json" in check.mend) == ("blocker", True, True)


def test_options_of_the_command_line_are_seen_too(host: Facts) -> None:
    assert "init" in engine.options(change(host, command="dockerd --init")).seen
    assert "iptables=false" in engine.options(change(host, command="dockerd --iptables=false")).seen


def test_the_path_of_an_init_is_not_the_option(host: Facts) -> None:
    command = "dockerd --init-path=/usr/bin/tini"
    assert engine.options(change(host, command=command)).state == "ok"


def test_what_the_vagrantfile_says_otherwise_is_said(host: Facts, on: On) -> None:
    told = engine.options(change(on(LiveRestoreEnabled=True), settings='{"init": true}')).seen
    assert told == "init, live-restore: the Vagrantfile says otherwise for the nodes"
    assert "does not matter" in engine.options(on(LiveRestoreEnabled=True)).seen


def test_the_vagrantfile_really_says_it(host: Facts) -> None:
    for word in ("--init=false", "no-new-privileges=false"):
        assert word in host.vagrantfile


def test_a_file_of_settings_that_may_not_be_read_is_never_ok(host: Facts) -> None:
    check = engine.options(change(host, settings=Unseen("/etc/docker/daemon.json cannot be read")))
    assert (check.state, check.seen) == ("note", "could not tell: /etc/docker/daemon.json cannot be read")


@pytest.mark.parametrize("text", ["{", "[]", "null"])
def test_a_broken_file_of_settings_is_no_end(text: str, host: Facts) -> None:
    assert engine.options(change(host, settings=text)).state == "ok"


# --- storage and control groups -----------------------------------------------------------------------------

MOUNTS = """\
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 28 0:5 / /var rw - xfs /dev/vdb rw
41 40 0:6 / /var/lib/docker rw shared:2 - {kind} pool/docker rw
42 41 0:7 / /var/lib/docker-other rw - tmpfs tmpfs rw
43 41 0:8 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
"""


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_plain_file_system_carries_the_nodes_engines(kind: str, host: Facts) -> None:
    check = engine.storage(change(host, mountinfo=MOUNTS.format(kind=kind)))
    assert (check.state, check.seen) == ("ok", f"overlay2 on {kind}")


@pytest.mark.parametrize("kind", ["zfs", "overlay", "nfs4", "aufs", "ecryptfs"])
def test_a_file_system_that_overlay2_refuses_blocks(kind: str, host: Facts) -> None:
    check = engine.storage(change(host, mountinfo=MOUNTS.format(kind=kind)))
    assert (check.state, "data-root" in check.mend) == ("blocker", True)


@pytest.mark.parametrize("kind", ["btrfs", "fuse.mergerfs", "tmpfs"])
def test_a_file_system_that_nobody_tried_is_a_note(kind: str, host: Facts) -> None:
    assert engine.storage(change(host, mountinfo=MOUNTS.format(kind=kind))).state == "note"


def test_xfs_without_file_types_blocks(on: On) -> None:
    check = engine.storage(on(DriverStatus=[["Supports d_type", "false"]]))
    assert (check.state, "ftype=1" in check.seen) == ("blocker", True)


def test_mounts_that_cannot_be_read_are_a_note(host: Facts) -> None:
    check = engine.storage(change(host, mountinfo=""))
    assert (check.state, "unknown file system" in check.seen) == ("note", True)


def test_volumes_on_a_disk_of_their_own_are_what_counts() -> None:
    mounts = MOUNTS.format(kind="zfs") + "44 41 0:9 / /var/lib/docker/volumes rw - ext4 /dev/vdc rw\n"
    assert engine.filesystem(mounts, "/var/lib/docker/volumes") == "ext4"
    assert engine.filesystem(mounts, "/home") == "ext4"
    assert engine.filesystem(mounts, "/var/log") == "xfs"


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_control_groups_are_ok(version: str, on: On) -> None:
    assert engine.cgroups(on(CgroupVersion=version)).state == "ok"


def test_a_kernel_that_does_not_count_memory_is_a_note_with_what_to_add(on: On) -> None:
    check = engine.cgroups(on(MemoryLimit=False))
    assert (check.state, check.mend) == ("note", "add cgroup_enable=memory to the kernel's command line")
    assert engine.cgroups(on(PidsLimit=False)).state == "note"


def test_an_engine_that_names_no_version_of_control_groups_is_a_note(on: On) -> None:
    assert engine.cgroups(on(CgroupVersion=None)).state == "note"


# --- the program docker -------------------------------------------------------------------------------------


def test_on_debian_13_the_client_is_a_package_of_its_own(host: Facts) -> None:
    bare = change(host, docker=Program("docker", ""), os_release='ID=debian\nVERSION_ID="13"\n')
    check = engine.docker(bare)
    assert (check.state, check.mend) == ("blocker", "sudo apt-get install docker-cli")


def test_elsewhere_the_client_comes_with_the_engine(host: Facts) -> None:
    bare = change(host, docker=Program("docker", ""))
    assert engine.docker(bare).mend == "lab/host.sh"
    debian_13 = change(bare, os_release='ID=debian\nVERSION_ID="13"\n', engine=SILENT)
    assert engine.docker(debian_13).mend == "lab/host.sh"


def test_podmans_docker_is_not_docker(host: Facts) -> None:
    podman = Program("docker", "/usr/bin/docker", "podman version 4.3.1")
    assert engine.docker(change(host, docker=podman)).state == "blocker"


def test_a_client_that_says_nothing_is_a_note(host: Facts) -> None:
    silent = Program("docker", "/usr/bin/docker", Unseen("no answer in 1 s"))
    assert engine.docker(change(host, docker=silent)).state == "note"
    assert engine.docker(host).state == "ok"
