"""Each kind of resource: files really, in a tmp_path; docker, systemd and dpkg as data."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pwd
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.shell import CommandFailed, Result
from provisioning import converge, resources
from provisioning.resources import (
    Command,
    Container,
    Directory,
    File,
    Folder,
    Hosts,
    Masked,
    Member,
    Package,
    Password,
    Program,
    Reload,
    Resource,
    Unit,
)

ME = pwd.getpwuid(os.getuid()).pw_name
NOTHING: frozenset[str] = frozenset()


class Bash:
    """A Shell on this host; `places` says which absolute paths are others here."""

    node = "here"

    def __init__(self, **places: Path) -> None:
        self.places = {f"/{name.replace('_', '/')}": str(path) for name, path in places.items()}

    def run(self, script: str, *, sudo: bool = True, check: bool = True, timeout: float = 120) -> Result:
        told = script
        for there, here in self.places.items():
            told = told.replace(there, here)
        done = subprocess.run(
            ["bash", "-c", told], check=False, capture_output=True, text=True, timeout=timeout
        )
        out = done.stdout
        for there, here in self.places.items():
            out = out.replace(here, there)
        result = Result(self.node, script, done.returncode, out, done.stderr)
        if check and result.exit != 0:
            raise CommandFailed(result)
        return result


def todo(shell: Bash, resource: Resource) -> list[str]:
    """The keys that are planned for one resource, as it is now."""
    return [c.key for c in converge.plan("here", [resource], converge.observe(shell, [resource]))]


def mend(shell: Bash, *resources: Resource) -> None:
    converge.apply(shell, converge.plan("here", resources, converge.observe(shell, resources)))


# --- really run ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """A resource, and how it can come to differ from what is wanted."""

    make: Callable[[Path], Resource]
    spoil: dict[str, Callable[[Path], object]]


def write(name: str, content: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(content)


def source(root: Path) -> str:
    folder = root / "cache"
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "tool").write_text("#!/bin/sh\necho tool\n")
    (folder / "deep" / "leaf").write_text("leaf\n")
    return str(folder)


def replace_by_link(root: Path) -> None:
    (root / "file").rename(root / "elsewhere")
    (root / "file").symlink_to(root / "elsewhere")


def replace_link(root: Path) -> None:
    (root / "bin/tool").unlink()
    (root / "bin/tool").write_text("an older one")


CASES = {
    "directory": Case(
        lambda root: Directory(f"{root}/a/b", owner=ME, mode="750"),
        {
            "removed": lambda root: (root / "a/b").rmdir(),
            "mode": lambda root: (root / "a/b").chmod(0o777),
        },
    ),
    "file": Case(
        lambda root: File(f"{root}/file", "one\n", owner=ME, mode="640"),
        {
            "removed": lambda root: (root / "file").unlink(),
            "content": write("file", "two\n"),
            "emptied": write("file", ""),
            "no newline at its end": write("file", "one"),
            "mode": lambda root: (root / "file").chmod(0o600),
            "a link in its place": replace_by_link,
        },
    ),
    "file that is kept": Case(
        lambda root: File(f"{root}/file", "one\n", owner=ME, keep=True),
        {"removed": lambda root: (root / "file").unlink()},
    ),
    "folder": Case(
        lambda root: Folder(f"{root}/copy", "d1", source(root)),
        {
            "stamp of other content": write("copy/.stamp", "d0\n"),
            "no stamp": lambda root: (root / "copy/.stamp").unlink(),
        },
    ),
    "program": Case(
        lambda root: Program("tool", "d1", f"{source(root)}/tool"),
        {
            "no link": lambda root: (root / "bin/tool").unlink(),
            "no program": lambda root: (root / "opt/tool-d1").unlink(),
            "not executable": lambda root: (root / "opt/tool-d1").chmod(0o644),
            "a file in place of the link": replace_link,
        },
    ),
}
SPOILED = [(kind, how) for kind, case in CASES.items() for how in case.spoil]


@pytest.fixture
def shell(tmp_path: Path) -> Bash:
    (tmp_path / "bin").mkdir()
    return Bash(usr_local_bin=tmp_path / "bin", **{"opt_bluegreen-lab": tmp_path / "opt"})


@pytest.mark.parametrize("kind", CASES)
def test_what_is_missing_is_made_once(kind: str, shell: Bash, tmp_path: Path) -> None:
    resource = CASES[kind].make(tmp_path)
    assert todo(shell, resource) == [resource.key]
    mend(shell, resource)
    assert todo(shell, resource) == []


@pytest.mark.parametrize(("kind", "how"), SPOILED, ids=lambda word: word.replace(" ", "-"))
def test_what_differs_is_mended_once(kind: str, how: str, shell: Bash, tmp_path: Path) -> None:
    resource = CASES[kind].make(tmp_path)
    mend(shell, resource)
    CASES[kind].spoil[how](tmp_path)
    assert todo(shell, resource) == [resource.key]
    mend(shell, resource)
    assert todo(shell, resource) == []


@pytest.mark.parametrize(
    "content",
    ["", 'it\'s "quoted" $HOME `x` $(y) \\ \\n %s\n', "tab\there\n\n\n", "é ü 書\n", "@@ 0\n", "no newline"],
    ids=["empty", "quotes", "white-space", "not-ascii", "like-a-marker", "no-newline"],
)
def test_content_arrives_as_it_is(content: str, shell: Bash, tmp_path: Path) -> None:
    file = File(f"{tmp_path}/deep/file", content, owner=ME)
    mend(shell, file)
    assert (tmp_path / "deep/file").read_bytes() == content.encode()
    assert todo(shell, file) == []


def test_a_kept_file_keeps_the_content_it_has(shell: Bash, tmp_path: Path) -> None:
    file = File(f"{tmp_path}/file", "first\n", owner=ME, keep=True)
    mend(shell, file)
    (tmp_path / "file").write_text("changed by a deployment\n")
    assert todo(shell, file) == []
    assert todo(shell, dataclasses.replace(file, keep=False)) == [file.key]


def test_a_file_leaves_nothing_beside_it(shell: Bash, tmp_path: Path) -> None:
    mend(shell, File(f"{tmp_path}/folder/file", "one\n", owner=ME))
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]


def test_a_file_in_place_of_a_link_leaves_its_target_alone(shell: Bash, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("target\n")
    (tmp_path / "file").symlink_to(tmp_path / "target")
    mend(shell, File(f"{tmp_path}/file", "one\n", owner=ME))
    assert (tmp_path / "target").read_text() == "target\n"
    assert not (tmp_path / "file").is_symlink()


def test_a_new_digest_of_a_program_moves_its_link(shell: Bash, tmp_path: Path) -> None:
    mend(shell, Program("tool", "d1", f"{source(tmp_path)}/tool"))
    (tmp_path / "cache/tool").write_text("#!/bin/sh\necho newer\n")
    mend(shell, Program("tool", "d2", f"{tmp_path}/cache/tool"))
    assert subprocess.check_output([tmp_path / "bin/tool"], text=True) == "newer\n"
    assert sorted(path.name for path in (tmp_path / "opt").iterdir()) == ["tool-d1", "tool-d2"]


def test_a_folder_is_copied_whole_and_again_for_a_new_digest(shell: Bash, tmp_path: Path) -> None:
    mend(shell, Folder(f"{tmp_path}/copy", "d1", source(tmp_path)))
    assert (tmp_path / "copy/deep/leaf").read_text() == "leaf\n"
    (tmp_path / "cache/deep/leaf").write_text("newer\n")
    mend(shell, Folder(f"{tmp_path}/copy", "d2", f"{tmp_path}/cache"))
    assert (tmp_path / "copy/deep/leaf").read_text() == "newer\n"


def test_a_folder_that_could_not_be_copied_is_not_stamped(shell: Bash, tmp_path: Path) -> None:
    folder = Folder(f"{tmp_path}/copy", "d1", f"{tmp_path}/missing")
    with pytest.raises(CommandFailed, match="folder:"):
        mend(shell, folder)
    assert todo(shell, folder) == [folder.key]


def test_many_resources_are_observed_apart_and_made_in_order(shell: Bash, tmp_path: Path) -> None:
    resources: list[Resource] = [case.make(tmp_path / kind.split()[-1]) for kind, case in CASES.items()]
    mend(shell, *resources)
    observed = converge.observe(shell, resources)
    assert converge.plan("here", resources, observed) == []


# --- as data ------------------------------------------------------------------------------------------------

BOX = Container("box", "reg:5000/box", "d1", ("--net=host",), ("run", "it's"))
UNIT = Unit("u.service", restart_on=("file:/x",))
WAITS = Unit("u.service", started=False)
PACKAGES = Package(("curl", "jq"))
INSTALLED = "curl install ok installed"

RIGHT: dict[str, tuple[Resource, str]] = {
    "packages there": (PACKAGES, f"{INSTALLED}\njq install ok installed"),
    "packages in another order": (PACKAGES, f"jq install ok installed\n{INSTALLED}"),
    "unit runs": (UNIT, "enabled\nactive"),
    "unit that is not to run is enabled": (WAITS, "enabled\ninactive"),
    "unit that is not to run may have failed": (WAITS, "enabled\nfailed"),
    "container runs": (BOX, f"running {BOX.spec}"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_nothing_to_do_when_it_is_as_wanted(case: str) -> None:
    resource, observed = RIGHT[case]
    assert resource.converge(observed, frozenset({"file:/other"})) is None


RESTART = (
    "systemctl daemon-reload; systemctl reset-failed u.service 2>/dev/null || true; "
    "systemctl enable -q u.service; systemctl restart u.service"
)
START = "docker unpause box 2>/dev/null || docker start box"
WRONG: dict[str, tuple[Resource, str, str]] = {
    "one package of two": (PACKAGES, INSTALLED, "--no-install-recommends jq"),
    "no package": (PACKAGES, "", "--no-install-recommends curl jq"),
    "package removed but configured": (
        PACKAGES,
        f"{INSTALLED}\njq deinstall ok config-files",
        "--no-install-recommends jq",
    ),
    "package half installed": (PACKAGES, f"{INSTALLED}\njq install ok half-installed", "-recommends jq"),
    "unit unknown": (UNIT, "inactive", RESTART),
    "unit disabled": (UNIT, "disabled\nactive", RESTART),
    "unit failed": (UNIT, "enabled\nfailed", RESTART),
    "unit starts and starts": (UNIT, "enabled\nactivating", RESTART),
    "unit that is not to run": (WAITS, "disabled\ninactive", "systemctl enable -q u.service"),
    "container stopped": (BOX, f"exited {BOX.spec}", START),
    "container paused": (BOX, f"paused {BOX.spec}", START),
    "container restarts and restarts": (BOX, f"restarting {BOX.spec}", START),
    "container never started": (BOX, f"created {BOX.spec}", START),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_difference_is_mended(case: str) -> None:
    resource, observed, script = WRONG[case]
    assert script in (resource.converge(observed, NOTHING) or "nothing")


STARTS = {
    "it starts": ("true", "active", 0),
    "it starts when systemd tries again": ("exit 1", "activating activating active", 0),
    "it does not start": ("exit 1", "activating failed", 1),
    "it never comes to an end": ("exit 1", "activating", 1),
}


@pytest.mark.parametrize("case", STARTS)
def test_a_unit_is_given_systemds_own_tries_and_one_that_fails_tells_its_log(
    case: str, played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    restart, states, code = STARTS[case]
    monkeypatch.setattr(resources, "TRIES", 0.5)
    is_active = (
        f"states=({states}); echo x >>$state/looks; look=$(wc -l <$state/looks); "
        "now=${states[look-1]:-${states[-1]}}; echo $now; [ $now = active ]"
    )
    played.by_words("systemctl", {"restart *": restart, "is-active *": is_active}, otherwise="true")
    played.program("journalctl", "echo no space left")
    done = played.run(UNIT.converge("enabled\ninactive", NOTHING) or "")
    assert done.returncode == code
    assert ("no space left" in done.stderr) is bool(code)
    assert bool(played.calls("journalctl -u u.service")) is bool(code)


def test_an_owner_that_differs_is_mended() -> None:
    file = File("/x", "one\n", owner="vagrant")
    theirs = "644 root\n" + hashlib.sha256(b"one\n").hexdigest()
    assert "chown vagrant: /x.new; mv" in (file.converge(theirs, NOTHING) or "")
    folder = Directory("/d", owner="vagrant")
    assert folder.converge("directory 755 root", NOTHING) == "install -d -m 755 -o vagrant /d"


def test_a_unit_is_restarted_when_what_it_reads_changed() -> None:
    assert UNIT.converge("enabled\nactive", frozenset({"file:/x"})) == UNIT.converge("disabled", NOTHING)


def test_a_unit_that_is_not_to_run_is_never_started() -> None:
    script = dataclasses.replace(WAITS, restart_on=("file:/x",)).converge("enabled\n", frozenset({"file:/x"}))
    assert "restart" not in (script or "restart")


REPLACED = {
    "absent": (BOX, "", NOTHING),
    "of another image": (dataclasses.replace(BOX, image="reg:5000/other"), f"running {BOX.spec}", NOTHING),
    "of another digest": (dataclasses.replace(BOX, digest="d2"), f"running {BOX.spec}", NOTHING),
    "with other options": (dataclasses.replace(BOX, options=()), f"running {BOX.spec}", NOTHING),
    "with another command": (dataclasses.replace(BOX, command=()), f"running {BOX.spec}", NOTHING),
    "of somebody else": (BOX, "running", NOTHING),
}


@pytest.mark.parametrize("case", REPLACED)
def test_a_container_is_replaced_when_it_is(case: str) -> None:
    container, observed, changed = REPLACED[case]
    script = container.converge(observed, changed) or ""
    removed, pulled, run = script.split("; ")
    assert removed == "docker rm -f box >/dev/null 2>&1 || true"
    assert pulled == f"docker pull -q {container.image} >/dev/null"
    assert shlex.split(run)[:2] == ["docker", "run"]


def test_a_container_is_run_with_its_marks_and_its_words_unharmed() -> None:
    words = shlex.split((BOX.converge("", NOTHING) or "").split("; ")[-1])
    assert words == [
        *("docker", "run", "-d", "--name", "box", "--restart=always"),
        *("--label", "bluegreen-lab=1", "--label", f"bluegreen-lab.spec={BOX.spec}"),
        *("--net=host", "reg:5000/box", "run", "it's"),
    ]


# --- reload -------------------------------------------------------------------------------------------------

RELOAD = Reload("ssh.service", on=("file:/x", "file:/y"))


@pytest.mark.parametrize("changed", ["file:/x", "file:/y"])
def test_a_unit_is_reloaded_and_not_stopped_when_what_it_reads_changed(changed: str) -> None:
    script = RELOAD.converge("", frozenset({changed, "file:/z"})) or ""
    assert script.startswith("systemctl reload ssh.service && ")


def test_a_unit_is_not_reloaded_when_something_else_changed() -> None:
    assert RELOAD.converge("", frozenset({"file:/z"})) is None


def test_a_reload_follows_its_file_in_one_plan(shell: Bash, tmp_path: Path) -> None:
    file = File(f"{tmp_path}/file", "one\n", owner=ME)
    reload = Reload("u.service", on=(file.key,))
    planned = converge.plan("here", [file, reload], converge.observe(shell, [file, reload]))
    assert [change.key for change in planned] == [file.key, reload.key]


# --- what is younger than its reader ------------------------------------------------------------------------

START_OF_UNIT = "2026-01-01 10:00:00 UTC"
AT_START = 1767261600


def seen(played: Any, resource: Resource) -> str:
    """What an observation prints, with a unit that runs since START_OF_UNIT."""
    answers = {
        "show *": f"echo '{START_OF_UNIT}'",
        "is-enabled *": "echo enabled",
        "is-active *": "echo active",
    }
    played.by_words("systemctl", answers)
    told: str = played.run(resource.observe).stdout
    return told.strip()


def aged(path: Path, since_start: int) -> str:
    """The key of a file that is so many seconds younger than the unit's start."""
    path.write_text("x")
    os.utime(path, (AT_START + since_start,) * 2)
    return f"file:{path}"


@pytest.mark.parametrize(("age", "restarts"), [(-60, False), (0, False), (1, True), (3600, True)])
def test_a_unit_that_never_read_a_younger_file_is_restarted(
    played: Any, tmp_path: Path, age: int, restarts: bool
) -> None:
    unit = Unit("u.service", restart_on=(aged(tmp_path / "old", -9), aged(tmp_path / "x", age)))
    assert (unit.converge(seen(played, unit), NOTHING) is not None) == restarts


@pytest.mark.parametrize(("age", "reloads"), [(-60, False), (0, False), (1, True), (3600, True)])
def test_a_unit_that_was_not_told_of_a_younger_file_is_reloaded(
    played: Any, tmp_path: Path, age: int, reloads: bool
) -> None:
    reload = Reload("u.service", on=(aged(tmp_path / "x", age),))
    assert (reload.converge(seen(played, reload), NOTHING) is not None) == reloads


def test_a_unit_reloaded_since_is_not_reloaded_again(
    played: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = tmp_path / "stamp"
    monkeypatch.setattr(Reload, "_stamp", property(lambda _: str(stamp)))
    reload = Reload("u.service", on=(aged(tmp_path / "x", 60),))
    aged(stamp, 50)
    assert reload.converge(seen(played, reload), NOTHING) is not None
    aged(stamp, 60)
    assert reload.converge(seen(played, reload), NOTHING) is None


def test_a_file_that_is_gone_is_no_younger_file(played: Any, tmp_path: Path) -> None:
    unit = Unit("u.service", restart_on=(f"file:{tmp_path}/none", "package:x"))
    assert unit.converge(seen(played, unit), NOTHING) is None


# --- password -----------------------------------------------------------------------------------------------

SPWD = """def getspnam(name):
    return (name, {"vagrant": "hash of secret"}[name])
"""
CRYPT = """def crypt(word, salt):
    return f"hash of {word}"
"""


def password_is(shell: Bash, tmp_path: Path, password: Password) -> str:
    """What is observed where the user vagrant has the password `secret`."""
    (tmp_path / "spwd.py").write_text(SPWD)
    (tmp_path / "crypt.py").write_text(CRYPT)
    return shell.run(f"export PYTHONPATH={tmp_path}; {password.observe}").stdout.strip()


def test_a_password_is_right_when_its_hash_is_the_one_that_is_there(shell: Bash, tmp_path: Path) -> None:
    right = Password("vagrant", "secret")
    seen = password_is(shell, tmp_path, right)
    assert (seen, right.converge(seen, NOTHING)) == ("True", None)


@pytest.mark.parametrize(
    "wrong", [Password("vagrant", "other"), Password("nobody", "secret")], ids=["another", "of no user"]
)
def test_a_password_that_differs_is_set(wrong: Password, shell: Bash, tmp_path: Path) -> None:
    assert wrong.converge(password_is(shell, tmp_path, wrong), NOTHING) is not None


@pytest.mark.parametrize("word", ["vagrant", "it's", "$HOME `x` $(y)", "a  b", "\\n%s", "-n", "*"])
def test_a_password_reaches_its_program_as_it_is(word: str, played: Any) -> None:
    played.program("chpasswd", "cat >$state/told")
    done = played.run(Password("vagrant", word).converge("", NOTHING) or "")
    assert (done.returncode, done.stderr) == (0, "")
    assert (played.state / "told").read_text() == f"vagrant:{word}\n"


def test_a_command_is_installed_only_where_it_is_not(tmp_path: Path) -> None:
    command = Command("docker", "docker-cli")
    assert command.converge("/usr/bin/docker", NOTHING) is None
    assert "install -qy --no-install-recommends docker-cli" in (command.converge("", NOTHING) or "")
    assert command.key == "package:docker-cli"  # so that it is noted, and purged, as a package


@pytest.mark.parametrize(("observed", "change"), [("masked", False), ("enabled", True), ("", True)])
def test_a_unit_that_must_not_run_is_masked_once(observed: str, change: bool) -> None:
    assert (Masked("docker-registry.service").converge(observed, NOTHING) is not None) == change


@pytest.mark.parametrize(("observed", "change"), [("vagrant docker", False), ("vagrant dockers", True)])
def test_a_user_joins_a_group_once(observed: str, change: bool) -> None:
    assert (Member("vagrant", "docker").converge(observed, NOTHING) is not None) == change


def test_names_of_machines_are_beside_what_others_wrote_and_follow_the_lab_file(tmp_path: Path) -> None:
    shell, hosts = Bash(etc=tmp_path), tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n10.9.9.9 theirs\n")
    names = Hosts((("10.0.0.2", "a"), ("10.0.0.3", "b")))
    mend(shell, names)
    assert hosts.read_text().splitlines() == [
        *(
            "127.0.0.1 localhost",
            "10.9.9.9 theirs",
            "10.0.0.2 a # bluegreen-lab",
            "10.0.0.3 b # bluegreen-lab",
        ),
    ]
    assert todo(shell, names) == []
    mend(shell, Hosts((("10.0.0.4", "b"),)))
    assert hosts.read_text().splitlines()[2:] == ["10.0.0.4 b # bluegreen-lab"]
