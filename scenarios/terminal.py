"""A terminal for features that type: tmux on this host, in which a program such as ssh runs.

`prompts` and `is_waiting` read its screen and are pure.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from lab.errors import HostError, LabError
from lab.waiting import stretched, wait_until

PROMPT = re.compile(r"(?<! )vagrant@[\w.-]+:[^ ]*\$")  # also behind output that ends without a new line
LOGIN_TIMEOUT = 20.0
COMMAND_TIMEOUT = 180.0
TMUX_SECONDS = 10.0


def prompts(screen: str) -> int:
    """How often the node's shell has asked for a command."""
    return len(PROMPT.findall(screen))


def is_waiting(screen: str) -> bool:
    """Whether the shell asks for one now: the last line is a prompt, and nothing is typed behind it."""
    return re.search(f"{PROMPT.pattern}$", screen.rstrip()) is not None


class Terminal:
    """Closes with its `with`. Raises HostError without tmux, TimedOut when no prompt comes."""

    def __init__(self, words: Sequence[str]) -> None:
        if shutil.which("tmux") is None:
            raise HostError("no tmux is on this host", try_next="lab/host.sh --browser")
        self._folder = tempfile.TemporaryDirectory()  # a server of its own, without anybody's settings
        size = ("-x", "200", "-y", "50")
        self._tmux(
            "set", "-g", "history-limit", "50000", ";", "new-session", "-d", *size, shlex.join(words)
        )  # fmt: skip

    def __enter__(self) -> Terminal:
        try:
            wait_until(lambda: is_waiting(self.screen()), LOGIN_TIMEOUT, "a prompt", evidence=self.screen)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def screen(self) -> str:
        """All that was shown so far; lines that were broken at its edge are whole."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-")

    def type(self, line: str) -> None:
        """Type a line and wait for the next prompt."""
        before = prompts(self.screen())
        # A ; at the end of a word would end tmux's own command.
        self._tmux("send-keys", "-l", "--", re.sub(";$", r"\;", line))
        self._tmux("send-keys", "Enter")

        def has_ended() -> bool:
            screen = self.screen()
            return prompts(screen) > before and is_waiting(screen)

        wait_until(has_ended, COMMAND_TIMEOUT, f"the end of {line}", evidence=self.screen)

    def close(self) -> None:
        try:
            self._tmux("kill-server")
        finally:
            self._folder.cleanup()

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", f"{self._folder.name}/socket", "-f", "/dev/null", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=stretched(TMUX_SECONDS),
        )
        if done.returncode != 0:
            raise LabError(f"tmux {words[0]} ended with {done.returncode}", last_seen=done.stderr)
        return done.stdout
