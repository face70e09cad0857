"""`python -m cli` is the `lab` command, as .venv/bin/lab calls it."""

from __future__ import annotations

import sys

from cli.main import main

sys.argv[0] = "lab"
main()
