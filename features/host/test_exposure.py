"""Who reaches what of a lab: what docs/security.md says, and no more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from deployments import books
from lab import engine
from lab.clients.proxy import ProxyClient
from lab.model import Lab
from lab.shell import Shell
from lab.waiting import limit

pytestmark = pytest.mark.usefixtures("one_baseline")
CONSUL = {8300, 8301, 8500, 8600}
ON_MASTER = CONSUL | {80, 2375, 5000, 8080, 8302}
ON_NODES = CONSUL | {2375, 27017}
PUBLISHED = 32768  # the services' own ports begin here
NOBODY = 65534
# ADDRESS,... PORT,...: prints each that takes a connection, all tried at once.
TRY = f"""
try() {{ timeout {limit(2)} bash -c "</dev/tcp/$1/$2" 2>/dev/null && echo "$1 $2"; }}
for address in ${{1//,/ }}; do for port in ${{2//,/ }}; do try "$address" "$port" & done; done; wait; true
"""


def joined(words: Iterable[object]) -> str:
    return ",".join(map(str, words))


def listening(shell: Shell) -> dict[str, set[int]]:
    """Address -> the TCP ports below PUBLISHED on which something of the node listens there."""
    found: dict[str, set[int]] = {}
    for line in shell.run("ss -ltnH").stdout.splitlines():
        address, _, port = line.split()[3].rpartition(":")
        if int(port) < PUBLISHED:
            found.setdefault(re.sub(r"%.*|[][]", "", address), set()).add(int(port))
    return found


def test_a_node_listens_where_the_lab_reaches_it_and_for_ssh(lab: Lab, shells: Mapping[str, Shell]) -> None:
    for node in lab.nodes:
        found = listening(shells[node.name])
        found.pop("::1", None)
        assert found.pop("0.0.0.0") | found.pop("::", set()) == {22}
        assert found.pop(node.address) - (ON_MASTER if node == lab.master else ON_NODES) == set()
        assert all(address.startswith("127.") for address in found), found


def test_nothing_of_the_lab_listens_on_this_host_but_ssh_for_itself(lab: Lab) -> None:
    client = engine.connect()
    for container in client.containers.list(filters={"label": lab.label}):
        published = container.attrs["NetworkSettings"]["Ports"]
        assert [port for port, hosts in published.items() if hosts] == ["22/tcp"]
        assert {one["HostIp"] for one in published["22/tcp"]} == {"127.0.0.1"}
    client.close()


def test_a_local_user_reaches_every_port_of_the_lab(lab: Lab) -> None:
    """The known limit: a user of this host, in no group, may speak to whatever listens."""
    ports = {80, 2375, 5000, 8080, 8500}
    as_nobody: dict[str, Any] = (
        {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    words = ["bash", "-c", TRY, "try", lab.master.address, joined(ports)]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=True, **as_nobody)
    assert {int(line.split()[1]) for line in done.stdout.splitlines()} == ports


def test_no_other_network_of_this_host_reaches_the_lab(lab: Lab) -> None:
    """A container on the default bridge, by its gateway and by each node's own address there."""
    client = engine.connect()
    nodes = client.containers.list(filters={"label": lab.label})
    ways = [one.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] for one in nodes]
    addresses, ports = joined(node.address for node in lab.nodes), joined(ON_MASTER | {22})
    script = (
        f"for way in $(ip route | awk '/^default/ {{print $3}}') {' '.join(ways)}; do "
        f"ip route replace {lab.subnet} via $way; bash -c '{TRY}' try {addresses} {ports}; done"
    )
    said = client.containers.run(
        nodes[0].image.id, ["-c", script], entrypoint="bash", cap_add=["NET_ADMIN"], remove=True,
        labels=dict([lab.label.split("=")]),
    )  # fmt: skip
    client.close()
    assert said.decode().splitlines() == []


# --- another origin's page ----------------------------------------------------------------------------------


@pytest.fixture
def origin() -> Iterator[str]:
    """A web server of somebody else's on this host: every page is empty."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Empty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


FETCH = """async ([method, url]) => {
  const mode = method === 'POST' ? 'no-cors' : 'cors', body = method === 'GET' ? undefined : '';
  try { const got = await fetch(url, {method, mode, body});
        return got.type + ' ' + got.status; }
  catch (error) { return String(error); }
}"""


def test_a_page_of_another_origin_runs_no_script_in_jenkins(lab: Lab, chromium: Browser, origin: str) -> None:
    page = chromium.new_page()
    page.goto(origin)
    action = f"http://{lab.master.address}:8080/script"
    field = '<input name=script value="println 6*7"><input type=submit>'
    page.set_content(f'<form method=post action="{action}">{field}</form>')
    with page.expect_navigation(wait_until="commit") as went:
        page.click("input[type=submit]")
    assert went.value.status == 403, went.value.status
    assert "42" not in page.content()
    page.close()


def test_a_page_of_another_origin_reads_and_writes_nothing_of_consul_and_the_books(
    lab: Lab, shells: Mapping[str, Shell], chromium: Browser, origin: str
) -> None:
    page = chromium.new_page()
    page.goto(origin)
    consul, service = f"http://{lab.master.address}:8500", lab.main_service
    for method, url in (
        ("GET", f"{consul}/v1/kv/{service.color_key}"),
        ("PUT", f"{consul}/v1/kv/from-a-page"),
        ("PUT", lab.public_address(service)),
        ("DELETE", f"{lab.public_address(service)}/_id/1"),
        ("GET", lab.public_address(service)),
    ):
        assert "TypeError" in page.evaluate(FETCH, [method, url]), (method, url)
    page.close()
    assert shells[lab.master.name].run(f"curl -s {consul}/v1/kv/from-a-page").stdout == ""
    with_books = ProxyClient(lab)
    assert [books.kept(book) for book in with_books.books()] == list(books.BOOKS)
    with_books.close()


@pytest.mark.parametrize("host", ["rebound.example", "a.b", "10.100.199.200.example"])
def test_a_name_of_somebodys_that_means_the_lab_is_answered_with_nothing(host: str, lab: Lab) -> None:
    address = lab.public_address(lab.main_service)
    asked = [
        httpx.get(address, headers={"Host": name}, trust_env=False).status_code
        for name in (host, "localhost")
    ]
    assert asked == [421, 200]


def test_a_page_of_another_origin_can_still_command_an_engine(
    lab: Lab, shells: Mapping[str, Shell], chromium: Browser, origin: str
) -> None:
    """The known limit: an engine asks for no password and takes a post without a body from any page."""
    page = chromium.new_page()
    page.goto(origin)
    node = lab.swarm_nodes[0]
    shell = shells[node.name]
    image = json.loads(shell.run("docker image inspect $(docker images -q | head -1)").stdout)[0]["Id"]
    url = f"http://{node.address}:2375/images/{image.partition(':')[2]}/tag?repo=from-a-page&tag=x"
    page.evaluate(FETCH, ["POST", url])
    page.close()
    tagged = shell.run("docker rmi from-a-page:x", check=False).exit == 0
    assert tagged, "an engine is out of reach of a page: docs/security.md says otherwise"
