"""The only waiting loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import TimedOut

T = TypeVar("T")
PAUSE = 0.2


def wait_until(
    check: Callable[[], T | None],
    timeout: float,
    what: str,
    *,
    node: str | None = None,
    evidence: Callable[[], str] | None = None,
    try_next: str | None = None,
) -> T:
    """Call `check` until it answers something true and return that answer.

    `check` says "not yet" with a false value or with an exception, which is kept as what was last
    seen. `timeout` is in seconds. `evidence` is asked once, on time-out, for log lines.
    Raises TimedOut.
    """
    deadline = time.monotonic() + timeout
    last = "nothing"
    while True:
        try:
            answer = check()
            if answer:
                return answer
            last = repr(answer)
        except Exception as error:  # whatever a check meets is "not yet"
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() >= deadline:
            break
        time.sleep(PAUSE)
    if evidence is not None:
        last += "\n" + _shown(evidence)
    raise TimedOut(f"waited {timeout:g} s for {what}", node=node, last_seen=last, try_next=try_next)


def _shown(evidence: Callable[[], str]) -> str:
    try:
        return evidence()
    except Exception as error:  # what went wrong first is what is told
        return f"no evidence: {error}"
