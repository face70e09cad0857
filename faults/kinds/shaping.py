"""Faults of the network's speed, on the lab's interface: a delay and a rate.

The kernel's netem delays everything. Where it is missing, a small proxy on the node (`delay_proxy.py`)
stands in front of the TCP ports: it delays connections that begin after it, and leaves UDP alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults.example import Example, slow
from faults.fault import SCRIPTS, Fault, On, here, lines, unit, waiting, within
from faults.kinds.network import Rules, none_left, port_of, put, take_away

PROXY = SCRIPTS / "delay_proxy.py"
FREE_QDISC = """\
now=$(tc qdisc show dev $dev root)
case $now in
  *noqueue*|*mq*|*fq_codel*|*pfifo_fast*|"") ;;
  *) echo "a qdisc of someone else is on $dev: $now" >&2; exit 75 ;;
esac"""


def handle(on: On) -> str:
    """The number of this fault's qdisc, of the fault's id; `tc` shows it without leading zeros."""
    return f"{int(on.id[:4], 16):x}:"


def remove_qdisc(on: On) -> str:
    # Unreachable interface: nothing of ours is on it.
    mine = f"tc qdisc show dev $dev root | grep -q ' {handle(on)} '"
    return f"{on.device} || exit 0\nif {mine}; then tc qdisc del dev $dev root; fi"


def no_qdisc(on: On) -> str:
    return f"if tc qdisc show | grep ' {handle(on)} '; then exit 1; fi"


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

    def inject(self, on: On) -> str:
        burst = max(5000, self.kbit * 1000 // 8 // 100)  # bytes: some packets, or what a tick lets through
        shape = f"tbf rate {self.kbit}kbit burst {burst} latency 400ms"
        return lines(
            f"{on.device} || exit 1", FREE_QDISC, f"tc qdisc add dev $dev root handle {handle(on)} {shape}"
        )

    def heal(self, on: On) -> str:
        return remove_qdisc(on)

    def healed(self, on: On) -> str:
        return no_qdisc(on)


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

    def refusal(self, on: On) -> str | None:
        if on.container and not port_of(on, self.port):
            return f"{on.container.name} publishes no port, and none was given (port=80)"
        return None

    def inject(self, on: On) -> str:
        if port_of(on, self.port):
            return lines(f"{on.device} || exit 1", self._proxy(on))
        netem = f"tc qdisc add dev $dev root handle {handle(on)} netem delay {self.ms}ms"
        return lines(
            f"{on.device} || exit 1",
            FREE_QDISC,
            f"{netem} 2>/dev/null && exit 0",
            "echo 'the kernel has no netem: a proxy delays TCP connections'",
            self._proxy(on),
        )

    def _proxy(self, on: On) -> str:
        port = port_of(on, self.port)
        only = f"-p tcp --dport {port}" if port else "-p tcp"
        turn = Rules(
            "nat", {"PREROUTING": "-i $dev"}, {"PREROUTING": (f"{only} -j REDIRECT --to-ports $at",)}
        )
        return lines(
            here(PROXY.read_text(), f"{on.home}/proxy.py"),
            unit(on, "proxy", f"python3 {on.home}/proxy.py {self.ms} {on.home}/proxy.port"),
            waiting(on),
            f"until_true 5 test -s {on.home}/proxy.port",
            f'at=$(cat {on.home}/proxy.port) || {{ echo "the proxy did not start" >&2; exit 1; }}',
            put(on, turn),
        )

    def heal(self, on: On) -> str:
        return lines(
            take_away(on, "nat"),
            f"systemctl stop {on.mark}-proxy 2>/dev/null",
            f"({remove_qdisc(on)})",
        )

    def healed(self, on: On) -> str:
        return lines(
            none_left(on, "nat"),
            no_qdisc(on),
            f"if systemctl is-active -q {on.mark}-proxy; then echo the proxy runs; exit 1; fi",
        )
