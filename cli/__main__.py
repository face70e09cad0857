"""`python -m cli` is the `lab` command, as .venv/bin/lab calls it."""

from __future__ import annotations

import gc
import sys

# What is loaded stays: to look through it for garbage meanwhile costs an eighth of the start.
gc.disable()

from cli.main import main  # noqa: E402

gc.freeze()
gc.enable()
sys.argv[0] = "lab"
main()
