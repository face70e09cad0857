"""The one door to libvirt: `virsh` on this host's own hypervisor, and what its answers mean.

Everything that a lab makes there carries a mark of the lab's name and checkout: networks in their metadata,
machines in their description. Disks and boxes are volumes of a pool of their own. `parse_domain`,
`parse_network`, `network_xml` and `refusal` decide and are pure; the rest asks.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from urllib.parse import quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from lab import environment
from lab.errors import HostError, LabError
from lab.model import MARK
from lab.waiting import SLOW_HOST, in_words, stretched

URI = "qemu:///system"
POOL = MARK
FOLDER = Path("/var/lib/libvirt/images") / POOL  # where libvirt's own guards let machines read
PAUSED = "paused"  # a machine's state
GONE = "failed to get domain"  # what virsh says of a machine that is not there
SECONDS = 30.0
DESTROY_SECONDS = 120.0  # libvirt itself waits long for a QEMU that does not go
UPLOAD_SECONDS = 600.0
SNAPSHOT_SECONDS = 600.0


@dataclass(frozen=True)
class Mark:
    """Whose a thing is; `since` in seconds of the epoch, 0 when it does not say."""

    lab: str
    checkout: Path
    since: float = 0.0

    def __str__(self) -> str:
        """One line without a space in any of its words, and nothing that XML takes for its own."""
        return f"{MARK}={self.lab} {quote(str(self.checkout))} {self.since:.0f}"


@dataclass(frozen=True)
class Network:
    """A network of libvirt's; `subnet` is empty when the host has no address in it."""

    name: str
    subnet: str
    bridge: str
    mark: Mark | None = None
    is_active: bool = False
    kind = "libvirt"

    @property
    def lab(self) -> str | None:
        return self.mark.lab if self.mark else None


@dataclass(frozen=True)
class Domain:
    """A virtual machine; `type` is kvm or qemu, `volumes` are the files of its disks."""

    name: str
    uuid: str
    type: str
    mark: Mark | None
    volumes: tuple[Path, ...] = ()
    is_running: bool = False


# --- deciding ---------------------------------------------------------------------------------------------


def read_mark(text: str | None) -> Mark | None:
    """The mark that a text is, or None."""
    found = re.fullmatch(rf"{MARK}=(\S+) (\S+) (\d+)", (text or "").strip())
    return Mark(found[1], Path(unquote(found[2])), float(found[3])) if found else None


def parse_network(xml: str, *, is_active: bool) -> Network:
    """What `net-dumpxml` prints; of several subnets the first one of IPv4."""
    tree = ElementTree.fromstring(xml)
    subnets = [found for ip in tree.iter("ip") if (found := _subnet(ip))]
    bridge = tree.find("bridge")
    return Network(
        name=tree.findtext("name", ""),
        subnet=subnets[0] if subnets else "",
        bridge=bridge.get("name", "") if bridge is not None else "",
        mark=read_mark(tree.findtext(f"metadata/{{{_NAMESPACE}}}mark")),
        is_active=is_active,
    )


_NAMESPACE = f"urn:{MARK}"


def _subnet(ip: ElementTree.Element) -> str:
    if ip.get("family", "ipv4") != "ipv4" or not ip.get("address"):
        return ""
    length = ip.get("prefix") or ip.get("netmask") or "32"
    return str(IPv4Network(f"{ip.get('address')}/{length}", strict=False))


def parse_domain(xml: str, *, is_running: bool) -> Domain:
    """What `dumpxml` prints."""
    tree = ElementTree.fromstring(xml)
    sources = (source.get("file") for source in tree.iterfind("devices/disk[@device='disk']/source"))
    return Domain(
        name=tree.findtext("name", ""),
        uuid=tree.findtext("uuid", ""),
        type=tree.get("type", ""),
        mark=read_mark(tree.findtext("description")),
        volumes=tuple(Path(file) for file in sources if file),
        is_running=is_running,
    )


def network_xml(name: str, subnet: IPv4Network, bridge: str, mark: Mark, *, leads_out: bool) -> str:
    """A network in which the host has the first address.

    Without `leads_out` it has no way out and gives nobody an address; with it, it has both.
    """
    first = subnet.network_address + 1
    # Vagrant's provider reads the mask in this form.
    address = f'address="{first}" netmask="{subnet.netmask}"'
    lease = f'<dhcp><range start="{first + 1}" end="{subnet.broadcast_address - 1}"/></dhcp>'
    inside = (
        f'<forward mode="nat"/><ip {address}>{lease}</ip>'
        if leads_out
        else f'<dns enable="no"/><ip {address}/>'
    )
    return (
        f"<network><name>{escape(name)}</name>"
        f'<metadata><mark xmlns="{_NAMESPACE}">{escape(str(mark))}</mark></metadata>'
        f'<bridge name="{escape(bridge)}" stp="off" delay="0"/>{inside}</network>'
    )


def refusal(said: str) -> HostError | None:
    """Why libvirt cannot be asked at all, by what virsh said; None for any other trouble."""
    low = said.lower()
    if "failed to connect to the hypervisor" not in low and "failed to connect socket" not in low:
        return None
    if "permission denied" in low or "authentication" in low or "polkit" in low:
        user = environment.user()
        return HostError(
            f"libvirt runs here, but {user} may not speak to it",
            last_seen=said,
            try_next=f"sudo usermod -aG libvirt,kvm {user}   then log in again (or: newgrp libvirt)",
        )
    return HostError("libvirt does not answer", last_seen=said, try_next="lab/host.sh")


def volume_of(file: Path) -> str | None:
    """The volume of the labs' pool that a disk's file is, or None for a file from elsewhere."""
    return file.name if file.parent == FOLDER else None


# --- asking -----------------------------------------------------------------------------------------------


def run(*words: str, stdin: str | None = None, seconds: float = SECONDS) -> str:
    """What virsh printed. Raises HostError when libvirt does not answer, LabError when it refuses."""
    command = ["virsh", "-q", "-c", URI, *words]
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=stretched(seconds), check=False
        )
    except FileNotFoundError as error:
        raise HostError("the program virsh is not on this host", try_next="lab/host.sh") from error
    except subprocess.TimeoutExpired as error:
        raise HostError(
            f"libvirt did not answer in {in_words(seconds)}: virsh {words[0]}",
            try_next=f"lab/host.sh; {SLOW_HOST}",
        ) from error
    if done.returncode:
        raise refusal(done.stderr) or LabError(
            f"libvirt refused: virsh {' '.join(words)}",
            last_seen=done.stderr,
            try_next=f"virsh -c {URI} {words[0]} --help",
        )
    return done.stdout


def networks() -> list[Network]:
    """All there are, whoever made them, active or not."""
    active = set(run("net-list", "--name").split("\n"))
    names = (name.strip() for name in run("net-list", "--all", "--name").split("\n"))
    found = ((name, _seen("net-dumpxml", name)) for name in names if name)
    return [parse_network(xml, is_active=name in active) for name, xml in found if xml]


def domains() -> list[Domain]:
    """All there are, whoever made them, running or not."""
    running = set(run("list", "--state-running", "--uuid").split())
    found = ((uuid, _seen("dumpxml", uuid)) for uuid in run("list", "--all", "--uuid").split())
    return [parse_domain(xml, is_running=uuid in running) for uuid, xml in found if xml]


def _seen(question: str, name: str) -> str:
    """The answer, or nothing when the thing went while it was asked for."""
    try:
        return run(question, name)
    except HostError:
        raise
    except LabError:
        return ""


def has_pool() -> bool:
    """Whether the labs' pool runs."""
    return POOL in run("pool-list", "--name").split()


def volumes() -> set[str]:
    """The names of the volumes in the labs' pool; none without a pool."""
    if not has_pool():
        return set()
    run("pool-refresh", POOL)
    return {line.split()[0] for line in run("vol-list", POOL).splitlines() if line.split()}


def state(machine: str) -> str:
    """running, paused, shut off... as virsh says."""
    return run("domstate", machine).strip()


def snapshots(machine: str) -> set[str]:
    """The names of a machine's snapshots, whoever made them."""
    return set(run("snapshot-list", machine, "--name").split())


def snapshot_made(machine: str, snapshot: str) -> str:
    """When a snapshot was made, in seconds of the epoch."""
    return ElementTree.fromstring(run("snapshot-dumpxml", machine, snapshot)).findtext("creationTime", "")


def resident(machine: str) -> int:
    """The bytes of this host's memory that a machine has; 0 when it is off."""
    if state(machine) not in ("running", PAUSED):
        return 0
    found = re.search(r"^rss (\d+)$", run("dommemstat", machine), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def free() -> int:
    """The bytes that are free where the labs' pool is."""
    run("pool-refresh", POOL)
    said = run("pool-info", "--bytes", POOL)
    found = re.search(r"^Available:\s+(\d+)", said, re.MULTILINE)
    if not found:
        raise LabError("libvirt does not say what is free", last_seen=said)
    return int(found[1])


def domains_of(lab: str) -> list[Domain]:
    return [one for one in domains() if one.mark and one.mark.lab == lab]


def networks_of(lab: str) -> list[Network]:
    return [one for one in networks() if one.lab == lab]


# --- changing ---------------------------------------------------------------------------------------------


def ensure_pool() -> None:
    """The labs' pool is there and runs."""
    if POOL not in run("pool-list", "--all", "--name").split():
        run("pool-define-as", POOL, "dir", "--target", str(FOLDER))
    if not has_pool():
        run("pool-build", POOL)
        run("pool-start", POOL)
        run("pool-autostart", POOL)


def upload(name: str, file: Path, *, form: str = "raw", capacity: int = 0) -> None:
    """Make a volume of the pool that holds a file, readable by machines; `capacity` in bytes."""
    size = capacity or max(1, file.stat().st_size)
    xml = (
        f"<volume><name>{escape(name)}</name><capacity unit='bytes'>{size}</capacity><target>"
        f"<format type='{form}'/><permissions><mode>0644</mode></permissions></target></volume>"
    )
    run("vol-create", POOL, "/dev/stdin", stdin=xml)
    run("vol-upload", "--pool", POOL, name, str(file), seconds=UPLOAD_SECONDS)


def delete_volumes(names: Iterable[str]) -> None:
    for name in names:
        run("vol-delete", "--pool", POOL, name)


def remove_pool() -> None:
    """The pool goes, and its folder; it must be empty."""
    run("pool-destroy", POOL)
    run("pool-delete", POOL)
    run("pool-undefine", POOL)


def start_network(xml: str, name: str) -> None:
    """Define and start a network; when it does not start, nothing of it stays."""
    run("net-define", "/dev/stdin", stdin=xml)
    try:
        run("net-start", name)
    except LabError:
        run("net-undefine", name)
        raise


def remove_network(network: Network) -> None:
    if network.is_active:
        run("net-destroy", network.name)
    run("net-undefine", network.name)


def suspend(machine: str) -> None:
    run("suspend", machine)


def resume(machine: str) -> bool:
    """A machine that is paused goes on; whether it was."""
    was_paused = state(machine) == PAUSED
    if was_paused:
        run("resume", machine)
    return was_paused


def take_snapshot(machine: str, name: str) -> None:
    """Of its disk and, when it is on, its memory; it stands still meanwhile."""
    run("snapshot-create-as", machine, name, seconds=SNAPSHOT_SECONDS)


def revert(machine: str, snapshot: str) -> None:
    """The machine is as in its snapshot, and paused, whether it was on or off."""
    run("snapshot-revert", machine, snapshot, "--paused", seconds=SNAPSHOT_SECONDS)


def delete_snapshot(machine: str, name: str) -> None:
    run("snapshot-delete", machine, name, seconds=SNAPSHOT_SECONDS)


def remove_domain(domain: Domain, there: Iterable[str]) -> None:
    """A machine goes as by a power cut, and its disks that are among the volumes `there`."""
    if domain.is_running or domain.uuid in run("list", "--uuid").split():
        run("destroy", domain.uuid, seconds=DESTROY_SECONDS)
    run("undefine", domain.uuid, "--managed-save", "--snapshots-metadata")
    names = {volume_of(file) for file in domain.volumes}
    delete_volumes(sorted(name for name in there if name in names))
