"""Jenkins, as seen from the host: trigger a build, follow its log, wait for its result (httpx)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab import http, named
from lab.errors import LabError
from lab.model import Lab
from lab.network import require_present
from lab.waiting import wait_until

if TYPE_CHECKING:
    import httpx

TIMEOUT = 10.0
BUILD_TIMEOUT = 180.0
LAST_LINES = 12  # of a build's log, when it does not end


@dataclass(frozen=True)
class Build:
    """A finished build: `result` is SUCCESS, FAILURE or ABORTED; `seconds` is its own count."""

    job: str
    number: int
    result: str
    seconds: float
    console: str


@dataclass(frozen=True)
class Newest:
    """One of a job's newest builds; `result` is None while it runs, moments are seconds of the wall clock."""

    number: int
    result: str | None
    begin: float
    end: float  # the same as `begin` while it runs


def is_building(queue: Mapping[str, Any], overview: Mapping[str, Any]) -> bool:
    """Some job is queued or running, by what Jenkins answers to /queue/api/json and /api/json. Pure."""
    return bool(queue["items"]) or any(job["color"].endswith("_anime") for job in overview["jobs"])


def _newest(told: Mapping[str, Any]) -> Newest:
    return Newest(
        number=told["number"],
        result=None if told["building"] else told["result"],
        begin=told["timestamp"] / 1000,
        end=(told["timestamp"] + told["duration"]) / 1000,
    )


class JenkinsClient:
    def __init__(self, lab: Lab, transport: httpx.BaseTransport | None = None) -> None:
        require_present(lab)
        url = f"http://{lab.master.address}:8080"
        self._client = http.client(TIMEOUT, base_url=url, trust_env=False, transport=transport)

    def build(self, job: str, say: Callable[[str], None] = lambda _: None) -> Build:
        """Trigger a job and follow it to its end; its log goes to `say`, line by line."""
        number = self.trigger(job)
        return self.follow(job, number, say)

    def trigger(self, job: str) -> int:
        """Ask for a build; returns the number it will have."""
        number = int(self._json(f"/job/{job}/api/json")["nextBuildNumber"])
        crumb = self._json("/crumbIssuer/api/json")  # Jenkins takes no post without it
        self._ask("POST", f"/job/{job}/build", headers={crumb["crumbRequestField"]: crumb["crumb"]})
        return number

    def last_number(self, job: str) -> int:
        """The number of the job's newest build, 0 before the first."""
        return int(self._json(f"/job/{job}/api/json")["nextBuildNumber"]) - 1

    def builds(self, job: str) -> list[tuple[int, str]]:
        """Number and result of each build that the job has; the result of one that runs is empty."""
        told = self._json(f"/job/{job}/api/json?depth=1")["builds"]
        return [(int(one["number"]), one["result"] or "") for one in told]

    def newest(self, job: str) -> Newest | None:
        """The newest build that the job has; None when it has none."""
        last = self._json(f"/job/{job}/api/json")["lastBuild"]
        if last is None:
            return None
        number = int(last["number"])
        return _newest(self._json(f"/job/{job}/{number}/api/json") | {"number": number})

    def latest(self, most: int) -> tuple[tuple[str, Newest], ...]:
        """The newest builds of all jobs, each with its job, the one that began last first."""
        # This Jenkins takes no range in its words, so it tells of each build it keeps.
        tree = "jobs[name,builds[number,building,result,timestamp,duration]]"
        told = self._json("/api/json", params={"tree": tree})
        found = [(job["name"], _newest(build)) for job in told["jobs"] for build in job["builds"]]
        return tuple(sorted(found, key=lambda one: one[1].begin, reverse=True)[:most])

    def started(self, job: str, number: int) -> float:
        """When a build began, in seconds of the wall clock."""
        return float(self._json(f"/job/{job}/{number}/api/json")["timestamp"]) / 1000

    def follow(self, job: str, number: int, say: Callable[[str], None] = lambda _: None) -> Build:
        """Wait for a build to end. Raises TimedOut with what its log last said."""
        shown = 0

        def ended() -> dict[str, Any] | None:
            nonlocal shown
            # Asked before the log, so that the log of a build that has ended is whole.
            build = self._json(f"/job/{job}/{number}/api/json")
            lines = self.console(job, number).splitlines(keepends=True)
            whole = [line.rstrip("\r\n") for line in lines if line.endswith("\n") or not build["building"]]
            for line in whole[shown:]:
                say(line)
            shown = len(whole)
            return None if build["building"] else build

        build = wait_until(
            ended,
            BUILD_TIMEOUT,
            f"build {number} of {job} to end",
            evidence=lambda: "\n".join(self.console(job, number).splitlines()[-LAST_LINES:]),
            try_next=named.command("logs jenkins"),
        )
        return Build(job, number, build["result"], build["duration"] / 1000, self.console(job, number))

    def console(self, job: str, number: int) -> str:
        return self._ask("GET", f"/job/{job}/{number}/consoleText").text

    def building(self) -> bool:
        """Some job is queued or running."""
        return is_building(self._json("/queue/api/json"), self._json("/api/json"))

    def jobs(self) -> tuple[str, ...]:
        return tuple(job["name"] for job in self._json("/api/json")["jobs"])

    def online(self, node: str) -> bool:
        """A node of Jenkins' is there and takes builds. LabError when Jenkins has none of that name."""
        return not self._json(f"/computer/{node}/api/json")["offline"]

    def _json(self, path: str, **options: Any) -> dict[str, Any]:
        answer = self._ask("GET", path, **options)
        try:
            told: dict[str, Any] = answer.json()
        except ValueError as error:
            raise LabError(
                f"Jenkins answered no JSON to GET {path}",
                last_seen=answer.text[:300],
                try_next=named.command("logs jenkins"),
            ) from error
        return told

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **options)
        except http.error() as error:
            raise LabError(
                "Jenkins does not answer", last_seen=str(error), try_next=named.command("logs jenkins")
            ) from error
        if answer.is_error:
            raise LabError(
                f"Jenkins answered {answer.status_code} to {method} {path}",
                last_seen=answer.text[:300],
                try_next=named.command("logs jenkins"),
            )
        return answer

    def close(self) -> None:
        self._client.close()
