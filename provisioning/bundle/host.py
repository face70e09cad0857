"""What of a bundle this host can install. The standard library only."""

from __future__ import annotations

import hashlib
import platform
import sys

from lab import environment
from lab.errors import HostError
from provisioning.bundle.manifest import Host


def this_host() -> Host:
    """What packages and wheels must be for here. Raises HostError where the system does not say."""
    try:
        release = platform.freedesktop_os_release()
    except OSError as error:
        raise HostError("this system does not say which distribution it is", last_seen=str(error)) from error
    requirements = (environment.ROOT / "requirements.txt").read_bytes()
    return Host(
        f"{release['ID']} {release.get('VERSION_ID', '')}".strip(),
        f"{sys.version_info.major}.{sys.version_info.minor}",
        hashlib.sha256(requirements).hexdigest(),
    )
