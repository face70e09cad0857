"""The only waiting loop, and the one factor that stretches every wait of a slow host."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lab.errors import ConfigError, TimedOut

T = TypeVar("T")
PATIENCE = "LAB_PATIENCE"  # of the environment
NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")  # as lab/host.sh and the Vagrantfile read it too
PAUSE = 0.2
LONGEST_PAUSE = 1.0
MOST_PATIENCE = 100.0
SLOW_HOST = "on a slow host: LAB_PATIENCE=3 waits three times as long"

# Told, at the end of each wait and by the thread that waited, what it was for and how many seconds it took.
observer: Callable[[str, float], None] | None = None


def patience() -> float:
    """By how much every limit of time is stretched: LAB_PATIENCE, or 1. Raises ConfigError."""
    said = os.environ.get(PATIENCE) or "1"
    factor = float(said) if NUMBER.fullmatch(said) else 0.0
    if not 1 <= factor <= MOST_PATIENCE:
        raise ConfigError(
            f"LAB_PATIENCE is {said[:40]!r}",
            try_next=f"a number from 1 to {MOST_PATIENCE:g}, such as LAB_PATIENCE=3",
        )
    return factor


def stretched(seconds: float) -> float:
    """A limit of time, in seconds, as long as this host needs it."""
    return seconds * patience()


def limit(seconds: float) -> str:
    """A limit of time as a word of a command, such as curl's -m: as long as this host needs it."""
    return f"{stretched(seconds):g}"


def slowed(rate: float) -> float:
    """Requests a second, as many as a host serves that needs so much longer for each."""
    return rate / patience()


def in_words(seconds: float) -> str:
    """A limit of time for a message: `9 s`, or `27 s (9 s, stretched by LAB_PATIENCE)`."""
    if patience() == 1:
        return f"{seconds:g} s"
    return f"{limit(seconds)} s ({seconds:g} s, stretched by LAB_PATIENCE)"


def wait_until(
    check: Callable[[], T | None],
    timeout: float,
    what: str,
    *,
    since: float | None = None,
    node: str | None = None,
    evidence: Callable[[], str] | None = None,
    try_next: str | None = None,
) -> T:
    """Call `check` until it returns something true, and return that.

    Between two calls it pauses as long as the last one took, 0.2 to 1 s, stretched: a look at all nodes that
    is made again at once takes the processor from what it waits for.
    `check` says "not yet" with a false value or with an exception, which is kept as what was last
    seen. `timeout` is in seconds, stretched by LAB_PATIENCE; it counts from now, or from `since`, a moment of
    the wall clock. `evidence` is asked once, on time-out, for log lines. Raises TimedOut.
    """
    gone = 0.0 if since is None else time.time() - since
    deadline = time.monotonic() + stretched(timeout) - gone
    last = "nothing"
    with observed(what):
        while True:
            began = time.monotonic()
            try:
                answer = check()
                if answer:
                    return answer
                last = repr(answer)
            except Exception as error:  # whatever a check meets is "not yet"
                last = f"{type(error).__name__}: {error}"
            now = time.monotonic()
            if now >= deadline:
                break
            time.sleep(min(max(PAUSE, now - began), stretched(LONGEST_PAUSE)))
    if evidence is not None:
        last += "\n" + _shown(evidence)
    raise TimedOut(
        f"waited {in_words(timeout)} for {what}",
        node=node,
        last_seen=last,
        try_next=f"{try_next}; {SLOW_HOST}" if try_next else SLOW_HOST,
    )


def retry(call: Callable[[], T], timeout: float, what: str, *, try_next: str | None = None) -> T:
    """Call `call` until it does not raise, and return its result, whatever that is. Raises TimedOut."""
    return wait_until(lambda: (call(),), timeout, what, try_next=try_next)[0]


@contextmanager
def observed(what: str) -> Iterator[None]:
    """A wait of another kind, such as for a lock: the observer is told of it too."""
    began = time.monotonic()
    try:
        yield
    finally:
        if observer is not None:
            observer(what, time.monotonic() - began)


def _shown(evidence: Callable[[], str]) -> str:
    try:
        return evidence()
    except Exception as error:  # what went wrong first is what is told
        return f"no evidence: {error}"
