"""What faults have left on the nodes: chains, units, qdiscs, files. Nothing, when all is well."""

from __future__ import annotations

from collections.abc import Mapping

from faults.fault import HOME, script
from lab.errors import LabError
from lab.shell import Shell, in_parallel
from provisioning.resources import Trouble
from provisioning.roles import registry

# A qdisc's number is the only mark it can carry; the lab itself has none with a number.
# It is asked often, so it starts few programs.
LOOK = f"""\
{{ iptables-save
  systemctl list-units --all --plain --no-legend 'lab-fault-*'
  tc qdisc show
  find /data/nginx/includes {registry.DATA} -name '*lab-fault-*'
}} 2>/dev/null | awk '
  /^[*]/ {{ table = substr($0, 2) }}
  /^[:-]/ && /LAB-|lab-fault-/ && table ~ /^(mangle|nat|filter)$/ {{ print "rule of " table ": " $0 }}
  /^lab-fault-/ {{ print "unit: " $0 }}
  /^qdisc/ && / [0-9a-f]+[1-9a-f]*: / && !/ 0: / {{ print "qdisc: " $0 }}
  /^\\// {{ print "file: " $0 }}'
for folder in {HOME}/*; do [ ! -e "$folder" ] || echo "folder: ${{folder##*/}}"; done"""

LEFTOVERS = Trouble("leftovers", LOOK, script("undo.sh", home=HOME))


def leftovers(shells: Mapping[str, Shell]) -> list[str]:
    """One line a thing, with its node; a node that cannot be asked is a thing too."""

    def look(node: str) -> list[str]:
        try:
            return shells[node].run(LOOK, timeout=20).stdout.splitlines()
        except LabError as error:
            return [f"cannot be asked: {error.what}"]

    return [f"{node}: {line}" for node, found in in_parallel(look, shells).items() for line in found]
