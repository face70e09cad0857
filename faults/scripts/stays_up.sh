# A node of the host's engine is started, until it runs for three seconds on end: a client that was killed leaves the
# engine stopping the node, which would go down again after the start.
#
# Before it: waiting.sh, and the variable machine, the node's container on this host.
# shellcheck shell=bash disable=SC2154
same=0 last=
stays_up() {
  docker start "$machine" >/dev/null 2>&1
  now=$(docker inspect -f '{{.State.Status}} {{.State.StartedAt}}' "$machine")
  case $now in "$last") same=$((same + 1)) ;; *) same=0 last=$now ;; esac
  case $now in running*) [ $same -ge 15 ] ;; *) false ;; esac
}
until_true 30 stays_up
