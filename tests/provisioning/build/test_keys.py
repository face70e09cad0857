from __future__ import annotations

import re

import pytest

from lab import config
from provisioning.build import artifacts, images
from provisioning.build.keys import keys

LAB = config.load(config.LAB_FILE)


def test_each_folder_of_the_cache_has_a_key_of_its_own() -> None:
    found = keys(LAB)
    assert found == keys(LAB) and len(set(found.values())) == 2
    assert all(re.fullmatch(r"[0-9a-f]{12}", key) for key in found.values())


def test_the_registrys_key_is_the_name_of_its_folder() -> None:
    assert images.store_path(LAB).parts[-2:] == ("registry", keys(LAB)["registry"])


@pytest.mark.parametrize("name", artifacts.NAMES)
def test_another_pin_of_any_program_is_another_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, digest = keys(LAB)["artifacts"], artifacts.inputs_digest
    monkeypatch.setattr(artifacts, "inputs_digest", lambda one: "0" if one == name else digest(one))
    assert keys(LAB)["artifacts"] != before
