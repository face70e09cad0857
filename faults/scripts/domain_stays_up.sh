# A virtual machine is started, until it runs and is not about to stop: one that was told to stop goes on with
# that, however the command ended that told it, and would be off after a start that found it running.
#
# Before it: waiting.sh, and the variables domain, uri (libvirt's), config, node and connect (the way to it
# over SSH, and seconds for it).
# shellcheck shell=bash disable=SC2154
stays_up() {
  case $(virsh -q -c "$uri" domstate "$domain") in
    running) ;;
    *)
      virsh -q -c "$uri" start "$domain" >/dev/null 2>&1
      return 1
      ;;
  esac
  case $(ssh -F "$config" -o BatchMode=yes -o ConnectTimeout="$connect" "$node" systemctl is-system-running) in
    "" | stopping) return 1 ;;
  esac
}
until_true 90 stays_up
