"""The by-hand deployment: the article's own commands on swarm-master, with each answer looked at.

pull, start the idle color, test it on its own address and port, cut over, stop the old color.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab import named
from lab.clients.consul import ConsulClient
from lab.config import RELEASE
from lab.errors import CheckFailed, ConfigError, LabError, TimedOut
from lab.model import DATABASE, Lab, Service, other
from lab.shell import CommandFailed, Shell
from lab.waiting import in_words, limit, wait_until

CONSUL = "http://localhost:8500"
REGISTERED_TIMEOUT = 30.0
DIRECT_TEST_TIMEOUT = 20.0
SERVED_TIMEOUT = 10.0
ADDRESS = r"[0-9.]{7,15}:[0-9]{1,5}"
SESSION = r"[\w-]{1,40}"
LOCK_SECONDS = 180  # stretched; deployment_lock.sh takes it for so long
LOCKED = 3  # deployment_lock.sh: another deployment is running


@dataclass(frozen=True)
class Deployed:
    """What a deployment left: the color and release that are live now, and where."""

    color: str
    release: str
    address: str


def ask(options: str = "-fsS") -> str:
    """curl as every question of a deployment begins."""
    return f"curl {options} -m {limit(5)}"


def compose(master: Shell, service: Service, words: str, *, check: bool = True) -> None:
    master.run(f"cd {service.folder} && docker-compose {words}", sudo=False, check=check, timeout=180)


def registered_at(master: Shell, name: str) -> str | None:
    """`IP:PORT` of the one healthy instance of a name in Consul's catalogue, or None."""
    answer = master.run(f"{ask()} '{CONSUL}/v1/health/service/{name}?passing'", sudo=False)
    for entry in json.loads(answer.stdout):
        # Registrator leaves the address to the node's entry.
        address = entry["Service"]["Address"] or entry["Node"]["Address"]
        return _plain(f"{address}:{entry['Service']['Port']}", ADDRESS, f"the address of {name}")
    return None


def _plain(word: str, form: str, what: str) -> str:
    """A word of Consul's that becomes a part of a script: of its form, or LabError."""
    if not re.fullmatch(form, word):
        raise LabError(
            f"{what} cannot be what Consul says", last_seen=word[:200], try_next=named.command("reset")
        )
    return word


def wait_registered(master: Shell, name: str) -> str:
    """Wait until Consul knows a healthy instance; returns its address. Raises TimedOut."""
    return wait_until(
        lambda: registered_at(master, name),
        REGISTERED_TIMEOUT,
        f"{name} in Consul's catalogue",
        node=master.node,
        try_next=named.command("logs registrator"),
    )


def set_release(master: Shell, service: Service, color: str, release: str) -> None:
    """What a color is to run, in the compose project's .env."""
    word = f"{color.upper()}_RELEASE"
    master.run(f"sed -i 's/^{word}=.*/{word}={release}/' {service.folder}/.env")


def render_compose(master: Shell, service: Service) -> None:
    """docker-compose.yml from its template, with the database's address from Consul."""
    path = f"{service.folder}/docker-compose.yml"
    master.run(f"consul-template -consul localhost:8500 -template '{path}.ctmpl:{path}' -once", timeout=30)


def ensure_database(master: Shell, service: Service) -> None:
    """The service's database runs and is known to Consul."""
    if service.database and registered_at(master, service.registered(DATABASE)) is None:
        compose(master, service, "up -d --no-recreate db")
        wait_registered(master, service.registered(DATABASE))


def start_anew(master: Shell, service: Service, color: str) -> None:
    """A new container of the color: compose would rename the old one, which Swarm may see too late."""
    compose(master, service, f"rm -sf {color}")
    compose(master, service, f"up -d --no-deps {color}")


def direct_test(master: Shell, service: Service, color: str) -> str:
    """Ask the new color on its own address and port; returns that address. Raises CheckFailed."""
    name = service.registered(color)
    address: str | None = wait_registered(master, name)

    def answering() -> str | None:
        # Asked anew each time: the entry of a container just removed may still be there.
        nonlocal address
        address = registered_at(master, name)
        if address is not None:
            master.run(f"{ask()} -o /dev/null http://{address}{service.path}", sudo=False)
        return address

    try:
        return wait_until(answering, DIRECT_TEST_TIMEOUT, f"an answer of {name} on its own address")
    except TimedOut as error:
        raise CheckFailed(
            f"{service.name} {color} failed its direct test at http://{address}{service.path}",
            node=master.node,
            last_seen=error.last_seen,
            try_next=f"docker logs {service.container(color)}",
        ) from error


def restore(master: Shell, service: Service, address: str) -> None:
    """A new database gets the records of the last backup, through the color that answers at `address`."""
    if service.database:
        url = f"http://{address}{service.path}"
        master.run(f"restore_records.sh {service.name} {service.container(DATABASE)} {url}")


def write_upstream(master: Shell, service: Service, color: str) -> None:
    """The article's consul-template line: nginx sends requests to this color from now on.

    When nginx cannot be told, the file is what it was: its next start would send them there all the same.
    """
    source = service.upstream_template(color)
    target = service.upstream
    master.run(
        f"cp {target} {target}.before; consul-template -consul localhost:8500 "
        f'-template "{source}:{target}:docker kill -s HUP nginx" -once && rm -f {target}.before || '
        f"{{ code=$?; mv {target}.before {target}; exit $code; }}",
        timeout=30,
    )


def set_color(master: Shell, service: Service, color: str | None) -> None:
    """Note the live color in Consul; None forgets it."""
    verb = f"-X PUT -d '{color}'" if color else "-X DELETE"
    master.run(f"curl -fsS {verb} {CONSUL}/v1/kv/{service.color_key}", sudo=False)


def cut_over(lab: Lab, master: Shell, service: Service, color: str, live: str | None) -> None:
    """Color and upstream change together, and the color answers users after it.

    Else all is put back: raises what nginx said when it cannot be told, CheckFailed when users stay unserved.
    """
    try:
        set_color(master, service, color)
        write_upstream(master, service, color)
    except LabError:
        set_color(master, service, live)
        raise
    # tee: a failure shows all headers.
    serves = f"{_headers(lab, service)} | tee >(cat >&2) | grep -i '^x-color: {color}'"
    try:
        wait_until(
            lambda: master.run(serves, sudo=False),
            SERVED_TIMEOUT,
            f"{color} to answer at {lab.public_address(service)}",
        )
    except TimedOut as error:
        _put_back(master, service, live)
        raise CheckFailed(
            f"{service.name} stays on {live or 'nothing'}: {color} passed its direct test, "
            f"but does not answer at {lab.public_address(service)}",
            node=master.node,
            last_seen=error.last_seen,
            try_next=named.command("logs nginx"),
        ) from error


def _put_back(master: Shell, service: Service, live: str | None) -> None:
    """Color and upstream as they were before a cut-over."""
    set_color(master, service, live)
    if live:
        write_upstream(master, service, live)


def _give_up(master: Shell, service: Service, live: str | None, say: Callable[[str], None]) -> None:
    """What was live is live, and the color that was being brought up is stopped."""
    color = other(live)
    try:
        _put_back(master, service, live)
        # The command that brings it up goes on after a Ctrl-C.
        master.run("pkill -INT -u vagrant -x docker-compose", sudo=False, check=False)
        compose(master, service, f"stop {color}", check=False)
    except KeyboardInterrupt:
        left = service.container(color)
        say(f"interrupted again: {left} may be left, and be live; `lab reset` puts it right")
        raise


def _headers(lab: Lab, service: Service) -> str:
    """The command that prints the headers of the answer that users get."""
    return f"set -o pipefail; {ask()} -o /dev/null -D - {lab.public_address(service)}"


@dataclass(frozen=True)
class DeploymentLock:
    """A session of Consul's, and who left the lock, a deployment that was killed; or nobody."""

    session: str
    left_by: str


@contextmanager
def deployment_lock(master: Shell, service: Service) -> Iterator[DeploymentLock]:
    """One deployment of a service at a time, whoever deploys. Raises CheckFailed when another is running."""
    lock = _take_lock(master, service)
    try:
        yield lock
    finally:
        master.run(f"curl -fsS -X PUT {CONSUL}/v1/session/destroy/{lock.session}", sudo=False, check=False)


def _take_lock(master: Shell, service: Service) -> DeploymentLock:
    try:
        taken = master.run(f"deployment_lock.sh take {service.name} 'by hand' 0", sudo=False, check=False)
    except KeyboardInterrupt:
        # It goes on after a Ctrl-C.
        master.run("pkill -u vagrant -x deployment_lock", sudo=False, check=False)
        raise
    if taken.exit == LOCKED:
        raise CheckFailed(
            f"another deployment of {service.name} is running",
            node=master.node,
            last_seen=taken.stderr.partition(": ")[2].strip(),
            try_next="wait for its end, then the same command again",
        )
    if taken.exit != 0:
        raise CommandFailed(taken)
    session, _, left_by = taken.stdout.strip().partition(" left by ")
    return DeploymentLock(_plain(session, SESSION, "the id of a session"), left_by)


def break_lock(master: Shell, service: Service) -> None:
    """Nobody deploys this service any more: a lock that was left, by whomever, is given back."""
    key = f"{CONSUL}/v1/kv/{service.lock_key}"
    answer = master.run(f"{ask()} '{key}'", sudo=False, check=False)  # fails where no lock is
    for entry in json.loads(answer.stdout) if answer.exit == 0 else ():
        if "Session" in entry:
            session = _plain(entry["Session"], SESSION, "the id of a session")
            master.run(f"curl -fsS -X PUT {CONSUL}/v1/session/destroy/{session}", sudo=False)


def renew_lock(master: Shell, service: Service, session: str) -> None:
    """The lock holds for its TTL from now. Raises CheckFailed when it ran out: another may be deploying."""
    try:
        master.run(f"curl -fsS -X PUT {CONSUL}/v1/session/renew/{session}", sudo=False)
    except CommandFailed as error:
        raise CheckFailed(
            f"{service.name} stays as it is: "
            "the lock of this deployment could not be renewed: "
            f"it holds for {in_words(LOCK_SECONDS)}",
            node=master.node,
            last_seen=error.last_seen,
            try_next="the same command again",
        ) from error


def deploy(lab: Lab, master: Shell, service: Service, release: str, say: Callable[[str], None]) -> Deployed:
    """Bring a release out on the idle color.

    Raises CheckFailed, with the live color left as it was, when the new color cannot be pulled, does not
    start or fails its direct test.
    """
    if not re.fullmatch(RELEASE.pattern, release):
        raise ConfigError(
            f"release {release!r} is not an image tag", try_next=named.command(f"deploy {service.name} 1.1")
        )
    with deployment_lock(master, service) as lock:
        if lock.left_by:
            say(f"a deployment of {service.name} was killed and left its lock: {lock.left_by}")
            _note_serving(lab, master, service, say)
        live = ConsulClient(lab).live_color(service)
        require_serving(lab, master, service, live)
        try:
            color, address = _prepare(master, service, release, live=live, say=say)
            renew_lock(master, service, lock.session)
            cut_over(lab, master, service, color, live)
        except KeyboardInterrupt:
            say(f"interrupted: {service.name} stays on {live or 'nothing'}; what was begun is put back")
            _give_up(master, service, live, say)
            raise
        say(f"nginx sends {service.path} to {color} at {address}")
        if live:
            old = service.container(live)
            # Gone already is as good as stopped.
            master.run(f"docker stop {old} || ! docker inspect {old} >/dev/null 2>&1", sudo=False)
    return Deployed(color, release, address)


def _note_serving(lab: Lab, master: Shell, service: Service, say: Callable[[str], None]) -> None:
    """Of a deployment that was killed: the color that serves users is the live one, whichever it noted."""
    serves = serving(lab, master, service)
    if serves and serves != ConsulClient(lab).live_color(service):
        say(f"{serves} serves the users of {service.name}, so it is noted again")
        set_color(master, service, serves)


def serving(lab: Lab, master: Shell, service: Service) -> str | None:
    """The color that answers users, or None when none does."""
    headers = master.run(_headers(lab, service), sudo=False, check=False).stdout
    found = re.search(r"(?im)^x-color: (blue|green)\b", headers)
    return found[1] if found else None


def require_serving(lab: Lab, master: Shell, service: Service, live: str | None) -> None:
    """Raises CheckFailed when another color serves users than the live one: a deployment broke off."""
    serves = serving(lab, master, service)
    if serves and serves != live:
        raise CheckFailed(
            f"Consul notes {live or 'no color'} as live, but {serves} serves the users of {service.name}",
            node=master.node,
            try_next=f"curl -X PUT -d {serves} {CONSUL}/v1/kv/{service.color_key}",
        )


def _prepare(
    master: Shell, service: Service, release: str, *, live: str | None, say: Callable[[str], None]
) -> tuple[str, str]:
    """The idle color runs the release and has passed its direct test; returns the color and its address."""
    color = other(live)
    say(f"{service.name} {release} goes to {color} (live: {live or 'nothing yet'})")
    set_release(master, service, color, release)
    render_compose(master, service)
    ensure_database(master, service)
    render_compose(master, service)
    return color, _start_and_test(master, service, color, live)


def _start_and_test(master: Shell, service: Service, color: str, live: str | None) -> str:
    try:
        compose(master, service, f"pull {color}")
        start_anew(master, service, color)
        address = direct_test(master, service, color)
        restore(master, service, address)
        return address
    except (CommandFailed, CheckFailed, TimedOut) as error:
        compose(master, service, f"stop {color}", check=False)
        raise CheckFailed(
            f"{service.name} stays on {live or 'nothing'}: {error.what}",
            node=master.node,
            last_seen=error.last_seen,
            try_next=error.try_next,
        ) from error
