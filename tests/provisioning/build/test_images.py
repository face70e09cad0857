from __future__ import annotations

import dataclasses
import tarfile
from pathlib import Path

import pytest

from lab import root
from lab.config import load
from lab.errors import HostError, LabError
from lab.model import Lab, Service
from provisioning.build import images
from provisioning.build.artifacts import Artifact
from provisioning.build.images import Image

RECIPES = ("base", "node", *images.INFRASTRUCTURE, "shop")

RECIPE = {"mongo": "# mongo\nCOPY artifacts/mongo/ /usr/local/bin/\n"}


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recipes of a few words each, and artifacts whose digest is their name."""
    for name in RECIPES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(RECIPE.get(name, f"# {name}\n"))
    monkeypatch.setattr(images, "FOLDERS", tmp_path)
    monkeypatch.setattr(images, "inputs_digest", lambda name: f"digest of {name}")
    monkeypatch.setattr(images, "cache_root", lambda: tmp_path / "cache")
    return tmp_path


@pytest.fixture
def lab() -> Lab:
    return dataclasses.replace(load(), services=(Service("shop", "/", 80, False, ("2.0", "2.1")),))


def digests(lab: Lab) -> dict[tuple[str, str], str]:
    return {(image.name, image.release): image.digest for image in images.wanted(lab)}


def changed(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> set[tuple[str, str]]:
    return {key for key in before | after if before.get(key) != after.get(key)}


def test_the_infrastructure_and_every_release_of_the_services_are_wanted(folders: Path, lab: Lab) -> None:
    infrastructure = [(name, "1") for name in ("nginx", "mongo", "jenkins", "swarm", "registrator")]
    assert list(digests(lab)) == [*infrastructure, ("shop", "2.0"), ("shop", "2.1")]


def test_a_digest_is_twelve_hex_digits_and_the_same_every_time(folders: Path, lab: Lab) -> None:
    assert digests(lab) == digests(lab)
    assert all(len(digest) == 12 and int(digest, 16) >= 0 for digest in digests(lab).values())
    assert len(set(digests(lab).values())) == len(digests(lab))


def test_a_changed_file_changes_the_image_of_its_folder_only(folders: Path, lab: Lab) -> None:
    before = digests(lab)
    (folders / "shop" / "Dockerfile").write_text("# other\n")
    assert changed(before, digests(lab)) == {("shop", "2.0"), ("shop", "2.1")}


def test_a_renamed_file_changes_the_digest(folders: Path, lab: Lab) -> None:
    (folders / "nginx" / "a").write_text("")
    before = digests(lab)
    (folders / "nginx" / "a").rename(folders / "nginx" / "b")
    assert changed(before, digests(lab)) == {("nginx", "1")}


def test_an_executable_bit_changes_the_digest(folders: Path, lab: Lab) -> None:
    before = digests(lab)
    (folders / "nginx" / "Dockerfile").chmod(0o755)
    assert changed(before, digests(lab)) == {("nginx", "1")}


def test_a_changed_base_changes_every_image(folders: Path, lab: Lab) -> None:
    before, node = digests(lab), images.node_image()
    (folders / "base" / "Dockerfile").write_text("# other\n")
    assert changed(before, digests(lab)) == set(before)
    assert images.node_image().digest != node.digest


def test_another_architecture_is_in_every_digest(
    folders: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(lab)
    monkeypatch.setattr(images, "architecture", lambda: "another")
    assert changed(before, digests(lab)) == set(before)


def test_labs_of_other_names_and_subnets_share_every_image(folders: Path, lab: Lab) -> None:
    other = dataclasses.replace(lab, name="other-lab", subnet="10.100.205.0/24")
    assert digests(lab) == digests(other)
    assert images.store_path(lab) == images.store_path(other)


def test_a_changed_artifact_changes_the_images_that_hold_it(
    folders: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(lab)
    monkeypatch.setattr(
        images, "inputs_digest", lambda name: "other" if name == "mongo" else f"digest of {name}"
    )
    assert changed(before, digests(lab)) == {("mongo", "1")}


@pytest.mark.parametrize(
    ("dockerfile", "artifact"),
    [
        ("FROM x\nCOPY artifacts/consul-template/ /bin/\n", "consul-template"),
        ("FROM x\n", ""),
        ("# COPY artifacts/mongo/ /bin/\n", ""),
    ],
)
def test_an_image_holds_the_artifact_that_its_recipe_copies(dockerfile: str, artifact: str) -> None:
    assert images.artifact_of(dockerfile) == artifact


def test_a_changed_argument_changes_the_digest() -> None:
    given = [{"RELEASE": "1.0"}, {"RELEASE": "1.1"}, {"RELEASE": "1.0", "MORE": ""}, {}]
    assert len({images.image_digest("folder", "artifact", args) for args in given}) == len(given)


def test_where_one_part_ends_is_part_of_the_digest() -> None:
    assert images.digest_of(["ab", "c"]) != images.digest_of(["a", "bc"])


def test_python_caches_are_no_input(folders: Path, lab: Lab) -> None:
    before = digests(lab)
    (folders / "shop" / "__pycache__").mkdir()
    (folders / "shop" / "__pycache__" / "shop.pyc").write_text("x")
    assert digests(lab) == before


def test_a_service_without_a_recipe_is_named(folders: Path, lab: Lab) -> None:
    lost = dataclasses.replace(lab, services=(Service("lost", "/", 80, False, ("1.0",)),))
    with pytest.raises(LabError, match="no recipe for the image lost"):
        images.wanted(lost)


def test_latest_is_the_first_release(folders: Path, lab: Lab) -> None:
    served = [(push.image.name, push.image.release, push.tag) for push in images.pushes(lab)]
    assert [one for one in served if one[0] == "shop"] == [
        ("shop", "2.0", "2.0"),
        ("shop", "2.0", "latest"),
        ("shop", "2.1", "2.1"),
    ]
    assert [one for one in served if one[0] == "nginx"] == [("nginx", "1", "1"), ("nginx", "1", "latest")]


def test_the_store_of_the_registry_changes_with_what_it_serves(folders: Path, lab: Lab) -> None:
    before = images.store_path(lab)
    (folders / "mongo" / "Dockerfile").write_text("# other\n")
    assert images.store_path(lab) != before


def test_a_store_that_is_there_needs_no_engine(
    folders: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_engine", lambda: pytest.fail("asked the engine"))
    images.store_path(lab).mkdir(parents=True)
    assert images.registry_store(lab, print) == images.store_path(lab)


def test_the_context_holds_the_folder_and_the_artifact(
    folders: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = folders / "binary" / "mongo"
    binary.parent.mkdir()
    binary.write_text("program")
    binary.chmod(0o700)
    monkeypatch.setattr(images, "obtain", lambda name, progress: Artifact(name, "0" * 12, binary))
    with tarfile.open(fileobj=images._context("mongo", print)) as tar:
        held = {entry.name: (entry.mode, entry.uid, entry.mtime) for entry in tar}
    assert held == {"Dockerfile": (0o644, 0, 0), "artifacts/mongo/mongo": (0o755, 0, 0)}


def test_a_failed_build_keeps_its_last_lines() -> None:
    said = [{"stream": f"line {number}\n"} for number in range(100)] + [{"error": "exit code 1"}]
    with pytest.raises(LabError) as failure:
        images._follow("the image x did not build", said)
    assert failure.value.last_seen is not None
    assert failure.value.last_seen.splitlines()[-2:] == ["line 99", "exit code 1"]
    assert len(failure.value.last_seen.splitlines()) == images.LAST_LINES


def test_the_tag_says_what_it_is() -> None:
    assert Image("shop", "2.0", "0123456789ab").tag == "bluegreen-lab/shop:2.0-0123456789ab"


# --- the base: Debian's root file system, made as root and written by the user -------------------------


@pytest.fixture
def making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a sudo that says its words and a recipe that writes a few; nobody was asked yet."""
    (tmp_path / "base").mkdir()
    (tmp_path / "bin").mkdir()
    script(tmp_path / "base/make", 'echo "root of $*"; echo "Retrieving" >&2; exit ${MAKING:-0}')
    script(tmp_path / "bin/sudo", f'echo "$*" >{tmp_path}/asked; umask 077; "$@"')
    monkeypatch.setattr(images, "FOLDERS", tmp_path)
    monkeypatch.setattr(root, "_said_yes", False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("LAB_YES", "1")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    for name in root.PROXIES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def test_debian_is_made_for_this_machine_as_root_and_the_tar_is_the_users(making: Path) -> None:
    images._debootstrap(making)
    assert (making / "root.tar").read_text() == "root of bookworm arm64\n"
    assert (making / "root.tar").stat().st_mode & 0o400
    assert (making / "asked").read_text() == f"env {making}/base/make bookworm arm64\n"


def test_root_goes_through_the_users_proxy(making: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    images._debootstrap(making)
    assert (making / "asked").read_text().startswith("env http_proxy=http://proxy.test:3128 ")


@pytest.mark.parametrize(("code", "error"), [(127, HostError), (1, LabError)])
def test_what_debootstrap_said_last_is_shown(
    making: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[LabError]
) -> None:
    monkeypatch.setenv("MAKING", str(code))
    with pytest.raises(error) as caught:
        images._debootstrap(making)
    assert caught.value.last_seen == "Retrieving"


def test_without_a_terminal_and_without_a_yes_sudo_is_not_called(
    making: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_YES")
    with pytest.raises(HostError, match="no terminal to ask on"):
        images._debootstrap(making)
    assert not (making / "asked").exists()
