"""Names that a service cannot have, since something of the lab is called so."""

from __future__ import annotations

from lab import config
from provisioning.build import images
from provisioning.stages import ROLES


def test_every_role_and_every_image_of_the_lab_is_a_component_of_its_own() -> None:
    services = {service.name for service in config.load(config.LAB_FILE).services}
    folders = {folder.name for folder in images.FOLDERS.iterdir() if folder.is_dir()} - services
    roles = {role.__name__.rpartition(".")[2] for role in ROLES}
    assert set(config.COMPONENTS) == folders | roles
