"""Options that several subcommands have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class File(click.Path):
    """A file that is there: no pipe, which waits for who writes, and no socket or device."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if not Path(os.fsdecode(path)).is_file():
            self.fail(f"{str(value)!r} is not a file.", param, ctx)
        return path


WAIT = click.option("--wait", is_flag=True, help="Wait for the end of another command that holds the lab.")
BUNDLE_FILE = File(exists=True, dir_okay=False, path_type=Path, resolve_path=True)
