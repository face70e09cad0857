# How the lab's scripts wait on its nodes: every limit is as long as the LAB_PATIENCE of the last `lab up` makes it.

stretched() { echo $(($1 * [[ (100 * patience) | int ]] / 100)); }  # SECONDS
within() { timeout "$(stretched "$1")" "${@:2}"; }  # SECONDS COMMAND...
ask() { curl -fsS -m "$(stretched 5)" "$@"; }
until_true() {  # SECONDS COMMAND...
  local end=$((SECONDS + $(stretched "$1"))); shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}
wait_for() {  # SECONDS COMMAND...: a command that is quiet, and words when its time is over
  until_true "$@" >/dev/null 2>&1 && return
  echo "gave up after $(stretched "$1") s waiting for: ${*:2} (on a slow host: LAB_PATIENCE=3 lab up)" >&2
  return 1
}
registered() {  # NAME: Consul knows a healthy one
  ask "http://localhost:8500/v1/health/service/$1?passing" | grep -q '^\[{'
}
