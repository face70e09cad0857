"""Which packages a bundle holds: what apt prints is read, and what apt reads is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import HostError
from provisioning.bundle import debs

AVAILABLE = """\
Package: bash
Essential: yes
Priority: required

Package: tzdata
Priority: required

Package: vim
Priority: optional
Description: not Essential: yes
"""


def test_what_every_host_has_is_essential_or_required() -> None:
    assert debs.required(AVAILABLE) == ["bash", "tzdata"]


def test_what_apt_would_install_is_read() -> None:
    said = "Reading...\nInst bash (5.2 Debian:12 [amd64])\nInst tzdata [1] (2 Debian:12)\nConf bash (5.2)\n"
    assert debs.to_install(said) == ["bash", "tzdata"]


def test_a_package_is_noted_as_installed() -> None:
    shown = "Package: bash\nVersion: 5.2\n\nPackage: tzdata\n"
    noted = "Package: bash\nStatus: install ok installed\nVersion: 5.2\n"
    assert debs.as_installed(shown).startswith(noted)
    assert debs.as_installed(shown).count(debs.INSTALLED) == 2


@pytest.mark.parametrize(
    ("fetched", "named"),
    [
        ("openssh-client_1%3a9.2p1-2_amd64.deb", "openssh-client_9.2p1-2_amd64.deb"),
        ("rsync_3.2.7-1+deb12u1_amd64.deb", "rsync_3.2.7-1+deb12u1_amd64.deb"),
    ],
)
def test_a_file_has_no_epoch_in_its_name(fetched: str, named: str) -> None:
    assert debs.file_name(fetched) == named


def test_the_list_says_of_each_package_its_own_words_and_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_1_all.deb").write_bytes(b"content")
    monkeypatch.setattr(debs, "run", lambda *words: f"Package: {Path(words[-1]).name[0]}\nVersion: 1\n")
    assert debs.index([tmp_path / "a_1_all.deb"]).splitlines() == [
        "Package: a",
        "Version: 1",
        "Filename: ./a_1_all.deb",
        "Size: 7",
        "SHA256: ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73",
    ]


def test_without_apt_it_is_said_where_bundles_are_made() -> None:
    with pytest.raises(HostError, match="a bundle is made on Debian or Ubuntu"):
        debs.run("no-such-program-of-apt")


def test_a_program_that_fails_is_told_with_its_words() -> None:
    with pytest.raises(HostError, match="sudo apt-get update"):
        debs.run("sh", "-c", "echo E: 404 >&2; exit 100")
