"""Bringing containers back: the undo of everything that takes them down.

A container is started again unless it runs, is gone, or has been replaced since: another color went live,
or one of its name runs elsewhere in the swarm. What replaced it is not this fault's to touch.
"""

from __future__ import annotations

from scenarios.faults.fault import On, containers, lines

FUNCTIONS = """\
replaced() {{  # ID NAME
  case $2 in {project}_*) ;; *) return 1 ;; esac
  now=$(curl -fsS -m 3 http://{master}:8500/v1/kv/services/{service}/color?raw 2>/dev/null)
  case $2 in *_db_1) ;; *) [ -n "$now" ] && [ "$now" != "{live}" ] && return 0 ;; esac
  timeout 5 docker -H {swarm} ps --no-trunc --format '{{{{.ID}}}} {{{{.Names}}}}' 2>/dev/null \\
    | grep -v "^$1 " | grep -q "/$2$"
}}
state() {{ docker inspect -f '{{{{.State.Status}}}}' "$1" 2>/dev/null; }}
back() {{  # ID NAME
  now=$(state "$1") || return 0
  [ "$now" = paused ] && docker unpause "$1" >/dev/null
  [ "$(state "$1")" = running ] || replaced "$1" "$2" || docker start "$1" >/dev/null
}}
is_back() {{  # ID NAME
  now=$(state "$1") || return 0
  [ "$now" = running ] || replaced "$1" "$2" || {{ echo "$2 is $now"; return 1; }}
}}
engine() {{  # until the engine answers, 30 s at most
  for _ in $(seq 100); do timeout 5 docker version >/dev/null 2>&1 && return 0; sleep 0.3; done
  echo "the Docker engine does not answer"; return 1
}}"""


def functions(on: On) -> str:
    service = on.lab.services[0]
    return FUNCTIONS.format(
        project=service.name.replace("-", ""),
        service=service.name,
        master=on.lab.master.address,
        swarm=on.lab.swarm_endpoint,
        live=on.live or "",
    )


def bring_back(on: On) -> str:
    """Start again what ran before the fault."""
    return lines(functions(on), "engine || exit 1", *(f"back {one.id} {one.name}" for one in containers(on)))


def are_back(on: On) -> str:
    """Exits 0 when everything that ran before runs again, is gone or was replaced; says what does not."""
    checks = (f"is_back {one.id} {one.name} || exit 1" for one in containers(on))
    return lines(functions(on), "engine || exit 1", *checks)
