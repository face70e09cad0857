"""What a step's checks are judged by: one look at the lab, and what Consul, Jenkins and a log say then."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from deployments import observed
from deployments.observed import Noted, Observation
from faults.leftovers import LEFTOVERS
from lab import named
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient, Newest
from lab.errors import CheckFailed
from lab.model import Lab
from lab.shell import Shell

LOG = "/data/consul/logs/watchers.log"


@dataclass(frozen=True)
class Seen:
    """A lab whose every component answers, at one moment."""

    observation: Observation
    noted: Noted
    check: str  # the worst of Consul's checks of the service: critical, warning, passing; unknown without any
    build: Newest | None  # the newest of the service's job in Jenkins
    log: str  # what the watch and the healing said since the baseline


def look(lab: Lab, shells: Mapping[str, Shell]) -> Seen:
    """Raises CheckFailed that says which components do not answer: then nothing can be told of a step."""
    for _ in range(2):  # one that was busy answers a second look
        seen = observed.look(lab, shells, lab.main_service, LEFTOVERS)
        if seen.noted is not None:
            break
    else:
        raise CheckFailed(
            "not everything answers, so no step can be checked or solved",
            last_seen="\n".join(map(str, seen.unwell)),
            try_next=named.up_command(),
        )
    with closing(JenkinsClient(lab)) as jenkins:
        return whole(lab, shells, seen, ConsulClient(lab), jenkins)


def whole(
    lab: Lab, shells: Mapping[str, Shell], seen: Observation, consul: ConsulClient, jenkins: JenkinsClient
) -> Seen:
    """One look at a lab that is well, with what Consul, Jenkins and the watchers' log say beside it."""
    assert seen.noted is not None, "a lab that is not well tells nothing of a step"
    service = lab.main_service
    build = jenkins.newest(service.name)
    log = shells[lab.master.name].run(f"cat {LOG}", check=False).stdout
    return Seen(seen, seen.noted, consul.health(service.name), build, log)
