"""The client of Jenkins before a Jenkins that is played; no service is asked."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from lab import config, waiting
from lab.clients import jenkins
from lab.clients.jenkins import Build, JenkinsClient, Newest
from lab.errors import HostError, LabError, TimedOut
from lab.model import Lab
from lab.waiting import SLOW_HOST

LAB = config.load(config.LAB_FILE)
JOB = "/job/books-service"


@pytest.fixture(autouse=True)
def at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jenkins, "require_present", lambda lab: None)
    monkeypatch.setattr(waiting, "PAUSE", 0.0)


class FakeJenkins:
    """One job whose builds end after `looks` at their state; the log grows by a part at each look."""

    def __init__(self, parts: tuple[str, ...] = ("one\n", "two\n"), result: str = "SUCCESS") -> None:
        self.parts, self.result = parts, result
        self.next, self.looks = 7, 0
        self.starts_after = 0  # looks at which the build is not there yet
        self.ends = True
        self.asked: list[str] = []

    @property
    def log(self) -> str:
        return "".join(self.parts[: max(0, self.looks - self.starts_after)])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == "10.100.199.200" and request.url.port == 8080
        self.asked.append(f"{request.method} {request.url.path}")
        match request.method, request.url.path:
            case "GET", "/job/books-service/api/json":
                return httpx.Response(200, json={"nextBuildNumber": self.next})
            case "GET", "/crumbIssuer/api/json":
                return httpx.Response(200, json={"crumb": "c1", "crumbRequestField": ".crumb"})
            case "POST", "/job/books-service/build" if request.headers.get(".crumb") != "c1":
                return httpx.Response(403, text="No valid crumb was included in the request")
            case "POST", "/job/books-service/build":
                self.next += 1
                return httpx.Response(302, headers={"Location": f"http://10.100.199.200:8080{JOB}/"})
        return self.of_build(request.url.path)

    def of_build(self, path: str) -> httpx.Response:
        if path.endswith("/7/consoleText"):
            return httpx.Response(200, text=self.log)
        return self.build() if path == f"{JOB}/7/api/json" else httpx.Response(404, text="Not found")

    def build(self) -> httpx.Response:
        self.looks += 1
        seen = self.looks - self.starts_after
        if seen <= 0:
            return httpx.Response(404, text="no such build")
        building = seen < len(self.parts) or not self.ends
        result = None if building else self.result
        return httpx.Response(200, json={"building": building, "result": result, "duration": 8123})


def test_the_newest_build_is_told_with_when_it_began_and_ended() -> None:
    told = {"building": False, "result": "FAILURE", "timestamp": 60_000, "duration": 8_500}

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200,
            json={"lastBuild": {"number": 7}, "nextBuildNumber": 9}
            if request.url.path == f"{JOB}/api/json"
            else told,
        )

    assert client(handler).newest("books-service") == Newest(7, "FAILURE", 60.0, 68.5)
    told |= {"building": True, "result": None, "duration": 0}
    assert client(handler).newest("books-service") == Newest(7, None, 60.0, 60.0)


def test_a_job_without_builds_has_no_newest_one() -> None:
    handler = lambda request: httpx.Response(200, json={"lastBuild": None})  # noqa: E731
    assert client(handler).newest("books-service") is None


def test_the_latest_builds_are_those_of_all_jobs_the_newest_first() -> None:
    def build(number: int, begin: float, **more: object) -> dict[str, object]:
        told = {"number": number, "building": False, "result": "SUCCESS", "timestamp": begin * 1000}
        return told | {"duration": 2000} | more

    jobs = [
        {"name": "a", "builds": [build(2, 30, building=True, result=None, duration=0), build(1, 10)]},
        {"name": "b", "builds": [build(9, 20, result="ABORTED")]},
        {"name": "c", "builds": []},
    ]

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/json" and "timestamp" in request.url.params["tree"]
        return httpx.Response(200, json={"jobs": jobs})

    assert client(handler).latest(2) == (
        ("a", Newest(2, None, 30.0, 30.0)),
        ("b", Newest(9, "ABORTED", 20.0, 22.0)),
    )
    assert [job for job, _ in client(handler).latest(9)] == ["a", "b", "a"]


def client(handler: Callable[[httpx.Request], httpx.Response]) -> JenkinsClient:
    return JenkinsClient(LAB, httpx.MockTransport(handler))


def test_it_does_not_talk_when_the_network_of_the_lab_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(lab: Lab) -> None:
        raise HostError("not here")

    monkeypatch.setattr(jenkins, "require_present", refuse)
    with pytest.raises(HostError, match="not here"):
        client(FakeJenkins())


# --- triggering ---------------------------------------------------------------------------------------------


def test_a_trigger_is_one_post_and_tells_the_number_of_its_build() -> None:
    fake = FakeJenkins()
    assert client(fake).trigger("books-service") == 7
    assert fake.asked == [f"GET {JOB}/api/json", "GET /crumbIssuer/api/json", f"POST {JOB}/build"]


@pytest.mark.parametrize(("following", "last"), [(1, 0), (7, 6)])
def test_the_last_number_is_the_one_before_the_next(following: int, last: int) -> None:
    fake = FakeJenkins()
    fake.next = following
    assert client(fake).last_number("books-service") == last


# --- following ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", ["SUCCESS", "FAILURE", "ABORTED"])
def test_a_build_is_triggered_and_followed_to_its_end_whatever_that_is(result: str) -> None:
    built = client(FakeJenkins(result=result)).build("books-service")
    assert built == Build("books-service", 7, result, 8.123, "one\ntwo\n")


def follow(fake: FakeJenkins) -> list[str]:
    said: list[str] = []
    client(fake).follow("books-service", 7, said.append)
    return said


SAID: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "each line once": (("one\n", "two\nthree\n", "four\n"), ["one", "two", "three", "four"]),
    "a line only when it is whole": (("on", "e\ntw", "o\n"), ["one", "two"]),
    "the last line even without its end": (("one\n", "two"), ["one", "two"]),
    "an empty line too": (("\n", "one\n\n"), ["", "one", ""]),
    "lines that end as on the wire": (("one\r\n", "two\r\n"), ["one", "two"]),
    "what came just before the end": (("", "", "all\nof\nit\n"), ["all", "of", "it"]),
    "nothing of an empty log": (("", ""), []),
}


@pytest.mark.parametrize("case", SAID)
def test_following_says(case: str) -> None:
    parts, lines = SAID[case]
    assert follow(FakeJenkins(parts)) == lines


def test_a_build_that_has_not_begun_is_waited_for() -> None:
    fake = FakeJenkins()
    fake.starts_after = 3
    assert follow(fake) == ["one", "two"]


def test_a_build_that_does_not_end_is_a_time_out_that_shows_the_last_of_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jenkins, "BUILD_TIMEOUT", 0.0)
    fake = FakeJenkins(("".join(f"line {n}\n" for n in range(40)),))
    fake.ends = False
    with pytest.raises(TimedOut, match="for build 7 of books-service to end") as caught:
        follow(fake)
    seen = (caught.value.last_seen or "").splitlines()
    assert seen[-12:] == [f"line {n}" for n in range(28, 40)]
    assert "line 27" not in seen
    assert caught.value.try_next == f"lab logs jenkins; {SLOW_HOST}"


# --- what is going on ---------------------------------------------------------------------------------------


def with_jobs(colors: dict[str, str], queue: list[dict[str, object]] | None = None) -> JenkinsClient:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/queue/api/json":
            return httpx.Response(200, json={"items": queue or []})
        assert request.url.path == "/api/json"
        jobs = [{"name": name, "color": color} for name, color in colors.items()]
        return httpx.Response(200, json={"jobs": jobs})

    return client(handler)


@pytest.mark.parametrize(
    ("color", "builds"),
    [
        ("blue", False),
        ("red", False),
        ("grey", False),
        ("disabled", False),
        ("blue_anime", True),
        ("red_anime", True),
        ("grey_anime", True),
    ],
)
def test_a_job_builds_while_its_ball_blinks(color: str, builds: bool) -> None:
    assert with_jobs({"books-fe": "blue", "books-service": color}).building() is builds


def test_a_job_that_waits_in_the_queue_is_building() -> None:
    assert with_jobs({"books-service": "blue"}, [{"task": {"name": "books-service"}}]).building() is True


def test_no_job_at_all_is_not_building() -> None:
    assert with_jobs({}).building() is False


def test_jobs_are_told_by_name() -> None:
    assert with_jobs({"books-fe": "grey", "books-service": "blue"}).jobs() == ("books-fe", "books-service")


@pytest.mark.parametrize("offline", [True, False])
def test_a_node_is_online_when_jenkins_says_so(offline: bool) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/computer/cd/api/json"
        return httpx.Response(200, json={"displayName": "cd", "offline": offline})

    assert client(handler).online("cd") is not offline


# --- errors -------------------------------------------------------------------------------------------------

ASKED: dict[str, Callable[[JenkinsClient], object]] = {
    "trigger": lambda client: client.trigger("books-service"),
    "last_number": lambda client: client.last_number("books-service"),
    "console": lambda client: client.console("books-service", 7),
    "building": lambda client: client.building(),
    "jobs": lambda client: client.jobs(),
    "online": lambda client: client.online("cd"),
}


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout("too slow")], ids=repr)
def test_no_answer_is_an_error_of_the_lab(ask: str, error: httpx.HTTPError) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(LabError, match="Jenkins does not answer") as caught:
        ASKED[ask](client(handler))
    assert (caught.value.last_seen, caught.value.try_next) == (str(error), "lab logs jenkins")


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize("code", [404, 500, 503])
def test_an_error_of_jenkins_is_told_with_what_was_asked_and_the_begin_of_its_answer(
    ask: str, code: int
) -> None:
    with pytest.raises(LabError, match=rf"Jenkins answered {code} to GET /") as caught:
        ASKED[ask](client(lambda request: httpx.Response(code, text="getting ready " * 50)))
    assert (caught.value.last_seen or "").startswith("getting ready")
    assert len(caught.value.last_seen or "") == 300


@pytest.mark.parametrize("ask", [ask for ask in ASKED if ask != "console"])
def test_a_page_in_place_of_json_is_an_error_of_the_lab(ask: str) -> None:
    with pytest.raises(LabError, match="Jenkins answered no JSON to GET /") as caught:
        ASKED[ask](client(lambda request: httpx.Response(200, text="<html>Please wait")))
    assert caught.value.last_seen == "<html>Please wait"


def test_a_build_that_is_refused_is_an_error_that_names_the_post() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(200, json={"nextBuildNumber": 1, "crumb": "c", "crumbRequestField": ".crumb"})
            if request.method == "GET"
            else httpx.Response(405)
        )

    with pytest.raises(LabError, match="Jenkins answered 405 to POST /job/books-service/build"):
        client(handler).trigger("books-service")
