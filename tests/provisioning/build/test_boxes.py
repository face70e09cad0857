"""The box of virtual machines: named by its content, whole or not there, and what of it Vagrant gets."""

from __future__ import annotations

import dataclasses
import json
import tarfile
from pathlib import Path

import pytest

from lab import environment
from lab.errors import HostError, LabError
from lab.providers import libvirt
from provisioning.build import boxes, images

FOLDER = images.FOLDERS / "machine"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made, in order; nothing of it really is."""
    did: list[str] = []

    def write_disk(image: images.Image, folder: Path) -> None:
        did.append(f"disk of {image.name}")
        for name in ("disk.img", "vmlinuz", "initrd.img"):
            (folder / name).write_text(name)

    def convert(raw: Path, box: Path) -> None:
        box.write_text("qcow2")

    monkeypatch.setattr(images, "build_machine", lambda progress: images.machine_image())
    monkeypatch.setattr(boxes, "_write_disk", write_disk)
    monkeypatch.setattr(boxes, "_convert", convert)
    return did


def test_the_box_is_named_by_all_that_it_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    first = boxes.wanted()
    assert libvirt.BOX_VOLUME.match(first.kernel) and first.name.endswith(first.folder.name)
    other = dataclasses.replace(images.machine_image(), digest="f" * 12)
    monkeypatch.setattr(images, "machine_image", lambda: other)
    assert boxes.wanted().name != first.name


def test_the_image_of_machines_is_from_the_nodes_and_of_its_content() -> None:
    assert images.build_args("machine", "1")["BASE"] == images.node_image().tag
    assert images.build_args("nginx", "1")["BASE"] == images.base_image().tag


def test_a_box_is_made_once_and_noted_for_the_lab(made: list[str], cache: Path) -> None:
    box = boxes.prepare(lambda _: None)
    assert boxes.prepare(lambda _: None) == box == libvirt.noted_box()
    assert made == ["disk of machine"]
    assert {file.name for file in box.folder.iterdir()} == {
        *("box.img", "vmlinuz", "initrd.img", "metadata.json", "catalog.json", "machine.box")
    }
    assert [path.name for path in cache.iterdir() if path.name.startswith(".")] == []


def test_a_box_that_was_cut_short_is_not_there(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(raw: Path, box: Path) -> None:
        raise LabError("cut")

    monkeypatch.setattr(boxes, "_convert", fails)
    with pytest.raises(LabError, match="cut"):
        boxes.prepare(lambda _: None)
    assert not boxes.is_there()


def test_vagrant_gets_the_size_and_a_link_to_the_disk(made: list[str]) -> None:
    box = boxes.prepare(lambda _: None)
    with tarfile.open(box.folder / "machine.box") as tar:
        assert tar.getmember("box.img").linkname == str(box.folder / "box.img")
        metadata = tar.extractfile("metadata.json")
        assert metadata and json.loads(metadata.read())["virtual_size"] == box.gigabytes
    catalog = json.loads((box.folder / "catalog.json").read_text())
    assert catalog["name"] == box.name
    (version,) = catalog["versions"]
    assert version["version"] == box.version
    assert version["providers"] == [{"name": "libvirt", "url": (box.folder / "machine.box").as_uri()}]


def test_without_qemu_img_the_next_command_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="qemu-img is not on this host") as caught:
        boxes._convert(tmp_path / "a", tmp_path / "b")
    assert caught.value.try_next == "lab/host.sh"


def test_machines_start_without_what_only_a_container_mounts() -> None:
    units = [path for folder in ("node", "machine") for path in (images.FOLDERS / folder).glob("*.service")]
    assert [path.name for path in units if "/etc/lab/authorized_keys" in path.read_text()] == []
    assert len(units) == 1


def test_no_node_looks_for_the_primes_of_an_rsa_key() -> None:
    lines = (images.FOLDERS / "node/lab-ssh.service").read_text().splitlines()
    made = [line.split()[3] for line in lines if line.startswith("ExecStart=/usr/bin/ssh-keygen -q -t ")]
    assert made == ["ecdsa", "ed25519"]
    assert "ssh-keygen -A" not in "\n".join(lines)


def test_what_the_node_image_masks_and_a_machine_needs_is_unmasked() -> None:
    masked = (images.FOLDERS / "node/Dockerfile").read_text()
    unmasked = (FOLDER / "Dockerfile").read_text().partition("systemctl unmask ")[2].splitlines()[0].split()
    assert unmasked == [*("systemd-udevd.service", "systemd-modules-load.service", "systemd-logind.service")]
    assert all(unit in masked for unit in unmasked)
