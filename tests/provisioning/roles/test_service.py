"""What the master needs to deploy, as desired state."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lab import config
from provisioning.build import Built
from provisioning.resources import Directory, File, Package, Program, Unit
from provisioning.roles import service

LAB = config.load(config.LAB_FILE)
BUILT = Built({"consul-template": ("d1", "/lab-cache/consul-template")}, {}, ("", ""))
RESOURCES = service.resources(LAB, LAB.master, BUILT)
FILES = {resource.path: resource for resource in RESOURCES if isinstance(resource, File)}


def test_swarm_nodes_deploy_nothing() -> None:
    assert [service.resources(LAB, node, BUILT) for node in LAB.swarm_nodes] == [[], [], []]


def test_the_tools_of_the_article_are_on_the_master() -> None:
    names = [name for resource in RESOURCES if isinstance(resource, Package) for name in resource.names]
    assert names == ["docker-compose", "ansible-core"]
    assert Program("consul-template.bin", "d1", "/lab-cache/consul-template") in RESOURCES
    assert FILES["/usr/local/bin/consul-template"].mode == "755"


def test_a_login_on_the_master_speaks_to_the_swarm(played: Any) -> None:
    script = FILES["/etc/profile.d/lab.sh"].content + 'echo "$DOCKER_HOST"; env'
    done = played.run(script)
    assert done.stdout.splitlines()[0] == "tcp://10.100.199.200:2375"
    assert "DOCKER_HOST=tcp://10.100.199.200:2375" in done.stdout.splitlines()[1:]


STEPS = FILES["/etc/profile.d/lab-steps.sh"].content


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("echo '2 of 5 are done.'; echo 'Next is step 3.'", "2 of 5 are done.\nNext is step 3.\n"),
        (r"printf 'a\033[31mb\n'", "a[31mb\n"),
        ("exit 22", "The article step by step: 'lab steps' on the host.\n"),
        ("echo 'curl: (7)' >&2; exit 7", ""),
        ("exit 28", ""),
    ],
    ids=["noted", "odd signs", "nothing noted", "Consul is down", "Consul is silent"],
)
def test_a_login_at_a_terminal_is_greeted_with_what_comes_next(answer: str, said: str, played: Any) -> None:
    played.program("curl", answer)
    done = played.run(STEPS.replace("case $- in", "case i in") + "set")
    assert done.stdout.startswith(said) and (done.returncode, done.stderr) == (0, "")
    assert "greeting=" not in done.stdout, "it leaves a variable in the user's shell"
    (asked,) = played.calls("curl")
    assert re.search(r" -m 1.0 http://localhost:8500/v1/kv/workshop/greeting", asked)


def test_a_shell_of_the_labs_own_is_not_greeted_and_asks_nothing(played: Any) -> None:
    played.program("curl", "echo greeting")
    assert (played.run(STEPS).stdout, played.calls("curl")) == ("", [])


def test_what_deployments_write_is_given_once_and_then_kept() -> None:
    kept = sorted(path for path, file in FILES.items() if file.keep)
    assert kept == [
        "/data/compose/config/books-fe/.env",
        "/data/compose/config/books-service/.env",
        "/data/nginx/upstreams/books-fe.conf",
        "/data/nginx/upstreams/books-service.conf",
    ]


def test_vagrant_may_work_in_the_folder_of_a_service() -> None:
    owners = {r.path: r.owner for r in RESOURCES if isinstance(r, Directory)}
    for each in LAB.services:
        assert owners[each.folder] == "vagrant"
        assert FILES[f"{each.folder}/.env"].owner == "vagrant"


def test_each_color_of_each_service_has_an_upstream_to_be_written() -> None:
    names = {path.rpartition("/")[2] for path in FILES if path.startswith("/data/nginx/templates/")}
    assert names == {
        f"{each.name}-{color}-upstream.conf.ctmpl" for each in LAB.services for color in ("blue", "green")
    }


def test_the_resume_runs_after_a_boot_and_not_now() -> None:
    (unit,) = (resource for resource in RESOURCES if isinstance(resource, Unit))
    assert (unit.name, unit.started) == ("lab-resume.service", False)
    assert FILES["/usr/local/sbin/lab-resume"].mode == "755"
