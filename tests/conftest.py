"""Programs of a node that are played in a folder of their own, and the lab as one look sees its baseline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jq
import pytest

from deployments import books
from deployments.observed import Answer, Container, Noted, Observation
from lab import config, waiting
from lab.clients.consul import Instance
from provisioning.templates import render

os.environ.pop("LAB_PATIENCE", None)  # the tests give their own
LAB = config.load(config.LAB_FILE)


@pytest.fixture(autouse=True)
def nobody_is_told_of_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario that a test left under way does not hear of the next test's waits."""
    monkeypatch.setattr(waiting, "observer", None)


# All a script finds beside what is played: never this host's docker, curl or systemd.
REAL = (
    *(
        "awk",
        "bash",
        "cat",
        "cmp",
        "cp",
        "cut",
        "date",
        "dirname",
        "env",
        "grep",
        "mktemp",
        "mv",
        "rm",
        "sed",
        "sort",
        "stat",
        "tail",
    ),
    *("timeout", "tr", "wc", "xargs"),
)

# The nodes have jq 1.6: libjq is real, and as there `-e` exits 0 when no input came.
JQ = """#!{python} -IS
import sys
sys.path.append({packages!r})
import jq

program, *files = (word for word in sys.argv[1:] if not word.startswith("-"))
options = {{letter for word in sys.argv[1:] if word.startswith("-") for letter in word[1:]}}
text = "".join(open(file).read() for file in files) if files else sys.stdin.read()
answer = True
try:
    for answer in jq.compile(program).input_text(text, slurp="s" in options) if text.strip() else ():
        raw = "r" in options and isinstance(answer, str)
        print(answer if raw else jq.compile(".").input_value(answer).text())
except ValueError as error:
    sys.exit(f"jq: {{error}}")
sys.exit("e" in options and (answer is None or answer is False))
"""


class Played:
    """A PATH of played programs: each notes its words, then runs a few lines of bash.

    `clock` seconds pass at each `sleep` of a script, and none in truth. `$state` is a folder in which the
    programs may keep what they know.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, 1
        self.waiting = folder / "waiting.sh"
        self.know_patience()
        self.bin, self.state, self._calls = folder / "bin", folder / "state", folder / "calls"
        for made in (self.bin, self.state):
            made.mkdir()
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name} on this host"))
        self._write("jq", JQ.format(python=sys.executable, packages=str(Path(jq.__file__).parent)))

    def know_patience(self) -> None:
        """The nodes' waiting.sh, as `lab up` renders it now."""
        self.waiting.write_text(render("waiting.sh", LAB))

    def _write(self, name: str, text: str) -> None:
        (self.bin / name).unlink(missing_ok=True)  # a link to this host's own program is not written through
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def program(self, name: str, lines: str = "") -> None:
        note = f"printf '%s\\n' \"{name} $*\" >>{self._calls}"
        self._write(name, f"#!{self.bin}/bash\nstate={self.state}\n{note}\n{lines}\n")

    def by_words(self, name: str, answers: Mapping[str, str], otherwise: str = "exit 7") -> None:
        """A program that answers by the first glob that its words match."""
        space = "\\ "
        cases = "\n".join(f"  {glob.replace(' ', space)}) {lines} ;;" for glob, lines in answers.items())
        self.program(name, f'case "$*" in\n{cases}\n  *) {otherwise} ;;\nesac')

    def run(
        self, script: str, *words: str, stdin: str = "", places: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script's text; `places` are paths of a node that are others here."""
        script = script.replace("/etc/lab/waiting.sh", str(self.waiting))
        for there, here in (places or {}).items():
            assert there in script
            script = script.replace(there, here)
        path = self.folder / "script"
        path.write_text(script)
        clock = f"() {{ SECONDS=$((SECONDS + {self.clock})); }}"
        return subprocess.run(
            [self.bin / "bash", path, *words],
            env={"PATH": str(self.bin), "BASH_FUNC_sleep%%": clock},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def calls(self, *parts: str) -> list[str]:
        """What was called, in order; with `parts`, the calls in which one of them is found."""
        said = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [call for call in said if not parts or any(part in call for part in parts)]


@pytest.fixture
def played(tmp_path: Path) -> Played:
    folder = tmp_path / "played"
    folder.mkdir()
    return Played(folder)


DB = Container(
    "booksservice_db_1",
    "swarm-node-03",
    "running",
    "10.100.199.200:5000/mongo",
    "2026-01-01T10:00:00Z",
    addresses=("10.100.199.203:27017",),
)
BLUE = Container(
    "booksservice_blue_1",
    "swarm-node-01",
    "running",
    "10.100.199.200:5000/books-service:1.0",
    "2026-01-01T10:00:05Z",
    ("COLOR=blue", "DB_PORT_27017_TCP=tcp://10.100.199.203:27017"),
    ("10.100.199.201:32768",),
)


@pytest.fixture
def at_baseline() -> Observation:
    return Observation(
        containers=(DB, BLUE),
        volumes=frozenset({DB.node}),
        noted=Noted(
            releases={"blue": "1.0", "green": "1.1"},
            upstream="upstream books-service {\n  server 10.100.199.201:32768;\n}",
            color="blue",
            is_locked=False,
            known={
                "db": (Instance("books-service-db", DB.node, DB.addresses[0]),),
                "blue": (Instance("books-service-blue", BLUE.node, BLUE.addresses[0]),),
                "green": (),
            },
            healing=(),
            is_building=False,
            users=Answer("blue", "1.0", tuple({**book, "rating": 5} for book in books.BOOKS)),
        ),
    )
