# The end of a container's limit; one that was started again has a new group, without it.
#
# Before it: the variable container, its id.
# shellcheck shell=bash disable=SC2154
v1=/sys/fs/cgroup/memory/docker/$container/memory.limit_in_bytes
[ ! -e "$v1" ] || echo -1 >"$v1"
for v2 in "/sys/fs/cgroup/docker/$container" "/sys/fs/cgroup/system.slice/docker-$container.scope"; do
  [ ! -e "$v2/memory.max" ] || echo max >"$v2/memory.max"
done
