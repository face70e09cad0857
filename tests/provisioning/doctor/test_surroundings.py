from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from lab.network import DockerNetwork, Route
from provisioning.doctor import surroundings
from provisioning.doctor.facts import Cache, Container, Facts, Program, Unseen

On = Callable[..., Facts]


def change(facts: Facts, **changes: Any) -> Facts:
    return dataclasses.replace(facts, **changes)


# --- ports and the subnet -----------------------------------------------------------------------------------


def test_the_labs_own_port_is_not_taken_by_someone_else(host: Facts) -> None:
    assert surroundings.ports(host).state == "ok"


def test_the_first_port_in_other_hands_is_a_note_that_says_whose(down: Facts, on: On) -> None:
    taken = change(down, listening=frozenset((2222,)))
    check = surroundings.ports(taken)
    assert (check.state, check.mend) == ("note", "sudo ss -ltnp 'sport = :2222'")
    assert "another program" in check.seen
    unknown = change(taken, engine=Unseen("none"))
    assert "taken by the lab or another program" in surroundings.ports(unknown).seen
    box = on(holds={"containers": (Container("other-box", False, (2222,)),)})
    assert "the container other-box" in surroundings.ports(box).seen


def test_too_few_ports_for_the_nodes_block(down: Facts) -> None:
    assert surroundings.ports(change(down, listening=frozenset(range(2203, 2251)))).state == "blocker"
    assert surroundings.ports(change(down, listening=frozenset(range(2223, 2251)))).state == "ok"


def test_ports_that_cannot_be_read_are_a_note(host: Facts) -> None:
    assert surroundings.ports(change(host, listening=Unseen("/proc/net/tcp"))).state == "note"


def test_a_free_subnet_and_the_labs_own_are_told_apart(host: Facts, down: Facts) -> None:
    assert surroundings.subnet(host).seen == "10.100.199.0/24 is the lab's own"
    assert surroundings.subnet(down).seen == "10.100.199.0/24 is free"


def test_a_subnet_that_someone_else_has_blocks(down: Facts, on: On) -> None:
    route = surroundings.subnet(change(down, routes=(Route("10.0.0.0/8", "tun0"),)))
    assert (route.state, "the route to 10.0.0.0/8 on tun0" in route.seen) == ("blocker", True)
    theirs = on(holds={"networks": (DockerNetwork("theirs", "10.100.0.0/16", "ab"),)})
    assert surroundings.subnet(theirs).state == "blocker"


def test_without_the_engine_nobody_knows_whose_the_routes_are(host: Facts) -> None:
    assert surroundings.subnet(change(host, engine=Unseen("none"))).state == "note"
    assert surroundings.subnet(change(host, routes=Unseen("ip did not answer"))).state == "note"


# --- the shell ----------------------------------------------------------------------------------------------


def test_a_shell_with_a_language_and_the_labs_own_variables_is_ok(host: Facts) -> None:
    given = {**host.given, "LC_ALL": "de_DE.UTF-8", "LAB_PATIENCE": "3", "PIP_CERT": "/a", "GOOGLE_KEY": "x"}
    assert surroundings.variables(change(host, given=given)).state == "ok"
    assert surroundings.proxies(host).state == "ok"


@pytest.mark.parametrize(
    "name",
    ["CONSUL_HTTP_ADDR", "CONSUL_HTTP_TOKEN", "DOCKER_API_VERSION", "VAGRANT_CWD", "PYTHONPATH", "GOFLAGS"],
)
def test_a_variable_of_another_tool_is_named_without_its_value(name: str, host: Facts) -> None:
    check = surroundings.variables(change(host, given={**host.given, name: "s3cret"}))
    assert (check.state, check.seen) == ("note", f"set, and ignored by the lab: {name}")


@pytest.mark.parametrize("name", ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"])
def test_what_names_the_engine_is_not_called_ignored(name: str, host: Facts) -> None:
    assert surroundings.variables(change(host, given={**host.given, name: "x"})).state == "ok"


def test_proxies_are_named_and_never_shown(host: Facts, on: On) -> None:
    given = {**host.given, "HTTPS_PROXY": "http://alice:s3cret@proxy:3128", "no_proxy": "localhost"}
    check = surroundings.proxies(change(host, given=given))
    assert (check.state, check.seen.startswith("HTTPS_PROXY: ")) == ("note", True)
    assert "s3cret" not in str(check)
    engine = surroundings.proxies(on(HttpProxy="http://bob:s3cret@proxy:3128"))
    assert (engine.state, "the engine's own for http" in engine.seen) == ("note", True)
    assert "s3cret" not in str(engine)


# --- what is ready ------------------------------------------------------------------------------------------

STUB = Program("chromium-browser", "/usr/bin/chromium-browser", Unseen("requires the chromium snap"))
CHROME = Program("google-chrome", "/usr/bin/google-chrome", "Google Chrome 131.0.6778.85")


def test_a_browser_that_does_not_start_is_passed_over(host: Facts) -> None:
    assert surroundings.browser(change(host, browsers=(STUB, CHROME))).seen == "Google Chrome 131.0.6778.85"


@pytest.mark.parametrize("found", [(), (STUB,), None])
def test_no_browser_that_starts_is_a_note(found: tuple[Program, ...] | None, host: Facts) -> None:
    check = surroundings.browser(change(host, browsers=found))
    assert (check.state, check.mend) == ("note", "lab/host.sh --browser")


def test_what_is_ready_says_how_long_a_bring_up_takes(host: Facts, down: Facts, on: On) -> None:
    assert "under 1 min" in surroundings.cache(host).seen
    assert "about 10 min: to be made are consul, jenkins" in surroundings.cache(down).seen
    no_images = on(holds={"images": frozenset()})
    assert "1 to 10 min: to be made are the node image" in surroundings.cache(no_images).seen
    assert surroundings.cache(change(host, engine=Unseen("none"))).state == "note"


BUILDERS: dict[str, tuple[dict[str, Any], str]] = {
    "debootstrap": (
        {"tools": {"sudo": "/usr/bin/sudo"}},
        "sudo apt-get install debootstrap debian-archive-keyring",
    ),
    "keys": ({"has_keyring": False}, "sudo apt-get install debian-archive-keyring"),
    "root": ({"tools": {"debootstrap": "/usr/sbin/debootstrap"}}, "run `make lab-up` once as root"),
    "Go": (
        {"cache": Cache(("consul",), False, Unseen("needs Go 1.26", "lab/host.sh", is_certain=True))},
        "lab/host.sh",
    ),
}


@pytest.mark.parametrize("what", BUILDERS)
def test_what_building_takes_and_is_not_here_blocks(what: str, down: Facts) -> None:
    changes, mend = BUILDERS[what]
    check = surroundings.building(change(down, **changes))
    assert (check.state, check.mend) == ("blocker", mend)
    assert surroundings.building(down).state == "ok"


def test_root_needs_no_sudo(down: Facts) -> None:
    tools = {"debootstrap": "/usr/sbin/debootstrap"}
    assert surroundings.building(change(down, is_root=True, tools=tools)).state == "ok"


def test_with_a_warm_cache_nothing_of_it_is_needed(host: Facts) -> None:
    assert surroundings.building(change(host, tools={}, has_keyring=False)).state == "ok"


def test_a_go_that_does_not_answer_is_a_note(down: Facts) -> None:
    slow = change(down, cache=Cache(("consul",), False, Unseen("no answer in 1 s")))
    assert surroundings.building(slow).state == "note"
