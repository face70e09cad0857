"""The scripts of self-healing, run with programs that are played."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import config
from provisioning.templates import render

LAB = config.load(config.LAB_FILE)
REDEPLOY = render("healing/redeploy_service.sh", LAB)
HEAL = render("healing/heal_service.sh", LAB)
JENKINS = "http://10.100.199.200:8080"


def check(service: str, *tags: str, check_id: str = "api") -> dict[str, Any]:
    """One check as Consul's watch tells it."""
    return {"CheckID": check_id, "Status": "critical", "ServiceName": service, "ServiceTags": list(tags)}


NODE_CHECK = {"CheckID": "serfHealth", "Status": "critical", "ServiceName": "", "ServiceTags": None}


# --- the watch ----------------------------------------------------------------------------------------------


def healed(played: Any, checks: object) -> list[str]:
    """The services for which a unit is started."""
    played.program("systemd-run")
    done = played.run(REDEPLOY, stdin=json.dumps(checks) + "\n")
    assert done.returncode == 0, done.stderr
    return [call.split("--unit=lab-heal-")[1].split()[0] for call in played.calls("--unit=lab-heal-")]


WATCHED: dict[str, tuple[object, list[str]]] = {
    "nothing": ([], []),
    "one service": ([check("books-service", "service")], ["books-service"]),
    "two services": (
        [check("books-service", "service"), check("books-fe", "service", check_id="books-fe-api")],
        ["books-fe", "books-service"],
    ),
    "two checks of one service": (
        [check("books-service", "service"), check("books-service", "service", check_id="other")],
        ["books-service"],
    ),
    "a tag among others": ([check("books-service", "v1", "service")], ["books-service"]),
    "a node's own check": ([NODE_CHECK], []),
    "a service without the tag": ([check("consul"), check("books-service-db", "services")], []),
    "both kinds": ([NODE_CHECK, check("books-fe", "service"), check("swarm")], ["books-fe"]),
}


@pytest.mark.parametrize("case", WATCHED)
def test_each_critical_service_is_healed_by_a_unit_of_its_own(case: str, played: Any) -> None:
    checks, services = WATCHED[case]
    assert healed(played, checks) == services


def test_a_unit_runs_the_healing_of_its_service_and_writes_the_log_of_the_article(played: Any) -> None:
    healed(played, [check("books-fe", "service")])
    (call,) = played.calls("--unit=lab-heal-")
    assert call.endswith(" /data/consul/scripts/heal_service.sh books-fe")
    for output in ("StandardOutput", "StandardError"):
        assert f"--property={output}=append:/data/consul/logs/watchers.log" in call


def test_the_log_has_the_form_of_the_article(played: Any) -> None:
    played.program("systemd-run")
    told = json.dumps([check("books-service", "service")])
    out = played.run(REDEPLOY, stdin=told + "\n").stdout
    red, plain = "\033[0;31m", "\033[0;0m"
    assert out == f"Consul watch request:\n{told}\n\n>>> {red}Service books-service is critical{plain}\n\n"


def test_what_is_being_healed_is_left_alone_and_the_next_one_is_healed(played: Any) -> None:
    played.by_words("systemd-run", {"*lab-heal-a*": "exit 1"}, otherwise="true")
    done = played.run(REDEPLOY, stdin=json.dumps([check("a", "service"), check("b", "service")]) + "\n")
    assert "a is being healed already" in done.stdout
    assert "b is being healed already" not in done.stdout
    assert len(played.calls("lab-heal-b")) == 1


@pytest.mark.parametrize("text", ["", "\n", "not JSON\n", '{"CheckID": 1}\n', "null\n"])
def test_what_is_no_list_of_checks_heals_nothing(text: str, played: Any) -> None:
    played.program("systemd-run")
    played.run(REDEPLOY, stdin=text)
    assert played.calls("--unit=lab-heal-") == []


@pytest.mark.parametrize("case", WATCHED)
def test_whatever_the_list_is_a_node_may_just_have_come_back_with_doubles(case: str, played: Any) -> None:
    healed(played, WATCHED[case][0])
    (call,) = played.calls("--unit=lab-remove-doubles")
    assert call.endswith(" /data/consul/scripts/remove_doubles.sh")


# --- doubles -----------------------------------------------------------------------------------------------

DOUBLES = render("healing/remove_doubles.sh", LAB)
OLD, NEW = "2026-01-01T10:00:00.1Z", "2026-01-01T10:00:00.2Z"
NODES = {"201": "swarm-node-01", "202": "swarm-node-02", "203": "swarm-node-03"}


def removed(
    played: Any, containers: dict[str, list[tuple[str, str]]], dead: tuple[str, ...] = ()
) -> list[str]:
    """`NODE NAME` of what is removed when each node's last address part has these (name, created)."""
    alive = [{"CheckID": "serfHealth", "Node": node} for key, node in NODES.items() if key not in dead]
    played.program("curl", f"echo '{json.dumps([*alive, {'CheckID': 'api', 'Node': 'swarm-node-01'}])}'")
    answers = {}
    for key, there in containers.items():
        lines = "".join(f"/{name} {created} {NODES[key]}\\n" for name, created in there)
        answers[f"*{key}:2375 version"] = "true"
        answers[f"*{key}:2375 ps*"] = "echo id" if there else "true"
        answers[f"*{key}:2375 inspect*"] = f"printf '{lines}'"
        answers[f"*{key}:2375 rm -f*"] = "true"
    played.by_words("docker", answers)
    done = played.run(DOUBLES)
    assert done.returncode == 0, done.stderr
    return [call.split("10.100.199.")[1].replace(":2375 rm -f", "") for call in played.calls(" rm -f ")]


def test_the_older_of_two_containers_of_one_name_is_removed(played: Any) -> None:
    there = {"201": [("b_db_1", OLD), ("b_blue_1", NEW)], "202": [("b_db_1", NEW)], "203": []}
    assert removed(played, there) == ["201 /b_db_1"]


def test_of_three_the_youngest_stays(played: Any) -> None:
    there = {"201": [("a", OLD)], "202": [("a", NEW)], "203": [("a", "2025-12-31T10:00:00Z")]}
    assert sorted(removed(played, there)) == ["201 /a", "203 /a"]


def test_a_container_that_is_there_once_stays(played: Any) -> None:
    assert removed(played, {"201": [("a", OLD)], "202": [("b", OLD)], "203": []}) == []


def test_a_dead_node_is_not_asked(played: Any) -> None:
    assert removed(played, {"201": [("a", OLD)], "202": [("a", NEW)], "203": []}, dead=("201",)) == []
    assert not played.calls("201:2375")


def test_a_node_that_does_not_answer_holds_the_others_up_for_a_minute_at_most(played: Any) -> None:
    assert removed(played, {"201": [("a", OLD)], "202": [("a", NEW)]}) == ["201 /a"]


# --- the healing of one service -----------------------------------------------------------------------------

PASSING, CRITICAL = '[{"Status": "passing"}]', '[{"Status": "critical"}]'


class Around:
    """Consul and Jenkins around a service, as files: what is not there does not answer."""

    def __init__(self, played: Any) -> None:
        self.played = played
        self.helps_at = 1  # the build after which the check passes
        self.result = "SUCCESS"
        played.clock = 10
        self.says("checks", CRITICAL)
        for there in ("registered", "jenkins", "builds"):
            self.says(there, "")

    def says(self, name: str, text: str) -> None:
        (self.played.state / name).write_text(text)

    def silent(self, name: str) -> None:
        (self.played.state / name).unlink()

    def heal(self, script: str = HEAL) -> str:
        """Run the healing; answers what it said."""
        started = "$(wc -l <$state/builds)"
        build = f"echo >>$state/builds; [ {started} -lt {self.helps_at} ] || echo '{PASSING}' >$state/checks"
        up = "[ -e $state/jenkins ] || exit 7"
        self.played.by_words(
            "curl",
            {
                "*/v1/health/checks/books-service": "cat $state/checks || exit 22",
                "*/v1/agent/service/books-service": "[ -e $state/registered ] || exit 22",
                # the lock is seen once more, then its deployment has ended
                "*/v1/kv/services/books-service/lock": (
                    "[ -e $state/lock ] || exit 22; cat $state/lock; [ ! -e $state/after ] || "
                    "{ rm $state/lock; cp $state/after $state/checks; }"
                ),
                "*-X POST */job/books-service/build": f"{up}; {build}",
                "*8080/api/json": up,
                "*/computer/cd/api/json": f"{up}; echo '{{\"offline\": false}}'",
                "*/job/books-service/api/json": (
                    f'{up}; echo "{{\\"nextBuildNumber\\": $(({started} + 1))}}"'
                ),
                "*/job/books-service/[0-9]*/api/json": (
                    f'{up}; echo \'{{"building": false, "result": "{self.result}"}}\''
                ),
            },
        )
        self.played.program("ansible-playbook", "echo >$state/jenkins")
        done = self.played.run(script, "books-service")
        assert done.returncode == 0, done.stderr
        said: str = done.stdout
        return said

    @property
    def builds(self) -> int:
        return len(self.played.calls("-X POST"))


@pytest.fixture
def around(played: Any) -> Around:
    return Around(played)


def test_a_critical_service_is_deployed_once_by_its_job(around: Around) -> None:
    said = around.heal()
    assert around.played.calls("-X POST") == [
        f"curl -fsS -m 10 -o /dev/null -X POST {JENKINS}/job/books-service/build"
    ]
    assert f"Triggering Jenkins job {JENKINS}/job/books-service/build\n" in said
    assert "books-service: build 1: SUCCESS" in said
    assert said.endswith("books-service: passes its check again after 1 deployments\n")


def test_a_service_that_passes_again_is_not_deployed(around: Around) -> None:
    around.says("checks", PASSING)
    assert "after 0 deployments" in around.heal()
    assert around.builds == 0


@pytest.mark.parametrize("checks", ["[]", '[{"Status": "passing"}, {"Status": "warning"}]'])
def test_only_passing_checks_are_a_pass(checks: str, around: Around) -> None:
    around.says("checks", checks)
    around.heal()
    assert around.builds == 1


def test_what_consul_does_not_say_is_no_pass(around: Around) -> None:
    around.silent("checks")
    around.heal()
    assert around.builds == 1


def test_no_lock_is_no_deployment_to_wait_for(around: Around) -> None:
    assert "a deployment is running" not in around.heal()


def test_a_service_is_not_deployed_twice_while_its_deployment_runs(around: Around) -> None:
    around.says("lock", '[{"Session": "s1"}]')
    around.says("after", PASSING)
    said = around.heal()
    assert "a deployment is running: waiting for it" in said
    assert around.builds == 0


def test_a_deployment_that_did_not_help_is_followed_by_one(around: Around) -> None:
    around.says("lock", '[{"Session": "s1"}]')
    around.says("after", CRITICAL)
    around.heal()
    assert around.builds == 1


def test_a_lock_that_nobody_holds_is_not_waited_for(around: Around) -> None:
    around.says("lock", '[{"LockIndex": 3}]')
    assert "a deployment is running" not in around.heal()


def test_a_service_that_is_not_registered_any_more_is_left(around: Around) -> None:
    around.silent("registered")
    assert "is not registered with Consul any more: nothing to heal" in around.heal()
    assert around.builds == 0


def test_a_silent_jenkins_is_brought_back_and_then_deploys(around: Around) -> None:
    around.silent("jenkins")
    said = around.heal()
    assert around.played.calls("ansible-playbook") == [
        "ansible-playbook /vagrant/ansible/jenkins.yml -i /vagrant/ansible/hosts/prod"
    ]
    assert f"Jenkins does not answer at {JENKINS}: bringing it back" in said
    assert around.builds == 1


def test_pauses_grow_up_to_a_longest_one_while_deployments_do_not_help(around: Around) -> None:
    around.helps_at, around.result = 6, "FAILURE"
    said = around.heal(HEAL.replace("longest_pause=300", "longest_pause=30"))
    pauses = [line.split()[-2] for line in said.splitlines() if "did not help" in line]
    assert pauses == ["5", "10", "20", "30", "30"]
    assert around.builds == 6


def test_settling_takes_two_rounds_of_the_check_and_a_pause_five_minutes_at_most() -> None:
    assert LAB.check_interval == 10
    assert "\nsettle=25  " in HEAL
    assert "\nlongest_pause=300\n" in HEAL
