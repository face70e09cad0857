from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException

from lab import config, engine, network, virsh
from lab.errors import HostError
from lab.network import DockerNetwork, Route, clash, leads_to_lab

LAB = config.load(config.LAB_FILE)
LIBVIRT = dataclasses.replace(LAB, provider="libvirt")
VIRTUALBOX = dataclasses.replace(LAB, provider="virtualbox")
ID = "0123456789abcdef0123456789abcdef"
BRIDGE = "br-0123456789ab"
OURS = DockerNetwork("some-name", LAB.subnet, ID, {"bluegreen-lab": "bluegreen-lab"})
OF_LIBVIRT = virsh.Network(LAB.name, LAB.subnet, "lab-1", virsh.Mark(LAB.name, Path("/x")), True)
HOME = [Route("default", "eth0"), Route("192.0.2.0/24", "eth0"), Route("172.17.0.0/16", "docker0")]


def test_a_host_with_other_networks_has_no_clash() -> None:
    assert clash(LAB, HOME, [DockerNetwork("bridge", "172.17.0.0/16", "ff")]) is None


def test_the_labs_own_network_and_bridge_are_no_clash() -> None:
    assert clash(LAB, [*HOME, Route(LAB.subnet, BRIDGE)], [OURS]) is None


def test_a_docker_network_of_someone_else_is_named() -> None:
    other = DockerNetwork("vagrant_net", "10.100.0.0/16", "ab")
    assert clash(LAB, HOME, [other]) == 'the Docker network "vagrant_net" (10.100.0.0/16)'


def test_the_network_of_another_lab_is_not_ours() -> None:
    other = dataclasses.replace(OURS, labels={"bluegreen-lab": "other-lab"})
    assert (
        clash(LAB, [Route(LAB.subnet, BRIDGE)], [other]) == 'the Docker network "some-name" (10.100.199.0/24)'
    )


@pytest.mark.parametrize("destination", ["10.100.199.0/24", "10.100.199.128/25", "10.100.199.7"])
def test_a_route_into_the_subnet_is_named(destination: str) -> None:
    assert clash(LAB, [*HOME, Route(destination, "tun0")], [OURS]) == f"the route to {destination} on tun0"


def test_a_route_without_a_device_is_named_too() -> None:
    assert clash(LAB, [Route("10.100.0.0/16", "")], []) == "the route to 10.100.0.0/16 on no device"


@pytest.mark.parametrize("destination", ["default", "0.0.0.0/0", "0.0.0.0/1", "10.100.198.0/24", "fd00::/8"])
def test_a_way_to_everywhere_or_elsewhere_is_no_clash(destination: str) -> None:
    assert clash(LAB, [Route(destination, "tun0")], []) is None


def test_a_labs_device_of_virtualbox_is_its_own_only_with_exactly_its_subnet() -> None:
    assert clash(VIRTUALBOX, [Route(LAB.subnet, "vboxnet0")], []) is None
    wider = [Route("10.100.0.0/16", "vboxnet0")]
    assert clash(VIRTUALBOX, wider, []) == "the route to 10.100.0.0/16 on vboxnet0"
    assert clash(VIRTUALBOX, [Route(LAB.subnet, "virbr1")], []) == "the route to 10.100.199.0/24 on virbr1"


def test_the_labs_own_network_of_libvirt_is_no_clash() -> None:
    assert clash(LIBVIRT, [Route(LAB.subnet, "lab-1")], [OF_LIBVIRT]) is None


@pytest.mark.parametrize("is_active", [True, False])
def test_a_network_of_libvirt_that_is_not_the_labs_is_named_active_or_not(is_active: bool) -> None:
    other = dataclasses.replace(OF_LIBVIRT, name="theirs", mark=None, is_active=is_active)
    routes = [Route(LAB.subnet, "lab-1")] if is_active else []
    assert clash(LIBVIRT, routes, [other]) == 'the libvirt network "theirs" (10.100.199.0/24)'


def test_the_network_of_another_lab_of_libvirt_is_not_ours() -> None:
    other = dataclasses.replace(OF_LIBVIRT, mark=virsh.Mark("other", Path("/x")))
    assert clash(LIBVIRT, [], [other]) == 'the libvirt network "bluegreen-lab" (10.100.199.0/24)'


def test_a_network_of_libvirt_without_addresses_is_in_nobodys_way() -> None:
    assert clash(LIBVIRT, [], [virsh.Network("bridged", "", "br0")]) is None


def test_the_lab_is_there_when_packets_leave_by_its_bridge() -> None:
    assert leads_to_lab(LAB, BRIDGE, [OURS])


@pytest.mark.parametrize("device", [None, "", "eth0", "br-0123456789ac", "virbr0"])
def test_the_lab_is_not_there_when_packets_leave_another_way(device: str | None) -> None:
    assert not leads_to_lab(LAB, device, [OURS])


def test_a_network_with_another_subnet_or_label_is_not_the_lab() -> None:
    assert not leads_to_lab(LAB, BRIDGE, [dataclasses.replace(OURS, subnet="10.100.198.0/24")])
    assert not leads_to_lab(LAB, BRIDGE, [dataclasses.replace(OURS, labels={"bluegreen-lab": "x"})])
    assert not leads_to_lab(LAB, BRIDGE, [dataclasses.replace(OURS, labels={})])


def test_virtualbox_is_known_by_its_devices_and_libvirt_by_its_mark() -> None:
    assert leads_to_lab(LIBVIRT, "lab-1", [OF_LIBVIRT])
    assert leads_to_lab(VIRTUALBOX, "vboxnet0", [])
    assert not leads_to_lab(LIBVIRT, "virbr1", [OF_LIBVIRT])
    assert not leads_to_lab(LIBVIRT, "lab-1", [dataclasses.replace(OF_LIBVIRT, mark=None)])
    assert not leads_to_lab(VIRTUALBOX, BRIDGE, [OURS])


@pytest.mark.parametrize("wider", ["10.0.0.0/8", "10.64.0.0/10", "10.100.198.0/23"])
def test_a_vpn_that_comes_later_does_not_take_the_subnet_of_a_lab_that_is_there(wider: str) -> None:
    ours, vpn = Route(LAB.subnet, BRIDGE), Route(wider, "tun0")
    assert clash(LAB, [ours, vpn], [OURS]) is None
    assert clash(LAB, [vpn], []) == f"the route to {wider} on tun0"


@pytest.mark.parametrize("narrower", ["10.100.199.0/24", "10.100.199.128/25", "10.100.199.200"])
def test_a_route_that_takes_packets_from_the_lab_is_a_clash_also_when_it_is_there(narrower: str) -> None:
    assert clash(LAB, [Route(LAB.subnet, BRIDGE), Route(narrower, "tun0")], [OURS]) is not None


def test_routes_are_read_as_ip_prints_them() -> None:
    text = '[{"dst":"default","gateway":"192.0.2.1","dev":"eth0"},{"type":"blackhole","dst":"10.0.0.0/8"}]'
    assert network.parse_routes(text) == [Route("default", "eth0"), Route("10.0.0.0/8", "")]
    assert network.parse_routes("") == []


def test_networks_are_read_as_the_engine_tells_them() -> None:
    answers: list[dict[str, Any]] = [
        {"Name": "host", "Id": "aa", "Labels": None, "IPAM": {"Config": None}},
        {"Name": "n", "Id": ID, "Labels": {"k": "v"}, "IPAM": {"Config": [{"Subnet": "10.1.0.0/16"}, {}]}},
    ]
    assert network.parse_networks(answers) == [DockerNetwork("n", "10.1.0.0/16", ID, {"k": "v"})]


def fake_host(patch: pytest.MonkeyPatch, routes: list[Route], device: str | None) -> None:
    patch.setattr(network, "host_routes", lambda: routes)
    patch.setattr(network, "docker_networks", lambda: [OURS])
    patch.setattr(network, "device_towards", lambda address: device)


def test_a_clash_is_refused_with_the_owner_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_host(monkeypatch, [Route("10.100.0.0/16", "tun0")], "tun0")
    monkeypatch.setattr(network, "docker_networks", lambda: [])
    with pytest.raises(HostError, match=r"taken on this host by the route to 10\.100\.0\.0/16 on tun0"):
        network.refuse_clash(LAB)


def test_without_the_labs_network_nothing_may_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_host(monkeypatch, HOME, "eth0")
    assert not network.is_present(LAB)
    with pytest.raises(HostError, match=r"nothing is sent to 10\.100\.199\.0/24\n  try next:  make lab-up"):
        network.require_present(LAB)


def test_with_the_labs_network_the_lab_is_present(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_host(monkeypatch, [*HOME, Route(LAB.subnet, BRIDGE)], BRIDGE)
    network.require_present(LAB)
    network.refuse_clash(LAB)


def test_an_engine_that_breaks_off_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        networks = property(lambda self: self)

        def list(self) -> None:
            raise DockerException("connection reset")

        def close(self) -> None:
            return

    monkeypatch.setattr(engine, "connect", lambda timeout: Broken())
    with pytest.raises(HostError, match="Docker does not answer\n  last seen: connection reset"):
        network.host_networks(LAB)


def test_a_host_without_ip_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="the program ip is not on this host"):
        network.host_routes()
