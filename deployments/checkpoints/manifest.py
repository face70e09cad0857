"""What a checkpoint is, in one record, and why one is not this lab's. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployments.checkpoints.seen import Seen, live
from lab import named
from lab.config import NAME
from lab.errors import CheckFailed, ConfigError, LabError, shown
from lab.model import Lab

ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Part:
    """What a checkpoint has of one node: a digest of all of it, and the kB it takes beside what is shared."""

    digest: str
    own: int


@dataclass(frozen=True)
class Manifest:
    """A checkpoint; its folders on the nodes are named by its id. `at` is in seconds of the wall clock."""

    name: str
    id: str
    lab: str
    lab_file: str  # a digest of the lab as it was understood
    image: str  # of the nodes
    at: float
    parts: Mapping[str, Part]  # by node
    seen: Seen

    @property
    def size(self) -> int:
        """The bytes it takes on the host."""
        return 1024 * sum(part.own for part in self.parts.values())

    @property
    def live(self) -> list[str]:
        return live(self.seen)

    @property
    def facts(self) -> dict[str, Any]:
        """What `lab checkpoints` says of it."""
        return {"name": self.name, "at": self.at, "bytes": self.size, "live": self.live}


def checked(name: str) -> str:
    """A name as a checkpoint may have it. Raises ConfigError."""
    if not re.fullmatch(NAME.pattern, name):
        raise ConfigError(f"a checkpoint's name cannot be {shown(name)}", try_next=f"allowed: {NAME.allowed}")
    return name


def lab_digest(lab: Lab) -> str:
    """Of everything that the lab file and its provider say, however it is written."""
    said = json.dumps(dataclasses.asdict(lab), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def to_text(manifest: Manifest) -> str:
    return json.dumps(dataclasses.asdict(manifest), indent=1) + "\n"


def from_text(text: str) -> Manifest:
    """Raises ValueError for a text that is no manifest."""
    try:
        told = json.loads(text)
        parts = told["parts"].items()
        told["parts"] = {node: Part(str(one["digest"]), int(one["own"])) for node, one in parts}
        told["seen"] = {part: tuple(map(str, lines)) for part, lines in told["seen"].items()}
        manifest = Manifest(**told)
        checked(manifest.name)
        time.localtime(manifest.at)
        if not (ID.fullmatch(manifest.id) and manifest.parts):
            raise ValueError("no folders on the nodes")
        manifest.facts  # noqa: B018  what is missing in it is told now
    except (AttributeError, KeyError, TypeError, OverflowError, OSError, LabError) as error:
        raise ValueError(repr(error)) from error
    return manifest


def refusal(manifest: Manifest, lab: Lab) -> LabError | None:
    """Why this checkpoint is none of this lab as it is today, or None."""
    if manifest.lab != lab.name:
        return ConfigError(
            f'"{manifest.name}" is a checkpoint of the lab {manifest.lab}, this is {lab.name}',
            try_next=named.command("checkpoints"),
        )
    if manifest.lab_file != lab_digest(lab):
        return CheckFailed(
            f'the lab file is not as it was when "{manifest.name}" was saved',
            try_next=f"the lab file of then, or {named.command(f'checkpoint rm {manifest.name}')}",
        )
    return None


def unwhole(manifest: Manifest, digests: Mapping[str, str]) -> CheckFailed | None:
    """Why what is on the nodes is not what was saved, by what each node has; None when it is whole."""
    bad = sorted(node for node, part in manifest.parts.items() if digests.get(node) != part.digest)
    if not bad:
        return None
    what = ["nothing" if digests.get(node, "none") == "none" else "other than was saved" for node in bad]
    return CheckFailed(
        f'the checkpoint "{manifest.name}" is not whole: nothing was changed',
        last_seen="\n".join(f"{node} has {words} of it" for node, words in zip(bad, what, strict=True)),
        try_next=named.command(f"checkpoint rm {manifest.name}"),
    )
