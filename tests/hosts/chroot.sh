# Read by make-disk and make-kernel, which run as root: a new Debian at $root, gone when they end, and scripts in it.
# shellcheck shell=sh
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d /var/tmp/lab-host.XXXXXX) # not in the checkout, where all is its user's
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
umask 022
unset TMPDIR
chmod 0755 "$root"
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bare_debian() { # bare_debian EXTRA DEBOOTSTRAP'S WORDS...: with the files below EXTRA, taken over from this machine
    extra=$1
    shift
    debootstrap "$@" "$root"
    cp -a "$extra/." "$root/"
}

in_debian() { # in_debian SCRIPT WORDS...: one of guest/, with what else lies in /root and with add-suite beside it
    script=$1
    shift
    cp "$here/guest/$script" "$here/guest/add-suite" "$root/root/"
    # A mount namespace of its own: whatever happens, nothing stays mounted below $root.
    unshare --mount sh -c 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" sh "$@"' \
        "$root" "/root/$script" "$@"
    rm "$root/root/$script" "$root/root/add-suite"
}

give() { chown -R "${SUDO_UID:-0}:${SUDO_GID:-0}" "$@"; }
