"""`bootstrap.py SOURCE FOLDER DOWNLOADS`: the debs and wheels of a bundle, for lab/host.sh.

SOURCE is a file or http://HOST:PORT. The whole bundle is held against its manifest before FOLDER/debs and
FOLDER/wheels are there. For a host that has no .venv: any Python from 3.10 on, and the standard library.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # -I leaves it out

from lab.architecture import architecture
from lab.errors import LabError
from provisioning.bundle import fetch, manifest
from provisioning.bundle.host import this_host
from provisioning.bundle.manifest import DEBS, WHEELS, Manifest


def open_bundle(source: str, folder: Path, downloads: Path) -> None:
    """Debs and wheels of the bundle, in `folder`; a download is kept in `downloads` for `lab up`.

    Raises LabError, and then nothing in `folder` is worth anything.
    """

    def refuse(listed: Manifest) -> None:
        manifest.refuse_other_machine(listed, architecture(), source)
        manifest.refuse_other_host(listed, this_host(), source)

    def keep(name: str) -> Path | None:
        return folder / name if name.startswith((DEBS, WHEELS)) else None

    fetch.whole(source, downloads, refuse, _say, keep)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    try:
        open_bundle(sys.argv[1], *map(Path, sys.argv[2:]))
    except LabError as error:
        _say(str(error))
        sys.exit(error.exit_code)
