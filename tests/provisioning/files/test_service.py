"""The files of a service and the scripts beside them, run with programs that are played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import config
from provisioning.roles.service import COLORS
from provisioning.templates import render

LAB = config.load(config.LAB_FILE)
BOOKS = LAB.service("books-service")
RESUME = render("service/lab-resume", LAB)
WRAPPER = render("service/consul-template", LAB)


# --- consul-template as the article calls it ----------------------------------------------------------------


def handed_on(played: Any, *words: str) -> str:
    played.program("consul-template.bin", 'printf "[%s]" "$@"')
    done = played.run(WRAPPER, *words, places={"/usr/local/bin/": f"{played.bin}/"})
    assert done.returncode == 0, done.stderr
    said: str = done.stdout
    return said


def test_the_flag_of_the_article_is_handed_on_by_its_name_of_today(played: Any) -> None:
    told = handed_on(
        played, "-consul", "localhost:8500", "-template", "a b:c:docker kill -s HUP nginx", "-once"
    )
    assert told == "[-consul-addr][localhost:8500][-template][a b:c:docker kill -s HUP nginx][-once]"


@pytest.mark.parametrize("word", ["-consul-addr", "-consul-token", "", "*", "a  b"])
def test_every_other_word_is_handed_on_as_it_is(word: str, played: Any) -> None:
    assert handed_on(played, word) == f"[{word}]"


def test_how_consul_template_ends_is_how_the_wrapper_ends(played: Any) -> None:
    played.program("consul-template.bin", "exit 14")
    assert played.run(WRAPPER, places={"/usr/local/bin/": f"{played.bin}/"}).returncode == 14


# --- after a boot -------------------------------------------------------------------------------------------


def engines(**status: str) -> str:
    """What the manager says of its engines, in the shape of Swarm 1.2."""
    rows = [["Nodes", str(len(status))]]
    for name, state in status.items():
        rows += [[f" {name}", f"{name}:2375"], ["  └ ID", ""], ["  └ Status", state], ["  └ Containers", "2"]]
    return json.dumps({"SystemStatus": rows})


WELL = engines(n1="Healthy", n2="Healthy", n3="Healthy")


def resume(played: Any, colors: dict[str, str], *, consul: bool = True) -> int:
    """Run lab-resume on a master whose Consul holds these colors; answers its exit code."""
    known = {f"*services/{name}/color?raw": f"echo {color}" for name, color in colors.items()}
    answers = {"*kv/?keys": "true" if consul else "exit 7", **known}
    answers |= {"*health/service/*": "echo '[{}]'", "*/info": f"echo '{WELL}'"}
    played.by_words("curl", answers, otherwise="exit 22")
    played.by_words("docker", {"ps *": "echo 4d5e"}, otherwise="true")
    played.program("consul-template", 'echo "consul-template on ${DOCKER_HOST-its own engine}" >>$state/on')
    code: int = played.run(RESUME).returncode
    return code


def test_a_live_color_is_started_after_its_database_and_before_nginx_is_told(played: Any) -> None:
    assert resume(played, {"books-service": "green"}) == 0
    assert played.calls("docker start", "consul-template") == [
        "docker start booksservice_db_1",
        "docker start booksservice_green_1",
        "consul-template -consul localhost:8500 -template "
        "/data/nginx/templates/books-service-green-upstream.conf.ctmpl:"
        "/data/nginx/upstreams/books-service.conf:docker kill -s HUP nginx -once",
    ]


def test_nginx_is_told_through_the_masters_own_engine(played: Any) -> None:
    resume(played, {"books-service": "blue"})
    assert (played.state / "on").read_text() == "consul-template on its own engine\n"


def test_a_service_without_a_database_starts_none(played: Any) -> None:
    resume(played, {"books-fe": "blue"})
    assert played.calls("docker start") == ["docker start booksfe_blue_1"]


def test_every_service_with_a_live_color_is_started(played: Any) -> None:
    resume(played, {"books-service": "blue", "books-fe": "green"})
    assert [call.split()[-1] for call in played.calls("docker start")] == [
        "booksservice_db_1",
        "booksservice_blue_1",
        "booksfe_green_1",
    ]


def test_nothing_is_started_where_nothing_was_live(played: Any) -> None:
    assert resume(played, {}) == 0
    assert played.calls("docker", "consul-template") == []


def test_a_consul_that_stays_silent_fails_the_unit_and_starts_nothing(played: Any) -> None:
    played.clock = 30
    assert resume(played, {"books-service": "blue"}, consul=False) == 1
    assert played.calls("docker", "consul-template") == []


def managed(played: Any, *, at_boot: str, anew: str, answering: str) -> list[str]:
    """What is done with a manager that says this at boot, and that once it was started anew."""
    (played.state / "info").write_text(at_boot)
    (played.state / "anew").write_text(anew)
    answers = {"*kv/?keys": "true", "*/info": "cat $state/info", f"*//{answering}:2375/_ping": "true"}
    played.by_words("curl", answers, otherwise="exit 22")
    played.by_words("docker", {"restart *": "cat $state/anew >$state/info"}, otherwise="true")
    played.clock = 3
    assert played.run(RESUME).returncode == 0
    done: list[str] = played.calls("docker")
    return done


LATE = engines(n1="Healthy", n2="Pending", n3="Healthy")


def test_a_manager_that_missed_an_engine_is_started_anew_once_it_answers(played: Any) -> None:
    done = managed(played, at_boot=LATE, anew=WELL, answering="n2")
    assert done == ["docker restart -t 2 swarm-master"]


def test_a_manager_is_left_alone_while_the_engine_it_misses_does_not_answer(played: Any) -> None:
    assert managed(played, at_boot=LATE, anew=WELL, answering="n1") == []


def test_a_manager_that_knows_every_engine_is_left_alone(played: Any) -> None:
    assert managed(played, at_boot=WELL, anew=WELL, answering="n2") == []


def test_a_manager_started_anew_has_time_to_ask(played: Any) -> None:
    done = managed(played, at_boot=LATE, anew=LATE, answering="n2")
    assert 1 <= len(done) <= 3  # in 10 s, 5 s apart


# --- what is rendered ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", COLORS)
def test_an_upstream_names_its_own_color_and_keeps_what_is_live_when_that_is_not_known(color: str) -> None:
    text = render("service/upstream.conf.ctmpl", LAB, service=BOOKS, color=color)
    known, _, unknown = text.partition("{{ else -}}")
    assert f'service "books-service-{color}"' in known
    assert '{{ file "/data/nginx/upstreams/books-service.conf" }}' in unknown
    assert known.count("{{") == known.count("}}")


def test_the_facts_for_the_playbooks_are_yaml() -> None:
    assert yaml.safe_load(render("service/facts.yml", LAB)) == {
        "address": "10.100.199.200",
        "registry": "10.100.199.200:5000",
        "swarm": "tcp://10.100.199.200:2375",
        "patience": 1,
        "check_interval": 10,
        "swarm_nodes": ["10.100.199.201", "10.100.199.202", "10.100.199.203"],
        "services": {"books-service": "/api/v1/books", "books-fe": "/"},
    }


def test_the_unit_runs_the_script_that_the_role_puts_there() -> None:
    unit = render("service/lab-resume.service", LAB)
    (start,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert Path(start.removeprefix("ExecStart=")) == Path("/usr/local/sbin/lab-resume")
