"""`python -m provisioning.build` prints the programs that the cache lacks: lab/host.sh asks."""

from lab.errors import LabError
from provisioning.build.artifacts import to_build

try:
    print(*to_build())
except LabError as error:
    raise SystemExit(str(error)) from None
