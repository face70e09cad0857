from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from provisioning.doctor import host as checks
from provisioning.doctor.facts import Cache, Facts, Kernel, Program, Space, Unseen
from provisioning.doctor.host import GIB, NEEDED, OF_FAULTS

On = Callable[..., Facts]
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'


def change(facts: Facts, **changes: Any) -> Facts:
    return dataclasses.replace(facts, **changes)


def vagrant(said: str | Unseen) -> Program:
    return Program("vagrant", "/usr/bin/vagrant", said)


# --- the system ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ['ID=debian\nVERSION_ID="12"\n', 'ID=debian\nVERSION_ID="13"\n', "ID=debian\n"]
)
def test_debian_from_12_on_is_ok(text: str, host: Facts) -> None:
    assert checks.system(change(host, os_release=text)).state == "ok"


@pytest.mark.parametrize("text", ['ID=debian\nVERSION_ID="11"\n', UBUNTU, "ID=fedora\nVERSION_ID=41\n", ""])
def test_a_system_on_which_nobody_brought_it_up_is_a_note(text: str, host: Facts) -> None:
    assert checks.system(change(host, os_release=text)).state == "note"


def test_wsl_is_a_note_and_another_kernel_than_linux_blocks(host: Facts) -> None:
    wsl = checks.system(change(host, release="5.15.90.1-microsoft-standard-WSL2"))
    assert (wsl.state, "WSL" in wsl.seen) == ("note", True)
    assert checks.system(change(host, system="Darwin")).state == "blocker"


@pytest.mark.parametrize(
    ("machine", "state"),
    [("x86_64", "ok"), ("aarch64", "note"), ("armv7l", "blocker"), ("riscv64", "blocker")],
)
def test_the_machine_decides_what_nodes_can_be_made(machine: str, state: str, host: Facts) -> None:
    assert checks.architecture(change(host, machine=machine)).state == state


def test_a_python_that_is_too_old_blocks(host: Facts) -> None:
    assert checks.python(change(host, python=(3, 10))).state == "blocker"
    assert checks.python(change(host, python=(3, 13))).state == "ok"


# --- Vagrant ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "engine", "state", "told"),
    [
        ("Vagrant 2.3.4", "20.10.24+dfsg1", "ok", ""),
        ("Vagrant 2.3.4", "24.0.9", "ok", ""),
        ("Vagrant 2.3.4", "25.0.0", "note", "worked around"),
        ("Vagrant 2.3.8.dev", "26.1.5+dfsg1", "note", "worked around"),
        ("Vagrant 2.4.1", "28.2.2", "note", "worked around"),
        ("Vagrant 2.4.2", "29.0.0", "ok", ""),
        ("Vagrant 2.2.19", "24.0.7", "note", "was not tried"),
        ("Vagrant 2.2.4", "24.0.7", "blocker", "makes no networks"),
        ("Vagrant", "24.0.7", "note", "could not tell"),
    ],
)
def test_vagrant_is_judged_beside_the_engine(said: str, engine: str, state: str, told: str, on: On) -> None:
    check = checks.vagrant(change(on(engine), vagrant=vagrant(said)))
    assert (check.state, told in check.seen) == (state, True)


def test_a_host_without_vagrant_is_sent_to_what_installs_it(host: Facts) -> None:
    check = checks.vagrant(change(host, vagrant=Program("vagrant", "")))
    assert (check.state, check.mend) == ("blocker", "lab/host.sh")


def test_a_vagrant_that_does_not_answer_is_never_ok(host: Facts) -> None:
    assert checks.vagrant(change(host, vagrant=vagrant(Unseen("no answer in 1 s")))).state == "note"


def test_a_vagrant_without_an_engine_beside_it_is_judged_alone(host: Facts) -> None:
    assert checks.vagrant(change(host, engine=Unseen("none"))).state == "ok"


def test_the_vagrantfile_still_works_around_it(host: Facts) -> None:
    assert 'Gem::Version.new("2.4.2")' in host.vagrantfile


def test_missing_programs_are_named_with_their_packages(host: Facts) -> None:
    check = checks.programs(change(host, tools={**host.tools, "ip": "", "ssh": "", "ssh-keygen": ""}))
    assert (check.state, check.mend) == ("blocker", "sudo apt-get install iproute2 openssh-client")
    assert checks.programs(host).state == "ok"


# --- the kernel ---------------------------------------------------------------------------------------------


def test_the_capabilities_are_those_of_the_vagrantfile(host: Facts) -> None:
    wanted = checks.wanted_capabilities(host.vagrantfile)
    assert {"SYS_ADMIN", "NET_ADMIN"} <= set(wanted) <= set(checks.CAPABILITIES)


@pytest.mark.parametrize(("name", "bit"), [("NET_ADMIN", 12), ("SYS_ADMIN", 21)])
def test_a_capability_that_the_engine_lacks_blocks_and_is_named(name: str, bit: int, host: Facts) -> None:
    check = checks.capabilities(change(host, bounding=f"{(1 << 41) - 1 & ~(1 << bit):016x}"))
    assert (check.state, check.seen) == ("blocker", f"the engine may not give {name}")


def test_an_engine_without_sys_resource_will_do(host: Facts) -> None:
    assert checks.capabilities(change(host, bounding="000001fffeffffff")).state == "ok"


def test_the_capabilities_of_this_process_are_a_hint_and_never_ok(host: Facts) -> None:
    full = checks.capabilities(change(host, is_bounding_of_engine=False))
    assert (full.state, "this process holds all" in full.seen) == ("note", True)
    few = checks.capabilities(change(host, is_bounding_of_engine=False, bounding="00000000a80425fb"))
    assert (few.state, "this process lacks SYS_ADMIN" in few.seen) == ("note", True)
    assert checks.capabilities(change(host, bounding="")).state == "note"


ALL = frozenset(one.module for one in (*NEEDED, *OF_FAULTS))
OPTIONS = frozenset(one.option for one in (*NEEDED, *OF_FAULTS))


@pytest.mark.parametrize("missing", [one.module for one in NEEDED])
def test_a_kernel_that_lacks_what_nodes_need_blocks(missing: str, host: Facts) -> None:
    check = checks.kernel(change(host, kernel=Kernel(ALL - {missing}, frozenset(), None)))
    assert (check.state, f"no {missing}: " in check.seen) == ("blocker", True)


@pytest.mark.parametrize("missing", [one.module for one in OF_FAULTS])
def test_a_kernel_that_lacks_what_faults_use_is_a_note(missing: str, host: Facts) -> None:
    check = checks.faults(change(host, kernel=Kernel(ALL - {missing}, frozenset(), None)))
    assert (check.state, f"no {missing}: " in check.seen) == ("note", True)


def test_ubuntu_has_the_rest_of_its_modules_in_a_package(host: Facts) -> None:
    bare = change(host, os_release=UBUNTU, kernel=Kernel(ALL - {"sch_netem"}, frozenset(), None))
    assert checks.faults(bare).mend == 'sudo apt-get install "linux-modules-extra-$(uname -r)"'


def test_debians_kernel_for_clouds_has_fewer(host: Facts) -> None:
    bare = Kernel(ALL - {"sch_netem"}, frozenset(), None)
    check = checks.faults(change(host, release="6.1.0-18-cloud-amd64", kernel=bare))
    assert "linux-image-amd64" in check.mend


def test_what_nothing_tells_is_a_note_and_never_ok(host: Facts) -> None:
    blind = change(host, kernel=Kernel(None, frozenset(("bridge", "veth", "overlay")), None))
    assert checks.kernel(blind).seen == "could not tell of nft_compat, xt_conntrack"
    assert (checks.kernel(blind).state, checks.faults(blind).state) == ("note", "note")


def test_a_kernel_without_modules_is_judged_by_its_configuration(host: Facts) -> None:
    whole = change(host, kernel=Kernel(None, frozenset(), OPTIONS))
    assert (checks.kernel(whole).state, checks.faults(whole).state) == ("ok", "ok")
    bare = change(host, kernel=Kernel(None, frozenset(), OPTIONS - {"NET_SCH_NETEM"}))
    assert checks.faults(bare).seen == "no sch_netem: delay is made by a proxy, for TCP only"


def test_an_option_without_its_module_on_disk_is_not_there(host: Facts) -> None:
    bare = change(host, kernel=Kernel(ALL - {"sch_netem"}, frozenset(), OPTIONS))
    assert checks.faults(bare).state == "note"


@pytest.mark.parametrize(
    ("instances", "watches", "state"),
    [(128, 8192, "ok"), (64, 8192, "note"), (128, 4096, "note"), (16, 8192, "blocker"), (128, 50, "blocker")],
)
def test_the_limits_of_inotify(instances: int, watches: int, state: str, host: Facts) -> None:
    limits = {"max_user_instances": instances, "max_user_watches": watches}
    check = checks.inotify(change(host, inotify=limits))
    assert (check.state, check.mend.startswith("sudo sysctl fs.inotify.")) == (state, state != "ok")


def test_limits_of_inotify_that_cannot_be_read_are_a_note(host: Facts) -> None:
    assert checks.inotify(change(host, inotify={})).state == "note"


# --- room ---------------------------------------------------------------------------------------------------


def meminfo(total: float, free: float, swap: float = 0) -> str:
    values = {"MemTotal": total, "MemAvailable": free, "SwapFree": swap}
    return "".join(f"{key}:   {int(value * 1024**2)} kB\n" for key, value in values.items())


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (meminfo(8, 6), "ok"),
        (meminfo(3.8, 3), "ok"),
        (meminfo(2, 1.5), "note"),
        (meminfo(8, 0.5), "blocker"),
        (meminfo(1, 0.5), "blocker"),
        (meminfo(4, 0.5, 2), "ok"),
        ("", "note"),
    ],
)
def test_memory(said: str, state: str, down: Facts) -> None:
    assert checks.memory(change(down, meminfo=said)).state == state


def test_the_memory_that_the_lab_takes_itself_is_not_lacking(host: Facts) -> None:
    assert checks.memory(change(host, meminfo=meminfo(4, 0.5))).state == "ok"


def spaces(cache: float, engine: float, *, same: bool = True) -> dict[str, Space]:
    return {
        "cache": Space("/home", 1, int(cache * GIB)),
        "engine": Space("/var/lib/docker", 1 if same else 2, int(engine * GIB)),
    }


@pytest.mark.parametrize(
    ("free", "state"),
    [
        (spaces(20, 20), "ok"),
        (spaces(7, 7), "blocker"),  # 5.5 for the cache and 2 for the engine, on one disk
        (spaces(6, 3, same=False), "ok"),
        (spaces(5, 3, same=False), "blocker"),
        (spaces(6, 1, same=False), "blocker"),
        ({"cache": spaces(20, 0)["cache"]}, "note"),
        ({}, "note"),
    ],
)
def test_the_room_for_a_first_bring_up(free: dict[str, Space], state: str, down: Facts) -> None:
    assert checks.disk(change(down, spaces=free)).state == state


def test_with_a_warm_cache_little_is_needed(on: On) -> None:
    halted = on(holds={"containers": ()})
    assert checks.disk(change(halted, spaces=spaces(1.1, 1.1))).state == "ok"
    assert checks.disk(change(halted, spaces=spaces(0.9, 0.9))).state == "blocker"
    lacking = change(halted, spaces=spaces(4, 4), cache=Cache(("consul",), True, "go"))
    assert checks.disk(lacking).state == "blocker"


def test_a_lab_that_is_up_needs_no_more_room(host: Facts) -> None:
    assert checks.disk(change(host, spaces=spaces(0.1, 0.1))).state == "ok"


def test_a_clock_that_is_behind_is_a_note(host: Facts) -> None:
    check = checks.clock(change(host, now=host.newest - 10 * checks.DAY))
    assert (check.state, check.mend) == ("note", "sudo timedatectl set-ntp true")
    assert "10 days behind" in check.seen
    assert checks.clock(change(host, now=host.newest - 60)).state == "ok"


def test_files_of_another_user_block_and_may_be_taken_back(host: Facts) -> None:
    check = checks.files(change(host, foreign=("/srv/lab/.lab",)))
    assert (check.state, check.mend) == ("blocker", 'sudo chown -R "$(id -u):$(id -g)" /srv/lab/.lab')
    assert checks.files(host).state == "ok"
