from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deployments import by_hand
from deployments.by_hand import Deployed
from lab import config, waiting
from lab.errors import CheckFailed, ConfigError, LabError
from lab.model import Service
from lab.shell import CommandFailed
from lab.testing import Answer, Endless, FakeConsul, FakeShell, said

LAB = config.load(config.LAB_FILE)
BOOKS = LAB.service("books-service")
FRONT = LAB.service("books-fe")

NOTED = r"-X PUT -d '(blue|green)'"
LOCK = "deployment_lock.sh take books-"
UPSTREAM = "/data/nginx/upstreams"
SERVED = r"-D - http://10\.100\.199\.200/api/v1/books \| tee .*\| grep -i '\^x-color: green'"
DIRECT = r"curl -fsS -m 5 -o /dev/null http://10\.100\.199\.202:32768"


def registered(address: str = "", port: int = 32768, node: str = "10.100.199.202") -> Answer:
    return said(json.dumps([{"Service": {"Address": address, "Port": port}, "Node": {"Address": node}}]))


CONSUL = FakeConsul()


@pytest.fixture(autouse=True)
def consul_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    CONSUL.colors = {}
    monkeypatch.setattr(by_hand, "ConsulClient", lambda lab: CONSUL)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    monkeypatch.setattr(by_hand, "REGISTERED_TIMEOUT", 0.0)
    monkeypatch.setattr(by_hand, "DIRECT_TEST_TIMEOUT", 0.0)
    monkeypatch.setattr(by_hand, "SERVED_TIMEOUT", 0.0)


def master(live: str | None, other: Mapping[str, Answer] | None = None) -> FakeShell:
    """swarm-master with this live color, where all goes well but what `other` says."""
    CONSUL.colors = dict.fromkeys(("books-service", "books-fe"), live)
    usual: dict[str, Answer] = {
        LOCK: said("s1\n"),
        "v1/health/service": registered(),
        "": said(),
    }
    return FakeShell(
        {
            **(other or {}),
            **{pattern: answer for pattern, answer in usual.items() if pattern not in (other or {})},
        },
        node="swarm-master",
    )


def deploy(shell: FakeShell, release: str = "1.1") -> Deployed:
    return by_hand.deploy(LAB, shell, BOOKS, release, lambda line: None)


# --- deciding -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        (said("[]"), None),
        (registered(), "10.100.199.202:32768"),
        (registered(address="10.0.0.9"), "10.0.0.9:32768"),
    ],
    ids=["nothing", "of its node", "its own"],
)
def test_an_instance_is_where_the_catalogue_says(answer: Answer, address: str | None) -> None:
    assert by_hand.registered_at(FakeShell({"": answer}), "books-service-blue") == address


# --- a deployment that goes well ----------------------------------------------------------------------------


def test_a_release_goes_to_the_idle_color_and_is_live_there() -> None:
    assert deploy(master("blue")) == Deployed("green", "1.1", "10.100.199.202:32768")
    assert deploy(master("green")) == Deployed("blue", "1.1", "10.100.199.202:32768")


def test_the_new_color_is_tested_before_it_is_live_and_the_old_one_stopped_last() -> None:
    shell = master("blue")
    deploy(shell)
    order = [
        "GREEN_RELEASE=1.1",
        "docker-compose pull green",
        "docker-compose rm -sf green",
        "docker-compose up -d --no-deps green",
        DIRECT,
        "session/renew/s1",
        "PUT -d 'green'",
        UPSTREAM,
        SERVED,
        "docker stop booksservice_blue_1",
    ]
    places = [[i for i, script in enumerate(shell.scripts) if re.search(p, script)] for p in order]
    assert [len(found) for found in places] == [1] * len(order)
    assert places == sorted(places)
    assert places[-1] == [len(shell.scripts) - 2]  # then the lock is given back


def test_the_first_deployment_stops_nothing() -> None:
    shell = master(None)
    assert deploy(shell, "1.0").color == "blue"
    assert shell.ran("docker stop") == []


@pytest.mark.parametrize(("answer", "started"), [(said("[]"), 1), (registered(), 0)], ids=["away", "there"])
def test_the_database_is_started_only_when_consul_does_not_know_it(answer: Answer, started: int) -> None:
    shell = master("blue", {"service/books-service-db": answer})
    if started:
        with pytest.raises(LabError, match="books-service-db in Consul"):
            deploy(shell)
    else:
        deploy(shell)
    assert len(shell.ran("up -d --no-recreate db")) == started


def test_a_service_without_a_database_starts_none() -> None:
    shell = master("blue")
    by_hand.deploy(LAB, shell, FRONT, "1.1", lambda line: None)
    assert shell.ran("-db|up -d .*db") == []


# --- a deployment that fails --------------------------------------------------------------------------------

FAILURES: dict[str, dict[str, Answer]] = {
    "cannot be pulled": {"pull green": said(exit=1, stderr="manifest unknown")},
    "takes for ever to pull": {"pull green": Endless("Pulling green ...")},
    "does not start": {"up -d --no-deps green": said(exit=1, stderr="no such image")},
    "is never known to Consul": {"service/books-service-green": said("[]")},
    "fails its direct test": {DIRECT: said(exit=22, stderr="502 Bad Gateway")},
    "does not end its direct test": {DIRECT: Endless()},
}


@pytest.mark.parametrize("case", FAILURES)
def test_nothing_is_cut_over_to_a_color_that(case: str) -> None:
    shell = master("blue", FAILURES[case])
    with pytest.raises(CheckFailed, match="books-service stays on blue: "):
        deploy(shell)
    assert shell.ran(f"{NOTED}|{UPSTREAM}") == []


@pytest.mark.parametrize("case", FAILURES)
def test_only_the_idle_color_is_stopped_when_it(case: str) -> None:
    shell = master("blue", FAILURES[case])
    with pytest.raises(CheckFailed):
        deploy(shell)
    assert shell.ran("docker(-compose)? (stop|kill)") == [
        "cd /data/compose/config/books-service && docker-compose stop green"
    ]
    assert shell.ran("blue") == []


def test_a_failed_direct_test_tells_where_what_and_what_next() -> None:
    shell = master("green", FAILURES["fails its direct test"])
    with pytest.raises(CheckFailed) as caught:
        deploy(shell)
    assert caught.value.what == (
        "books-service stays on green: "
        "books-service blue failed its direct test at http://10.100.199.202:32768/api/v1/books"
    )
    assert "502 Bad Gateway" in (caught.value.last_seen or "")
    assert caught.value.try_next == "docker logs booksservice_blue_1"


def test_a_live_color_that_cannot_be_told_stops_a_deployment_before_anything() -> None:
    shell = master("purple")
    with pytest.raises(LabError, match="cannot tell"):
        deploy(shell)
    assert shell.ran("docker|sed|consul-template|-X PUT -d '(blue|green)") == []


@pytest.mark.parametrize(
    "release",
    ["", " ", "1.1 ", "1/1", "1;reboot", "$(id)", "it's", "a:b", "1.1\n", "-1", ".1", "é1", "²", "x" * 129],
)
def test_a_release_that_is_no_image_tag_is_refused_before_anything(release: str) -> None:
    shell = FakeShell({})
    with pytest.raises(ConfigError, match="is not an image tag"):
        deploy(shell, release)
    assert shell.scripts == []


@pytest.mark.parametrize("release", ["1.1", "v2", "2026-01-01", "a_b", "_1", "x" * 128])
def test_an_image_tag_is_a_release(release: str) -> None:
    assert deploy(master("blue"), release).release == release


# --- one at a time ------------------------------------------------------------------------------------------


def test_a_second_deployment_is_refused_and_changes_nothing() -> None:
    refusal = "another deployment of books-service is running: ansible since 10:00:00\n"
    shell = master("blue", {LOCK: said(exit=3, stderr=refusal)})
    with pytest.raises(CheckFailed, match="another deployment of books-service is running") as caught:
        deploy(shell)
    assert caught.value.last_seen == "ansible since 10:00:00"
    assert shell.ran("docker-compose|docker stop|sed -i") == []


def test_a_lock_that_cannot_be_asked_for_is_told_as_that() -> None:
    shell = master("blue", {LOCK: said(exit=7, stderr="curl: (7) Failed to connect")})
    with pytest.raises(CommandFailed) as caught:
        deploy(shell)
    assert "Failed to connect" in caught.value.last_seen


@pytest.mark.parametrize(("serves", "goes_to"), [("blue", "green"), ("green", "blue"), (None, "blue")])
def test_after_a_killed_deployment_the_color_that_serves_users_is_live(
    serves: str | None, goes_to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    left = said("s1 left by ansible since 10:00:00, process 9-100\n")
    headers = said(f"x-color: {serves}") if serves else said(exit=7)
    shell = master("green", {LOCK: left, r"-D - \S+$": headers})

    def note(_: object, service: Service, color: str | None) -> None:
        CONSUL.colors[service.name] = color

    monkeypatch.setattr(by_hand, "set_color", note)
    serves_then = SERVED.replace("green", goes_to)
    shell.answers = {serves_then: said(), **shell.answers}
    assert by_hand.deploy(LAB, shell, BOOKS, "1.1", told.append).color == goes_to
    assert "was killed and left its lock: ansible since 10:00:00, process 9-100" in told[0]


@pytest.mark.parametrize("other", [{}, {"docker-compose pull": said(exit=1)}], ids=["done", "refused"])
def test_the_lock_is_given_back_however_the_deployment_ends(other: Mapping[str, Answer]) -> None:
    shell = master("blue", other)
    with suppress(CheckFailed):
        deploy(shell)
    assert "session/destroy/s1" in shell.scripts[-1]


# --- Ctrl-C -------------------------------------------------------------------------------------------------

CUTS = {
    "while the release is pulled": "docker-compose pull",
    "while the color starts": "docker-compose up -d --no-deps green",
    "in the direct test": DIRECT,
    "in the restore": "restore_records",
    "while the color is noted": "-X PUT -d 'green'",
    "while nginx is told": "consul-template.*-green-upstream",
    "while users are waited for": "x-color: green",
}


@pytest.mark.parametrize("case", CUTS)
@pytest.mark.parametrize("live", ["blue", None])
def test_what_was_live_is_live_after_a_cut_and_the_lock_is_given_back(case: str, live: str | None) -> None:
    pattern = CUTS[case] if live else CUTS[case].replace("green", "blue")
    shell = master(live, {pattern: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        deploy(shell)
    after = shell.scripts[shell.scripts.index(shell.ran(pattern)[0]) + 1 :]
    assert "session/destroy/s1" in after[-1]
    assert any(f"stop {'green' if live else 'blue'}" in script for script in after)
    assert any(f"-X PUT -d '{live}'" in script or "-X DELETE" in script for script in after)
    assert not live or any("-blue-upstream" in script for script in after)
    assert not shell.ran("docker stop booksservice_blue_1")


def test_a_cut_while_the_lock_is_asked_for_ends_that_and_changes_nothing() -> None:
    shell = master("blue", {LOCK: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        deploy(shell)
    assert shell.scripts[1:] == ["pkill -u vagrant -x deployment_lock"]


def test_a_second_cut_stops_and_names_what_is_left() -> None:
    shell = master("blue", {"docker-compose pull": KeyboardInterrupt(), "pkill": KeyboardInterrupt()})
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        by_hand.deploy(LAB, shell, BOOKS, "1.1", told.append)
    assert "stays on blue" in told[-2]
    assert "booksservice_green_1 may be left" in told[-1] and "lab reset" in told[-1]
    assert "session/destroy/s1" in shell.scripts[-1]


def test_the_lock_of_whoever_died_is_broken_by_a_reset() -> None:
    shell = FakeShell({"services/books-service/lock": said('[{"Session": "a-1"}]'), "destroy": said()})
    by_hand.break_lock(shell, BOOKS)
    assert "session/destroy/a-1" in shell.scripts[-1]


@pytest.mark.parametrize("answer", [said("[]"), said('[{"Key": "k"}]'), said("No cluster leader", exit=22)])
def test_where_no_lock_is_none_is_broken(answer: Answer) -> None:
    shell = FakeShell({"services/books-service/lock": answer})
    by_hand.break_lock(shell, BOOKS)
    assert len(shell.scripts) == 1


# --- what Consul says and a script would take ---------------------------------------------------------------


@pytest.mark.parametrize("address", ["$(id)", "1.2.3.4;id", "`id`", "1.2.3.4/x", "", "a.b.c.d", "1.2.3.4 5"])
def test_an_address_that_is_none_becomes_no_part_of_a_script(address: str) -> None:
    shell = master("blue", {"v1/health/service": registered(address=address, node=address)})
    with pytest.raises(LabError, match="cannot be what Consul says"):
        by_hand.registered_at(shell, "books-service-blue")


@pytest.mark.parametrize("session", ["$(id)", "a b", "", "a/b", "x" * 41])
def test_a_session_that_is_none_becomes_no_part_of_a_script(session: str) -> None:
    shell = master("blue", {LOCK: said(session)})
    with pytest.raises(LabError, match="cannot be what Consul says"):
        deploy(shell)
    assert len(shell.scripts) == 1


def test_nothing_is_cut_over_when_the_lock_ran_out() -> None:
    shell = master("blue", {"session/renew": said(exit=22, stderr="404")})
    with pytest.raises(CheckFailed, match="could not be renewed"):
        deploy(shell)
    assert shell.ran(f"{NOTED}|{UPSTREAM}|docker stop") == []


def test_the_color_is_put_back_when_nginx_cannot_be_told() -> None:
    shell = master("blue", {"consul-template.*upstream": said(exit=1)})
    with pytest.raises(LabError):
        deploy(shell)
    assert [re.search("'(blue|green)'", script)[1] for script in shell.ran(NOTED)] == ["green", "blue"]  # type: ignore[index]


@pytest.mark.parametrize(("live", "upstreams"), [("blue", ["green", "blue"]), (None, ["blue"])])
def test_what_was_live_is_put_back_when_users_stay_unserved(live: str | None, upstreams: list[str]) -> None:
    shell = master(live, {"x-color: ": said(exit=1)})
    with pytest.raises(CheckFailed, match="passed its direct test, but does not answer at") as caught:
        deploy(shell)
    assert f"stays on {live or 'nothing'}" in caught.value.what
    written = [re.search("-(blue|green)-upstream", script)[1] for script in shell.ran("-upstream")]  # type: ignore[index]
    assert written == upstreams
    assert shell.ran(r"-X (PUT -d 'blue'|DELETE).*/color")
    assert not shell.ran("docker stop")


@pytest.mark.parametrize(("ends", "upstream"), [("true", "to green\n"), ("exit 14", "to blue\n")])
def test_the_upstream_is_changed_only_when_nginx_was_told(
    ends: str, upstream: str, played: Any, tmp_path: Path
) -> None:
    conf = tmp_path / "books-service.conf"
    conf.write_text("to blue\n")
    played.program("consul-template", f"echo 'to green' >{conf}; {ends}")
    shell = FakeShell({"": said()})
    by_hand.write_upstream(shell, BOOKS, "green")
    done = played.run(shell.scripts[0], places={UPSTREAM: str(tmp_path)})
    assert (done.returncode == 0, conf.read_text()) == (ends == "true", upstream)
    assert [path.name for path in tmp_path.glob("*.conf*")] == [conf.name]


def test_what_serves_users_is_not_replaced_when_consul_notes_another_color() -> None:
    shell = master("green", {"-D - http": said("HTTP/1.1 200 OK\r\nX-Color: blue\r\n\r\n")})
    with pytest.raises(CheckFailed, match="notes green as live, but blue serves") as caught:
        deploy(shell)
    assert "-d blue" in (caught.value.try_next or "")
    assert not shell.ran("docker-compose")


@pytest.mark.parametrize("headers", ["", "HTTP/1.1 200 OK\r\nX-Color: blue\r\n", "HTTP/1.1 502 Bad\r\n"])
def test_a_color_that_serves_or_does_not_answer_is_no_disagreement(headers: str) -> None:
    shell = master("blue", {"-D - http": said(headers)})
    assert deploy(shell).color == "green"
