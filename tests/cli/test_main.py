"""The `lab` command from its words to its exit code, with every door replaced."""

from __future__ import annotations

import errno
import getpass
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest

from cli import main as lab_command
from cli import screens
from deployments import by_hand
from deployments.by_hand import Deployed
from lab import engine, environment, errors, labs, machines, named, network
from lab.errors import CheckFailed, ConfigError, HostError, LabError, TimedOut
from lab.labs import Found
from lab.shell import CommandFailed, Result
from lab.testing import FakeShell, said

ROOT = Path(__file__).parents[2]
Said = tuple[int, str, str]
Lab = Callable[..., Said]
Say = Callable[[str], None]


def forbidden(*words: object, **options: object) -> NoReturn:
    raise AssertionError("a unit test reached for the real lab")


@pytest.fixture(autouse=True)
def no_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A lab may run on this host: nothing here may touch it."""
    monkeypatch.setattr(environment, "STATE", tmp_path / "state")  # its open faults are not ours to heal
    monkeypatch.setenv("LAB_FILE", str(ROOT / "lab" / "lab.yml"))
    monkeypatch.setenv(environment.LAB, "")  # what a command sets there is gone with its test
    for name in ("up", "destroy", "answering", "shells"):
        monkeypatch.setattr(machines, name, forbidden)
    for name in ("host_routes", "device_towards", "docker_networks"):
        monkeypatch.setattr(network, name, forbidden)
    monkeypatch.setattr(engine, "connect", forbidden)
    monkeypatch.setattr(labs, "here", list)
    monkeypatch.setattr("os.execvp", forbidden)


@pytest.fixture
def lab(command: Lab) -> Lab:
    """Runs `lab WORDS...`; answers its exit code, stdout and stderr."""
    return command


@pytest.fixture
def shells(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeShell]:
    """The nodes of a lab that is up."""
    names = ("swarm-master", "swarm-node-01", "swarm-node-02", "swarm-node-03")
    nodes = {name: FakeShell({"": said(f"of {name}\n")}, node=name) for name in names}
    monkeypatch.setattr(machines, "shells", lambda lab: nodes)
    monkeypatch.setattr(network, "require_present", lambda lab: None)
    return nodes


# --- exit codes ---------------------------------------------------------------------------------------------

ENDS: dict[type[BaseException], tuple[BaseException, int]] = {
    LabError: (LabError("it broke"), 5),
    CheckFailed: (CheckFailed("it broke"), 1),
    ConfigError: (ConfigError("it broke"), 2),
    TimedOut: (TimedOut("it broke"), 3),
    HostError: (HostError("it broke"), 4),
    CommandFailed: (CommandFailed(Result("n1", "it broke", 9, "", "")), 5),
    click.Abort: (click.Abort(), 130),
    KeyboardInterrupt: (KeyboardInterrupt(), 130),
}


def fails_with(error: BaseException) -> Callable[..., NoReturn]:
    def fail(*words: object, **options: object) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize("kind", ENDS, ids=lambda kind: kind.__name__)
def test_an_error_ends_in_its_exit_code(
    kind: type[BaseException], lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, code = ENDS[kind]
    monkeypatch.setattr(machines, "destroy", fails_with(error))
    ended, out, err = lab("down")
    assert (ended, out) == (code, "")
    assert re.search("it broke|interrupted", err)


def test_what_fails_after_a_cut_is_told_and_ends_as_the_cut(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_cut(*words: object, **options: object) -> NoReturn:
        try:
            raise KeyboardInterrupt
        finally:
            try:
                raise OSError("the connection broke")
            except OSError as error:
                raise LabError("it broke") from error

    monkeypatch.setattr(machines, "destroy", is_cut)
    ended, _, err = lab("down")
    assert ended == 130
    assert "it broke" in err and "interrupted" in err


def test_every_error_of_the_lab_is_among_them() -> None:
    assert {LabError, *LabError.__subclasses__()} == {kind for kind in ENDS if issubclass(kind, LabError)}


def test_the_drawn_tree_of_errors_says_the_same_codes() -> None:
    drawn = dict(re.findall(r"^(?: [|`]- )?(\w+) .* exit (\d)$", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {k.__name__: str(code) for k, (_, code) in ENDS.items() if issubclass(k, LabError)}


def test_an_error_is_told_with_where_what_was_seen_and_what_to_try(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = LabError("[/x] broke [red]", node="n1", last_seen="one\ntwo", try_next="lab up")
    monkeypatch.setattr(machines, "destroy", fails_with(error))
    _, _, err = lab("down")
    assert err == f"{error}\n"


def test_a_file_that_this_user_may_not_open_is_told_with_its_owner(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "a b"
    file.touch()
    monkeypatch.setattr(Path, "owner", lambda path: "root" if path == file else "")
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    monkeypatch.setattr(machines, "destroy", fails_with(PermissionError(errno.EACCES, "no", str(file))))
    ended, _, err = lab("down")
    assert ended == 4
    assert "belongs to root" in err and f"sudo chown -R ada: '{file}'" in err


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_what_the_host_does_not_let_one_write_is_no_error_of_the_lab(
    code: int, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "destroy", fails_with(OSError(code, os.strerror(code), "/no/such/file")))
    ended, _, err = lab("down")
    assert (ended, "Traceback" in err, os.strerror(code) in err) == (4, False, True)


def test_any_other_error_of_the_system_is_shown_whole(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "destroy", fails_with(FileNotFoundError(errno.ENOENT, "no", "/x")))
    ended, _, err = lab("down")
    assert ended == 5 and "Traceback" in err


# --- usage --------------------------------------------------------------------------------------------------

UNKNOWN = {
    "component": (["logs", "consol"], 'no component "consol"; did you mean "consul"?'),
    "component, none near": (["logs", "zzz"], "one of backup, consul, docker, healing, jenkins, nginx"),
    "service": (["deploy", "books-srvice", "1"], 'no service "books-srvice"; did you mean "books-service"?'),
    "node of ssh": (["ssh", "swarm-nod-01"], 'no node "swarm-nod-01"; did you mean "swarm-node-01"?'),
    "node of exec": (["exec", "swarm-mster", "id"], 'no node "swarm-mster"; did you mean "swarm-master"?'),
    "command": (["stats"], "No such command 'stats'"),
    "option": (["status", "--fromat", "json"], "No such option '--fromat'"),
    "format": (["status", "--format", "xml"], "'xml' is not one of 'table', 'json'"),
    "missing argument": (["deploy", "books-service"], "Missing argument 'RELEASE'"),
    "no command at all": ([], "Usage: "),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_unknown_exits_2_and_says_what_is_near(case: str, lab: Lab) -> None:
    words, told = UNKNOWN[case]
    code, out, err = lab(*words)
    assert (code, out) == (2, "")
    assert told in err


def test_a_release_that_is_no_image_tag_exits_2(lab: Lab, shells: dict[str, FakeShell]) -> None:
    code, _, err = lab("deploy", "books-service", "1/1")
    assert (code, shells["swarm-master"].scripts) == (2, [])
    assert "release '1/1' is not an image tag" in err


def test_a_lab_file_that_is_not_there_exits_2(lab: Lab, tmp_path: Path) -> None:
    code, _, err = lab("--lab-file", str(tmp_path / "none.yml"), "status")
    assert code == 2
    assert "none.yml cannot be read" in err


def test_help_lists_every_exit_code_and_command(lab: Lab) -> None:
    code, out, err = lab("--help")
    told = " ".join(out.split())
    assert (code, err) == (0, "")
    assert (
        "Exit codes: 0 ok, 1 a check failed, 2 usage or a bad lab file, 3 timed out, 4 this host cannot, "
        "5 an error inside the lab, 130 interrupted."
    ) in told
    assert [name for name in lab_command.cli.commands if f" {name} " not in told] == []


@pytest.mark.parametrize("name", list(lab_command.cli.commands))
def test_every_command_has_help(name: str, lab: Lab) -> None:
    code, out, _ = lab(name, "-h")
    usage = out.splitlines()[0]  # its program is named as this test run was started
    assert (code, f" {name} [OPTIONS]" in usage) == (0, True)


# --- what goes where ----------------------------------------------------------------------------------------

SEEN: dict[str, Any] = {
    "lab": "bluegreen-lab",
    "healthy": True,
    "nodes": [{"name": "swarm-master", "address": "10.100.199.200", "answers": True}],
    "components": [{"component": "consul", "node": "swarm-master", "healthy": True, "seen": None}],
    "services": [{"service": "books-service", "live": "blue", "idle": "green", "wrong": None}],
    "containers": [{"name": "b_1", "node": "swarm-node-01", "state": "running", "image": "i"}],
}
ILL: dict[str, Any] = {
    **SEEN,
    "healthy": False,
    "nodes": [{"name": "swarm-node-03", "address": "10.100.199.203", "answers": False}],
    "components": [{"component": "consul", "node": "n1", "healthy": False, "seen": "[/no] [fe80::1] é"}],
}


def test_status_as_json_is_all_of_stdout(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "gather", lambda lab: SEEN)
    code, out, err = lab("status", "--format", "json")
    assert (code, json.loads(out), err) == (0, SEEN, "")


def test_an_ill_lab_exits_1_and_its_json_is_whole(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "gather", lambda lab: ILL)
    code, out, err = lab("status", "--format", "json")
    assert (code, json.loads(out)) == (1, ILL)
    assert err == "not everything answers\n  try next:  lab up\n"


def test_the_table_tells_what_was_seen_letter_by_letter(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "gather", lambda lab: ILL)
    code, out, _ = lab("status")
    assert (code, "[/no] [fe80::1] é" in out) == (1, True)
    assert "no answer over SSH: swarm-node-03" in out


def test_status_of_a_lab_that_is_down_exits_4(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "is_present", lambda lab: False)
    code, out, err = lab("status", "--format", "json")
    assert (code, out) == (4, "")
    assert "try next:  make lab-up" in err


def test_a_deployment_tells_its_progress_on_stderr(
    lab: Lab, shells: dict[str, FakeShell], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deploy(lab: object, shell: object, service: object, release: str, say: Say) -> Deployed:
        say("goes to green [/of] [course]")
        return Deployed("green", release, "10.0.0.1:80")

    monkeypatch.setattr(by_hand, "deploy", deploy)
    code, out, err = lab("deploy", "books-service", "1.1")
    assert (code, out) == (0, "books-service 1.1 is live on green at 10.0.0.1:80\n")
    assert re.fullmatch(r" +\d+\.\d s  goes to green \[/of\] \[course\]\n", err)


def test_down_that_leaves_something_exits_1_and_names_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "destroy", lambda lab, say, **options: ["network net"])
    code, _, err = lab("down")
    assert (code, err) == (1, "still there: network net\n  try next:  lab down\n")


def test_down_of_everything_says_so(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "destroy", lambda lab, say, **options: [])
    code, out, err = lab("down")
    assert (code, out) == (0, "")
    assert err.endswith("nothing of the lab is left\n")


def test_a_lab_of_another_checkout_is_taken_down_only_when_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = Path(__file__).parent
    monkeypatch.setattr(labs, "here", lambda: [Found("bluegreen-lab", "", 4, 4, checkout, 0.0)])
    code, _, err = lab("down")
    assert code == 4 and f"{checkout} (of {checkout.owner()})" in err and "--force" in err
    monkeypatch.setattr(machines, "destroy", lambda lab, say, **options: [])
    assert lab("down", "--force")[0] == 0


def test_down_of_all_takes_down_each_lab_of_this_checkout_and_no_other(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = environment.STATE.parent, Path(__file__).parent
    (environment.STATE / "halted").mkdir(parents=True)
    (environment.STATE / "halted" / "subnet").write_text("10.100.230.0/24")
    here = [Found("two", "", 4, 4, ours, 0.0), Found("hers", "", 4, 4, theirs, 0.0)]
    monkeypatch.setattr(labs, "here", lambda: here)
    down: list[tuple[str, str]] = []
    note = lambda lab, say, **options: down.append((lab.name, named.chosen())) or []  # noqa: E731
    monkeypatch.setattr(machines, "destroy", note)
    assert lab("down", "--all")[0] == 0
    assert down == [("halted", "halted"), ("two", "two"), ("bluegreen-lab", "")]
    assert not (environment.STATE / "halted").exists()


def test_the_labs_of_the_host_are_told_with_their_checkouts(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab("list")[:2] == (0, "no lab is on this host\n")
    found = [Found("two", "10.1.1.0/24", 3, 4, environment.STATE.parent, 60.0)]
    monkeypatch.setattr(labs, "here", lambda: [*found, Found("hers", "", 4, 4, Path("/gone"), 0.0)])
    _, out, _ = lab("list")
    assert re.search(r"^ ?two +10\.1\.1\.0/24 +3 of 4 .* this one", out, re.MULTILINE)
    assert re.search(r"^ ?hers +- +4 of 4 .* unknown +/gone", out, re.MULTILINE)
    assert [row["lab"] for row in json.loads(lab("list", "--format", "json")[1])] == ["two", "hers"]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_name_means_another_lab_with_a_state_of_its_own(
    by: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, Path]] = []
    note = lambda lab, say, **options: seen.append((lab.name, environment.lab_state())) or []  # noqa: E731
    monkeypatch.setattr(machines, "destroy", note)
    monkeypatch.setenv(environment.LAB, "two" if by == "variable" else "")
    assert lab(*(["-n", "two"] if by == "option" else []), "down")[0] == 0
    assert seen == [("two", environment.STATE / "two")]


class Became(BaseException):
    """The process is another program now, in which no handler of this one is called."""


@pytest.mark.parametrize(
    "words",
    [
        ["ls", "-l", "/"],
        ["tail", "-f", "/data/consul/logs/watchers.log"],
        ["printf", "%s|", "a b", "", "it's", '"$HOME" *', "line\nline", "-c", "--help"],
    ],
)
def test_exec_becomes_an_ssh_whose_words_arrive_as_they_were_typed(
    words: list[str], lab: Lab, shells: dict[str, FakeShell], monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[list[str]] = []

    def execvp(file: str, arguments: list[str]) -> NoReturn:
        became.append(arguments)
        raise Became

    monkeypatch.setattr("os.execvp", execvp)
    with pytest.raises(Became):
        lab("exec", "swarm-node-01", "--", *words)
    *way, line = became[0]
    assert way == ["ssh", "-F", str(machines.ssh_config()), "swarm-node-01", "--"]
    assert shlex.split(shlex.split(line)[2]) == words  # first sshd's shell, then the login shell


def test_logs_are_told_by_node(lab: Lab, shells: dict[str, FakeShell]) -> None:
    code, out, err = lab("logs", "registrator")
    names = ["swarm-node-01", "swarm-node-02", "swarm-node-03"]
    assert (code, out, err) == (0, "".join(f"== {name}\nof {name}\n" for name in names), "")


# --- what a command loads -----------------------------------------------------------------------------------


SLOW = (
    "httpx",
    "matplotlib",
    "pytest",
    "provisioning.doctor",
    "starlette",
    "uvicorn",
)  # to load; only some commands need them


def test_no_command_loads_what_only_another_one_needs() -> None:
    script = f"import sys, cli.main; print([name for name in {SLOW} if name in sys.modules])"
    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"LAB_PATIENCE": "nan"},  # which nothing asks for that is only loaded
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[]\n"


def test_stdout_that_takes_nothing_is_told_once_and_has_its_exit_code() -> None:
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "cli", "step", "show", "1"]
        done = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("No space left"), "ignored" in done.stderr) == (4, 1, False)


def broken_pipe(*_: object) -> NoReturn:
    raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_reader_that_has_gone_is_no_failure(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_command, "_output_is_lost", lambda: True)
    monkeypatch.setattr(labs, "here", broken_pipe)
    assert lab("list") == (0, "", "")


def test_a_table_that_nobody_reads_to_its_end_changes_no_exit_code() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "cli", "fault", "list", "--known"]
    done = subprocess.run(words, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broken_pipe_that_is_not_that_of_stdout_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labs, "here", broken_pipe)
    code, out, err = lab("list")
    assert (code, out) == (5, "") and "what was spoken to has gone away" in err


def test_a_folder_that_was_removed_is_told(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    code, _, err = lab("--lab-file", "lab.yml", "list")
    assert code == 4 and "this folder is not there any more" in err


def test_a_lab_file_that_is_a_link_to_itself_is_refused_in_words(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    code, _, err = lab("--lab-file", str(tmp_path / "loop"), "list")
    assert code == 2 and "loop cannot be read: Too many levels" in err


# --- what errors tell one to try ----------------------------------------------------------------------------


ROOMS = ("lab", "provisioning", "deployments", "faults", "evidence", "scenarios", "board", "cli")
SPELLED = re.compile(r"""try_next\s*=[^\n]*?["'`](make|lab) ([a-z-]+)""")
NAMED = re.compile(r"""named\.command\(\s*f?["']([a-z-]+)""")
OF_NO_LAB = {"list", "doctor", "report", "fault", "bundle"}  # of `fault` the list of its kinds


def advice() -> set[tuple[str, str]]:
    """(program, word) of every `try_next` in the rooms."""
    texts = [path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    of_labs = {("lab", word) for text in texts for word in NAMED.findall(text)}
    return of_labs | {match for text in texts for match in SPELLED.findall(text)}


def test_a_command_of_one_lab_is_never_told_without_its_name() -> None:
    texts = [path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    spelled = {word for text in texts for program, word in SPELLED.findall(text) if program == "lab"}
    assert spelled - OF_NO_LAB == set()


def test_what_errors_tell_one_to_try_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    known = {*(("make", name) for name in targets), *(("lab", name) for name in lab_command.cli.commands)}
    assert {("lab", "up"), ("make", "lab-up")} <= advice()
    assert sorted(advice() - known) == []
