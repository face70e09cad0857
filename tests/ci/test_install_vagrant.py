""".ci/install-vagrant, run with programs that are played: nothing is fetched or installed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci/install-vagrant"
KEY = "798AEC654E5C15428C8E42EEAA16FCBCA621E701"
OTHER = "E8A032E094D8EB4EA189D270DA418C88A3219F7B"


class Machine:
    """An Ubuntu 24.04 without Vagrant, as root; `keys` are the fingerprints of HashiCorp's file."""

    def __init__(self, played: Any, *keys: str) -> None:
        self.played = played
        (played.state / "os-release").write_text("VERSION_CODENAME=noble\n")
        played.program("id", "echo 0")
        self.offers("")
        self.architecture("amd64")
        played.program("curl", "while [ $1 != -o ]; do shift; done; echo armored >$2")
        shown = "".join(f"pub:-:4096:\\nfpr:::::::::{key}:\\nsub:-:\\nfpr:::::::::5AB:\\n" for key in keys)
        played.by_words(
            "gpg", {"--batch --show-keys*": f"printf '{shown}'", "--batch --dearmor*": "echo keyring >$4"}
        )
        played.program("install", 'echo "$4: $(<$3)" >>$state/installed')
        played.program("apt-get")

    def offers(self, version: str) -> None:
        self.played.program("apt-cache", f"echo '  Candidate: {version or '(none)'}'")

    def architecture(self, name: str) -> None:
        least = "least=($(printf '%s\\n' $2 $4 | sort -V)); [ $least = $4 ]"
        self.played.by_words("dpkg", {"--print-architecture": f"echo {name}", "--compare-versions*": least})

    def run(self) -> subprocess.CompletedProcess[str]:
        places = {
            'cd "$(dirname "$0")/.."': f"cd {ROOT}",
            "/etc/os-release": str(self.played.state / "os-release"),
        }
        done: subprocess.CompletedProcess[str] = self.played.run(SCRIPT.read_text(), places=places)
        return done

    @property
    def installed(self) -> list[str]:
        file = self.played.state / "installed"
        return file.read_text().splitlines() if file.exists() else []


def test_hashicorps_package_is_installed_under_its_key(played: Any) -> None:
    machine = Machine(played, KEY)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    keyring = "/usr/share/keyrings/hashicorp-archive-keyring.gpg"
    assert machine.installed == [
        f"{keyring}: keyring",
        "/etc/apt/sources.list.d/hashicorp.list: "
        f"deb [arch=amd64 signed-by={keyring}] https://apt.releases.hashicorp.com noble main",
    ]
    assert played.calls("apt-get")[-1] == "apt-get install -y --no-install-recommends vagrant"


@pytest.mark.parametrize("keys", [(OTHER,), (KEY, OTHER), ()], ids=["another", "one more", "none"])
def test_any_other_key_is_refused_before_anything_trusts_it(keys: tuple[str, ...], played: Any) -> None:
    machine = Machine(played, *keys)
    done = machine.run()
    assert (done.returncode, machine.installed, played.calls("apt-get install")) == (4, [], [])
    assert KEY in done.stderr and "hashicorp.com/trust/security" in done.stderr


def test_where_apt_has_one_it_is_left_to_the_lab(played: Any) -> None:
    machine = Machine(played, KEY)
    machine.offers("2.3.8")
    assert (machine.run().returncode, played.calls("curl", "install")) == (0, [])


def test_a_vagrant_that_is_there_is_left_alone(played: Any) -> None:
    machine = Machine(played, KEY)
    played.program("vagrant")
    assert (machine.run().returncode, played.calls()) == (0, [])


def test_a_machine_for_which_nobody_has_one_is_told_so(played: Any) -> None:
    machine = Machine(played, KEY)
    machine.architecture("arm64")
    done = machine.run()
    assert (done.returncode, played.calls("curl")) == (4, [])
    assert "arm64" in done.stderr and "Debian 12 or 13" in done.stderr


def test_a_user_without_root_asks_sudo(played: Any) -> None:
    machine = Machine(played, KEY)
    played.program("id", "echo 1000")
    played.program("sudo", '"$@"')
    assert machine.run().returncode == 0
    assert {call.split()[1] for call in played.calls("sudo ")} == {"apt-get", "install", "env"}


def test_it_says_the_commands_that_the_lab_prints() -> None:
    printed = (ROOT / "lab/host/packages.sh").read_text()
    for words in ("/usr/share/keyrings/hashicorp-archive-keyring.gpg", "https://apt.releases.hashicorp.com"):
        assert words in printed and words in SCRIPT.read_text()
