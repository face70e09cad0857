"""The checks of a host whose nodes are virtual machines: of libvirt, or of VirtualBox."""

from __future__ import annotations

from ipaddress import IPv4Network

from lab.providers import kvm
from lab.providers.libvirt import MEMORY
from provisioning.doctor.facts import Check, Facts, Hypervisor, Unseen, blocker, note, ok, unseen
from provisioning.doctor.host import GIB, kib

PROGRAMS = {"virsh": "libvirt-clients", "qemu-img": "qemu-utils"}
VBOX_ALLOWED = IPv4Network("192.168.56.0/21")  # what VirtualBox takes without being told
VBOX_FILE = "/etc/vbox/networks.conf"
OF_MACHINE = 128 << 20  # what QEMU takes beside a machine's memory


def _of(facts: Facts) -> Hypervisor:
    assert facts.hypervisor is not None  # these checks are of no other hosts
    return facts.hypervisor


def plugin(facts: Facts) -> Check:
    """Vagrant's way to libvirt."""
    if not _of(facts).has_plugin:
        return blocker("plugin", "Vagrant has no plugin vagrant-libvirt", "lab/host.sh")
    return ok("plugin", "vagrant-libvirt")


def libvirt(facts: Facts) -> Check:
    """It answers this user, and what a box is made with is here."""
    missing = [name for name in PROGRAMS if not facts.tools.get(name)]
    if missing:
        return blocker("libvirt", f"not here: {', '.join(missing)}", "lab/host.sh")
    networks = _of(facts).networks
    if isinstance(networks, Unseen) and networks.is_certain:
        return blocker("libvirt", networks.why, networks.mend)
    if isinstance(networks, Unseen):
        return unseen("libvirt", networks)
    return ok("libvirt", "answers")


def acceleration(facts: Facts) -> Check:
    """Whether the processor runs the machines, and what it costs when it does not."""
    found = _of(facts)
    if found.tried and found.tried.driver == kvm.KVM:
        return ok("acceleration", "KVM: the nodes' kernel was started on it")
    if found.tried:
        return note("acceleration", kvm.warning(found.tried), _mend(found.tried.why))
    if not found.has_device:
        seen = f"{kvm.DEVICE} is not here, or not for this user: machines would be emulated, {kvm.PRICE}"
        return note("acceleration", seen, _mend("may not"))
    return note("acceleration", f"{kvm.DEVICE} is here; the first `lab up` tries whether it runs the nodes")


def _mend(why: str) -> str:
    return 'sudo usermod -aG kvm "$USER", then log in again' if "may not" in why else ""


def memory(facts: Facts) -> Check:
    """Room for every node at once: a machine takes what it was given."""
    free = kib(facts.meminfo, "MemAvailable") + kib(facts.meminfo, "SwapFree")
    wanted = len(facts.lab.nodes) * ((MEMORY << 20) + OF_MACHINE)
    seen = f"{free / GIB:.1f} GiB free; {len(facts.lab.nodes)} machines take {wanted / GIB:.1f}"
    if not free:
        return note("memory", "could not tell: /proc/meminfo says nothing")
    if free < wanted and not facts.is_up:
        return blocker("memory", seen, "end other programs, or take nodes out of lab.yml")
    return ok("memory", seen)


def box(facts: Facts) -> Check:
    if _of(facts).has_box:
        return ok("box", "is there")
    return note("box", "is still to be made of the node image: some 3 minutes, 2 GB", "make lab-up")


def vbox(facts: Facts) -> Check:
    """VirtualBox refuses addresses beyond its own range, unless a file of root's allows them."""
    subnet = IPv4Network(facts.lab.subnet)
    if subnet.subnet_of(VBOX_ALLOWED) or allows(_of(facts).vbox_networks, subnet):
        return ok("vbox", f"VirtualBox takes addresses of {subnet}")
    return blocker(
        "vbox",
        f"VirtualBox takes no addresses of {subnet} unless {VBOX_FILE} allows them",
        f"echo '* {subnet}' | sudo tee -a {VBOX_FILE}",
    )


def allows(text: str, subnet: IPv4Network) -> bool:
    """Whether networks.conf has a range with this subnet; its lines are `* RANGE...`. Pure."""
    words = [word for line in text.splitlines() if line.startswith("*") for word in line[1:].split()]
    return any(subnet.subnet_of(found) for word in words if (found := _range(word)))


def _range(word: str) -> IPv4Network | None:
    try:
        return IPv4Network(word, strict=False)
    except ValueError:  # one of IPv6, or a comment
        return None
