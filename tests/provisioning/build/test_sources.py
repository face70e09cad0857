"""What of the user's settings of pip and Go reaches what is fetched and built: the sources, nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioning.build import artifacts, sources

GO = """#!/bin/sh
case $1 in
  env) echo '{"GOPROXY": "https://go.test", "GOSUMDB": "", "GOCACHE": "/big/go"}' ;;
  *) exit 1 ;;
esac
"""
PIP_CONF = """[global]
index-url = https://index.test/simple
trusted-host =
    one.test
    two.test
user = true
target = /elsewhere
require-hashes = true
no-binary = :all:
[install]
extra-index-url = https://more.test/simple
prefix = /elsewhere
[download]
platform = win32
"""


@pytest.fixture
def go(tmp_path: Path) -> str:
    (tmp_path / "go").write_text(GO)
    (tmp_path / "go").chmod(0o755)
    return str(tmp_path / "go")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a pip.conf."""
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(PIP_CONF)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_of_a_pip_conf_the_sources_pass_and_nothing_else(home: Path) -> None:
    said = {name: value for name, value in sources.pip().items() if name.startswith("PIP_")}
    said.pop("PIP_CERT", None)  # some systems have one for all users
    assert said == {
        "PIP_INDEX_URL": "https://index.test/simple",
        "PIP_TRUSTED_HOST": "one.test two.test",
        "PIP_EXTRA_INDEX_URL": "https://more.test/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.mark.parametrize("name", ["PIP_USER", "PIP_TARGET", "PIP_INDEX_URL", "PIP_REQUIRE_VIRTUALENV"])
def test_pip_meets_no_setting_of_the_shell(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_said", lambda *_: "")
    monkeypatch.setenv(name, "1")
    assert name not in sources.pip()


def test_the_certificate_of_the_shell_comes_before_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_said", lambda *_: "global.cert='/of/the/file'")
    monkeypatch.setenv("PIP_CERT", "/of/the/shell")
    assert sources.pip()["PIP_CERT"] == "/of/the/shell"


def test_a_section_for_installing_wins_over_the_one_for_all() -> None:
    listed = ":env:.proxy='no'\nglobal.index-url='https://a'\ninstall.index-url='https://b'\n"
    assert sources.pip_sources(listed) == {"PIP_INDEX_URL": "https://b"}


def test_go_meets_the_users_sources_and_our_settings(go: str) -> None:
    said = sources.go(go, {"GOARCH": "arm64", "GOFLAGS": "-buildvcs=false"})
    assert {name: value for name, value in said.items() if name.startswith("GO")} == {
        "GOPROXY": "https://go.test",
        "GOCACHE": "/big/go",
        "GOENV": "off",
        "GOARCH": "arm64",
        "GOFLAGS": "-buildvcs=false",
    }


@pytest.mark.parametrize(
    "name",
    ["GOPATH", "GOROOT", "GOBIN", "GOEXPERIMENT", "GOAMD64", "GO111MODULE", "GODEBUG", "GOTMPDIR", "GOENV"],
)
def test_go_meets_no_other_setting_of_the_shell(name: str, go: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/elsewhere")
    assert sources.go(go, artifacts.go_settings()).get(name) in (None, "off")


@pytest.mark.parametrize("name", ["GOFLAGS", "GOOS", "GOARCH", "GOTOOLCHAIN", "GOWORK"])
def test_our_settings_of_go_win(name: str, go: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/elsewhere")
    assert sources.go(go, artifacts.go_settings())[name] == artifacts.go_settings()[name]


def test_a_go_that_does_not_say_its_settings_is_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "go").write_text("#!/bin/sh\nexit 2\n")
    (tmp_path / "go").chmod(0o755)
    assert sources.go(str(tmp_path / "go"), {})["GOENV"] == "off"
