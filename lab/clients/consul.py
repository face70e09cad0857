"""Consul, as seen from the host: colors, the catalogue, checks (python-consul)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import consul
import requests

from lab import named
from lab.errors import LabError
from lab.model import COLORS, Lab, Service
from lab.network import require_present
from lab.waiting import stretched

TIMEOUT = 10.0


@dataclass(frozen=True)
class Instance:
    """One entry of the catalogue."""

    service: str
    node: str
    address: str  # IP:PORT


@dataclass(frozen=True)
class Check:
    """One of Consul's checks: of a service, or of a node when `service` is empty."""

    node: str
    name: str
    service: str
    status: str  # passing, warning, critical
    output: str  # what it printed last


class ConsulClient:
    def __init__(self, lab: Lab) -> None:
        require_present(lab)
        self._master = lab.master.name
        untyped: Any = consul.Consul
        self._client = untyped(host=lab.master.address, port=8500)
        session = self._client.http.session
        session.trust_env = False  # no proxy of the user's shell
        session.request = partial(session.request, timeout=stretched(TIMEOUT))

    def live_color(self, service: Service) -> str | None:
        """The live color the deployments noted, or None before the first one.

        Raises LabError when what is noted is no color.
        """
        noted = self.noted(service.color_key)
        if noted is not None and noted not in COLORS:
            raise LabError(
                f"cannot tell the live color of {service.name}",
                last_seen=f"Consul's key {service.color_key} holds {noted!r}",
                try_next=named.command(f"exec {self._master} -- consul kv put {service.color_key} blue")
                + ", or green",
            )
        return noted

    def noted(self, key: str) -> str | None:
        """What a key holds, or None when it is not there."""
        _, entry = self._ask(lambda: self._client.kv.get(key))
        return None if entry is None else (entry["Value"] or b"").decode(errors="replace")

    def is_locked(self, key: str) -> bool:
        """Whether a session holds the key."""
        _, entry = self._ask(lambda: self._client.kv.get(key))
        return bool(entry and entry.get("Session"))

    def all_noted(self) -> dict[str, str]:
        """What every key holds."""
        _, entries = self._ask(lambda: self._client.kv.get("", recurse=True))
        return {one["Key"]: (one["Value"] or b"").decode(errors="replace") for one in entries or ()}

    def note(self, key: str, value: str) -> None:
        self._ask(lambda: self._client.kv.put(key, value))

    def forget(self, key: str) -> None:
        """The key is not there any more; nor need it have been."""
        self._ask(lambda: self._client.kv.delete(key))

    def instances(self, service: str, *, passing: bool = False) -> tuple[Instance, ...]:
        _, entries = self._ask(lambda: self._client.health.service(service, passing=passing))
        return tuple(instance(entry) for entry in entries)

    def health(self, service: str) -> str:
        """The worst status of a service's checks: passing, warning, critical, or unknown without any."""
        _, checks = self._ask(lambda: self._client.health.checks(service))
        found = {check["Status"] for check in checks}
        return next((status for status in ("critical", "warning", "passing") if status in found), "unknown")

    def checks(self) -> tuple[Check, ...]:
        """Every check that the catalogue has, by node and name."""
        _, told = self._ask(lambda: self._client.health.state("any"))
        found = (
            Check(one["Node"], one["Name"], one["ServiceName"], one["Status"], one["Output"]) for one in told
        )
        return tuple(sorted(found, key=lambda one: (one.node, one.name)))

    def checks_have_run(self, service: str) -> bool:
        """Whether the agent has run every check of the service; until then its initial status shows."""
        checks = self._ask(self._client.agent.checks)
        outputs = [check["Output"] for check in checks.values() if check["ServiceName"] == service]
        return bool(outputs) and all(outputs)

    def services(self) -> tuple[str, ...]:
        _, names = self._ask(self._client.catalog.services)
        return tuple(sorted(names))

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except (consul.ConsulException, requests.RequestException) as error:
            raise LabError(
                "Consul does not answer", last_seen=str(error), try_next=named.command("logs consul")
            ) from error


def instance(entry: Mapping[str, Any]) -> Instance:
    """One entry of what Consul answers to /v1/health/service/NAME. Pure."""
    # Registrator leaves the address to the node's entry.
    address = entry["Service"]["Address"] or entry["Node"]["Address"]
    return Instance(
        entry["Service"]["Service"], entry["Node"]["Node"], f"{address}:{entry['Service']['Port']}"
    )
