"""Faults of the network's speed, on the lab's interface: a delay and a rate.

The kernel's netem delays everything. Where it is missing, a small proxy on the node (`delay_proxy.py`)
stands in front of the TCP ports: it delays connections that begin after it, and leaves UDP alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults.example import Example, slow
from faults.fault import SCRIPTS, Fault, Site, here, lines, unit, waiting, within
from faults.kinds.network import Rules, none_left, port_of, put, take_away

PROXY = SCRIPTS / "delay_proxy.py"
FREE_QDISC = """\
now=$(tc qdisc show dev $dev root)
case $now in
  *noqueue*|*mq*|*fq_codel*|*pfifo_fast*|"") ;;
  *) echo "a qdisc of someone else is on $dev: $now" >&2; exit 75 ;;
esac"""


def handle(site: Site) -> str:
    """The number of this fault's qdisc, of the fault's id; `tc` shows it without leading zeros."""
    return f"{int(site.id[:4], 16):x}:"


def remove_qdisc(site: Site) -> str:
    # Unreachable interface: nothing of ours is on it.
    mine = f"tc qdisc show dev $dev root | grep -q ' {handle(site)} '"
    return f"{site.device} || exit 0\nif {mine}; then tc qdisc del dev $dev root; fi"


def no_qdisc(site: Site) -> str:
    return f"if tc qdisc show | grep ' {handle(site)} '; then exit 1; fi"


@dataclass(frozen=True)
class Rate(Fault):
    """What the node sends on the lab's network is held to a rate (token bucket filter)."""

    name: ClassVar[str] = "rate"
    phrase: ClassVar[str] = "(?:sends|send) at most (?P<kbit>\\d+) kbit a second"
    takes: ClassVar[str] = "nodes"
    by_network: ClassVar[bool] = True
    example: ClassVar[Example | None] = Example("any node", slow(0.3), at="master", settings={"kbit": "64"})
    kbit: int = 256

    def __post_init__(self) -> None:
        within("rate", self.kbit, 8, 1_000_000, "kbit/s")

    def inject(self, site: Site) -> str:
        burst = max(5000, self.kbit * 1000 // 8 // 100)  # bytes: some packets, or what a tick lets through
        shape = f"tbf rate {self.kbit}kbit burst {burst} latency 400ms"
        return lines(
            f"{site.device} || exit 1",
            FREE_QDISC,
            f"tc qdisc add dev $dev root handle {handle(site)} {shape}",
        )

    def heal(self, site: Site) -> str:
        return remove_qdisc(site)

    def healed(self, site: Site) -> str:
        return no_qdisc(site)


@dataclass(frozen=True)
class Delay(Fault):
    """Answers come later: by netem each packet sent, by the proxy each way of a TCP connection."""

    name: ClassVar[str] = "delay"
    phrase: ClassVar[str] = "(?:is|are) (?P<ms>\\d+) ms late"
    takes: ClassVar[str] = "a container or nodes"
    by_network: ClassVar[bool] = True
    example: ClassVar[Example | None] = Example("any node", slow(0.5), at="master", settings={"ms": "300"})
    ms: int = 200
    port: int = 0  # 0: the one the container publishes; of a node every port

    def __post_init__(self) -> None:
        within("delay", self.ms, 1, 10_000, "ms")
        within("port", self.port, 0, 65535, "")

    def refusal(self, site: Site) -> str | None:
        if site.container and not port_of(site, self.port):
            return f"{site.container.name} publishes no port, and none was given (port=80)"
        return None

    def inject(self, site: Site) -> str:
        if port_of(site, self.port):
            return lines(f"{site.device} || exit 1", self._proxy(site))
        netem = f"tc qdisc add dev $dev root handle {handle(site)} netem delay {self.ms}ms"
        return lines(
            f"{site.device} || exit 1",
            FREE_QDISC,
            f"{netem} 2>/dev/null && exit 0",
            "echo 'the kernel has no netem: a proxy delays TCP connections'",
            self._proxy(site),
        )

    def _proxy(self, site: Site) -> str:
        port = port_of(site, self.port)
        only = f"-p tcp --dport {port}" if port else "-p tcp"
        turn = Rules(
            "nat", {"PREROUTING": "-i $dev"}, {"PREROUTING": (f"{only} -j REDIRECT --to-ports $at",)}
        )
        return lines(
            here(PROXY.read_text(), f"{site.home}/proxy.py"),
            unit(site, "proxy", f"python3 {site.home}/proxy.py {self.ms} {site.home}/proxy.port"),
            waiting(site),
            f"until_true 5 test -s {site.home}/proxy.port",
            f'at=$(cat {site.home}/proxy.port) || {{ echo "the proxy did not start" >&2; exit 1; }}',
            put(site, turn),
        )

    def heal(self, site: Site) -> str:
        return lines(
            take_away(site, "nat"),
            f"systemctl stop {site.mark}-proxy 2>/dev/null",
            f"({remove_qdisc(site)})",
        )

    def healed(self, site: Site) -> str:
        return lines(
            none_left(site, "nat"),
            no_qdisc(site),
            f"if systemctl is-active -q {site.mark}-proxy; then echo the proxy runs; exit 1; fi",
        )
