"""The one place that looks at the host for `lab doctor`: every look at once, each with a short limit.

Nothing is changed. A look that fails, or takes too long, is an `Unseen` and never the end of the others.
"""

from __future__ import annotations

import gzip
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, TypeVar

from docker import DockerClient
from docker.errors import DockerException, ImageNotFound

from lab import engine, environment, network, virsh
from lab.errors import HostError, LabError
from lab.model import MARK, Lab
from lab.network import Route
from lab.providers import kvm
from lab.waiting import SLOW_HOST, stretched
from provisioning.build import artifacts, boxes, images
from provisioning.doctor import virtual
from provisioning.doctor.facts import (
    Cache,
    Container,
    Engine,
    Facts,
    Hypervisor,
    Kernel,
    Program,
    Space,
    Unseen,
)

SECONDS = 1.0
# As the features look for one: scenarios/chromium.py.
BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "microsoft-edge-stable", "brave-browser", "brave-browser-stable"),
)
TOOLS = ("ip", "ssh", "ssh-keygen", "sudo", "debootstrap", "virsh", "qemu-img")
PLUGIN = Path("/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json")  # as Debian packs it
PLUGINS = Path(os.path.expanduser("~/.vagrant.d/plugins.json"))  # what `vagrant plugin install` notes
SETTINGS = Path("/etc/docker/daemon.json")
PID_FILES = (Path("/run/docker.pid"), Path("/var/run/docker.pid"))
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
LISTENS = "0A"  # the state of a socket in /proc/net/tcp
T = TypeVar("T")


# --- reading what programs and files said -----------------------------------------------------------------


def refused(error: HostError) -> Unseen:
    """Why no engine can be asked, by the refusal of `lab.engine`: silence may pass, all else not. Pure."""
    said = error.last_seen or ""
    if "timed out" in said.lower():
        return Unseen(f"{error.what} in time", "docker info")
    if "permission denied" in said.lower():
        return Unseen(
            "the engine is there, but this user may not speak to it",
            'sudo usermod -aG docker "$USER", then log in again',
            is_certain=True,
        )
    return Unseen(error.what, error.try_next or "lab/host.sh", is_certain=True)


def containers_of(lab: Lab, answers: Iterable[Mapping[str, Any]]) -> tuple[Container, ...]:
    """What runs, by the engine's answer. Pure."""
    return tuple(
        Container(
            str((one.get("Names") or ["/?"])[0]).lstrip("/"),
            (one.get("Labels") or {}).get(MARK) == lab.name,
            tuple(int(port["PublicPort"]) for port in one.get("Ports") or [] if port.get("PublicPort")),
        )
        for one in answers
    )


def listening_ports(table: str) -> frozenset[int]:
    """The ports that listen, from a table like /proc/net/tcp. Pure."""
    rows = (line.split() for line in table.splitlines()[1:])
    return frozenset(int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTENS)


def modules_of(listing: str) -> frozenset[str]:
    """The modules that modules.builtin or modules.dep names, as the kernel spells them. Pure."""
    found = re.findall(r"^(?:\S*/)?([^/\s:]+)\.ko", listing, re.MULTILINE)
    return frozenset(name.replace("-", "_") for name in found)


def options_of(config: str) -> frozenset[str]:
    """The options of a kernel's configuration that are y or m. Pure."""
    return frozenset(re.findall(r"^CONFIG_(\w+)=[ym]$", config, re.MULTILINE))


# --- looking ----------------------------------------------------------------------------------------------


def observe(lab: Lab, *, with_browser: bool = True) -> Facts:
    """Look at everything, all at once."""
    given = environment.given()
    asked = _begin(lambda: _engine(lab))
    docker, vagrant = _program("docker"), _program("vagrant")
    browsers = [_program(name) for name in BROWSERS if shutil.which(name)] if with_browser else None
    routes = _begin(lambda: tuple(_routes()))
    go = _begin(_go)
    hypervisor = _hypervisor(lab)
    bounding, of_engine = _bounding()
    facts_of_engine = asked()
    return Facts(
        lab=lab,
        system=platform.system(),
        machine=platform.machine(),
        release=platform.release(),
        os_release=_text(Path("/etc/os-release")),
        python=(sys.version_info.major, sys.version_info.minor),
        is_root=os.geteuid() == 0,
        given=given,
        passing=environment.passing(environment.LIST.read_text()),
        engine=facts_of_engine,
        settings=_settings(),
        command=_command(),
        docker=docker(),
        vagrant=vagrant(),
        browsers=None if browsers is None else tuple(one() for one in browsers),
        tools={name: shutil.which(name) or "" for name in TOOLS},
        has_keyring=any(path.exists() for path in KEYRINGS),
        bounding=bounding,
        is_bounding_of_engine=of_engine,
        vagrantfile=_text(environment.ROOT / "Vagrantfile"),
        kernel=_kernel(platform.release()),
        inotify=_inotify(),
        meminfo=_text(Path("/proc/meminfo")),
        mountinfo=_text(Path("/proc/self/mountinfo")),
        spaces=_spaces(facts_of_engine),
        listening=_listening(),
        routes=routes(),
        now=time.time(),
        newest=_newest(),
        foreign=_foreign(),
        cache=Cache(_lacking(), images.store_path(lab).is_dir(), go()),
        hypervisor=hypervisor(),
    )


def _begin(ask: Callable[[], T]) -> Callable[[], T | Unseen]:
    """Begin a look in a thread of its own; what is given back waits for its answer, not for long."""
    answer: Queue[T | Unseen] = Queue(1)
    deadline = time.monotonic() + stretched(SECONDS)

    def look() -> None:
        try:
            answer.put(ask())
        except subprocess.TimeoutExpired:
            answer.put(_too_long())
        except Exception as error:  # one look that fails does not end the others
            answer.put(Unseen(f"{type(error).__name__}: {error}"))

    def wait() -> T | Unseen:
        try:
            return answer.get(timeout=max(0.01, deadline - time.monotonic()))
        except Empty:
            return _too_long()

    Thread(target=look, daemon=True).start()
    return wait


def _too_long() -> Unseen:
    return Unseen(f"no answer in {stretched(SECONDS):g} s", SLOW_HOST)


def _text(path: Path) -> str:
    """A file's text, "" when it is not there or not to be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


# --- the engine -------------------------------------------------------------------------------------------


def _engine(lab: Lab) -> Engine | Unseen:
    try:
        with closing(engine.connect(1)) as client:
            return _answers(lab, client)
    except HostError as error:
        return refused(error)
    except (DockerException, OSError) as error:
        return Unseen(f"the engine does not answer: {error}", "docker info")


def _answers(lab: Lab, client: DockerClient) -> Engine:
    api: Any = client.api
    return Engine(
        engine.endpoint(environment.given()).host.removeprefix(engine.LOCAL),
        api.version(),
        api.info(),
        tuple(network.parse_networks(api.networks())),
        containers_of(lab, api.containers()),
        frozenset(image.name for image in (images.base_image(), images.node_image()) if _has(client, image)),
    )


def _has(client: DockerClient, image: images.Image) -> bool:
    try:
        client.images.get(image.tag)
    except ImageNotFound:
        return False
    return True


def _settings() -> str | Unseen:
    try:
        return SETTINGS.read_text()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return Unseen(f"{SETTINGS} cannot be read: {error.strerror}")


def _process() -> Path | None:
    """The folder in /proc of the engine, when this host shows it."""
    for file in PID_FILES:
        folder = Path("/proc") / (_text(file).strip() or "none")
        if (folder / "status").exists():
            return folder
    return None


def _command() -> str:
    process = _process()
    return _text(process / "cmdline").replace("\0", " ") if process else ""


def _bounding() -> tuple[str, bool]:
    """The capabilities that the engine may give, else this process's; and whether they are the engine's."""
    process = _process()
    found = re.search(r"^CapBnd:\s*(\w+)", _text((process or Path("/proc/self")) / "status"), re.MULTILINE)
    return (found[1] if found else "", process is not None)


# --- virtual machines -------------------------------------------------------------------------------------


def _hypervisor(lab: Lab) -> Callable[[], Hypervisor | None]:
    """Begin asking libvirt, when the lab's nodes are virtual machines."""
    if lab.provider not in ("libvirt", "virtualbox"):
        return lambda: None
    asked = _begin(_networks) if lab.provider == "libvirt" else lambda: ()
    return lambda: Hypervisor(
        has_plugin=PLUGIN.exists() or '"vagrant-libvirt"' in _text(PLUGINS),
        networks=asked(),
        has_device=os.access(kvm.DEVICE, os.R_OK | os.W_OK),
        tried=kvm.kept(),
        has_box=lab.provider == "libvirt" and boxes.is_there(),
        vbox_networks=_text(Path(virtual.VBOX_FILE)),
    )


def _networks() -> tuple[virsh.Network, ...] | Unseen:
    try:
        return tuple(virsh.networks())
    except HostError as error:
        why = f"{error.what}: {error.last_seen.strip()}" if error.last_seen else error.what
        return Unseen(why, error.try_next or "", is_certain=True)


# --- programs ---------------------------------------------------------------------------------------------


def _program(name: str) -> Callable[[], Program]:
    """Begin asking a program for its version."""
    path = shutil.which(name) or ""
    asked = _begin(lambda: _version(path)) if path else lambda: ""
    return lambda: Program(name, path, asked())


def _version(path: str) -> str | Unseen:
    done = subprocess.run(
        [path, "--version"], capture_output=True, text=True, timeout=stretched(SECONDS), check=False
    )
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines() or ["no word"]
    return Unseen(lines[0]) if done.returncode else lines[0]


def _routes() -> list[Route]:
    return network.host_routes()


def _lacking() -> tuple[str, ...]:
    return tuple(name for name in artifacts.NAMES if not artifacts.is_cached(name))


def _go() -> str | Unseen:
    """The Go that would build what the cache lacks; "" when no program is lacking."""
    if not any((artifacts.FOLDER / name / "go.mod").exists() for name in _lacking()):
        return ""
    try:
        return artifacts.go_command()
    except LabError as error:
        return Unseen(error.what, "lab/host.sh", is_certain=True)


# --- the kernel and the room ------------------------------------------------------------------------------


def _kernel(release: str) -> Kernel:
    folder = Path("/lib/modules") / release
    listings = _text(folder / "modules.builtin") + _text(folder / "modules.dep")
    config = _config(release)
    return Kernel(
        modules_of(listings) if listings else None,
        frozenset(line.split()[0] for line in _text(Path("/proc/modules")).splitlines()),
        options_of(config) if config else None,
    )


def _config(release: str) -> str:
    with suppress(OSError, EOFError), gzip.open("/proc/config.gz", "rt") as file:
        return file.read()
    return _text(Path(f"/boot/config-{release}"))


def _inotify() -> dict[str, int]:
    said = {path.name: _text(path).strip() for path in Path("/proc/sys/fs/inotify").glob("max_user_*")}
    return {name: int(text) for name, text in said.items() if text.isdigit()}


def _spaces(found: Engine | Unseen) -> dict[str, Space]:
    places = {"cache": artifacts.cache_root()}
    if isinstance(found, Engine) and found.info.get("DockerRootDir"):
        places["engine"] = Path(str(found.info["DockerRootDir"]))
    return {what: space for what, place in places.items() if (space := _space(place))}


def _space(place: Path) -> Space | None:
    """What is free where a folder is, or will be."""
    for folder in (place, *place.parents):
        with suppress(OSError):
            told = os.statvfs(folder)
            return Space(str(place), os.stat(folder).st_dev, told.f_bavail * told.f_frsize)
    return None


def _listening() -> frozenset[int] | Unseen:
    try:
        return listening_ports(Path("/proc/net/tcp").read_text() + _rows(Path("/proc/net/tcp6")))
    except (OSError, IndexError, ValueError) as error:
        return Unseen(f"/proc/net/tcp: {error}")


def _rows(path: Path) -> str:
    """A table without its heading."""
    return _text(path).partition("\n")[2]


def _newest() -> float:
    files = [environment.ROOT / "Vagrantfile", environment.ROOT / "requirements.txt", Path(__file__)]
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)


def _foreign() -> tuple[str, ...]:
    """The folders and files of an earlier bring-up that this user may not write."""
    folders = (environment.STATE, environment.ROOT / ".vagrant", artifacts.cache_root())
    within = [path for folder in folders for path in (folder, *_inside(folder))]
    return tuple(str(path) for path in within if path.exists() and not os.access(path, os.W_OK))


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
