"""Bringing containers back: the undo of everything that takes them down.

A container is started again unless it runs, is gone, or has been replaced since: another color went live,
or one of its name runs elsewhere in the swarm. What replaced it is not this fault's to touch.
"""

from __future__ import annotations

from faults.fault import On, Part, containers, lines, waiting

FUNCTIONS = """\
replaced() {{  # ID NAME
  case $2 in {project}_*) ;; *) return 1 ;; esac
  now=$(ask http://{master}:8500/v1/kv/services/{service}/color?raw 2>/dev/null)
  case $2 in *_db_1) ;; *) [ -n "$now" ] && [ "$now" != "{live}" ] && return 0 ;; esac
  within 5 docker -H {swarm} ps --no-trunc --format '{{{{.ID}}}} {{{{.Names}}}}' 2>/dev/null \\
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
engine() {{
  until_true 30 within 5 docker version >/dev/null 2>&1 && return
  echo "the Docker engine does not answer in $(stretched 30) s"; return 1
}}"""


# A color that was started again listens on another port: nginx must be told, as at a cut-over.
REPOINT = """\
consul=http://localhost:8500
file={upstream}
servers() {{ grep -o 'server [^;]*' $file | cut -d' ' -f2; }}
known() {{
  color=$(ask $consul/v1/kv/services/{service}/color?raw) || return 1
  ask "$consul/v1/health/service/{service}-$color?passing"
}}
# A port may be another service's by now, which says 404.
open() {{  # every server that nginx knows takes connections
  for at in $(servers); do
    within 2 bash -c "</dev/tcp/${{at%:*}}/${{at##*:}}" 2>/dev/null || return 1
    [ "$(ask -o /dev/null -w '%{{http_code}}' "http://$at{path}" 2>/dev/null)" != 404 ] || return 1
  done
}}
nobody() {{ [ "$(known | jq length)" = 0 ]; }}"""
TURN = """\
turn() {{
  open && return
  color=$(ask $consul/v1/kv/services/{service}/color?raw)
  template=/data/nginx/templates/{service}-$color-upstream.conf.ctmpl
  within 10 consul-template -consul localhost:8500 \\
    -template "$template:$file:docker kill -s HUP nginx" -once >/dev/null 2>&1
  false
}}
until_true 10 turn"""


def repointing(on: On) -> list[Part]:
    """The part on the master that sends users to the live color's new port; none when it was not hit."""
    service = on.lab.main_service
    live = service.container(on.live or "")
    if live not in {one.name for one in containers(on)}:
        return []
    known = REPOINT.format(service=service.name, path=service.path, upstream=service.upstream)
    functions = lines(waiting(on), known)
    turn = lines(functions, TURN.format(service=service.name))
    there = lines(functions, f'open || nobody || {{ echo "nginx knows another address of {live}"; exit 1; }}')
    return [Part(on.lab.master.name, "", turn, there, last=True)]


def functions(on: On) -> str:
    service = on.lab.main_service
    known = FUNCTIONS.format(
        project=service.project,
        service=service.name,
        master=on.lab.master.address,
        swarm=on.lab.swarm_endpoint,
        live=on.live or "",
    )
    return lines(waiting(on), known)


def bring_back(on: On) -> str:
    """Start again what ran before the fault."""
    return lines(functions(on), "engine || exit 1", *(f"back {one.id} {one.name}" for one in containers(on)))


def are_back(on: On) -> str:
    """Exits 0 when everything that ran before runs again, is gone or was replaced; says what does not."""
    checks = (f"is_back {one.id} {one.name} || exit 1" for one in containers(on))
    return lines(functions(on), "engine || exit 1", *checks)
