"""Whatever the user's shell says, the lab and its children meet the same environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from lab import environment

NAMES = environment.passing(environment.LIST.read_text())


def clean(**given: str) -> dict[str, str]:
    return environment.clean({"PATH": "/bin", **given}, NAMES, home="/home/ada", engine="unix:///run/d.sock")


# One of each kind that was seen to change what the lab does.
STRANGE = {
    "DOCKER_CONTEXT": "lab",
    "DOCKER_API_VERSION": "1.12",
    "DOCKER_TLS_VERIFY": "1",
    "CONSUL_HTTP_ADDR": "http://192.0.2.1",
    "CONSUL_HTTP_TOKEN": "secret",
    "CONSUL_HTTP_SSL": "true",
    "LC_TIME": "de_DE.UTF-8",
    "LANGUAGE": "de",
    "PIP_USER": "1",
    "PIP_INDEX_URL": "http://192.0.2.1",
    "PIP_TARGET": "/tmp/x",
    "PYTHONPATH": "/tmp/x",
    "PYTHONHOME": "/tmp/x",
    "VAGRANT_CWD": "/tmp/x",
    "VAGRANT_DOTFILE_PATH": "/tmp/x",
    "VAGRANT_DEFAULT_PROVIDER": "virtualbox",
    "VAGRANT_HOME": "/tmp/x",
    "ANSIBLE_STDOUT_CALLBACK": "json",
    "COMPOSE_PROJECT_NAME": "x",
    "GOFLAGS": "-mod=vendor",
    "GOOS": "windows",
    "GOARCH": "arm",
    "GOPATH": "relative",
    "TMPDIR": "/tmp/a b",
    "BASH_ENV": "/tmp/x",
    "CDPATH": "/",
    "LD_PRELOAD": "/tmp/x.so",
    "RUBYOPT": "-W0",
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_variable_of_another_tool_does_not_pass(name: str) -> None:
    assert clean(**{name: STRANGE[name]}) == clean()


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "LAB_FILE", "LAB_ANYTHING", "TERM"]
)
def test_what_the_list_names_passes_as_it_is(name: str) -> None:
    assert clean(**{name: "x y"})[name] == "x y"


@pytest.mark.parametrize("name", ["LAB_FILE", "LAB_CACHE", "HTTP_PROXY"])
def test_a_variable_that_is_empty_is_not_there(name: str) -> None:
    assert name not in clean(**{name: ""})


@pytest.mark.parametrize("name", ["LANG", "LC_ALL"])
def test_the_locale_is_the_labs(name: str) -> None:
    assert clean(**{name: "de_DE.UTF-8"})[name] == "C.UTF-8"


def test_the_engine_is_the_one_that_was_chosen_with_none_of_the_users_settings() -> None:
    own = clean(DOCKER_HOST="tcp://192.0.2.1:2375", DOCKER_CONFIG="/tmp/x")
    assert own["DOCKER_HOST"] == "unix:///run/d.sock"
    assert own["DOCKER_CONFIG"] == str(environment.STATE / "docker")


def test_a_shell_without_a_home_gets_the_systems() -> None:
    assert clean()["HOME"] == clean(HOME="")["HOME"] == "/home/ada"
    assert clean(HOME="/elsewhere")["HOME"] == "/elsewhere"


def test_what_users_often_do_not_see_is_on_the_path() -> None:
    assert clean()["PATH"] == "/bin:/usr/local/sbin:/usr/sbin:/sbin"


ADOPTED = """
import json, os, sys
from lab import environment
environment.adopt("unix:///run/d.sock")
environment.adopt("unix:///another.sock")
open("made", "w").close()
print(json.dumps([dict(os.environ), dict(environment.given()), os.stat("made").st_mode & 0o777]))
"""


def test_a_process_adopts_it_once_and_remembers_what_was_given(tmp_path: Path) -> None:
    given = {"PATH": os.environ["PATH"], "LAB_FILE": "lab.yml", "LAB_CACHE": "/c", "GOOS": "windows"}
    begin = f"import os, sys; os.umask(0o077); sys.path.insert(0, {str(environment.ROOT)!r})"
    done = subprocess.run(
        [sys.executable, "-c", begin + ADOPTED],
        env=given,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    own, before, mode = json.loads(done.stdout)
    assert (own["DOCKER_HOST"], "GOOS" in own, before["GOOS"]) == ("unix:///run/d.sock", False, "windows")
    assert (own["LAB_FILE"], own["LAB_CACHE"]) == (str(tmp_path / "lab.yml"), "/c")
    assert mode == 0o644


def test_a_user_whom_the_system_does_not_know_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> NoReturn:
        raise KeyError("uid not found")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert environment.user() == str(os.getuid())
    assert environment._home() == "/"
