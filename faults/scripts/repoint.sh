# A color that was started again listens on another port: nginx is told, as at a cut-over.
#
# Before it: waiting.sh, and the variables
#   service   its name
#   path      where it is offered
#   upstream  the file that tells nginx where the live color is
# shellcheck shell=bash disable=SC2154
consul=http://localhost:8500

color() {  # it becomes a part of a file's name: nothing else may
  local found
  found=$(ask "$consul/v1/kv/services/$service/color?raw")
  case $found in blue | green) echo "$found" ;; *) return 1 ;; esac
}
servers() { grep -o 'server [^;]*' "$upstream" | cut -d' ' -f2; }
nobody() { [ "$(ask "$consul/v1/health/service/$service-$(color)?passing" | jq length)" = 0 ]; }

# Every server that nginx knows takes connections; a port may be another service's by now, which says 404.
open() {
  local at
  for at in $(servers); do
    within 2 bash -c "</dev/tcp/${at%:*}/${at##*:}" 2>/dev/null || return 1
    [ "$(ask -o /dev/null -w '%{http_code}' "http://$at$path" 2>/dev/null)" != 404 ] || return 1
  done
}

turn() {
  local live
  open && return
  live=$(color) || return 1
  within 10 consul-template -consul localhost:8500 \
    -template "/data/nginx/templates/$service-$live-upstream.conf.ctmpl:$upstream:docker kill -s HUP nginx" \
    -once >/dev/null 2>&1
  false
}
