"""Options that several subcommands have."""

from __future__ import annotations

from pathlib import Path

import click

WAIT = click.option("--wait", is_flag=True, help="Wait for the end of another command that holds the lab.")
BUNDLE_FILE = click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True)
