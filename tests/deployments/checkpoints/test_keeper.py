"""keeper.sh on folders that are as a node's: the volumes, and the node's own file system."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deployments.checkpoints import keepers

SCRIPT = keepers.SCRIPT.read_text()
# Ending processes needs a node's; nothing else is left out.
PUT_BACK = SCRIPT.replace("  end_processes\n", "")
ID, LATER = "0123456789ab", "ba9876543210"


class Node:
    def __init__(self, folder: Path) -> None:
        self.volumes, self.root = folder / "volumes", folder / "root"
        self.engine = self.volumes / "engine"
        self.store = self.engine / keepers.STORE
        files = {
            "volumes/engine/image/overlay2/layerdb/sha256/aa/cache-id": "layer",
            "volumes/engine/overlay2/layer/diff/program": "of an image",
            "volumes/engine/overlay2/layer/committed": "",
            "volumes/engine/overlay2/own/diff/log": "of a container",
            "volumes/engine/containers/c1/config.v2.json": "{}",
            "volumes/engine/volumes/db/_data/records": "three books",
            "volumes/data/jenkins/jobs/build": "1",
            "volumes/consul/raft.db": "blue",
            "root/etc/consul.d/agent.json": "{}",
            "root/etc/consul.d/service-books.json": "checked",
            "root/etc/docker/key.json": "me",
            "root/var/lib/lab-registry/tag": "1.0",
        }
        for path, text in files.items():
            self.write(folder / path, text)

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def work(
        self, word: str, id: str = ID, known: str = "", spare: int = 0
    ) -> subprocess.CompletedProcess[str]:
        settings = {
            "VOLUMES": str(self.volumes),
            "NODE": str(self.root),
            "STORE": keepers.STORE,
            "ID": id,
            "KNOWN": known,
            "LAYER": " ".join(keepers.LAYER),
            "WITHHELD": keepers.DEFINITIONS,
            "SPARE": str(spare),
            "PATH": os.environ["PATH"],
        }
        return subprocess.run(
            ["bash", "-c", PUT_BACK, "keeper.sh", word],
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def well(self, word: str, id: str = ID, known: str = "") -> str:
        done = self.work(word, id, known)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kept(self) -> dict[str, str]:
        """Every file outside the checkpoints, by its path."""
        found = [*self.volumes.rglob("*"), *self.root.rglob("*")]
        return {
            str(path): path.read_text() for path in found if path.is_file() and self.store not in path.parents
        }


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_restore_brings_back_all_that_was_saved_and_nothing_else(node: Node) -> None:
    before = node.kept()
    node.well("save")
    node.write(node.engine / "overlay2/own/diff/log", "other")
    node.write(node.engine / "overlay2/new/diff/x", "of a later container")
    node.write(node.engine / "volumes/db/_data/records", "two books..")  # of the same size
    (node.engine / "overlay2/layer/diff/program").unlink()  # its image was removed
    node.write(node.volumes / "data/jenkins/jobs/build", "2")
    node.write(node.volumes / "consul/raft.db", "green")
    node.write(node.root / "var/lib/lab-registry/tag", "1.1")
    node.write(node.root / "var/lib/lab-registry/new", "pushed")
    node.write(node.root / "etc/docker/key.json", "another")
    node.well("restore")
    # A definition comes later, when the service is back.
    withheld = str(node.root / "etc/consul.d/service-books.json")
    assert node.kept() == {path: text for path, text in before.items() if path != withheld}


def test_a_file_of_the_same_size_and_time_is_brought_back(node: Node) -> None:
    file = node.volumes / "consul/raft.db"
    node.well("save")
    was = file.stat()
    file.write_text("teal")
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    node.well("restore")
    assert file.read_text() == "blue"


def test_what_is_written_after_a_save_does_not_reach_the_checkpoint(node: Node) -> None:
    node.well("save")
    weighed = node.well("weigh")
    for path in ("overlay2/own/diff/log", "overlay2/layer/committed", "containers/c1/config.v2.json"):
        (node.engine / path).write_text("written in place")
    (node.volumes / "data/jenkins/jobs/build").write_text("2")
    assert node.well("weigh").split()[0] == weighed.split()[0]


def test_what_is_written_after_a_restore_does_not_reach_the_checkpoint(node: Node) -> None:
    node.well("save")
    weighed = node.well("weigh")
    node.well("restore")
    (node.engine / "overlay2/own/diff/log").write_text("written in place")
    (node.volumes / "consul/raft.db").write_text("green")
    (node.root / "var/lib/lab-registry/tag").write_text("1.1")
    assert node.well("weigh").split()[0] == weighed.split()[0]


def test_what_an_image_brought_is_not_copied(node: Node) -> None:
    node.well("save")
    saved = node.store / ID / "engine/overlay2"
    assert saved.joinpath("layer/diff/program").samefile(node.engine / "overlay2/layer/diff/program")
    assert not saved.joinpath("own/diff/log").samefile(node.engine / "overlay2/own/diff/log")


def test_what_two_checkpoints_have_alike_is_there_once(node: Node) -> None:
    node.well("save")
    (node.volumes / "consul/raft.db").write_text("teal")
    node.well("save", LATER, ID)
    first, later = (node.store / id for id in (ID, LATER))
    assert (first / "data/jenkins/jobs/build").samefile(later / "data/jenkins/jobs/build")
    assert (first / "consul/raft.db").read_text() == "blue"
    assert (later / "consul/raft.db").read_text() == "teal"


@pytest.mark.parametrize(
    "path", ["data/jenkins/jobs/build", "engine/overlay2/layer/diff/program", "layer/etc/docker/key.json"]
)
@pytest.mark.parametrize("how", ["other", "gone"])
def test_a_checkpoint_that_was_touched_weighs_otherwise(node: Node, path: str, how: str) -> None:
    node.well("save")
    weighed = node.well("weigh")
    file = node.store / ID / path
    if how == "gone":
        file.unlink()
    else:
        file.write_text("other")
    assert node.well("weigh").split()[0] != weighed.split()[0]


def test_a_checkpoint_that_is_not_there_weighs_nothing(node: Node) -> None:
    assert node.well("weigh").split()[0] == "none"


def test_a_save_that_would_fill_the_disk_is_refused_before_it_writes(node: Node) -> None:
    before = node.kept()
    done = node.work("save", spare=10**15)
    assert done.returncode == 1
    assert keepers.FULL in done.stderr
    assert not node.store.exists()
    assert node.kept() == before


def test_only_the_known_checkpoints_stay(node: Node) -> None:
    node.well("save")
    node.well("save", LATER, ID)
    node.well("clear", known=ID)
    assert [path.name for path in node.store.iterdir()] == [ID]
    node.well("clear")
    assert not node.store.exists()
    node.well("clear")


def test_a_full_disk_is_this_host_s_and_all_else_the_lab_s() -> None:
    assert keepers.failure("n1", "save", 1, f"cp: error writing x: {keepers.FULL}").exit_code == 4
    assert keepers.failure("n1", "save", 1, "cp: no such file").exit_code == 5
