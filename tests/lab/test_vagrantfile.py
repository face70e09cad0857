"""What the Vagrantfile reads, and what it keeps of a container node when its container is removed."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab import config, environment
from lab.model import Node
from provisioning.roles.consul import agent_settings

TEXT = (Path(__file__).parents[2] / "Vagrantfile").read_text()
LAB = config.load(config.LAB_FILE)
GOOD = config.LAB_FILE.read_text()
(LINE,) = re.findall(r"^KEPT = \{(.*)\}$", TEXT, re.MULTILINE)
KEPT = dict(re.findall(r'"([a-z-]*)" => "(/[a-z/]+)"', LINE))


ODD = {
    "marked as UTF-8": "\ufeff" + GOOD,
    "a release by its alias": GOOD.replace('["1.0", "1.1"] #', '&r ["1.0", "1.1"] #').replace(
        'releases: ["1.0", "1.1"]\n', "releases: *r\n"
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_vagrant_gets_the_file_as_the_lab_reads_it(case: str, tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text(ODD[case])
    done = printed(tmp_path, "lab.yml")
    told = json.loads(done.stdout)
    assert told.pop("state") == str(environment.STATE)
    assert told.pop("dotfile") == str(environment.ROOT / ".vagrant")
    assert told == json.loads(json.dumps(dataclasses.asdict(LAB)))
    assert "YAML" not in TEXT


def test_vagrant_gets_a_lab_beside_the_first_with_its_own_folders(tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text(GOOD)
    told = json.loads(printed(tmp_path, "lab.yml", LAB="beside").stdout)
    assert (told["name"], told["subnet"] != LAB.subnet) == ("beside", True)
    assert told["state"] == str(environment.STATE / "beside")
    assert told["dotfile"] == str(environment.STATE / "beside" / "vagrant")


def test_vagrant_gets_the_labs_own_words_for_a_file_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text(GOOD.replace("provider:", "provder:"))
    done = printed(tmp_path, "lab.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('lab.yml line 4: unknown key "provder"')


def printed(folder: Path, lab_file: str, **more: str) -> subprocess.CompletedProcess[str]:
    """What the Vagrantfile reads, for a LAB_FILE that is relative to the folder where one is."""
    words = [sys.executable, "-I", "-m", "lab"]
    return subprocess.run(
        words, cwd=folder, env={"LAB_FILE": lab_file, **more}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("node", LAB.nodes, ids=lambda node: node.name)
def test_consuls_data_outlive_the_container_of_a_node(node: Node) -> None:
    assert agent_settings(LAB, node)["data_dir"] in KEPT.values()


@pytest.mark.parametrize("path", ["/data", "/var/lib/docker"])
def test_what_the_services_and_jenkins_keep_outlives_the_container_of_a_node(path: str) -> None:
    assert path in KEPT.values()


def test_each_kept_folder_is_a_volume_of_its_own_with_the_labs_mark() -> None:
    assert len(set(KEPT)) == len(set(KEPT.values())) == 3
    (volume,) = re.findall(r"^def volume\(name, path\) = (.*)$", TEXT, re.MULTILINE)
    assert "volume-label=#{MARK}" in volume
