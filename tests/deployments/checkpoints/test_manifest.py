"""What a checkpoint is, and why one is refused."""

from __future__ import annotations

import dataclasses
import json

import pytest

from deployments.checkpoints import manifest
from deployments.checkpoints.manifest import Manifest, Part
from lab import config
from lab.errors import CheckFailed, ConfigError

LAB = config.load(config.LAB_FILE)
SEEN = {
    "answers": ("books-service 1.0 on blue, from swarm-node-01",),
    "books": ('{"_id": "1"}',),
    "containers": ("swarm-node-01 booksservice_blue_1 running x/books-service:1.0",),
}
PARTS = {"swarm-master": Part("aa", 300), "swarm-node-01": Part("bb", 700)}
SAVED = Manifest("first", "0123456789ab", LAB.name, manifest.lab_digest(LAB), "sha256:1", 1e9, PARTS, SEEN)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert manifest.from_text(manifest.to_text(SAVED)) == SAVED


def test_its_facts_are_what_is_listed() -> None:
    assert SAVED.facts == {
        "name": "first",
        "at": 1e9,
        "bytes": 1024 * 1000,
        "live": ["books-service 1.0 on blue"],
    }


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Manifest)])
def test_a_manifest_that_lacks_a_field_is_none(field: str) -> None:
    told = json.loads(manifest.to_text(SAVED))
    del told[field]
    with pytest.raises(ValueError):
        manifest.from_text(json.dumps(told))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "../../etc"),
        ("id", ""),
        ("id", 3),
        ("name", "a/b"),
        ("at", "yesterday"),
        ("at", 1e300),
        ("parts", {}),
        ("parts", {"swarm-master": {"digest": "aa", "own": "much"}}),
        ("parts", 4),
        ("seen", []),
        ("seen", {"books": 4}),
    ],
)
def test_a_manifest_with_a_field_that_makes_no_sense_is_none(field: str, value: object) -> None:
    told = json.loads(manifest.to_text(SAVED)) | {field: value}
    with pytest.raises(ValueError):
        manifest.from_text(json.dumps(told))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\x00"])
def test_what_is_no_manifest_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        manifest.from_text(text)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-x", "x-", "x" * 64, "$(id)", "\x1b[2J", "a\n"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        manifest.checked(name)


def test_a_checkpoint_of_this_lab_is_not_refused() -> None:
    assert manifest.refusal(SAVED, LAB) is None


def test_a_checkpoint_of_another_lab_is_refused_by_both_names() -> None:
    refused = manifest.refusal(SAVED, dataclasses.replace(LAB, name="other"))
    assert isinstance(refused, ConfigError)
    assert LAB.name in str(refused) and "other" in str(refused)


def test_a_checkpoint_of_another_lab_file_is_refused() -> None:
    refused = manifest.refusal(SAVED, dataclasses.replace(LAB, check_interval=LAB.check_interval + 1))
    assert isinstance(refused, CheckFailed)


def test_a_checkpoint_is_whole_when_every_node_has_what_was_saved() -> None:
    assert manifest.unwhole(SAVED, {"swarm-master": "aa", "swarm-node-01": "bb"}) is None


@pytest.mark.parametrize(
    ("digests", "seen"),
    [
        ({"swarm-master": "aa", "swarm-node-01": "xx"}, "swarm-node-01 has other than was saved of it"),
        ({"swarm-master": "none", "swarm-node-01": "bb"}, "swarm-master has nothing of it"),
        ({"swarm-master": "aa"}, "swarm-node-01 has nothing of it"),
    ],
)
def test_a_node_that_has_not_what_was_saved_is_named(digests: dict[str, str], seen: str) -> None:
    refused = manifest.unwhole(SAVED, digests)
    assert refused is not None
    assert refused.last_seen == seen
