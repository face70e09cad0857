"""The box of which virtual machines are made: the disk of the image `machine`, its kernel and its initrd.

Made on this host without root and without a loop device: a container writes its own files into a file system.
The cache holds `boxes/<digest>/`, and a folder there is always whole.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import asdict
from pathlib import Path

from lab.architecture import architecture
from lab.errors import HostError, LabError
from lab.providers import libvirt
from lab.providers.libvirt import Box
from provisioning.build import images
from provisioning.build.artifacts import cache_root, one_at_a_time, scratch
from provisioning.build.images import Progress

RECIPE = "1"  # raise it when a change here changes what is made of the same image
GIGABYTES = 16  # of a machine's disk; what is not used takes no room
VERSION = "1.0.0"  # of every box: its name has its digest
SILENCE = 900.0


# --- what is wanted ---------------------------------------------------------------------------------------


def wanted() -> Box:
    """The box by its inputs alone, there or not."""
    digest = images.digest_of([RECIPE, str(GIGABYTES), images.machine_image().digest])
    name = f"{images.REPOSITORY}-{digest}"
    return Box(name, VERSION, architecture(), GIGABYTES, cache_root() / "boxes" / digest)


def is_there() -> bool:
    return wanted().folder.is_dir()


def metadata(box: Box) -> dict[str, object]:
    """What Vagrant's provider reads of a box; the size in GB."""
    return {
        "provider": "libvirt",
        "format": "qcow2",
        "virtual_size": box.gigabytes,
        "architecture": box.architecture,
    }


def catalog(box: Box) -> dict[str, object]:
    """What Vagrant adds a box by: without it, a box has no version."""
    provider = {"name": "libvirt", "url": (box.folder / "machine.box").as_uri()}
    return {"name": box.name, "versions": [{"version": box.version, "providers": [provider]}]}


# --- making -----------------------------------------------------------------------------------------------


def prepare(progress: Progress) -> Box:
    """The box is in the cache, and noted for the machines of the lab that LAB names."""
    box = wanted()
    with one_at_a_time("boxes", progress):
        if not box.folder.is_dir():
            _make(box, progress)
    libvirt.box_file().parent.mkdir(parents=True, exist_ok=True)
    libvirt.box_file().write_text(json.dumps({**asdict(box), "folder": str(box.folder)}) + "\n")
    return box


def _make(box: Box, progress: Progress) -> None:
    image = images.build_machine(progress)
    progress("box: the disk of virtual machines")
    with scratch("box") as folder:
        finished = folder / "box"
        finished.mkdir()
        _write_disk(image, finished)
        _convert(finished / "disk.img", finished / "box.img")
        (finished / "disk.img").unlink()
        (finished / "metadata.json").write_text(json.dumps(metadata(box)) + "\n")
        (finished / "catalog.json").write_text(json.dumps(catalog(box)) + "\n")
        _pack(finished / "machine.box", finished / "metadata.json", box.folder / "box.img")
        box.folder.parent.mkdir(parents=True, exist_ok=True)
        os.replace(finished, box.folder)


def _write_disk(image: images.Image, folder: Path) -> None:
    """Run the image, which writes disk.img, vmlinuz and initrd.img; they belong to who runs the lab."""
    words = [images.INSIDE, f"{GIGABYTES}G", f"{os.getuid()}:{os.getgid()}"]
    images.run_once(image, words, folder, "the disk of virtual machines was not made")


def _convert(raw: Path, box: Path) -> None:
    words = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(box)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SILENCE, check=False)
    except FileNotFoundError as error:
        raise HostError("the program qemu-img is not on this host", try_next="lab/host.sh") from error
    if done.returncode:
        raise LabError("qemu-img made no box of the disk", last_seen=done.stderr, try_next="df -h")


def _pack(target: Path, metadata: Path, disk: Path) -> None:
    """The box as Vagrant takes it in. Its disk is a link into the cache: libvirt is given that one itself."""
    with tarfile.open(target, "w") as tar:
        tar.add(metadata, "metadata.json")
        link = tarfile.TarInfo("box.img")
        link.type, link.linkname = tarfile.SYMTYPE, str(disk)
        tar.addfile(link, io.BytesIO())


def remove_all(progress: Progress) -> None:
    """Every box goes: from libvirt, from Vagrant, from the cache. Raises HostError while one is in use."""
    libvirt.remove_boxes(progress)
    with one_at_a_time("boxes", progress):
        shutil.rmtree(cache_root() / "boxes", ignore_errors=True)
        images.drop("machine")
