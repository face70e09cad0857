"""The lab's own SSH key pair: one a checkout, made once and never committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.environment import STATE
from lab.model import MARK


def private() -> Path:
    return STATE / "ssh" / "id_ed25519"


def public() -> Path:
    return private().with_suffix(".pub")


def ensure() -> None:
    """The pair is there."""
    if private().exists():
        return
    private().parent.mkdir(parents=True, exist_ok=True)
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", MARK, "-f", str(private())]
    subprocess.run(words, check=True)
