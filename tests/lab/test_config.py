from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lab import config
from lab.errors import ConfigError
from lab.model import Access, Lab, Node, Power, Service

GOOD = config.LAB_FILE.read_text()
NODE_01 = "  - {name: swarm-node-01, address: 10.100.199.201, roles: [node]}\n"


def load(tmp_path: Path, text: str) -> Lab:
    file = tmp_path / "lab.yml"
    file.write_text(text)
    return config.load(file)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'lab.yml'} line "), said
    return said.removeprefix(f"{tmp_path / 'lab.yml'} ")


def test_the_shipped_file_is_the_lab_of_the_article() -> None:
    lab = config.load(config.LAB_FILE)
    assert lab.master == Node("swarm-master", "10.100.199.200", ("master",))
    assert [node.address for node in lab.swarm_nodes] == [
        "10.100.199.201",
        "10.100.199.202",
        "10.100.199.203",
    ]
    assert lab.registry == "10.100.199.200:5000"
    assert lab.swarm_endpoint == "tcp://10.100.199.200:2375"
    assert lab.service("books-service") == Service(
        "books-service", "/api/v1/books", 8080, True, ("1.0", "1.1")
    )


def test_records_are_frozen_and_hashable() -> None:
    lab = config.load(config.LAB_FILE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        lab.name = "other"  # type: ignore[misc]
    assert hash(lab) == hash(config.load(config.LAB_FILE))


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "other.yml"
    file.write_text(GOOD.replace("name: bluegreen-lab", "name: other-lab"))
    monkeypatch.setenv("LAB_FILE", str(file))
    assert config.load().name == "other-lab"


def test_an_unknown_node_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match='no node "swarm-nod-01"; did you mean "swarm-node-01"'):
        config.load(config.LAB_FILE).node("swarm-nod-01")


def test_an_unknown_service_is_answered_with_all_names_when_none_is_near() -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(config.LAB_FILE).service("zzz")
    assert 'no service "zzz"\n' in str(caught.value)
    assert "one of: books-service, books-fe" in str(caught.value)


# what is replaced in the good file, by what, and what the refusal says
WRONG = {
    "unknown key": (
        "provider: docker ",
        "provder: docker ",
        'line 4: unknown key "provder"; did you mean "provider"?\n  try next:  allowed: keys: name,',
    ),
    "unknown key in a node": (
        "roles: [master]",
        "rols: [master]",
        'line 9: unknown key "nodes[0].rols"; did you',
    ),
    "merge key": ("check_interval: 10", "<<: {a: 1}\ncheck_interval: 10", 'line 6: unknown key "<<"'),
    "key given twice": (
        "subnet:",
        "name: again\nsubnet:",
        'line 5: key "name" is given twice, first in line 3',
    ),
    "missing key": ("subnet: 10.100.199.0/24", "", 'line 3: key "subnet" is missing'),
    "missing key in a service": (
        "    database: true\n",
        "",
        'line 15: key "services[0].database" is missing',
    ),
    "bad provider": ("docker ", "dokcer ", 'provider is "dokcer"; did you mean "docker"?'),
    "bad role": ("[master]", "[maste]", 'nodes[0].roles[0] is "maste"; did you mean "master"?'),
    "bad name": ("bluegreen-lab\n", "Blue_Green\n", 'line 3: name is "Blue_Green"'),
    "name ending in a hyphen": ("bluegreen-lab\n", "lab-\n", 'line 3: name is "lab-"'),
    "text for a number": ("check_interval: 10", "check_interval: ten", 'check_interval is "ten"'),
    "number below the least": ("check_interval: 10", "check_interval: 0", "a whole number from 1 to 3600"),
    "port too high": ("port: 8080", "port: 65536", 'services[0].port is "65536"'),
    "text for a flag": ("database: true", "database: maybe", "true or false"),
    "release without quotes": ('["1.0", "1.1"] # built', "[1.0, 1.1] # built", 'such as "1.0"'),
    "release given twice": (
        '["1.0", "1.1"] # built',
        '["1.0", "1.0"] # built',
        'release "1.0" is given twice',
    ),
    "text for a list": ("roles: [master]", "roles: master", 'nodes[0].roles is "master"'),
    "list for text": ("name: bluegreen-lab\n", "name: [a]\n", "name is a list"),
    "empty value": ("provider: docker ", "provider: ", "provider is nothing"),
    "duplicate node name": (
        "swarm-node-02",
        "swarm-node-01",
        'name "swarm-node-01" is given twice, first in line 10',
    ),
    "duplicate address": ("199.202", "199.201", 'line 11: nodes: address "10.100.199.201" is given twice'),
    "duplicate service name": (
        "name: books-fe",
        "name: books-service",
        'services: name "books-service" is given',
    ),
    "duplicate path": ("path: /\n", "path: /api/v1/books\n", 'services: path "/api/v1/books" is given twice'),
    "path without a slash": ("path: /\n", "path: books\n", 'services[1].path is "books"'),
    "address outside": (
        "199.201",
        "198.201",
        "line 10: nodes[1].address 10.100.198.201 is outside the subnet",
    ),
    "network address": ("199.201", "199.0", "is the network itself"),
    "broadcast address": ("199.201", "199.255", "is for broadcasts"),
    "gateway address": ("199.201", "199.1", "is the gateway's"),
    "not an address": ("199.201", "199.999", 'nodes[1].address is "10.100.199.999"'),
    "subnet with host bits": ("199.0/24", "199.7/24", 'line 5: subnet is "10.100.199.7/24"'),
    "subnet too small": ("199.0/24", "199.0/30", "a network from /8 to /29"),
    "no master": ("roles: [master]", "roles: [node]", "none has the role master"),
    "two masters": (
        "201, roles: [node]",
        "201, roles: [node, master]",
        "line 10: nodes: swarm-master and swarm-node-01 have the role master",
    ),
    "broken YAML": ("subnet:", "subnet: [", "broken YAML"),
    "control character": ("subnet:", "subnet: \x01", "line 5: broken YAML"),
    "two documents": ("subnet:", "---\nsubnet:", "broken YAML"),
    "no end of brackets": ("10.100.199.0/24", "[" * 1000 + "]" * 1000, "brackets in brackets without end"),
    "an escape of no character": ("bluegreen-lab\n", '"\\U00110000"\n', "an escape that is no character"),
    "an escape of no character in line 20": (
        "name: books-fe",
        'name: "\\U00110000"',
        "line 20: broken YAML: an escape that is no character",
    ),
    "no end of brackets in line 23": (
        "database: false\n",
        f"database: {'[' * 1000}\n",
        "line 23: broken YAML: brackets in brackets without end",
    ),
    "a line that only YAML ends": ("# The lab:", "# The\u2028lab:", 'line 1: unknown key "lab"'),
    "a word that is no text to YAML": (
        "bluegreen-lab\n",
        "yes\n",
        'name is "yes" without quotes, which YAML takes for true or false',
    ),
    "a number in quotes": ("port: 8080", 'port: "8080"', 'services[0].port is "8080" in quotes'),
    "a flag in quotes": ("database: true", 'database: "true"', 'services[0].database is "true" in quotes'),
    "a name with a tag": (
        "bluegreen-lab\n",
        "!!binary abcd\n",
        'line 3: name is "abcd" with the tag "!!binary"',
    ),
    "a tag of the file": (
        "# The lab:",
        "--- !!python/dict # The lab:",
        'line 1: the file has the tag "!!python',
    ),
    "a tag of a node": ("- {name: swarm-master", "- !x {name: swarm-master", 'nodes[0] has the tag "!x"'),
    "a tag of a list": ("[master]", "!!set [master]", 'nodes[0].roles has the tag "!!set"'),
    "a tag of a key": ("provider:", "!!int provider:", 'line 4: key "provider" has the tag "!!int"'),
    "a list far too long": (
        '["1.0", "1.1"] # built',
        f"[{'a,' * 2000}] #",
        "line 19: services[0].releases has 2000 entries",
    ),
    "a list named again and again": (
        "  - {name: swarm-master",
        f"  - &n {{name: n, address: 10.100.199.9, roles: [{'node,' * 200}]}}\n"
        + "  - *n\n" * 401
        + "  - {name: swarm-master",
        "line 9: nodes has 406 entries",
    ),
    "a subnet spelled otherwise": (
        "10.100.199.0/24",
        "10.100.199.0/024",
        'line 5: subnet is "10.100.199.0/024"\n  try next:  allowed: the same as 10.100.199.0/24',
    ),
    "a path longer than nginx takes": ("path: /\n", f"path: /{'a' * 200}\n", "200 characters at most"),
    "a release called latest": ('"1.0", "1.1"] # built', '"1.0", "latest"] # built', "and not latest"),
    "a way up in a path": ("path: /\n", "path: /a/../b\n", 'services[1].path is "/a/../b"'),
    "a path that is a dot": ("path: /\n", "path: /.\n", 'services[1].path is "/."'),
    "a node that is this host": ("swarm-node-02", "localhost", 'line 11: nodes: "localhost" is this host'),
    "one project for two services": (
        *("name: books-fe", "name: booksservice"),
        'name "booksservice": its containers would be called like those of "books-service"',
    ),
    "a service like a node": ("name: books-fe", "name: swarm-master", '"swarm-master" is the name of a node'),
    "a service like a color of another": (
        *("name: books-fe", "name: books-service-blue"),
        'the name of a part of the service "books-service"',
    ),
    "a service whose database is called like a node": (
        *("swarm-node-02", "books-service-db"),
        'line 15: services: name "books-service": "books-service-db" is the name of a node',
    ),
    "a value of two lines": ("bluegreen-lab\n", '"a\\nb"\n', 'name is "a\\nb"'),
    "a value that colors the terminal": ("bluegreen-lab\n", '"\\e[31mred"\n', r'name is "\x1b[31mred"'),
    "a value that turns the line": ("bluegreen-lab\n", '"\u202ebal"\n', r'name is "\u202ebal"'),
    "a long value": ("bluegreen-lab\n", "x" * 5000 + "\n", f'name is "{"x" * 60}... (5000 characters)"'),
    "a key that colors the terminal": ("subnet:", '"\\e[31m":', r'unknown key "\x1b[31m"'),
    **{
        f"a subnet that is {what}": ("10.100.199.0/24", subnet, f"subnet is {subnet}: its addresses are")
        for what, subnet in {
            "public": "8.8.8.0/24",
            "this host's": "127.0.0.0/24",
            "link-local": "169.254.3.0/24",
            "multicast": "224.0.1.0/24",
            "more than private": "172.0.0.0/11",
            "everything": "0.0.0.0/8",
        }.items()
    },
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_line_and_reason(case: str, tmp_path: Path) -> None:
    old, new, said = WRONG[case]
    assert old in GOOD
    assert said in refusal(tmp_path, GOOD.replace(old, new, 1))


def test_a_lab_of_only_a_master_has_no_swarm_node(tmp_path: Path) -> None:
    text = "".join(line for line in GOOD.splitlines(keepends=True) if "roles: [node]" not in line)
    assert "at least one node with the role node" in refusal(tmp_path, text)


@pytest.mark.parametrize("text", ["", "\n# only words\n", "---\n"])
def test_an_empty_file_is_refused(text: str, tmp_path: Path) -> None:
    refusal(tmp_path, text)


def test_a_file_that_is_a_list_is_refused(tmp_path: Path) -> None:
    assert "line 1: the file is a list" in refusal(tmp_path, "- a\n")


@pytest.mark.parametrize("name", config.COMPONENTS)
def test_no_service_is_called_like_a_component(name: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, GOOD.replace("name: books-fe", f"name: {name}"))
    assert f'"{name}" is the name of a component of the lab' in said


def test_a_node_may_be_called_like_what_is_no_name_here(tmp_path: Path) -> None:
    text = GOOD.replace("swarm-node-02", "host").replace("swarm-node-03", "the")
    assert {"host", "the"} <= {node.name for node in load(tmp_path, text).swarm_nodes}


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="/dev/zero is not a file"):
        config.load(Path("/dev/zero"))


def test_a_file_that_is_far_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="longer than"):
        load(tmp_path, "#" * 200_000)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yml cannot be read: No such file"):
        config.load(tmp_path / "none.yml")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(tmp_path / "lab.yml")


def test_the_master_is_not_a_swarm_node_as_well(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="swarm-master has another role beside master"):
        load(tmp_path, GOOD.replace("roles: [master]", "roles: [master, node]"))


def test_a_smaller_lab_is_a_lab(tmp_path: Path) -> None:
    assert NODE_01 in GOOD
    assert len(load(tmp_path, GOOD.replace(NODE_01, "")).swarm_nodes) == 2


OWN = GOOD.replace("provider: docker", "provider: ssh")


def reached(text: str, more: str = "") -> str:
    """The file with a way to each node; `more` is beside the host of the first one."""
    first, *rest = text.split("roles: [")
    ways = (f"ssh: {{host: h{i}{more if i == 0 else ''}}}, roles: [{part}" for i, part in enumerate(rest))
    return first + "".join(ways)


def test_machines_of_ones_own_say_how_they_are_reached(tmp_path: Path) -> None:
    lab = load(
        tmp_path, reached(OWN, ", user: admin, port: 2222, key: ~/.ssh/k, jump: me@gate:22, shared: true")
    )
    assert lab.master.ssh == Access("h0", "admin", 2222, "~/.ssh/k", "me@gate:22", shared=True)
    assert [node.ssh for node in lab.swarm_nodes] == [Access("h1"), Access("h2"), Access("h3")]


def test_the_power_of_a_machine_is_a_command_each(tmp_path: Path) -> None:
    text = reached(OWN).replace("ssh: {host: h1}", "ssh: {host: h1}, power: {off: pdu off 7, on: pdu on 7}")
    assert load(tmp_path, text).swarm_nodes[0].power == Power("pdu off 7", "pdu on 7")


def test_a_machine_nobody_knows_the_way_to_is_refused(tmp_path: Path) -> None:
    assert 'key "nodes[0].ssh" is missing' in refusal(tmp_path, OWN)


@pytest.mark.parametrize("key", ["ssh: {host: h}", "power: {off: a, on: b}"])
def test_a_way_to_a_machine_that_the_lab_makes_is_refused(tmp_path: Path, key: str) -> None:
    text = GOOD.replace(NODE_01, NODE_01.replace("roles:", f"{key}, roles:"))
    assert "with the provider docker" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "more",
    [
        ", user: -oProxyCommand=x",
        ", user: a b",
        ", port: 0",
        ", port: 65536",
        ', key: "a\\nb"',
        ", jump: -x",
        ", jump: a,b",
        ", config: ''",
        ", shared: perhaps",
        ", password: secret",
        ", jump: gate:0",
        ", jump: gate:65536",
        ", jump: 'gate:\u0662\u0662'",
        ', key: "\\ud800"',
        ', key: "\\x9b2J"',
        ", key: ' '",
        ", config: 'a '",
    ],
)
def test_a_way_that_ssh_could_take_for_something_else_is_refused(tmp_path: Path, more: str) -> None:
    assert "nodes[0].ssh" in refusal(tmp_path, reached(OWN, more))


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "''", "a;b", "$(x)", "h:22", "yes"])
def test_a_host_that_is_none_is_refused(tmp_path: Path, host: str) -> None:
    assert "nodes[0].ssh.host" in refusal(tmp_path, reached(OWN).replace("host: h0", f"host: {host}"))


@pytest.mark.parametrize("address", ["::1", "fe80::1", "::ffff:10.0.0.7", "10.0.0.7", "'1'"])
def test_a_host_may_be_an_address(tmp_path: Path, address: str) -> None:
    text = reached(OWN).replace("host: h0", f"host: '{address}'" if ":" in address else f"host: {address}")
    assert load(tmp_path, text).master.ssh == Access(address.strip("'"))


@pytest.mark.parametrize("command", ["' '", "'# later'", '"a\\ud800"', '"a\\x9b"', '"a\\nb"', "x" * 1001])
def test_a_command_that_is_none_is_refused(tmp_path: Path, command: str) -> None:
    text = reached(OWN).replace("ssh: {host: h1}", f"ssh: {{host: h1}}, power: {{off: {command}, on: b}}")
    assert "nodes[1].power.off is" in refusal(tmp_path, text)


def test_no_machine_is_two_nodes(tmp_path: Path) -> None:
    said = refusal(tmp_path, reached(OWN).replace("host: h1", "host: h0"))
    assert 'line 10: nodes: swarm-node-01 is on the machine of swarm-master, "h0"' in said
    assert load(tmp_path, reached(OWN, ", port: 23").replace("host: h1", "host: h0, port: 24"))


def test_machines_of_ones_own_are_in_one_lab_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab.yml").write_text(reached(OWN))
    monkeypatch.setenv("LAB", "two")
    with pytest.raises(ConfigError, match="can be in one lab alone"):
        config.load(tmp_path / "lab.yml")


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox", "docker"])
def test_the_environment_wins_over_the_files_provider(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PROVIDER", provider)
    lab = load(tmp_path, GOOD)
    monkeypatch.delenv("LAB_PROVIDER")
    assert lab == dataclasses.replace(load(tmp_path, GOOD), provider=provider)


@pytest.mark.parametrize("word", ["libvrt", "ssh", "LIBVIRT", "docker "])
def test_a_provider_of_the_environment_that_cannot_be_is_refused(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_PROVIDER", word)
    with pytest.raises(ConfigError, match=f'LAB_PROVIDER is "{word}"') as caught:
        load(tmp_path, GOOD)
    assert (caught.value.exit_code, caught.value.try_next) == (2, "one of: docker, libvirt, virtualbox")


def test_machines_of_ones_own_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PROVIDER", "libvirt")
    with pytest.raises(ConfigError, match="has machines of your own"):
        load(tmp_path, reached(OWN))
    monkeypatch.setenv("LAB_PROVIDER", "ssh")
    assert load(tmp_path, reached(OWN)).provider == "ssh"
