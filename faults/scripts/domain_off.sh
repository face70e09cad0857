# An orderly stop of a virtual machine, as by its power button; one that does not end in time loses its power.
#
# Before it: waiting.sh, and the variables domain (the machine as libvirt calls it) and uri (libvirt's).
# shellcheck shell=bash disable=SC2154
is_off() { [ "$(virsh -q -c "$uri" domstate "$domain")" = "shut off" ]; }
is_off || virsh -q -c "$uri" shutdown "$domain"
until_true 60 is_off || virsh -q -c "$uri" destroy "$domain"
