"""The scripts of the role `service`, run with programs that are played."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parents[3] / "provisioning/ansible/roles/service/files"
Done = subprocess.CompletedProcess[str]
SWARM = "tcp://10.100.199.200:2375"
ENTRY = '[{"Service": {"Address": "", "Port": 32768}, "Node": {"Address": "10.100.199.202"}}]'
OWN_ENTRY = '[{"Service": {"Address": "10.0.0.9", "Port": 80}, "Node": {"Address": "10.100.199.202"}}]'


def script(name: str) -> str:
    return (FILES / name).read_text()


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_every_script_is_bash(path: Path) -> None:
    done = subprocess.run(["bash", "-n", path], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# --- start_color.sh -----------------------------------------------------------------------------------------

KNOWS = "echo '[{}]'"
KNOWS_NONE = "echo '[]'"


class Master:
    """A folder of a service, and the programs that start_color.sh calls."""

    def __init__(self, played: Any, tmp_path: Path) -> None:
        self.played, self.folder = played, tmp_path / "books-service"
        self.folder.mkdir()
        (self.folder / ".env").write_text("X=1\nBLUE_RELEASE=1.0\nGREEN_RELEASE=1.1\n")
        self.catalogue = {"books-service-db": KNOWS, "books-service-green": KNOWS}
        self.compose: dict[str, str] = {}
        self.docker = "true"
        played.clock = 15

    def start(self, database: str = "db") -> Done:
        known = {f"*health/service/{name}?passing": lines for name, lines in self.catalogue.items()}
        self.played.by_words("curl", known)
        self.played.program("consul-template", 'echo "on ${DOCKER_HOST:-its own}" >>$state/on; echo >${4#*:}')
        compose = 'echo "compose on $DOCKER_HOST" >>$state/on'
        self.played.by_words("docker-compose", self.compose, otherwise=compose)
        self.played.program("docker", self.docker)
        words = ("booksservice", "green", "2.0", database, "books-service", SWARM, "10.0.0.1,10.0.0.2")
        done: Done = self.played.run(script("start_color.sh"), str(self.folder), *words)
        return done

    @property
    def changes(self) -> list[str]:
        """The calls that change something: compose's and docker's."""
        return [call for call in self.played.calls() if call.startswith(("docker-compose ", "docker "))]


@pytest.fixture
def master(played: Any, tmp_path: Path) -> Master:
    return Master(played, tmp_path)


RENDER = "consul-template -consul localhost:8500 -template docker-compose.yml.ctmpl:docker-compose.yml -once"
START_GREEN = [
    "docker-compose pull -q green",
    "docker -H tcp://10.0.0.1:2375 rm -f booksservice_green_1",
    "docker -H tcp://10.0.0.2:2375 rm -f booksservice_green_1",
    "docker-compose up -d --no-deps green",
]


def test_the_idle_color_is_pulled_then_replaced(master: Master) -> None:
    done = master.start()
    assert (done.returncode, done.stderr) == (0, "")
    assert master.changes == START_GREEN


def test_only_the_color_that_starts_gets_the_release(master: Master) -> None:
    master.start()
    assert (master.folder / ".env").read_text() == "X=1\nBLUE_RELEASE=1.0\nGREEN_RELEASE=2.0\n"


def test_the_compose_file_is_rendered_before_compose_and_compose_goes_to_the_swarm(master: Master) -> None:
    master.start()
    calls = master.played.calls()
    assert calls.index(RENDER) < calls.index(START_GREEN[0])
    on = (master.played.state / "on").read_text().splitlines()
    assert set(on) == {"on its own", f"compose on {SWARM}"}


def test_a_database_that_is_not_known_is_started_and_its_address_rendered(master: Master) -> None:
    up = "docker-compose up -d --no-recreate db"
    master.catalogue["books-service-db"] = f"[ -e $state/db ] && {KNOWS} || {KNOWS_NONE}"
    master.compose = {"*--no-recreate db": "echo >$state/db"}
    assert master.start().returncode == 0
    assert master.changes == [up, *START_GREEN]
    calls = [call for call in master.played.calls() if call in (RENDER, up, START_GREEN[0])]
    assert calls == [RENDER, up, RENDER, START_GREEN[0]]


def test_a_service_without_a_database_starts_none(master: Master) -> None:
    del master.catalogue["books-service-db"]
    assert master.start("no-db").returncode == 0
    assert master.changes == START_GREEN
    assert master.played.calls("-db") == []


GIVES_UP: dict[str, tuple[Mapping[str, str], Mapping[str, str], list[str]]] = {
    "cannot be pulled": ({}, {"pull*": "echo 'manifest unknown' >&2; exit 1"}, START_GREEN[:1]),
    "does not start": ({}, {"up -d --no-deps green": "exit 1"}, START_GREEN),
    "is never known": ({"books-service-green": KNOWS_NONE}, {}, START_GREEN),
    "has no database": ({"books-service-db": KNOWS_NONE}, {}, ["docker-compose up -d --no-recreate db"]),
    "finds Consul silent": (
        {"books-service-db": "exit 7", "books-service-green": "exit 7"},
        {},
        ["docker-compose up -d --no-recreate db"],
    ),
}


@pytest.mark.parametrize("case", GIVES_UP)
def test_it_fails_and_leaves_the_live_color_when_the_new_one(case: str, master: Master) -> None:
    catalogue, master.compose, changes = GIVES_UP[case]
    master.catalogue.update(catalogue)
    assert master.start().returncode != 0
    assert master.changes == changes
    assert [call for call in master.changes if "blue" in call] == []


def test_what_it_gave_up_waiting_for_is_told(master: Master) -> None:
    master.catalogue["books-service-green"] = KNOWS_NONE
    assert "gave up after 30 s waiting for: registered books-service-green" in master.start().stderr


def test_a_node_that_is_dead_holds_nothing_up(master: Master) -> None:
    master.docker = "exit 1"
    assert master.start().returncode == 0
    assert master.changes == START_GREEN


# --- direct_test.sh -----------------------------------------------------------------------------------------


def direct_test(played: Any, entry: str, answer: str) -> Done:
    played.clock = 5
    played.by_words(
        "curl",
        {"*health/service/books-service-green?passing": f"echo '{entry}'", "*-o /dev/null*": answer},
    )
    played.by_words("docker", {"logs*": "echo 'last words of green'"}, otherwise="true")
    words = ("books-service-green", "/api/v1/books", "booksservice_green_1", SWARM)
    done: Done = played.run(script("direct_test.sh"), *words)
    return done


@pytest.mark.parametrize(
    ("entry", "address"), [(ENTRY, "10.100.199.202:32768"), (OWN_ENTRY, "10.0.0.9:80")], ids=["node", "own"]
)
def test_a_color_that_answers_at_its_own_address_passes_and_the_last_line_says_where(
    entry: str, address: str, played: Any
) -> None:
    done = direct_test(played, entry, "true")
    assert (done.returncode, done.stdout) == (
        *(0, f"books-service-green answers:\n{address}/api/v1/books\n"),
    )
    assert played.calls("-o /dev/null") == [f"curl -fsS -m 5 -o /dev/null http://{address}/api/v1/books"]
    assert played.calls("docker") == []


def test_a_color_may_take_its_time_to_answer(played: Any) -> None:
    tries = "echo >>$state/tries; [ $(wc -l <$state/tries) -ge 3 ]"
    assert direct_test(played, ENTRY, tries).returncode == 0
    assert played.calls("docker") == []


def test_a_color_that_fails_is_stopped_and_told_with_its_last_lines(played: Any) -> None:
    done = direct_test(played, ENTRY, "echo 'error: 500' >&2; exit 22")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "books-service-green failed its direct test at http://10.100.199.202:32768/api/v1/books: error: 500",
        "last words of green",
    ]
    assert played.calls("docker stop", "docker rm", "docker kill") == ["docker stop booksservice_green_1"]


@pytest.mark.parametrize("entry", ["[]", ""], ids=["unknown", "Consul is silent"])
def test_a_color_without_an_address_fails(entry: str, played: Any) -> None:
    done = direct_test(played, entry, "exit 3")
    assert done.returncode == 1
    assert "books-service-green failed its direct test" in done.stderr
    assert played.calls("docker stop") == ["docker stop booksservice_green_1"]


# --- cut_over.sh --------------------------------------------------------------------------------------------

KEY = "http://localhost:8500/v1/kv/services/books-service/color"
PUBLIC = "http://10.100.199.200/api/v1/books"
TO_GREEN = f"curl -fsS -X PUT -d green {KEY}"
RENEW = "curl -fsS -X PUT http://localhost:8500/v1/session/renew/s1"


class Proxy:
    """nginx's folder on the master, and the programs that cut_over.sh calls."""

    def __init__(self, played: Any, tmp_path: Path) -> None:
        self.played, self.folder = played, tmp_path / "nginx"
        (self.folder / "upstreams").mkdir(parents=True)
        self.upstream = self.folder / "upstreams/books-service.conf"
        self.upstream.write_text("to blue\n")
        self.template = f"echo 'to green' >{self.upstream}"
        self.curl: dict[str, str] = {}
        self.nginx = "true"
        self.public = [
            "printf 'HTTP/1.1 200 OK\\r\\nX-Color: green\\r\\n'"
        ]  # its answers, the last one for ever

    def cut_over(self, live: str = "blue") -> Done:
        answers = " ".join(f"{number}) {lines};;" for number, lines in enumerate(self.public[:-1], 1))
        public = f"echo >>$state/asked; case $(wc -l <$state/asked) in {answers} *) {self.public[-1]};; esac"
        self.played.by_words("curl", {**self.curl, f"*{PUBLIC}*": public}, otherwise="true")
        self.played.program("consul-template", self.template)
        self.played.by_words("docker", {"inspect*": f"echo {self.nginx}"}, otherwise="true")
        words = ("books-service", "green", live, PUBLIC, "s1")
        done: Done = self.played.run(script("cut_over.sh"), *words, places={"/data/nginx": str(self.folder)})
        return done


@pytest.fixture
def proxy(played: Any, tmp_path: Path) -> Proxy:
    return Proxy(played, tmp_path)


def test_color_and_upstream_change_together_and_the_public_address_is_asked_last(proxy: Proxy) -> None:
    done = proxy.cut_over()
    assert (done.returncode, done.stderr) == (0, "")
    lock, color, template, public = proxy.played.calls("curl", "consul-template")
    assert (lock, color) == (RENEW, TO_GREEN)
    assert "/books-service-green-upstream.conf.ctmpl:" in template
    assert template.endswith("/books-service.conf:docker kill -s HUP nginx -once")
    assert public.endswith(f" -o /dev/null -D - {PUBLIC}")
    assert proxy.upstream.read_text() == "to green\n"


@pytest.mark.parametrize(("nginx", "started"), [("true", []), ("false", ["docker start nginx"])])
def test_nginx_is_started_only_when_it_is_down(nginx: str, started: list[str], proxy: Proxy) -> None:
    proxy.nginx = nginx
    assert proxy.cut_over().returncode == 0
    assert proxy.played.calls("docker start") == started


@pytest.mark.parametrize(
    ("live", "back"),
    [("blue", f"curl -fsS -X PUT -d blue {KEY}"), ("none", f"curl -fsS -X DELETE {KEY}")],
)
def test_the_color_is_put_back_when_nginx_cannot_be_told(live: str, back: str, proxy: Proxy) -> None:
    proxy.template = "exit 14"
    done = proxy.cut_over(live)
    assert done.returncode != 0
    assert done.stderr == f"books-service stays on {live}: nginx was not told\n"
    assert proxy.played.calls("curl") == [RENEW, TO_GREEN, back]


def test_the_upstream_is_put_back_when_it_was_written_but_nginx_was_not_told(proxy: Proxy) -> None:
    proxy.template += "; exit 14"
    assert proxy.cut_over().returncode != 0
    assert proxy.upstream.read_text() == "to blue\n"


def test_an_upstream_that_was_removed_is_made_again(proxy: Proxy) -> None:
    proxy.upstream.unlink()
    assert proxy.cut_over().returncode == 0
    assert proxy.upstream.read_text() == "to green\n"


def test_nothing_is_changed_when_the_lock_ran_out(proxy: Proxy) -> None:
    proxy.curl = {"*session/renew*": "echo 404 >&2; exit 22"}
    done = proxy.cut_over()
    assert done.returncode == 1
    assert "books-service stays on blue: the lock of this deployment" in done.stderr
    assert proxy.played.calls() == [RENEW]
    assert proxy.upstream.read_text() == "to blue\n"


def test_nothing_is_told_to_nginx_when_consul_does_not_take_the_color(proxy: Proxy) -> None:
    proxy.curl = {"*-X PUT -d*": "exit 7"}
    assert proxy.cut_over().returncode != 0
    assert proxy.played.calls("consul-template") == []
    assert proxy.upstream.read_text() == "to blue\n"


OLD = "printf 'HTTP/1.1 200 OK\\r\\nX-Color: blue\\r\\n'"


def test_it_ends_only_when_the_new_color_serves_users(proxy: Proxy) -> None:
    proxy.public = [OLD, OLD, "exit 22", *proxy.public]
    assert proxy.cut_over().returncode == 0
    assert len(proxy.played.calls(PUBLIC)) == 4
    assert proxy.upstream.read_text() == "to green\n"


@pytest.mark.parametrize("answer", ["exit 22", "true", OLD])
def test_all_is_put_back_when_users_stay_unserved(answer: str, proxy: Proxy) -> None:
    proxy.public = [answer]
    done = proxy.cut_over()
    assert done.returncode == 1
    assert done.stderr.startswith(f"books-service stays on blue: green does not answer at {PUBLIC}")
    assert proxy.upstream.read_text() == "to blue\n"
    assert proxy.played.calls("curl")[-1] == f"curl -fsS -X PUT -d blue {KEY}"
    assert proxy.played.calls()[-1] == "docker kill -s HUP nginx"


# --- live_color.sh ------------------------------------------------------------------------------------------

NOTES = {"blue": "printf blue200", "green, by hand": "printf 'green\\n200'", "none": "printf 404"}
SERVES = {
    "blue": "printf 'HTTP/1.1 200 OK\\r\\nX-Color: blue\\r\\n\\r\\n'",
    "green": "printf 'HTTP/1.1 200 OK\\r\\nx-color: green\\r\\n\\r\\n'",
    "red": "printf 'HTTP/1.1 200 OK\\r\\nX-Color: red\\r\\n\\r\\n'",
    "no color": "printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'",
    "an error": "printf 'HTTP/1.1 502 Bad Gateway\\r\\nX-Color: blue\\r\\n\\r\\n'; exit 22",
    "nothing": "exit 7",
}
LIVE = {
    ("blue", "blue"): "blue",
    ("blue", "green"): "green",
    ("green, by hand", "nothing"): "green",
    ("green, by hand", "an error"): "green",
    ("blue", "red"): "blue",
    ("blue", "no color"): "blue",
    ("none", "nothing"): "none",
    ("none", "green"): "green",
}


def live_color(played: Any, noted: str, served: str) -> Done:
    played.by_words("curl", {f"*{KEY}?raw": noted, f"*{PUBLIC}": served})
    done: Done = played.run(script("live_color.sh"), "books-service", PUBLIC)
    return done


@pytest.mark.parametrize(("noted", "served"), LIVE)
def test_the_live_color_is_what_serves_users_else_what_consul_notes(
    noted: str, served: str, played: Any
) -> None:
    done = live_color(played, NOTES[noted], SERVES[served])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{LIVE[noted, served]}\n", "")


NO_COLOR = {
    "Consul is silent": (
        "echo 'curl: (7) refused' >&2; exit 7",
        "Consul does not answer at http://localhost:8500",
    ),
    "Consul has no leader": ("printf 'No cluster leader500'", "HTTP 500, No cluster leader"),
    "it is empty": ("printf 200", "color='': the key services/books-service/color must be blue or green"),
    "it is another word": ("printf red200", "color=red: the key"),
    "it is said to be none": ("printf none200", "color=none: the key"),
    "it has two lines": ("printf 'blue\\ngreen200'", "color=$'blue\\ngreen': the key"),
    "it is a command": ("printf '$(id)200'", "color=\\$\\(id\\): the key"),
    "it moves the cursor": ("printf '\\33[2Jblue200'", "color=$'\\E[2Jblue': the key"),
}


@pytest.mark.parametrize("case", NO_COLOR)
def test_what_is_no_color_is_an_error_in_one_line(case: str, played: Any) -> None:
    noted, words = NO_COLOR[case]
    done = live_color(played, noted, SERVES["blue"])
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "Nothing was changed." in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- newest_release.sh, stop_color.sh -----------------------------------------------------------------------

TAGS = {
    '["1.0", "1.10", "1.9", "latest"]': "1.10",
    '["latest", "1.0"]': "1.0",
    '["latest"]': None,
    "[]": None,
    "null": None,
}


def newest_release(played: Any, registry: str) -> Done:
    played.by_words("curl", {"*http://registry:5000/v2/books-fe/tags/list": registry})
    done: Done = played.run(script("newest_release.sh"), "registry:5000", "books-fe")
    return done


@pytest.mark.parametrize("tags", TAGS)
def test_the_newest_release_is_the_highest_number(tags: str, played: Any) -> None:
    done = newest_release(played, f"echo '{{\"tags\": {tags}}}'")
    newest = TAGS[tags]
    assert (done.returncode, done.stdout) == ((0, f"{newest}\n") if newest else (1, ""))


@pytest.mark.parametrize("registry", ["exit 22", "echo no JSON", """echo '{"tags": []}'"""])
def test_a_registry_without_a_release_is_named(registry: str, played: Any) -> None:
    done = newest_release(played, registry)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the registry registry:5000 has no release of books-fe. Nothing was changed." in done.stderr


STOPS = {
    "it runs": ({"stop*": "true"}, 0),
    "there is none": ({}, 0),
    "it does not stop": ({"inspect*": "true"}, 1),
}


@pytest.mark.parametrize("case", STOPS)
def test_the_old_color_is_stopped_or_there_is_none(case: str, played: Any) -> None:
    docker, code = STOPS[case]
    played.by_words("docker", docker, otherwise="exit 1")
    assert played.run(script("stop_color.sh"), "booksservice_blue_1", SWARM).returncode == code
    assert played.calls()[0] == "docker stop booksservice_blue_1"


# --- have_it_checked.sh -------------------------------------------------------------------------------------

DEFINITION = '{"service": {"name": "books-service", "tags": ["it\'s $HOME"]}}'
BEFORE = {"no definition": None, "another one": "{}\n", "the same": f"{DEFINITION}\n"}


@pytest.mark.parametrize("case", BEFORE)
def test_consul_reads_a_definition_that_is_another_one(case: str, played: Any, tmp_path: Path) -> None:
    file = tmp_path / "service-books-service.json"
    if (before := BEFORE[case]) is not None:
        file.write_text(before)
    played.program("consul", f"[ -e {file} ]")
    done = played.run(
        script("have_it_checked.sh"), "books-service", DEFINITION, places={"/etc/consul.d": str(tmp_path)}
    )
    changed = case != "the same"
    assert (done.returncode, done.stdout) == (0, "changed\n" if changed else "")
    assert played.calls("consul") == ["consul reload"] * changed
    assert [path.name for path in tmp_path.glob("service-*")] == [file.name]
    assert file.read_text() == f"{DEFINITION}\n"
    assert oct(file.stat().st_mode)[-3:] == "644"


def test_a_consul_that_reads_nothing_is_an_error(played: Any, tmp_path: Path) -> None:
    played.program("consul", "exit 1")
    places = {"/etc/consul.d": str(tmp_path)}
    assert (
        played.run(script("have_it_checked.sh"), "books-service", DEFINITION, places=places).returncode == 1
    )
