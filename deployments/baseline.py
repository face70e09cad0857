"""The known state every scenario begins from: blue with the first release live, no green, three books."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import closing

from deployments import books, by_hand, observed
from deployments.checkpoints import shelf
from deployments.differences import LIVE, Difference, Kind, differences, releases
from lab import machines, named
from lab.clients.consul import ConsulClient
from lab.clients.jenkins import JenkinsClient
from lab.errors import LabError, TimedOut
from lab.model import DATABASE, Lab, Service
from lab.shell import Shell
from lab.waiting import limit, retry, wait_until
from provisioning import build, health, provision
from provisioning.resources import Trouble
from provisioning.stages import healths

FORGOTTEN = 5.0  # seconds in which Registrator has seen that a container is gone
SETTLED = 30.0  # seconds in which what was put back must be seen
TRIES = 2  # what was under way may break a thing once more, such as a healing that just began


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


def mend(lab: Lab, shells: Mapping[str, Shell], unwell: Collection[str]) -> None:
    """Bring back these components, and whatever else is down, as `lab up` would."""
    if health.SSH in unwell:
        machines.up(lab)
        for shell in shells.values():
            shell.close()
    if unwell:
        provision.provision(lab, build.record(lab), shells, lambda _: None)
        health.wait(shells, healths(lab))


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
    wait_until(at_rest, 180, "Jenkins to end its builds", try_next=named.command("logs jenkins"))


def forget(master: Shell, there: Shell, service: Service, part: str) -> None:
    """What is gone leaves Consul's catalogue: Registrator takes it back, or else begins anew."""

    def is_gone() -> bool:
        return by_hand.registered_at(master, service.registered(part)) is None

    try:
        wait_until(is_gone, FORGOTTEN, f"{service.registered(part)} to leave Consul's catalogue")
    except TimedOut:
        there.run("docker restart -t 1 registrator")


def put_back(lab: Lab, shells: Mapping[str, Shell], service: Service, one: Difference, left: Trouble) -> None:
    """One difference, through the doors that a deployment uses."""
    master, there = shells[lab.master.name], shells[lab.node(one.node).name]
    match one.kind:
        case Kind.LEFTOVER:
            # One that must come last fails before the others: the next look finds it, and it is tried again.
            there.run(left.mend, check=False)
        case Kind.REST:
            with closing(JenkinsClient(lab)) as jenkins:
                come_to_rest(master, jenkins)
        case Kind.LOCK:
            by_hand.break_lock(master, service)
        case Kind.RELEASE:
            by_hand.set_release(master, service, one.name, releases(service)[one.name])
        case Kind.EXTRA:
            there.run(f"docker rm -f {one.name}")
        case Kind.HALTED:
            there.run(f"docker unpause {one.name} 2>/dev/null || docker start {one.name}")
        case Kind.MISSING:
            revive(master, service, LIVE)
        case Kind.UPSTREAM:
            by_hand.direct_test(master, service, LIVE)
            by_hand.cut_over(lab, master, service, LIVE, LIVE)
        case Kind.ENTRY:
            forget(master, there, service, one.name)
        case Kind.VOLUME:
            there.run(f"docker volume rm {service.volume}")
        case Kind.BOOKS:
            books.ensure(lab)


def reset(
    lab: Lab, shells: Mapping[str, Shell], service: Service, left: Trouble, say: Callable[[str], None]
) -> None:
    """Blue with the first release is live, green is gone and ready for the second, the books are back.

    Nothing heals itself at the baseline: that begins with the first deployment by Ansible, as in the article.
    One look tells what differs, and only that is put back and looked at again: at the baseline nothing is
    done. `left` is what must not be on any node, and its end. Raises TimedOut with what still differs.
    """
    shelf.refuse_unended()
    done: list[Difference] = []

    def new() -> list[Difference]:
        differs = differences(lab, service, observed.look(lab, shells, service, left))
        todo = [one for one in differs if done.count(one) < TRIES]
        if differs and not todo:
            raise LabError("not at the baseline", last_seen="\n".join(map(str, differs)))
        return todo

    while todo := retry(new, SETTLED, "the baseline", try_next=named.command("status")):
        for one in todo:
            say(f"put back: {one}")
        if todo[0].kind is Kind.COMPONENT:  # they come alone, and are mended together
            mend(lab, shells, {one.name for one in todo})
        else:
            for one in todo:
                put_back(lab, shells, service, one, left)
        done += todo
