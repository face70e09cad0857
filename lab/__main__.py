"""`python -m lab` prints the lab as JSON: so the Vagrantfile reads the file as everything else does."""

import dataclasses
import json
import sys

from lab import config, environment
from lab.errors import LabError

try:
    lab = dataclasses.asdict(config.load())
except LabError as error:
    print(error, file=sys.stderr)
    raise SystemExit(error.exit_code) from None
json.dump({**lab, "state": str(environment.lab_state()), "dotfile": str(environment.dotfile())}, sys.stdout)
