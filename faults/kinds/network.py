"""Faults of the network, on the lab's interface only: SSH comes over the other one and goes on working.

Rules are in chains that carry the fault's id, in the table `mangle`: it sees the packets of the node and
of its containers alike, with the ports as they are on the wire, and Docker keeps no rules there.
A chain comes in whole or not at all (one iptables-restore).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from faults.example import Example, answers, silent
from faults.fault import Fault, Site, lines, within
from faults.targets import Found, Snapshot, resolve
from lab.errors import ConfigError
from lab.model import Lab
from lab.waiting import stretched

SIDES = 2
SMALLEST_RING = 4  # of three nodes each is a neighbour of both others
Cut = frozenset[tuple[str, str]]  # (sender, receiver): these packets are lost

FOREIGN = """\
if iptables {lock} -t mangle -S {chain} | grep '^-A' | grep -v lab-fault-; then
  echo "rules of someone else are in {chain} of mangle: they are in the way" >&2; exit 75
fi"""


# --- deciding: who does not hear whom ---------------------------------------------------------------------


def partition(groups: Iterable[Iterable[str]]) -> Cut:
    """Nodes of one group hear each other and nobody of another group."""
    of = {node: number for number, group in enumerate(groups) for node in group}
    return frozenset((a, b) for a in of for b in of if of[a] != of[b])


def bridge(middle: str, nodes: Iterable[str]) -> Cut:
    """Two halves that hear each other only through the node in the middle."""
    others = sorted(set(nodes) - {middle})
    half = (len(others) + 1) // 2
    return partition((others[:half], others[half:]))


def ring(nodes: Iterable[str]) -> Cut:
    """Every node hears its two neighbours and nobody else."""
    order = sorted(nodes)
    near = {(order[i], order[(i + step) % len(order)]) for i in range(len(order)) for step in (1, -1)}
    return frozenset((a, b) for a in order for b in order if a != b and (a, b) not in near)


# --- rules ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """Rules of one table: chains by suffix, each hooked where packets pass on the lab's interface."""

    table: str
    hooks: Mapping[str, str]  # built-in chain -> match of the hook
    rules: Mapping[str, tuple[str, ...]]  # built-in chain -> the rules of this fault's chain there


def chain(site: Site, hook: str) -> str:
    return f"LAB-{site.id}-{hook[:4]}"


def lock() -> str:
    """How long another program may hold the tables; whole seconds."""
    return f"-w {stretched(5):.0f}"


def put(site: Site, rules: Rules) -> str:
    """All of it at once. `$dev` is the lab's interface."""
    text = [f"*{rules.table}"]
    text += [f":{chain(site, hook)} - [0:0]" for hook in rules.hooks]
    comment = f"-m comment --comment {site.mark}"
    for hook, match in rules.hooks.items():
        text += [f"-A {chain(site, hook)} {comment} {rule}" for rule in rules.rules[hook]]
        text.append(f"-I {hook} 1 {match} {comment} -j {chain(site, hook)}")
    return lines(f"iptables-restore {lock()} --noflush <<RULES", *text, "COMMIT", "RULES")


def take_away(site: Site, table: str) -> str:
    """Every hook and chain of this fault in a table, and nothing else."""
    saved = f"iptables-save -t {table}"
    return lines(
        "{",
        f"echo '*{table}'",
        f"{saved} | sed -n '/LAB-{site.id}-[A-Z]* *$/{{/^-A LAB-/!s/^-A/-D/p}}'",
        f"{saved} | sed -n 's/^:\\(LAB-{site.id}-[A-Z]*\\) .*/-F \\1/p'",
        f"{saved} | sed -n 's/^:\\(LAB-{site.id}-[A-Z]*\\) .*/-X \\1/p'",
        "echo COMMIT",
        f"}} | iptables-restore {lock()} --noflush",
    )


def none_left(site: Site, *tables: str) -> str:
    found = " ".join(f"iptables-save -t {table};" for table in tables)
    return f"if {{ {found} }} | grep -- -{site.id}; then exit 1; fi"


# The node's own name server refuses a question.
ASK_DNS = (
    'python3 -c "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(2); '
    "server = open('/etc/resolv.conf').read().split('nameserver ')[1].split()[0]; "
    "s.connect((server, 53)); s.send(bytes.fromhex('abcd01000001000000000000016100000100 01')); "
    's.recv(512)" 2>&1 | grep Error'
)


class RuleFault(Fault):
    """A fault made of rules in `mangle`, for what comes in and what goes out on the lab's interface."""

    takes: ClassVar[str] = "nodes"
    by_network: ClassVar[bool] = True

    def incoming(self, site: Site) -> tuple[str, ...]:
        return ()

    def outgoing(self, site: Site) -> tuple[str, ...]:
        return ()

    def inject(self, site: Site) -> str:
        hooks = {"PREROUTING": "-i $dev", "POSTROUTING": "-o $dev"}
        rules = {"PREROUTING": self.incoming(site), "POSTROUTING": self.outgoing(site)}
        return lines(
            f"{site.device} || exit 1",
            *(FOREIGN.format(chain=hook, lock=lock()) for hook in hooks),
            put(site, Rules("mangle", hooks, rules)),
        )

    def heal(self, site: Site) -> str:
        return take_away(site, "mangle")

    def healed(self, site: Site) -> str:
        return none_left(site, "mangle")


@dataclass(frozen=True)
class Isolate(RuleFault):
    """Nothing comes in and nothing goes out on the lab's network. Users reach the master over it."""

    name: ClassVar[str] = "isolate"
    phrase: ClassVar[str] = "(?:is|are) isolated"
    example: ClassVar[Example | None] = Example("the master", silent("{other}"))

    def incoming(self, site: Site) -> tuple[str, ...]:
        return ("-j DROP",)

    def outgoing(self, site: Site) -> tuple[str, ...]:
        return ("-j DROP",)


class CutFault(RuleFault):
    """Some nodes do not hear some others; everybody else, and the host, is heard as before."""

    def cut(self, found: Found, nodes: tuple[str, ...]) -> Cut:
        raise NotImplementedError

    def sites(self, id: str, lab: Lab, snapshot: Snapshot, found: Found, seconds: float) -> list[Site]:
        cut = self.cut(found, snapshot.nodes)
        address = {node.name: node.address for node in lab.nodes}
        whole = Found(found.asked, tuple(sorted({node for pair in cut for node in pair})))
        return [
            replace(
                site,
                silent=tuple(sorted(address[a] for a, b in cut if b == site.node.name)),
                unheard=tuple(sorted(address[b] for a, b in cut if a == site.node.name)),
            )
            for site in super().sites(id, lab, snapshot, whole, seconds)
        ]

    def incoming(self, site: Site) -> tuple[str, ...]:
        return tuple(f"-s {address}/32 -j DROP" for address in site.silent)

    def outgoing(self, site: Site) -> tuple[str, ...]:
        return tuple(f"-d {address}/32 -j DROP" for address in site.unheard)


def pieces(snapshot: Snapshot, target: str, mark: str, chance: random.Random) -> list[tuple[str, ...]]:
    """The groups of nodes that a target names, with `mark` between them and commas inside."""
    groups: list[tuple[str, ...]] = []
    for part in target.split(mark):
        found = [resolve(snapshot, word.strip(), chance) for word in part.split(",")]
        wrong = [one.asked for one in found if one.container]
        if wrong:
            raise ConfigError(f'"{wrong[0]}" is a container', try_next=f"the node of {wrong[0]}")
        groups.append(tuple(node for one in found for node in one.nodes))
    named = [node for group in groups for node in group]
    twice = sorted({node for node in named if named.count(node) > 1})
    if twice:
        raise ConfigError(f'{", ".join(twice)} is in "{target}" twice', try_next="each node in one group")
    return groups


@dataclass(frozen=True)
class Partition(CutFault):
    """Groups of nodes that do not hear each other: `the master | swarm-node-01, swarm-node-02`."""

    name: ClassVar[str] = "partition"
    phrase: ClassVar[str] = "are partitioned"
    example: ClassVar[Example | None] = Example(
        "{node}, {other} | {third}", f"{silent('{third}')} && {answers('{other}')}", needs=4
    )

    def find(self, snapshot: Snapshot, target: str, chance: random.Random) -> Found:
        groups = pieces(snapshot, target, "|", chance)
        if len(groups) == 1:
            raise ConfigError(f'"{target}" is one group', try_next="the master | all but the master")
        return Found(target, tuple(node for group in groups for node in group), groups=tuple(groups))

    def cut(self, found: Found, nodes: tuple[str, ...]) -> Cut:
        return partition(found.groups)


@dataclass(frozen=True)
class OneWay(CutFault):
    """What the first sends to the second is lost; the other way is open: `swarm-node-01 -> the master`."""

    name: ClassVar[str] = "one-way"
    phrase: ClassVar[str] = "is cut one way"
    example: ClassVar[Example | None] = Example(
        "{node} -> {other}", f"! ping -c 1 -W 1 {{other}} && {answers('{third}')}", needs=4
    )

    def find(self, snapshot: Snapshot, target: str, chance: random.Random) -> Found:
        groups = pieces(snapshot, target, "->", chance)
        if len(groups) != SIDES:
            raise ConfigError(f'"{target}" has no two sides', try_next="any node -> the master")
        return Found(target, tuple(node for group in groups for node in group), groups=tuple(groups))

    def cut(self, found: Found, nodes: tuple[str, ...]) -> Cut:
        senders, receivers = found.groups
        return frozenset((a, b) for a in senders for b in receivers)


@dataclass(frozen=True)
class Bridge(CutFault):
    """Two halves that hear each other only through the target."""

    name: ClassVar[str] = "bridge"
    phrase: ClassVar[str] = "is the only bridge"
    example: ClassVar[Example | None] = Example(
        "{node}", f"{silent('{third}')} && {answers('{node}')}", at="master", needs=4
    )

    def find(self, snapshot: Snapshot, target: str, chance: random.Random) -> Found:
        found = super().find(snapshot, target, chance)
        if len(found.nodes) != 1:
            raise ConfigError(
                f'"{target}" is {len(found.nodes)} nodes; a bridge is one', try_next="the master"
            )
        return Found(target, snapshot.nodes, groups=(found.nodes,))

    def cut(self, found: Found, nodes: tuple[str, ...]) -> Cut:
        return bridge(found.groups[0][0], nodes)


@dataclass(frozen=True)
class Ring(CutFault):
    """Every node of the target hears its two neighbours only; with three nodes nothing is cut."""

    name: ClassVar[str] = "ring"
    phrase: ClassVar[str] = "hears its neighbours only"
    example: ClassVar[Example | None] = Example(
        "every node", f"{silent('{third}')} && {answers('{other}')}", at="master", needs=4
    )

    def find(self, snapshot: Snapshot, target: str, chance: random.Random) -> Found:
        found = super().find(snapshot, target, chance)
        if len(found.nodes) < SMALLEST_RING:
            raise ConfigError(f"a ring of {len(found.nodes)} nodes cuts nothing", try_next="every node")
        return found

    def cut(self, found: Found, nodes: tuple[str, ...]) -> Cut:
        return ring(found.nodes)


@dataclass(frozen=True)
class PortBlock(RuleFault):
    """Packets to one TCP port are lost as they come in; of a container that is its published port."""

    name: ClassVar[str] = "port-block"
    phrase: ClassVar[str] = "has its port(?: (?P<port>\\d+))? blocked"
    takes: ClassVar[str] = "a container or nodes"
    example: ClassVar[Example | None] = Example(
        "{node}", f"{silent('{node}')} && ping -c 1 -W 1 {{node}}", at="master", settings={"port": "8500"}
    )
    port: int = 0  # 0: the one the container publishes

    def __post_init__(self) -> None:
        within("port", self.port, 0, 65535, "")

    def refusal(self, site: Site) -> str | None:
        return port_refusal(site, self.port)

    def incoming(self, site: Site) -> tuple[str, ...]:
        return (f"-p tcp --dport {port_of(site, self.port)} -j DROP",)


def port_of(site: Site, port: int) -> int:
    """The port asked for, or the first one that the container publishes; 0 when there is neither."""
    published = site.container.ports if site.container else ()
    return port or next(iter(published), 0)


def port_refusal(site: Site, port: int) -> str | None:
    if port_of(site, port) == 0:
        thing = site.container.name if site.container else site.node.name
        return f"{thing} publishes no port, and none was given (port=8500)"
    return None


@dataclass(frozen=True)
class Loss(RuleFault):
    """A share of all packets is lost, each way."""

    name: ClassVar[str] = "loss"
    phrase: ClassVar[str] = "(?:loses|lose)(?: (?P<percent>\\d+) %)? of (?:its|their) packets"
    example: ClassVar[Example | None] = Example(
        "any node",
        "! ping -c 40 -i 0.01 -W 1 {node} | grep ' 0% packet loss'",
        at="master",
        settings={"percent": "40"},
    )
    percent: int = 20

    def __post_init__(self) -> None:
        within("loss", self.percent, 1, 100, "%")

    def incoming(self, site: Site) -> tuple[str, ...]:
        return (f"-m statistic --mode random --probability {self.percent / 100} -j DROP",)

    def outgoing(self, site: Site) -> tuple[str, ...]:
        return self.incoming(site)


@dataclass(frozen=True)
class DnsRefused(Fault):
    """Questions to any name server are refused, those of the node's containers too."""

    name: ClassVar[str] = "dns-refused"
    phrase: ClassVar[str] = "(?:is|are) refused by DNS"
    takes: ClassVar[str] = "nodes"
    example: ClassVar[Example | None] = Example("any node", ASK_DNS)

    def inject(self, site: Site) -> str:
        # The resolver's port is rewritten on its way: the connection still knows the one that was asked.
        asked = "-m conntrack --ctorigdstport 53 -j REJECT --reject-with"
        refuse = (f"-p udp {asked} icmp-port-unreachable", f"-p tcp {asked} tcp-reset")
        hooks = {"OUTPUT": "", "FORWARD": ""}
        return put(site, Rules("filter", hooks, {"OUTPUT": refuse, "FORWARD": refuse}))

    def heal(self, site: Site) -> str:
        return take_away(site, "filter")

    def healed(self, site: Site) -> str:
        return none_left(site, "filter")
