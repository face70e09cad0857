"""Keys of what the cache holds, for a CI that keeps it: `python -m provisioning.build.keys` prints them."""

from __future__ import annotations

from lab import config
from lab.errors import LabError
from lab.model import Lab
from provisioning.build import artifacts, images


def keys(lab: Lab) -> dict[str, str]:
    """Folder of the cache -> 12 hex over all that decides its content; reads files only.

    {"artifacts": "0f3a...", "registry": "77c1..."}. The same key is the same content.
    """
    programs = images.digest_of(artifacts.inputs_digest(name) for name in artifacts.NAMES)
    return {"artifacts": programs, "registry": images.store_path(lab).name}


if __name__ == "__main__":
    try:
        for name, key in keys(config.load()).items():
            print(f"{name}={key}")
    except LabError as error:
        raise SystemExit(str(error)) from None
