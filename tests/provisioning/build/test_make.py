"""What a bring-up builds or fetches, and that with a bundle it does neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import config
from lab.errors import LabError
from provisioning import build
from provisioning.build import Thing

LAB = config.load(config.LAB_FILE)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made; nothing of it really is."""
    did: list[str] = []
    monkeypatch.setattr(build.artifacts, "obtain", lambda name, say: did.append(name))
    monkeypatch.setattr(build.images, "prepare", lambda lab, say: did.append("images"))
    return did


def there(*, is_there: bool) -> Thing:
    return Thing("registry/store-cdef01234567", Path("/x"), lambda: is_there)


def test_programs_and_images_are_made(made: list[str]) -> None:
    build.make(LAB, print)
    assert sorted(made) == sorted([*build.artifacts.NAMES, "images"])


def test_with_a_bundle_what_lacks_is_an_error_that_names_it_and_nothing_is_made(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "things", lambda lab: (there(is_there=True), there(is_there=False)))
    with pytest.raises(LabError) as error:
        build.make(LAB, print, "lab.bundle")
    assert "registry/store-cdef01234567 is neither here nor in lab.bundle" in str(error.value)
    assert made == []


def test_with_a_bundle_that_brought_all_a_bring_up_goes_on(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "things", lambda lab: (there(is_there=True),))
    build.make(LAB, print, "lab.bundle")
    assert made[-1] == "images"


def test_every_thing_has_the_digest_of_what_it_is_made_from_and_a_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    *in_the_cache, node = build.things(LAB)
    assert {thing.name.split("/")[0] for thing in in_the_cache} == {"programs", "registry"}
    assert all(thing.place and thing.place.is_relative_to(tmp_path) for thing in in_the_cache)
    assert not any(thing.is_there() for thing in in_the_cache)
    assert node.place is None and node.name == f"image/node-{build.images.node_image().digest}"
