""".ci/install-libvirt, run with programs that are played: nothing is installed and no rule is written."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci/install-libvirt"
RULES = "/etc/udev/rules.d/99-bluegreen-lab-kvm.rules"


class Runner:
    """A machine of a CI with a /dev/kvm, whose user is root; apt has Vagrant's plugin when `packed`."""

    def __init__(self, played: Any, *, packed: bool, kvm: bool = True) -> None:
        self.played = played
        self.kvm = played.state / "kvm"
        if kvm:
            self.kvm.touch()
        played.by_words("id", {"-u": "echo 0", "-un": "echo runner"})
        played.program("tee", "cat >$state/rules")
        played.program("apt-cache", f"echo '  Candidate: {'0.11.2-1' if packed else '(none)'}'")
        for name in ("udevadm", "apt-get", "usermod", "vagrant"):
            played.program(name)

    def run(self) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = self.played.run(
            SCRIPT.read_text(), places={"KVM=/dev/kvm": f"KVM={self.kvm}"}
        )
        return done


def test_every_user_may_open_kvm_and_this_one_is_in_the_groups(played: Any) -> None:
    done = Runner(played, packed=True).run()
    assert done.returncode == 0, done.stderr
    assert 'KERNEL=="kvm"' in (played.state / "rules").read_text()
    assert played.calls("tee", "udevadm", "usermod") == [
        f"tee {RULES}",
        "udevadm control --reload-rules",
        "udevadm trigger --name-match=kvm --settle",
        "usermod -aG libvirt,kvm runner",
    ]


@pytest.mark.parametrize(("packed", "plugins"), [(True, 0), (False, 1)])
def test_the_plugin_comes_from_rubygems_only_where_apt_has_none(
    packed: bool, plugins: int, played: Any
) -> None:
    Runner(played, packed=packed).run()
    assert len(played.calls("vagrant plugin install vagrant-libvirt --plugin-version 0.")) == plugins
    assert len(played.calls("libvirt-dev")) == plugins


def test_a_user_without_root_asks_sudo(played: Any) -> None:
    runner = Runner(played, packed=True)
    played.by_words("id", {"-u": "echo 1000", "-un": "echo runner"})
    played.program("sudo", '"$@"')
    assert runner.run().returncode == 0
    asked = {call.split()[1] for call in played.calls("sudo ")}
    assert asked == {"tee", "udevadm", "apt-get", "env", "usermod"}


def test_without_kvm_nothing_is_changed(played: Any) -> None:
    done = Runner(played, packed=True, kvm=False).run()
    assert (done.returncode, played.calls()) == (4, [])
    assert "nested virtualisation" in done.stderr
