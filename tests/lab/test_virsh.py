"""What virsh says, read; and what it is told, with a virsh that is played."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab import virsh
from lab.errors import HostError, LabError
from lab.virsh import Domain, Mark, Network

MARK = Mark("a", Path("/home/ada/my lab & <more>"), 7)
# As libvirt 9 prints what it was told.
NETWORK = """\
<network connections='2'>
  <name>a</name>
  <uuid>0e0e</uuid>
  <metadata>
    <mark xmlns="urn:bluegreen-lab">bluegreen-lab=a /home/ada/my%20lab%20%26%20%3Cmore%3E 7</mark>
  </metadata>
  <bridge name='lab-1' stp='off' delay='0'/>
  <mac address='52:54:00:00:00:01'/>
  <dns enable='no'/>
  <ip address='10.1.1.1' netmask='255.255.255.0'>
  </ip>
</network>
"""
DOMAIN = """\
<domain type='kvm' id='1'>
  <name>a-n1</name>
  <uuid>77</uuid>
  <description>bluegreen-lab=a /x 0</description>
  <devices>
    <disk type='file' device='disk'><source file='/var/lib/libvirt/images/bluegreen-lab/a-n1.img'/></disk>
    <disk type='file' device='cdrom'><source file='/somewhere/cd.iso'/></disk>
    <disk type='network' device='disk'><source protocol='rbd'/></disk>
  </devices>
</domain>
"""


def test_a_mark_is_one_line_that_xml_takes_as_it_is() -> None:
    assert str(MARK) == "bluegreen-lab=a /home/ada/my%20lab%20%26%20%3Cmore%3E 7"
    assert virsh.read_mark(f" {MARK}\n") == MARK


@pytest.mark.parametrize("text", [None, "", "bluegreen-lab=a", "a web server", "bluegreen-lab=a /x later"])
def test_other_words_are_no_mark(text: str | None) -> None:
    assert virsh.read_mark(text) is None


def test_a_network_is_read_with_its_mark() -> None:
    network = virsh.parse_network(NETWORK, is_active=True)
    assert network == Network("a", "10.1.1.0/24", "lab-1", MARK, True)
    assert network.lab == "a"


def test_a_network_of_somebody_else_has_no_mark_and_maybe_no_subnet() -> None:
    xml = "<network><name>theirs</name><forward mode='bridge'/><bridge name='br0'/></network>"
    assert virsh.parse_network(xml, is_active=False) == Network("theirs", "", "br0")
    six = "<network><name>six</name><ip family='ipv6' address='fd00::1' prefix='64'/></network>"
    assert virsh.parse_network(six, is_active=False).subnet == ""


def test_a_network_that_is_made_is_read_as_the_labs_own() -> None:
    xml = virsh.network_xml("a", IPv4Network("10.1.1.0/24"), "lab-1", MARK, leads_out=False)
    assert virsh.parse_network(xml, is_active=False) == Network("a", "10.1.1.0/24", "lab-1", MARK)


def test_the_labs_network_leads_nowhere_and_the_way_for_ssh_leads_out() -> None:
    subnet = IPv4Network("10.1.1.0/24")
    inside = virsh.network_xml("a", subnet, "lab-1", MARK, leads_out=False)
    way = virsh.network_xml("a-ssh", subnet, "lab-2", MARK, leads_out=True)
    assert ("<forward" in inside, "<dhcp>" in inside) == (False, False)
    assert '<forward mode="nat"/>' in way and '<range start="10.1.1.2" end="10.1.1.254"/>' in way
    assert all('address="10.1.1.1" netmask="255.255.255.0"' in xml for xml in (inside, way))


def test_a_machine_is_read_with_its_mark_and_its_disks() -> None:
    disk = virsh.FOLDER / "a-n1.img"
    assert virsh.parse_domain(DOMAIN, is_running=True) == Domain(
        "a-n1", "77", "kvm", Mark("a", Path("/x")), (disk,), True
    )


def test_only_a_file_in_the_labs_pool_is_a_volume_of_it() -> None:
    assert virsh.volume_of(virsh.FOLDER / "a-n1.img") == "a-n1.img"
    assert virsh.volume_of(Path("/var/lib/libvirt/images/a-n1.img")) is None


SILENT = (
    "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/run/libvirt-sock': "
)


def test_a_silent_libvirt_is_told_apart_from_one_that_refuses_the_user() -> None:
    silent = virsh.refusal(SILENT + "No such file or directory")
    assert silent and (silent.what, silent.try_next) == ("libvirt does not answer", "lab/host.sh")
    refused = virsh.refusal(SILENT + "Permission denied")
    assert refused and "may not speak to it" in refused.what
    assert "usermod -aG libvirt,kvm" in (refused.try_next or "")
    asked = virsh.refusal(
        "error: authentication unavailable: no polkit agent\nfailed to connect to the hypervisor"
    )
    assert asked and "may not speak to it" in asked.what


def test_any_other_trouble_is_the_commands_own() -> None:
    assert virsh.refusal("error: Storage pool not found") is None


# --- with a virsh that is played ---------------------------------------------------------------------------


@pytest.fixture
def virsh_says(played: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what virsh says, by its words."""
    monkeypatch.setenv("PATH", str(played.bin))

    def says(answers: dict[str, str]) -> Any:
        played.by_words("virsh", {f"-q -c {virsh.URI} {words}": lines for words, lines in answers.items()})
        return played

    return says


def test_without_virsh_the_next_command_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="virsh is not on this host") as caught:
        virsh.run("list")
    assert caught.value.try_next == "lab/host.sh"


def test_a_silent_libvirt_is_the_hosts_error(virsh_says: Any) -> None:
    virsh_says({"list*": f'echo "{SILENT}No such file" >&2; exit 1'})
    with pytest.raises(HostError, match="libvirt does not answer"):
        virsh.domains()


def test_a_hanging_libvirt_is_not_waited_for_for_ever(
    virsh_says: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    virsh_says({"list*": "read -t 5 <>/dev/ptmx"})
    monkeypatch.setattr(virsh, "SECONDS", 0.1)
    with pytest.raises(HostError, match=r"libvirt did not answer in 0\.1 s: virsh list"):
        virsh.run("list", seconds=0.1)


def test_what_libvirt_refuses_is_told_with_the_command(virsh_says: Any) -> None:
    virsh_says({"net-start a": "echo 'error: Network is already in use by interface eth0' >&2; exit 1"})
    with pytest.raises(LabError, match="virsh net-start a\n  last seen: error: Network is already in use"):
        virsh.run("net-start", "a")


def test_a_machine_that_goes_while_it_is_asked_for_is_left_out(virsh_says: Any, tmp_path: Path) -> None:
    (tmp_path / "xml").write_text(DOMAIN)
    virsh_says(
        {
            "list --state-running --uuid": "echo 77",
            "list --all --uuid": "echo 77; echo 88; echo",
            "dumpxml 77": f'echo "$(<{tmp_path}/xml)"',
            "dumpxml 88": f"echo 'error: {virsh.GONE} 88' >&2; exit 1",
        }
    )
    assert [(one.name, one.is_running) for one in virsh.domains()] == [("a-n1", True)]


def test_a_machine_goes_with_its_disk_and_no_other(virsh_says: Any) -> None:
    played = virsh_says({"*": "true"})
    domain = Domain("a-n1", "77", "qemu", None, (virsh.FOLDER / "a-n1.img", Path("/else/b.img")), True)
    virsh.remove_domain(domain, {"a-n1.img", "b.img", "box.img"})
    said = [call.removeprefix(f"virsh -q -c {virsh.URI} ") for call in played.calls("virsh")]
    assert said == [
        "destroy 77",
        "undefine 77 --managed-save --snapshots-metadata",
        "vol-delete --pool bluegreen-lab a-n1.img",
    ]


def test_a_network_that_does_not_start_does_not_stay(virsh_says: Any) -> None:
    played = virsh_says({"net-start*": "exit 1", "net-*": "true"})
    with pytest.raises(LabError):
        virsh.start_network("<network/>", "a")
    assert played.calls("net-undefine") == [f"virsh -q -c {virsh.URI} net-undefine a"]


def test_the_memory_of_a_machine_is_what_it_has_of_the_host(virsh_says: Any) -> None:
    virsh_says({"domstate a": "echo paused", "dommemstat a": "echo 'actual 131072'; echo 'rss 40544'"})
    assert virsh.resident("a") == 40544 * 1024


def test_a_machine_that_is_off_has_no_memory(virsh_says: Any) -> None:
    virsh_says({"domstate a": "echo shut off"})  # which dommemstat refuses
    assert virsh.resident("a") == 0


def test_a_libvirt_that_does_not_say_what_is_free_is_an_error(virsh_says: Any) -> None:
    virsh_says({f"pool-refresh {virsh.POOL}": "true", f"pool-info --bytes {virsh.POOL}": "echo Name: x"})
    with pytest.raises(LabError, match="does not say what is free"):
        virsh.free()


def test_a_machine_that_runs_is_not_resumed(virsh_says: Any) -> None:
    played = virsh_says({"domstate a": "echo running"})
    assert not virsh.resume("a")
    assert not any("resume" in call for call in played.calls("virsh"))
