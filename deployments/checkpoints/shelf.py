"""The manifests on the host: a checkpoint is there when its manifest is. And which restore was not ended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from deployments.checkpoints import manifest as manifests
from deployments.checkpoints.manifest import Manifest
from lab import named
from lab.environment import STATE, lab_state
from lab.errors import CheckFailed, ConfigError, HostError, nearest

Say = Callable[[str], None]
FOLDER = "checkpoints"


def _folder() -> Path:
    return lab_state() / FOLDER


def _file(name: str) -> Path:
    return _folder() / f"{name}.json"


def _pending_file() -> Path:
    return lab_state() / "restoring.json"


def all_of_lab(say: Say) -> list[Manifest]:
    """Every checkpoint, the oldest first; a file that is none is said and left out."""
    found = []
    for file in sorted(_folder().glob("*.json")):
        try:
            found.append(manifests.from_text(file.read_text()))
        except (OSError, ValueError) as error:
            say(f"{file} is no manifest of a checkpoint: {error}")
    return sorted(found, key=lambda one: one.at)


def find(name: str) -> Manifest:
    """Raises ConfigError for a name that no checkpoint has, CheckFailed for a manifest that is none."""
    manifests.checked(name)
    try:
        return manifests.from_text(_file(name).read_text())
    except FileNotFoundError:
        raise _unknown(name) from None
    except (OSError, ValueError) as error:
        raise CheckFailed(
            f'the manifest of the checkpoint "{name}" cannot be read',
            last_seen=f"{_file(name)}: {error}",
            try_next=named.command(f"checkpoint rm {name}"),
        ) from error


def _unknown(name: str) -> ConfigError:
    own = [file.stem for file in _folder().glob("*.json")]
    # Those of the first lab lie beside the folders of the others.
    others = [file for under in ("", "*/") for file in STATE.glob(f"{under}{FOLDER}/{name}.json")]
    hint = f"; another lab has one: {others[0]}" if others else nearest(name, own)
    return ConfigError(
        f'this lab has no checkpoint "{name}"{hint}',
        try_next=named.command("checkpoints") if own else named.command("save NAME"),
    )


def refuse_taken(name: str) -> None:
    """Raises ConfigError when there is a checkpoint of this name, or can be none."""
    manifests.checked(name)
    if _file(name).exists():
        raise ConfigError(
            f'there is a checkpoint "{name}" already',
            try_next=f"another name, or {named.command(f'checkpoint rm {name}')}",
        )


def put(manifest: Manifest) -> None:
    """From now on the checkpoint is there. Raises HostError where it cannot be written."""
    _write(_file(manifest.name), manifests.to_text(manifest))


def take_away(name: str) -> None:
    """From now on the checkpoint is not there. Raises ConfigError when it was not."""
    manifests.checked(name)
    try:
        _file(name).unlink()
    except FileNotFoundError:
        raise _unknown(name) from None


def clear() -> int:
    """What goes with the lab: every manifest, and what says that a restore goes on. How many there were."""
    files = list(_folder().glob("*.json"))
    for file in (*_folder().glob("*"), _pending_file()):
        file.unlink(missing_ok=True)
    if _folder().is_dir():
        _folder().rmdir()
    return len(files)


# --- a restore that was not ended ---------------------------------------------------------------------------


def begin_restore(name: str) -> None:
    """From now on the lab may be a mix, until `end_restore`. Raises HostError where it cannot be written."""
    _write(_pending_file(), json.dumps({"checkpoint": name}) + "\n")


def end_restore() -> None:
    _pending_file().unlink(missing_ok=True)


def pending() -> str | None:
    """The checkpoint whose restore was begun and not ended, or None."""
    try:
        return str(json.loads(_pending_file().read_text())["checkpoint"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError):
        return "NAME"  # it was begun all the same


def unended() -> CheckFailed | None:
    """Why the lab is not to be trusted: a restore of it was cut short; None when none was."""
    name = pending()
    if name is None:
        return None
    ends = named.command(f"restore {name}")
    if not _file(name).exists():  # any other will do
        ends = f"{named.command('restore NAME')} with one of {named.command('checkpoints')}"
    return CheckFailed(
        f'a restore of the checkpoint "{name}" was not ended: the lab may be a mix',
        try_next=f"{ends}, or {named.command('down')}",
    )


def refuse_unended() -> None:
    """Raises CheckFailed when a restore of this lab was cut short."""
    refused = unended()
    if refused:
        raise refused


def _write(file: Path, text: str) -> None:
    """Whole or not at all, whatever ends this process or this host."""
    new = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with new.open("w") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise HostError(
            f"{file} cannot be written", last_seen=str(error), try_next=f"df -h {file.parent}"
        ) from error
