"""What faults have left on the nodes: chains, units, qdiscs, files. Nothing, when all is well."""

from __future__ import annotations

from collections.abc import Mapping

from faults.fault import HOME, script
from lab.errors import LabError
from lab.shell import Shell, in_parallel
from provisioning.resources import Trouble
from provisioning.roles import registry

# A qdisc's number is the only mark it can carry; the lab itself has none with a number.
LOOK = f"""\
for table in mangle nat filter; do
  iptables-save -t $table | grep -E 'LAB-|lab-fault-' | sed "s/^/rule of $table: /"
done
systemctl list-units --all --plain --no-legend 'lab-fault-*' | sed 's/^/unit: /'
tc qdisc show | grep -E ' [0-9a-f]+[1-9a-f]*: ' | grep -v ' 0: ' | sed 's/^/qdisc: /'
find /data/nginx/includes {registry.DATA} -name '*lab-fault-*' 2>/dev/null | sed 's/^/file: /'
ls {HOME} 2>/dev/null | sed 's/^/folder: /'
true"""

LEFTOVERS = Trouble("leftovers", LOOK, script("undo.sh", home=HOME))


def leftovers(shells: Mapping[str, Shell]) -> list[str]:
    """One line a thing, with its node; a node that cannot be asked is a thing too."""

    def look(node: str) -> list[str]:
        try:
            return shells[node].run(LOOK, timeout=20).stdout.splitlines()
        except LabError as error:
            return [f"cannot be asked: {error.what}"]

    return [f"{node}: {line}" for node, found in in_parallel(look, shells).items() for line in found]
