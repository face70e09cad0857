"""`python -m lab` prints the lab as JSON: so the Vagrantfile reads the file as everything else does."""

import dataclasses
import json
import sys

from lab import config
from lab.errors import LabError

try:
    json.dump(dataclasses.asdict(config.load()), sys.stdout)
except LabError as error:
    print(error, file=sys.stderr)
    raise SystemExit(error.exit_code) from None
