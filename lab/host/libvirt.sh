# shellcheck shell=bash
# What virtual machines need on this host, when the lab's are libvirt's: its programs, and that it answers this user.

URI=qemu:///system
LIBVIRT_SECONDS=30
PLUGIN=/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json # as Debian packs it
PLUGINS=${HOME:-}/.vagrant.d/plugins.json                            # what `vagrant plugin install` notes

lab_provider() {
    local said=${LAB_PROVIDER:-}
    [ -n "$said" ] || said=$(sed -n 's/^provider: *"\{0,1\}\([a-z]*\).*/\1/p' "${LAB_FILE:-lab/lab.yml}" 2>/dev/null || true)
    echo "$said"
}

is_libvirt() { [ "$(lab_provider)" = libvirt ]; }

refuse_unknown_provider() {
    case ${LAB_PROVIDER:-} in
        "" | docker | libvirt | virtualbox | ssh) ;;
        *) stop 2 "LAB_PROVIDER is '${LAB_PROVIDER:0:40}'" "  try next:  one of: docker, libvirt, virtualbox" ;;
    esac
}

has_plugin() { [ -e "$PLUGIN" ] || grep -q '"vagrant-libvirt"' "$PLUGINS" 2>/dev/null; }

missing_for_libvirt() {
    is_libvirt || return 0
    has libvirtd || echo libvirt-daemon-system
    has virsh || echo libvirt-clients
    has dnsmasq || echo dnsmasq-base # only recommended, and no network for SSH is without it
    has qemu-img || echo qemu-utils
    has_plugin || echo vagrant-libvirt
    case $(uname -m) in
        x86_64) has qemu-system-x86_64 || echo qemu-system-x86 ;;
        aarch64) has qemu-system-aarch64 || echo qemu-system-arm ;;
    esac
}

# shellcheck disable=SC2154 # patience is of host.sh
libvirt_says() { timeout $((10 * patience)) virsh -c "$URI" version 2>&1; }
libvirt_answers() { libvirt_says >/dev/null; }

refuse_libvirts_no() { # refuse_libvirts_no <what virsh said>
    case $1 in
        *"ermission denied"* | *uthentication* | *polkit*)
            stop 4 "libvirt runs here, but $(id -un) may not speak to it." \
                "  try next:  sudo usermod -aG libvirt,kvm $(id -un)   then log in again (or: newgrp libvirt)"
            ;;
    esac
}

# As udev has it. Where none did, libvirt sees a KVM that its machines may not open, and asks QEMU anew what it can do
# before each of its own answers: 4 s each time, seven minutes of a bring-up.
give_kvm_to_its_group() {
    [ -e /dev/kvm ] || return 0
    { as_root chgrp kvm /dev/kvm && as_root chmod 0660 /dev/kvm; } >&2 || true
}

start_libvirt() {
    local said
    is_libvirt || return 0
    if said=$(libvirt_says); then return; fi
    refuse_libvirts_no "$said"
    ask_for_root "start libvirt"
    say "starting libvirt"
    if [ -d /run/systemd/system ]; then
        as_root systemctl start libvirtd >&2 || true
    else
        give_kvm_to_its_group
        pgrep -x virtlogd >/dev/null || as_root virtlogd -d >&2 || true # libvirt writes machines' logs through it
        as_root libvirtd -d >&2 || true
    fi
    wait_for_libvirt
    say "libvirt answers"
}

wait_for_libvirt() {
    local said end=$((SECONDS + LIBVIRT_SECONDS * patience))
    until said=$(libvirt_says); do
        refuse_libvirts_no "$said"
        [ "$SECONDS" -lt "$end" ] || stop 3 "libvirt did not answer in $((LIBVIRT_SECONDS * patience)) s." \
            "  last seen: $said" "  try next:  sudo systemctl status libvirtd, or: sudo libvirtd"
        sleep 0.3
    done
}
