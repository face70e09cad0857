# A container's memory is limited to little more than it uses, and a hog in its group takes the rest, until the kernel
# kills the container's process, which was made its first choice.
#
# Before it: waiting.sh, and the variables
#   container  its id
#   spare      bytes above what it uses
#   home       the fault's folder on this node
#   hog        the name of the hog's unit
#   limit      seconds after which that unit ends by itself
# shellcheck shell=bash disable=SC2154
pid=$(docker inspect -f '{{.State.Pid}}' "$container")
# cgroup v1 has a hierarchy for memory, v2 has one for everything
group=/sys/fs/cgroup/memory$(awk -F: '$2 == "memory" { print $3 }' "/proc/$pid/cgroup")
use=usage_in_bytes most=limit_in_bytes
if [ ! -d /sys/fs/cgroup/memory ]; then
  group=/sys/fs/cgroup$(awk -F: '$1 == "0" { print $3 }' "/proc/$pid/cgroup")
  use=current most=max
fi
echo 1000 >"/proc/$pid/oom_score_adj"
echo $(($(cat "$group/memory.$use") + spare)) >"$group/memory.$most" || exit 1
cat >"$home/hog" <<'END'
echo $$ >"$1/cgroup.procs" || exit 1
head -c 256M /dev/zero | tail >/dev/null
END
systemd-run --quiet --collect --unit="$hog" --property=RuntimeMaxSec="$limit" /bin/bash "$home/hog" "$group"

# An engine that hears of the end before it hears of the kernel says of it only that it was killed.
killed() {
  case $(docker inspect -f '{{.State.OOMKilled}} {{.State.Running}} {{.State.ExitCode}}' "$container") in
    true\ * | false\ false\ 137) ;;
    *) return 1 ;;
  esac
}
# The hog takes a second of processor, which a busy host may give it late.
until_true 20 killed || { echo "the kernel did not kill it in $(stretched 20) s"; exit 1; }
