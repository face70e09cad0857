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
DOUBLES = render("healing/remove_doubles.sh", LAB)
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
    return [call.split("--unit=lab-heal-")[1].split()[0] for call in played.calls("lab-heal-")]


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
    "a service of nobody's": ([check("swarm-master", "service"), check("../../x; id", "service")], []),
    "a service called like two": ([check("books-service books-fe", "service")], []),
    "a service called like an option": ([check("-v", "service"), check("", "service")], []),
    "both kinds": ([NODE_CHECK, check("books-fe", "service"), check("swarm")], ["books-fe"]),
}


@pytest.mark.parametrize("case", WATCHED)
def test_each_critical_service_is_healed_by_a_unit_of_its_own(case: str, played: Any) -> None:
    checks, services = WATCHED[case]
    assert healed(played, checks) == services


def test_a_unit_runs_the_healing_of_its_service_and_writes_the_log_of_the_article(played: Any) -> None:
    healed(played, [check("books-fe", "service")])
    (call,) = played.calls("lab-heal-")
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
    played.by_words("systemd-run", {"*lab-heal-books-fe*": "exit 1"}, otherwise="true")
    checks = [check("books-fe", "service"), check("books-service", "service")]
    done = played.run(REDEPLOY, stdin=json.dumps(checks) + "\n")
    assert "books-fe is being healed already" in done.stdout
    assert "books-service is being healed already" not in done.stdout
    assert len(played.calls("lab-heal-books-service")) == 1


@pytest.mark.parametrize("text", ["", "\n", "not JSON\n", '{"CheckID": 1}\n', "null\n"])
def test_what_is_no_list_of_checks_heals_nothing(text: str, played: Any) -> None:
    played.program("systemd-run")
    played.run(REDEPLOY, stdin=text)
    assert played.calls("lab-heal-") == []


@pytest.mark.parametrize("text", ["[]\n", json.dumps([check("a", "service")]) + "\n"])
def test_doubles_are_looked_for_whenever_the_list_of_checks_changes(text: str, played: Any) -> None:
    played.program("systemd-run")
    played.run(REDEPLOY, stdin=text)
    (call,) = played.calls("--unit=lab-remove-doubles")
    assert call.endswith(" /data/consul/scripts/remove_doubles.sh")


# --- what a node brings back from the dead ------------------------------------------------------------------


def removed(
    played: Any, containers: dict[str, tuple[str, int]], alive: tuple[str, ...] = ("01", "02", "03")
) -> list[str]:
    """The removals, as `NODE NAME`; `containers` are one each, name and time by a node's last digits."""
    checks = [{"CheckID": "serfHealth", "Node": f"swarm-node-{number}"} for number in alive]
    checks += [{"CheckID": "serfHealth", "Node": "swarm-master"}, {"CheckID": "api", "Node": "swarm-node-01"}]
    answers = {"*/health/state/passing": f"echo '{json.dumps(checks)}'"}
    for number, (name, created) in containers.items():
        listed = [{"Names": [f"/other/{name}", f"/{name}"], "Created": created}] if name else []
        answers[f"*10.100.199.2{number}:2375/_ping"] = "true"
        answers[f"*10.100.199.2{number}:2375/containers/json"] = f"echo '{json.dumps(listed)}'"
    played.by_words("curl", answers)
    played.program("docker")
    played.clock = 20
    assert played.run(DOUBLES).returncode == 0
    calls = [call.split() for call in played.calls(" rm -f ")]
    return [f"{words[2][-7:-5]} {words[-1]}" for words in calls]


OLD, NEW = 1767261600, 1767261900
NOTHING = ("", 0)
DOUBLED: dict[str, tuple[dict[str, tuple[str, int]], list[str]]] = {
    "the older of two": ({"01": ("x_blue_1", OLD), "02": ("x_blue_1", NEW)}, ["01 /x_blue_1"]),
    "the older of two, the other way": ({"01": ("x_blue_1", NEW), "02": ("x_blue_1", OLD)}, ["02 /x_blue_1"]),
    "none of different names": ({"01": ("x_blue_1", OLD), "02": ("x_green_1", NEW)}, []),
    "none of one": ({"01": ("x_blue_1", OLD), "02": NOTHING}, []),
    "all but the youngest of three": (
        {"01": ("x_db_1", OLD), "02": ("x_db_1", NEW), "03": ("x_db_1", OLD)},
        ["01 /x_db_1", "03 /x_db_1"],
    ),
    "none of a node that does not answer": ({"01": ("x_blue_1", OLD)}, []),
}


@pytest.mark.parametrize("case", DOUBLED)
def test_of_the_containers_of_one_name_is_removed(case: str, played: Any) -> None:
    containers, gone = DOUBLED[case]
    assert sorted(removed(played, containers)) == gone


def test_a_node_that_consul_believes_dead_is_not_asked(played: Any) -> None:
    two = {"01": ("x_blue_1", OLD), "02": ("x_blue_1", NEW)}
    assert removed(played, two, alive=("02", "03")) == []
    assert played.calls("10.100.199.201") == []


def test_only_containers_that_compose_made_are_looked_at(played: Any) -> None:
    removed(played, {"01": NOTHING, "02": NOTHING, "03": NOTHING})
    listings = played.calls("/containers/json")
    assert len(listings) == 3
    made_by_compose = 'filters={"label":["com.docker.compose.project"]}'
    assert all(f"-d all=1 --data-urlencode {made_by_compose} " in call for call in listings)


# --- the healing of one service -----------------------------------------------------------------------------

PASSING, CRITICAL = '{"api": {"Status": "passing"}}', '{"api": {"Status": "critical"}}'


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
                "*/v1/agent/checks*ServiceName*books-service*": "cat $state/checks || exit 22",
                "*/v1/agent/service/books-service": "[ -e $state/registered ] || exit 22",
                "*-X POST */job/books-service/build": f"{up}; {build}",
                "*8080/crumbIssuer/api/json": (
                    f'{up}; echo \'{{"crumb": "c1", "crumbRequestField": ".crumb"}}\''
                ),
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
        # a deployment is seen once more, then it has ended
        self.played.program(
            "deployment_lock.sh",
            "[ -e $state/deployment ] || exit 1; [ ! -e $state/after ] || "
            "{ rm $state/deployment; cp $state/after $state/checks; }",
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
        f"curl -fsS -m 10 -o /dev/null -H .crumb: c1 -X POST {JENKINS}/job/books-service/build"
    ]
    assert f"Triggering Jenkins job {JENKINS}/job/books-service/build\n" in said
    assert "books-service: build 1: SUCCESS" in said
    assert said.endswith("books-service: passes its check again after 1 deployments\n")


def test_a_service_that_passes_again_is_not_deployed(around: Around) -> None:
    around.says("checks", PASSING)
    assert "after 0 deployments" in around.heal()
    assert around.builds == 0


def test_a_server_that_plays_its_past_again_is_not_believed(around: Around) -> None:
    around.says("checks", PASSING)
    around.heal()
    assert around.played.calls("/v1/health/", "/v1/catalog/") == []


@pytest.mark.parametrize("checks", ["{}", '{"api": {"Status": "passing"}, "other": {"Status": "warning"}}'])
def test_only_passing_checks_are_a_pass(checks: str, around: Around) -> None:
    around.says("checks", checks)
    around.heal()
    assert around.builds == 1


def test_what_consul_does_not_say_is_no_pass(around: Around) -> None:
    around.silent("checks")
    around.heal()
    assert around.builds == 1


def test_where_no_deployment_runs_none_is_waited_for(around: Around) -> None:
    assert "a deployment is running" not in around.heal()


def test_a_service_is_not_deployed_twice_while_its_deployment_runs(around: Around) -> None:
    around.says("deployment", "")
    around.says("after", PASSING)
    said = around.heal()
    assert "a deployment is running: waiting for it" in said
    assert around.builds == 0


def test_a_deployment_that_did_not_help_is_followed_by_one(around: Around) -> None:
    around.says("deployment", "")
    around.says("after", CRITICAL)
    around.heal()
    assert around.builds == 1


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
    around.helps_at, around.result, around.played.clock = 6, "FAILURE", 60
    said = around.heal(HEAL.replace("longest_pause=300", "longest_pause=30"))
    pauses = [line.split()[-2] for line in said.splitlines() if "did not help" in line]
    assert pauses == ["5", "10", "20", "30", "30"]
    assert around.builds == 6


def test_settling_takes_two_rounds_of_the_check_and_a_pause_five_minutes_at_most() -> None:
    assert LAB.check_interval == 10
    assert "\nsettle=25  " in HEAL
    assert "\nlongest_pause=300\n" in HEAL
