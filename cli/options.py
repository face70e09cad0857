"""Options that several subcommands have."""

from __future__ import annotations

import click

WAIT = click.option("--wait", is_flag=True, help="Wait for the end of another command that holds the lab.")
