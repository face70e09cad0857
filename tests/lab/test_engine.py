"""The host's own engine, whatever the shell names; never another one's word for the lab."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import docker
import pytest

from lab import config, engine, environment
from lab.engine import Endpoint, Identity
from lab.errors import HostError

LAB = config.load(config.LAB_FILE)
REMOTE = "tcp://192.0.2.9:2375"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's ~/.docker with a remote and a local context."""
    for name, host in {"far": REMOTE, "near": "unix:///run/user/1000/docker.sock"}.items():
        place = tmp_path / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
        place.mkdir(parents=True)
        (place / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    return tmp_path


def find(folder: Path, **given: str) -> Endpoint:
    return engine.endpoint({"DOCKER_CONFIG": str(folder), **given})


def test_without_a_word_it_is_this_hosts_own_socket(folder: Path) -> None:
    assert find(folder) == Endpoint(engine.SOCKET)
    assert find(folder, DOCKER_HOST="", DOCKER_CONTEXT="default") == Endpoint(engine.SOCKET)


def test_a_host_goes_before_a_context_and_that_before_the_current_one(folder: Path) -> None:
    (folder / "config.json").write_text('{"currentContext": "far"}')
    assert find(folder).host == REMOTE
    assert find(folder, DOCKER_CONTEXT="near").host == "unix:///run/user/1000/docker.sock"
    assert find(folder, DOCKER_CONTEXT="far", DOCKER_HOST="unix:///a").host == "unix:///a"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"currentContext": ""}', '{"credsStore": "not-there"}'])
def test_a_config_that_names_no_context_means_the_default(text: str, folder: Path) -> None:
    (folder / "config.json").write_text(text)
    assert find(folder) == Endpoint(engine.SOCKET)


def test_a_context_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(HostError, match='DOCKER_CONTEXT names the Docker context "gone"') as caught:
        find(folder, DOCKER_CONTEXT="gone")
    assert caught.value.try_next == "unset DOCKER_CONTEXT"


@pytest.mark.parametrize(
    "host",
    [LAB.swarm_endpoint, REMOTE, "ssh://ada@192.0.2.9", "10.100.199.200:2375", "npipe:////./pipe/d", "fd://"],
)
def test_an_engine_elsewhere_is_refused_with_what_to_unset(host: str) -> None:
    refused = engine.refusal(Endpoint(host, "DOCKER_HOST", "unset DOCKER_HOST"))
    assert refused is not None
    assert (host in refused.what, refused.try_next) == (True, "unset DOCKER_HOST")


@pytest.mark.parametrize("given", [{"DOCKER_CONTEXT": "far"}, {}])
def test_a_context_elsewhere_is_refused_with_how_to_leave_it(given: dict[str, str], folder: Path) -> None:
    (folder / "config.json").write_text('{"currentContext": "far"}')
    refused = engine.refusal(find(folder, **given))
    assert refused is not None and '"far"' in refused.what
    assert refused.try_next == ("unset DOCKER_CONTEXT" if given else "docker context use default")


def test_a_local_socket_will_do_whoever_named_it(folder: Path) -> None:
    assert engine.refusal(find(folder, DOCKER_CONTEXT="near")) is None
    assert engine.refusal(find(folder, DOCKER_HOST="unix:///x")) is None


class Client:
    """A fake engine of one id."""

    id = "AAAA"
    asked: list[str] = []  # noqa: RUF012

    def __init__(self, base_url: str, timeout: float) -> None:
        self.asked.append(base_url)
        self.api = self

    def info(self) -> dict[str, Any]:
        return {"ID": self.id}

    def close(self) -> None:
        return


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    """A host with one engine, and a state folder of its own."""

    class Here(Client):
        asked: list[str] = []  # noqa: RUF012

    monkeypatch.setattr(docker, "DockerClient", Here)
    monkeypatch.setattr(environment, "STATE", tmp_path / ".lab")
    monkeypatch.setattr(environment, "_given", {"DOCKER_CONFIG": str(tmp_path)})
    return Here


def test_an_engine_elsewhere_is_never_asked(host: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_given", {"DOCKER_HOST": LAB.swarm_endpoint})
    for ask in (engine.connect, engine.require_here, engine.remember):
        with pytest.raises(HostError, match="this host's own engine"):
            ask()
    assert host.asked == []


def test_the_engine_that_the_lab_was_made_on_is_told_from_another(host: type[Client]) -> None:
    engine.remember()
    engine.require_here()
    host.id = "BBBB"
    for ask in (engine.connect, engine.require_here, engine.remember):
        with pytest.raises(HostError, match="was made on the Docker engine at") as caught:
            ask()
        assert "AAAA" in (caught.value.last_seen or "") and str(engine.made_on_file()) in (
            caught.value.try_next or ""
        )


def test_an_engine_is_as_good_as_another_when_no_lab_was_made(host: type[Client]) -> None:
    engine.remember()
    engine.forget()
    host.id = "BBBB"
    engine.connect()
    engine.forget()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"socket": "unix:///x"}'])
def test_a_note_of_the_engine_that_cannot_be_read_is_no_permission(text: str, host: type[Client]) -> None:
    engine.made_on_file().parent.mkdir()
    engine.made_on_file().write_text(text)
    with pytest.raises(HostError, match="nobody knows on which engine the lab is"):
        engine.connect()


def test_a_silent_engine_is_an_error_of_the_host(host: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(**options: Any) -> None:
        raise docker.errors.DockerException("no socket")

    monkeypatch.setattr(docker, "DockerClient", silent)
    with pytest.raises(HostError, match=f"no Docker engine answers at {engine.SOCKET}") as caught:
        engine.connect()
    assert (caught.value.last_seen, caught.value.try_next) == ("no socket", "lab/host.sh")


def test_two_engines_are_one_when_their_ids_are() -> None:
    assert engine.other_engine(Identity("unix:///a", "X"), Identity("unix:///b", "X")) is None
    assert engine.other_engine(Identity("unix:///a", "X"), Identity("unix:///a", "Y")) is not None
