"""The container images of the lab, and the warm copy of its registry.

    base           Debian, made with debootstrap; every other image is FROM it
    node           a machine of the lab
    machine        what a virtual machine has beyond that: a kernel. Its disk is made of it: boxes.py
    service images nginx, mongo, jenkins, swarm, registrator, and each service in each of its releases

An image is tagged with a digest of everything it is made from, so "is it there?" is "is it current?".
What the lab's registry serves is pushed once on the host and kept in the cache: with it and the node
image a bring-up builds nothing.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import docker
from docker.errors import DockerException, ImageNotFound
from docker.types import Mount

from lab import engine, http, named, root
from lab.architecture import architecture
from lab.errors import ConfigError, HostError, LabError
from lab.model import MARK, SHARED, Lab
from lab.waiting import wait_until
from provisioning.build.artifacts import cache_root, inputs_digest, obtain, one_at_a_time, scratch

Progress = Callable[[str], None]

REPOSITORY = "bluegreen-lab"
NODE_IMAGE = f"{REPOSITORY}/node"
FOLDERS = Path(__file__).parents[1] / "images"
SUITE = "bookworm"
INFRASTRUCTURE = ("nginx", "mongo", "jenkins", "swarm", "registrator")
INFRASTRUCTURE_RELEASE = "1"
COPIED = re.compile(r"^COPY artifacts/([a-z0-9-]+)/", re.MULTILINE)  # in a Dockerfile
BUILDS_AT_ONCE = 2
ANSWERS_WITHIN = 5.0  # seconds in which the registry tells that it is there
SILENCE = 900  # seconds a build may print nothing
LAST_LINES = 25
MAKE_ROOT_FOR = "make the nodes' Debian with debootstrap"
INSIDE = "/out"  # where an image that is run once finds the folder it fills
NOT_FOUND = 127  # what a shell exits with when it lacks a command
FREE_PORT: Any = {"5000/tcp": ("127.0.0.1", None)}  # None: Docker chooses; unknown to the type stubs
REGISTRY_CONFIG = """\
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /store}}
http: {addr: "0.0.0.0:5000"}
"""


@dataclass(frozen=True)
class Image:
    """An image and the release of it; the digest is 12 hex digits over everything it is made from."""

    name: str
    release: str
    digest: str

    @property
    def tag(self) -> str:
        return f"{REPOSITORY}/{self.name}:{self.release}-{self.digest}"


@dataclass(frozen=True)
class Push:
    """An image and a tag under which the lab's registry serves it."""

    image: Image
    tag: str


# --- what is wanted: functions of the lab's file and the files of this repository ----------------------


def digest_of(parts: Iterable[str]) -> str:
    """12 hex digits; lengths are part of it, so ("ab", "c") is not ("a", "bc")."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{len(part)}:{part},".encode())
    return whole.hexdigest()[:12]


def folder_digest(folder: Path) -> str:
    """Over the names, contents and executable bits of the files of a folder."""
    return digest_of(word for file in _files(folder) for word in _said_of(folder, file))


def _said_of(folder: Path, file: Path) -> tuple[str, str, str]:
    executable = "x" if os.access(file, os.X_OK) else "-"
    content = hashlib.sha256(file.read_bytes()).hexdigest()
    return file.relative_to(folder).as_posix(), executable, content


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def base_image() -> Image:
    return Image("base", SUITE, digest_of([SHARED, SUITE, architecture(), folder_digest(FOLDERS / "base")]))


def node_image() -> Image:
    return _image("node", "1")


def machine_image() -> Image:
    return _image("machine", "1")


def wanted(lab: Lab) -> tuple[Image, ...]:
    """The images that the lab's registry serves."""
    infrastructure = [_image(name, INFRASTRUCTURE_RELEASE) for name in INFRASTRUCTURE]
    services = [_image(service.name, release) for service in lab.services for release in service.releases]
    return (*infrastructure, *services)


def pushes(lab: Lab) -> tuple[Push, ...]:
    """Every image under its release; `latest` is the first release."""
    first = {service.name: service.releases[0] for service in lab.services}
    return tuple(
        Push(image, tag)
        for image in wanted(lab)
        for tag in (image.release, "latest")
        if tag != "latest" or image.release == first.get(image.name, INFRASTRUCTURE_RELEASE)
    )


def store_path(lab: Lab) -> Path:
    """Where the registry's content for exactly these images is kept, once it is there."""
    said = [word for push in pushes(lab) for word in (push.image.name, push.tag, push.image.digest)]
    return cache_root() / "registry" / digest_of(said)


def _image(name: str, release: str) -> Image:
    folder = FOLDERS / name
    if not (folder / "Dockerfile").is_file():
        raise ConfigError(
            f"there is no recipe for the image {name}",
            try_next=f"write provisioning/images/{name}/Dockerfile",
        )
    artifact = artifact_of((folder / "Dockerfile").read_text())
    held = inputs_digest(artifact) if artifact else ""
    return Image(name, release, image_digest(folder_digest(folder), held, build_args(name, release)))


def artifact_of(dockerfile: str) -> str:
    """The artifact that an image holds, or nothing. Pure."""
    found = COPIED.search(dockerfile)
    return found[1] if found else ""


def image_digest(folder: str, artifact: str, args: Mapping[str, str]) -> str:
    """`args` name the base image by its tag, which holds the base's digest."""
    return digest_of([folder, artifact, *(f"{key}={value}" for key, value in sorted(args.items()))])


def build_args(name: str, release: str) -> dict[str, str]:
    return {"BASE": (node_image() if name == "machine" else base_image()).tag, "RELEASE": release}


# --- building ------------------------------------------------------------------------------------------


def prepare(lab: Lab, progress: Progress) -> Path:
    """What a bring-up needs: the node image in the host's engine, and the registry's content. Its folder."""
    with one_at_a_time("images", progress):
        if not store_path(lab).is_dir():
            build_all(lab, progress)
        build_node(progress)
        return registry_store(lab, progress)


def build_all(lab: Lab, progress: Progress) -> tuple[Image, ...]:
    """Build what the host's engine does not hold yet; two images at a time."""
    build_base(progress)
    images = (node_image(), *wanted(lab))
    _at_once(lambda image: build(image, progress), images)
    _tag_node()
    _drop_leftovers()
    return (base_image(), *images)


def build_node(progress: Progress) -> Image:
    image = node_image()
    if not _is_built(image):
        build_base(progress)
        build(image, progress)
    _tag_node()
    return image


def build_machine(progress: Progress) -> Image:
    """The image of which a virtual machine's disk is made; it is from the node's."""
    image = machine_image()
    if not _is_built(image):
        build_node(progress)
        build(image, progress)
    return image


def build_base(progress: Progress) -> Image:
    image = base_image()
    with one_at_a_time("base", progress):  # another process may just have made it
        if not _is_built(image):
            _make_base(image, progress)
    return image


def _make_base(image: Image, progress: Progress) -> None:
    progress(f"image base: Debian {SUITE}")
    with scratch("base") as folder:
        _debootstrap(folder)
        label = f'LABEL "{MARK}"="{SHARED}"'
        with _engine() as client:
            client.api.import_image_from_file(
                str(folder / "root.tar"), image.tag.split(":")[0], image.tag.split(":")[1], changes=[label]
            )
    if not _is_built(image):
        raise LabError("the engine did not take the base image in", try_next="docker system df")


def _debootstrap(folder: Path) -> None:
    """Fill root.tar. Only the making is root's: the file belongs to who runs the lab."""
    root.ask(MAKE_ROOT_FOR)
    command = root.as_root([str(FOLDERS / "base" / "make"), SUITE, architecture()])
    # Not subprocess.run, which on an interrupt kills: sudo cannot be killed, and make tidies up by itself.
    with (
        (folder / "root.tar").open("wb") as tar,
        subprocess.Popen(command, stdout=tar, stderr=subprocess.PIPE, text=True) as making,
    ):
        said = making.communicate()[1]
    if making.returncode == NOT_FOUND:
        raise HostError(
            "debootstrap is missing", last_seen=_tail(said), try_next="sudo apt-get install debootstrap"
        )
    if making.returncode != 0:
        raise LabError(f"debootstrap ended with {making.returncode}", last_seen=_tail(said))


def build(image: Image, progress: Progress) -> Image:
    """Build one image, unless the engine has it."""
    if _is_built(image):
        return image
    progress(f"image {image.name} {image.release}")
    context = _context(image.name, progress)
    with _engine() as client:
        said = client.api.build(
            fileobj=context, custom_context=True, decode=True, rm=True, forcerm=True,
            tag=image.tag, labels={MARK: SHARED}, buildargs=build_args(image.name, image.release),
        )  # fmt: skip
        _follow(f"the image {image.name} {image.release} did not build", said)
    return image


def _context(name: str, progress: Progress) -> io.BytesIO:
    """The image's folder, and the artifact it holds as artifacts/NAME/."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        pack(tar, FOLDERS / name, "")
        wanted = artifact_of((FOLDERS / name / "Dockerfile").read_text())
        if wanted:
            artifact = obtain(wanted, progress)
            pack(tar, artifact.path, f"artifacts/{artifact.name}/")
    whole.seek(0)
    return whole


def pack(tar: tarfile.TarFile, source: Path, prefix: str) -> None:
    """Add a file or the files of a folder; owned by root and undated, so equal content is an equal layer."""
    for file in [source] if source.is_file() else _files(source):
        inside = file.name if source.is_file() else file.relative_to(source).as_posix()
        entry = tar.gettarinfo(str(file), prefix + inside)
        entry.mode = 0o755 if os.access(file, os.X_OK) else 0o644
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = "root"
        with file.open("rb") as content:
            tar.addfile(entry, content)


def run_once(image: Image, words: list[str], folder: Path, failure: str) -> None:
    """Run an image to its end, with a folder of this host as INSIDE and no network.

    Raises LabError that begins with `failure` and shows its last lines when it exits non-zero.
    """
    with _engine() as client:
        container = client.containers.run(
            image.tag, words, detach=True, network_mode="none", labels={MARK: SHARED},
            mounts=[_mount(folder, INSIDE)],
        )  # fmt: skip
        try:
            code = container.wait()["StatusCode"]
            if code:
                said = container.logs().decode(errors="replace")
                raise LabError(
                    f"{failure}: exit {code}", last_seen=_tail(said), try_next=f"df -h; {named.command('up')}"
                )
        finally:
            container.remove(force=True, v=True)


def drop(name: str) -> None:
    """The images of this name go, of whatever release and digest."""
    with _engine() as client:
        for one in client.images.list(name=f"{REPOSITORY}/{name}"):
            client.images.remove(str(one.id), force=True)


def node_is_built() -> bool:
    """Whether the host's engine holds the node image."""
    return _is_built(node_image())


def saved_node() -> Iterator[bytes]:
    """The node image as `docker load` takes it, part by part."""
    with _engine() as client:
        yield from client.api.get_image(node_image().tag)


def load_node(saved: IO[bytes]) -> None:
    """The host's engine takes the node image in. Raises LabError when it does not."""
    with _engine() as client:
        _follow("the engine did not take the node image in", client.api.load_image(saved))  # type: ignore[no-untyped-call]
    if not node_is_built():
        raise LabError(f"what the engine took in is not {node_image().tag}", try_next="docker images")


def _tag_node() -> None:
    """The Vagrantfile asks for NODE_IMAGE:latest."""
    with _engine() as client:
        client.api.tag(node_image().tag, NODE_IMAGE, "latest")


def _drop_leftovers() -> None:
    """Stages that only served to build have no tag; they have the mark from the base image."""
    with _engine() as client:
        client.images.prune(filters={"dangling": True, "label": f"{MARK}={SHARED}"})


def _is_built(image: Image) -> bool:
    with _engine() as client:
        try:
            client.images.get(image.tag)
        except ImageNotFound:
            return False
        return True


# --- the registry's content ----------------------------------------------------------------------------


def registry_store(lab: Lab, progress: Progress) -> Path:
    """The folder with what the lab's registry serves; the images must be built when it is not there yet."""
    store = store_path(lab)
    if store.is_dir():
        return store
    progress("registry: pushing the images once")
    with scratch("registry") as folder:
        filled = folder / "store"
        with _registry(lab, filled) as address:
            # One after the other: two pushes of one layer at once trip over each other in the registry.
            for push in pushes(lab):
                _push(address, push)
        store.parent.mkdir(parents=True, exist_ok=True)
        os.replace(filled, store)
    return store


@contextmanager
def _registry(lab: Lab, filled: Path) -> Iterator[str]:
    """A registry on a free port of the loopback, where Docker speaks plain HTTP; it keeps all in `filled`."""
    filled.mkdir()
    config = filled.parent / "config.yml"
    config.write_text(REGISTRY_CONFIG)
    with _engine() as client:
        container = client.containers.run(
            node_image().tag,
            ["serve", "/config.yml"],
            entrypoint=["docker-registry"],
            detach=True,
            user=f"{os.getuid()}:{os.getgid()}",
            labels={MARK: lab.name},
            ports=FREE_PORT,
            mounts=[_mount(config, "/config.yml"), _mount(filled, "/store")],
        )
        try:
            yield _answering(container)
        finally:
            container.remove(force=True, v=True)


def _mount(source: Path, target: str) -> Mount:
    """A file or folder of the host, whatever its path holds: a colon ends the short form's."""
    return Mount(target, str(source), type="bind")


def _answering(container: Any) -> str:
    """127.0.0.1:PORT, once the registry in the container answers there."""

    def check() -> str | None:
        container.reload()
        address = f"127.0.0.1:{container.ports['5000/tcp'][0]['HostPort']}"
        with http.client(ANSWERS_WITHIN, trust_env=False) as client:
            return address if client.get(f"http://{address}/v2/").is_success else None

    def evidence() -> str:
        return _tail(container.logs().decode(errors="replace"))

    return wait_until(check, 30, "the registry that takes the images", evidence=evidence)


def _push(address: str, push: Push) -> None:
    repository = f"{address}/{push.image.name}"
    with _engine() as client:
        client.api.tag(push.image.tag, repository, push.tag)
        try:
            said = client.api.push(repository, push.tag, stream=True, decode=True)
            _follow(f"pushing {push.image.name}:{push.tag} failed", said)
        finally:
            client.api.remove_image(f"{repository}:{push.tag}", noprune=True)


# --- shared --------------------------------------------------------------------------------------------


@contextmanager
def _engine() -> Iterator[docker.DockerClient]:
    """The host's Docker engine; whatever goes wrong with it is a LabError."""
    client = engine.connect(SILENCE)
    try:
        yield client
    except DockerException as error:
        raise LabError("the Docker engine refused", last_seen=str(error)) from error
    finally:
        client.close()


def _at_once(act: Callable[[Any], object], items: Iterable[Any]) -> None:
    with ThreadPoolExecutor(max_workers=BUILDS_AT_ONCE) as pool:
        for waiting in [pool.submit(act, item) for item in items]:
            waiting.result()


def _follow(failure: str, said: Iterable[dict[str, Any]]) -> None:
    """Read what a build or a push says to its end. Raises LabError with the last lines when it failed."""
    lines: list[str] = []
    for chunk in said:
        lines.append(str(chunk.get("stream", "")))
        if "error" in chunk:
            raise LabError(failure, last_seen=_tail("".join(lines) + str(chunk["error"])))


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])
