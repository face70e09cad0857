"""The known state every scenario begins from: blue with the first release live, no green, three books."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deployments import books, by_hand
from lab import machines
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.errors import LabError
from lab.model import DATABASE, Lab, Service
from lab.shell import Shell
from lab.waiting import limit, wait_until
from provisioning import build, health, provision
from provisioning.stages import healths


def first_release(lab: Lab, master: Shell, service: Service, say: Callable[[str], None]) -> None:
    """The service answers: deployed when it never was, mended when its parts were stopped or removed."""
    live = ConsulClient(lab).live_color(service)
    if live is None:
        by_hand.deploy(lab, master, service, service.releases[0], say)
    elif not _answers(master, lab, service):
        say(f"{service.name} does not answer: starting its {live} color again")
        revive(master, service, live)


def _answers(master: Shell, lab: Lab, service: Service) -> bool:
    url = lab.public_address(service)
    return master.run(f"curl -fsS -m {limit(3)} -o /dev/null {url}", sudo=False, check=False).exit == 0


def revive(master: Shell, service: Service, color: str) -> None:
    """Database, container and upstream of a color, brought back where they are missing."""
    by_hand.render_compose(master, service)
    if service.database:
        by_hand.compose(master, service, "up -d --no-recreate db")
        by_hand.wait_registered(master, service.registered(DATABASE))
    by_hand.render_compose(master, service)
    by_hand.start_anew(master, service, color)
    by_hand.restore(master, service, by_hand.direct_test(master, service, color))
    by_hand.write_upstream(master, service, color)


def mend(lab: Lab, shells: Mapping[str, Shell]) -> list[str]:
    """Bring back whatever a scenario left down, as `lab up` would; returns what that was."""
    wrong = health.unwell(lab, shells)
    if any(seen.component == health.SSH for seen in wrong):
        machines.up(lab)
        for shell in shells.values():
            shell.close()
    if wrong:
        provision.provision(lab, build.record(lab), shells, lambda _: None)
        health.wait(shells, healths(lab))
    return [str(seen) for seen in wrong]


def stop_healing(master: Shell) -> None:
    """No definition of a service, so nothing is checked; whatever was being healed is left."""
    master.run(
        "systemctl stop 'lab-heal-*'; rm -f /etc/consul.d/service-*.json; : >/data/consul/logs/watchers.log; "
        "consul reload"
    )


def come_to_rest(master: Shell, jenkins: JenkinsClient) -> None:
    """Nothing is checked, healed or built any more.

    A build that is under way writes its service's definition at its end, and healing would begin anew.
    """

    def at_rest() -> bool:
        if jenkins.building():
            return False
        stop_healing(master)
        return not jenkins.building()

    stop_healing(master)
    wait_until(at_rest, 180, "Jenkins to end its builds", try_next="lab logs jenkins")


def forget_earlier_databases(lab: Lab, shells: Mapping[str, Shell], service: Service) -> None:
    """No node keeps records of a database that is no more; the volume in use stays."""
    for node in lab.swarm_nodes:
        shells[node.name].run(f"docker volume rm {service.volume}", check=False)


def reset(lab: Lab, shells: Mapping[str, Shell], service: Service) -> None:
    """Blue with the first release is live, green is gone and ready for the second, the books are back.

    Nothing heals itself at the baseline: that begins with the first deployment by Ansible, as in the article.
    """
    master = shells[lab.master.name]
    mend(lab, shells)
    jenkins = JenkinsClient(lab)
    come_to_rest(master, jenkins)
    jenkins.close()
    by_hand.break_lock(master, service)
    forget_earlier_databases(lab, shells, service)
    blue, green = service.releases[0], service.releases[-1]
    form = "{{.State.Running}} {{.Config.Image}}"
    running = master.run(
        f"docker inspect -f '{form}' {service.container('blue')}",
        sudo=False,
        check=False,
    ).stdout.strip()
    by_hand.set_release(master, service, "blue", blue)
    by_hand.set_release(master, service, "green", green)
    if not running.startswith("true") or not running.endswith(f":{blue}"):
        revive(master, service, "blue")
    # Whatever a scenario left in Consul and in nginx, these two agree again.
    by_hand.direct_test(master, service, "blue")
    by_hand.cut_over(lab, master, service, "blue", "blue")
    by_hand.compose(master, service, "rm -sf green")
    books.ensure(lab)
    if not _answers(master, lab, service):
        raise LabError(f"{service.name} does not answer after the reset", try_next="lab status")
