# A virtual machine that stood still goes on. Its clock stood still too; the one of its hardware is this host's.
#
# Before it: the variables domain, uri (libvirt's), config, node and connect (the way to it
# over SSH, and seconds for it).
# shellcheck shell=bash disable=SC2154
if [ "$(virsh -q -c "$uri" domstate "$domain")" = paused ]; then
  virsh -q -c "$uri" resume "$domain"
  ssh -F "$config" -o BatchMode=yes -o ConnectTimeout="$connect" "$node" sudo hwclock --hctosys
fi
