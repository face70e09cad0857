"""Every error a user of the lab can meet.

LabError             something went wrong inside the lab            exit 5
 |- CheckFailed      a check did not hold                           exit 1
 |- ConfigError      a lab file or an argument is wrong             exit 2
 |- TimedOut         a wait ended without what it waited for        exit 3
 |- HostError        this machine cannot run the lab as it is       exit 4
 `- CommandFailed    a command on a node exited non-zero (in shell) exit 5
"""

from __future__ import annotations

import difflib
import errno
import shlex
from collections.abc import Iterable


class LabError(Exception):
    """What happened, where, what was last seen there and what to try next."""

    exit_code = 5

    def __init__(
        self,
        what: str,
        *,
        node: str | None = None,
        last_seen: str | None = None,
        try_next: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.node = node
        self.last_seen = last_seen
        self.try_next = try_next

    def __str__(self) -> str:
        lines = [f"{self.node}: {self.what}" if self.node else self.what]
        if self.last_seen:
            lines.append("  last seen: " + self.last_seen.strip().replace("\n", "\n             "))
        if self.try_next:
            lines.append(f"  try next:  {self.try_next}")
        return printable("\n".join(lines))


class CheckFailed(LabError):
    exit_code = 1


class ConfigError(LabError):
    exit_code = 2


class TimedOut(LabError):
    exit_code = 3


class HostError(LabError):
    exit_code = 4


def of_file(error: OSError, owner: str, user: str) -> HostError | None:
    """What this host does not let `user` do with a file; None for any other error. Pure.

    `owner` is whose the file is, or the folder that it would be in; "" when that is not known.
    """
    name = str(error.filename or "a file")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HostError(f"no room to write {shown(name, 300)}", last_seen=error.strerror, try_next="df -h")
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return None
    mends = owner not in ("", user) and error.filename
    return HostError(
        f"{user} may not write or read {shown(name, 300)}",
        last_seen=f"{error.strerror}; it belongs to {owner or 'nobody that is known'}",
        try_next=f"sudo chown -R {user}: {shlex.quote(name)}   or go on as {owner}" if mends else None,
    )


def printable(text: str) -> str:
    """What a terminal can show as it is; any other character is written as an escape. Pure."""
    return "".join(one if one.isprintable() or one in "\n\t" else _escape(one) for one in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def shown(value: str, most: int = 60) -> str:
    """A value that somebody gave, in quotes: one line, no more than `most` characters of it. Pure."""
    cut = value if len(value) <= most else f"{value[:most]}... ({len(value)} characters)"
    return '"' + printable(cut).replace("\n", "\\n") + '"'


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing when no known word is near. Pure."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else ""
