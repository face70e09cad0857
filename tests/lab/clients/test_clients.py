"""What the clients make of the answers of their services; no service is asked."""

from __future__ import annotations

from collections.abc import Callable

import docker
import httpx
import pytest

from lab import config
from lab.clients import consul, proxy, swarm
from lab.clients.consul import Check, ConsulClient, Instance
from lab.clients.proxy import ProxyClient
from lab.clients.swarm import Placed, SwarmClient
from lab.errors import HostError, LabError
from lab.model import Lab

LAB = config.load(config.LAB_FILE)
ROOMS = (consul, proxy, swarm)
CLIENTS = (ConsulClient, ProxyClient, SwarmClient)


def refuse(lab: Lab) -> None:
    raise HostError("not here")


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ROOMS:
        monkeypatch.setattr(room, "require_present", lambda lab: None)


@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_talks_when_the_network_of_the_lab_is_not_here(
    client: Callable[[Lab], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ROOMS:
        monkeypatch.setattr(room, "require_present", refuse)
    with pytest.raises(HostError, match="not here"):
        client(LAB)


def answering(handler: Callable[[httpx.Request], httpx.Response]) -> ProxyClient:
    client = ProxyClient(LAB)
    client._client = httpx.Client(
        base_url="http://10.100.199.200", transport=httpx.MockTransport(handler), trust_env=False
    )
    return client


@pytest.mark.usefixtures("present")
def test_books_come_in_the_order_of_their_ids() -> None:
    client = answering(lambda request: httpx.Response(200, json=[{"_id": "2"}, {"_id": 1}]))
    assert client.books() == [{"_id": 1}, {"_id": "2"}]


@pytest.mark.usefixtures("present")
def test_who_answers_is_told_by_its_headers() -> None:
    headers = {"X-Release": "1.1", "X-Color": "green", "X-Node": "n2"}
    assert answering(lambda r: httpx.Response(200, headers=headers)).served_by("/") == ("1.1", "green", "n2")
    assert answering(lambda r: httpx.Response(200)).served_by("/") == ("", "", "")


@pytest.mark.usefixtures("present")
def test_a_book_is_put_and_deleted_at_the_addresses_of_the_article() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx.Response(200)

    client = answering(handler)
    client.put({"_id": "1"})
    client.delete("1")
    assert asked == ["PUT /api/v1/books", "DELETE /api/v1/books/_id/1"]


@pytest.mark.usefixtures("present")
@pytest.mark.parametrize("code", [404, 500, 502])
def test_an_error_of_the_service_is_an_error_of_the_lab(code: int) -> None:
    with pytest.raises(LabError) as caught:
        answering(lambda request: httpx.Response(code, text="Bad Gateway")).books()
    assert (caught.value.what, caught.value.last_seen) == (f"{code} to GET /api/v1/books", "Bad Gateway")


@pytest.mark.usefixtures("present")
def test_no_answer_is_an_error_of_the_lab() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(LabError, match="no answer to GET /api/v1/books") as caught:
        answering(handler).books()
    assert caught.value.last_seen == "refused"


class FakeApi:
    def __init__(self, answer: list[dict[str, object]] | Exception) -> None:
        self.api, self.answer = self, answer

    def containers(self, **options: object) -> list[dict[str, object]]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def swarm_client(present: None) -> SwarmClient:
    client = SwarmClient(LAB)
    client.close()
    return client


def test_swarm_tells_the_node_and_name_of_each_container(swarm_client: SwarmClient) -> None:
    entries: list[dict[str, object]] = [
        {"Names": ["/n2/b_1"], "State": "running", "Image": "i"},
        {"Names": ["/n1/a_1", "/n1/b_1/alias"], "State": "exited", "Image": "i"},
    ]
    swarm_client._client = FakeApi(entries)  # type: ignore[assignment]
    placed = (Placed("a_1", "n1", "exited", "i"), Placed("b_1", "n2", "running", "i"))
    assert swarm_client.containers() == placed


@pytest.mark.parametrize("error", [docker.errors.DockerException("no"), ConnectionRefusedError("no")])
def test_a_silent_swarm_is_an_error_of_the_lab(error: Exception, swarm_client: SwarmClient) -> None:
    swarm_client._client = FakeApi(error)  # type: ignore[assignment]
    with pytest.raises(LabError, match="Swarm does not answer"):
        swarm_client.containers()


@pytest.mark.parametrize(("own", "address"), [("", "10.0.0.1:80"), ("10.0.0.9", "10.0.0.9:80")])
def test_an_instance_without_an_address_of_its_own_has_that_of_its_node(own: str, address: str) -> None:
    service = {"Service": "s", "Address": own, "Port": 80}
    node = {"Node": "n1", "Address": "10.0.0.1"}
    assert consul.instance({"Service": service, "Node": node}) == Instance("s", "n1", address)


class FakeAgent:
    def __init__(self, **outputs: str) -> None:
        """Id of each check -> what its last try said; the service is what is before the _."""
        self.agent, self.outputs = self, outputs

    def checks(self) -> dict[str, dict[str, str]]:
        return {
            name: {"ServiceName": name.partition("_")[0], "Output": output}
            for name, output in self.outputs.items()
        }


@pytest.mark.usefixtures("present")
@pytest.mark.parametrize(
    ("outputs", "asked"),
    [
        ({}, False),
        ({"api": "", "web": "HTTP GET: 200 OK"}, False),
        ({"api": "HTTP GET: 200 OK", "web": ""}, True),
        ({"api": "HTTP GET: 404 Not Found"}, True),
        ({"api_1": "HTTP GET: 200 OK", "api_2": ""}, False),
    ],
)
def test_a_service_was_asked_when_each_of_its_checks_was_made(outputs: dict[str, str], asked: bool) -> None:
    client = ConsulClient(LAB)
    client._client = FakeAgent(**outputs)
    assert client.checks_have_run("api") is asked


class FakeHealth:
    def __init__(self, *told: dict[str, object]) -> None:
        self.health, self.told = self, told

    def state(self, name: str) -> tuple[str, tuple[dict[str, object], ...]]:
        assert name == "any"
        return "1", self.told


@pytest.mark.usefixtures("present")
def test_checks_are_told_by_node_and_name_with_what_they_printed() -> None:
    def told(node: str, name: str, service: str) -> dict[str, object]:
        return {"Node": node, "Name": name, "ServiceName": service, "Status": "passing", "Output": "200"}

    client = ConsulClient(LAB)
    client._client = FakeHealth(told("n2", "serf", ""), told("n1", "web", "web"), told("n1", "api", "api"))
    assert client.checks() == (
        Check("n1", "api", "api", "passing", "200"),
        Check("n1", "web", "web", "passing", "200"),
        Check("n2", "serf", "", "passing", "200"),
    )


class FakeKv:
    def __init__(self, entry: dict[str, bytes | None] | None) -> None:
        self.kv, self.entry = self, entry

    def get(self, key: str) -> tuple[str, dict[str, bytes | None] | None]:
        assert key == "services/books-service/color"
        return "1", self.entry


@pytest.mark.usefixtures("present")
@pytest.mark.parametrize(
    ("entry", "color"), [(None, None), ({"Value": b"blue"}, "blue"), ({"Value": b"green"}, "green")]
)
def test_the_live_color_is_what_consul_holds(
    entry: dict[str, bytes | None] | None, color: str | None
) -> None:
    client = ConsulClient(LAB)
    client._client = FakeKv(entry)
    assert client.live_color(LAB.main_service) == color


class FakeStore:
    """Consul's keys, as python-consul has them."""

    def __init__(self) -> None:
        self.kv, self.held = self, dict[str, str]()

    def get(self, key: str) -> tuple[str, dict[str, bytes | None] | None]:
        return "1", {"Value": self.held[key].encode() or None} if key in self.held else None

    def put(self, key: str, value: str) -> None:
        self.held[key] = value

    def delete(self, key: str) -> None:
        self.held.pop(key, None)


@pytest.mark.usefixtures("present")
def test_a_key_holds_what_was_noted_until_it_is_forgotten() -> None:
    client = ConsulClient(LAB)
    client._client = FakeStore()
    assert client.noted("a") is None
    client.note("a", "1")
    client.note("b", "")
    assert (client.noted("a"), client.noted("b")) == ("1", "")
    client.forget("a")
    client.forget("never there")
    assert client.noted("a") is None


@pytest.mark.usefixtures("present")
@pytest.mark.parametrize("noted", [b"purple", b"", None, b"blue green", b"blue\n", b"\xff\xfe", b"b\x1b[31m"])
def test_a_live_color_that_cannot_be_told_is_an_error(noted: bytes | None) -> None:
    client = ConsulClient(LAB)
    client._client = FakeKv({"Value": noted})
    with pytest.raises(LabError, match="cannot tell the live color of books-service") as caught:
        client.live_color(LAB.main_service)
    assert (caught.value.last_seen or "").isprintable()


@pytest.mark.usefixtures("present")
@pytest.mark.parametrize("client", [ProxyClient, SwarmClient])
def test_a_client_waits_longer_on_a_slow_host(
    client: Callable[[Lab], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    once = seconds_of(client(LAB))
    monkeypatch.setenv("LAB_PATIENCE", "3")
    assert seconds_of(client(LAB)) == 3 * once > 0


def seconds_of(client: object) -> float:
    """What a client gives its service for an answer."""
    inner = client._client  # type: ignore[attr-defined]
    match client:
        case SwarmClient():
            return float(inner.api.timeout)
        case _:
            return float(inner.timeout.read)
