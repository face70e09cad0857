"""lab.yml -> frozen records, or one ConfigError that names the file, the line, the key and what is allowed.

The file is composed (not loaded), so every value still knows its line. `walk` holds it against SCHEMA and
gives a tree of `Item`; the rules that need more than one value (duplicates, subnet, master) read that tree.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from lab import named
from lab.errors import ConfigError, nearest, shown
from lab.model import COLORS, DATABASE, OWN_HOSTS, PRIVATE, SHARED, Access, Lab, Node, Power, Service

LAB_FILE = Path(__file__).with_name("lab.yml")
MOST_CHARACTERS = 100_000

PROVIDERS = ("docker", "libvirt", "virtualbox", OWN_HOSTS)
PROVIDER = "LAB_PROVIDER"  # of the environment: another one for a file whose machines Vagrant makes
OF_VAGRANT = PROVIDERS[:-1]
ROLES = ("master", "node")

# --- what lab.yml may say ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    pattern: str
    allowed: str


@dataclass(frozen=True)
class OneOf:
    words: tuple[str, ...]


@dataclass(frozen=True)
class Number:
    least: int
    most: int


@dataclass(frozen=True)
class Flag:
    pass


@dataclass(frozen=True)
class ListOf:
    each: Text | OneOf | Keys
    most: int = 300  # a name in YAML for a long list makes a far longer one of a short file


@dataclass(frozen=True)
class Keys:
    keys: dict[str, Spec]
    optional: frozenset[str] = frozenset()


Spec = Text | OneOf | Number | Flag | ListOf | Keys

# Words that mean something else where names of nodes and services are used.
NO_NODE = ("localhost",)
STATE_FOLDERS = ("checkpoints", "docker", "hosts", "runs", "ssh")  # beside the folders of a checkout's labs
COMPONENTS = (
    *("backup", "base", "consul", "docker", "healing", "jenkins", "machine", "mongo", "nginx", "node"),
    *("registrator", "registry", "service", "swarm"),
)

NAME = Text(
    r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    "small letters, digits and hyphens, starting with a letter, no hyphen at its end, 63 at most",
)
ADDRESS = Text(r"\d+\.\d+\.\d+\.\d+", "an IPv4 address such as 10.100.199.200")
SUBNET = Text(r"\d+\.\d+\.\d+\.\d+/\d+", "an IPv4 network such as 10.100.199.0/24")
URL_PATH = Text(
    r"(?!.{201})(/|(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)+)",
    "a path such as / or /api/v1/books, with no slash at its end, 200 characters at most",
)
RELEASE = Text(
    r"(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", 'a release in quotes, such as "1.0", and not latest'
)
SSH_HOST = Text(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|(?=[^:]*:[^:]*:)[0-9A-Fa-f:.]{2,45}",
    "an address, a name, or a Host of ssh's configuration; a port is a key of its own",
)
USER = Text(r"[a-z_][a-z0-9_-]{0,31}", "the name of a user, such as admin")
FILE = Text(r"(?!\s)[^\"%]{1,500}(?<!\s)", 'the path of a file, such as ~/.ssh/id_ed25519, without " and %')
PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
JUMP = Text(
    rf"([a-z_][a-z0-9_-]{{0,31}}@)?[A-Za-z0-9_][A-Za-z0-9_.-]{{0,252}}(:{PORT})?",
    "a host on the way, such as admin@bastion.example.org:22",
)
COMMAND = Text(r"(?!\s*(#|$)).{1,1000}", "a command of this host, on one line of 1000 characters at most")

ACCESS = Keys(
    {
        "host": SSH_HOST,
        "user": USER,
        "port": Number(1, 65535),
        "key": FILE,
        "jump": JUMP,
        "config": FILE,
        "shared": Flag(),
    },
    optional=frozenset({"user", "port", "key", "jump", "config", "shared"}),
)
NODE = Keys(
    {
        "name": NAME,
        "address": ADDRESS,
        "roles": ListOf(OneOf(ROLES)),
        "ssh": ACCESS,
        "power": Keys({"off": COMMAND, "on": COMMAND}),
    },
    optional=frozenset({"ssh", "power"}),
)

SCHEMA = Keys(
    {
        "name": NAME,
        "provider": OneOf(PROVIDERS),
        "subnet": SUBNET,
        "check_interval": Number(1, 3600),
        "nodes": ListOf(NODE),
        "services": ListOf(
            Keys(
                {
                    "name": NAME,
                    "path": URL_PATH,
                    "port": Number(1, 65535),
                    "database": Flag(),
                    "releases": ListOf(RELEASE),
                }
            )
        ),
    }
)


# --- the file held against it -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """A value and its line: a dict or list of Items, or a plain str, int or bool."""

    value: Any
    line: int

    def __getitem__(self, key: str) -> Item:
        found: Item = self.value[key]
        return found

    def __iter__(self) -> Iterator[Item]:
        return iter(self.value)

    def plain(self) -> Any:
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return tuple(item.plain() for item in self.value) if isinstance(self.value, list) else self.value


OF_YAML = "tag:yaml.org,2002:"
KINDS = {
    OF_YAML + kind: said
    for kind, said in {
        "bool": "true or false",
        "null": "nothing",
        "int": "a number",
        "float": "a number",
        "timestamp": "a date",
    }.items()
}


class _Wrong(Exception):
    """Something wrong at a line; `load` adds the file."""

    def __init__(self, line: int, what: str, allowed: str) -> None:
        super().__init__(what)
        self.line, self.what, self.allowed = line, what, allowed


def _line(node: yaml.Node) -> int:
    return _line_of(node.start_mark)


def _line_of(mark: yaml.Mark) -> int:
    """As an editor counts: YAML ends a line also at characters that no editor does."""
    return (mark.buffer or "").count("\n", 0, mark.pointer) + 1


def _said(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "keys with values"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return shown(node.value) if node.value else "nothing"


def _reject(node: yaml.Node, where: str, allowed: str, hint: str = "") -> NoReturn:
    raise _Wrong(_line(node), f"{where} is {_said(node)}{hint}", allowed)


def _has_tag(node: yaml.Node, kind: str) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{OF_YAML}{kind}"


def _refuse_tag(node: yaml.Node, where: str, *kinds: str) -> None:
    """A tag makes something else of what follows it."""
    if node.tag not in [OF_YAML + kind for kind in kinds]:
        raise _Wrong(_line(node), f"{where} has the tag {_tag(node)}", "the same without a tag")


def _tag(node: yaml.Node) -> str:
    return shown(node.tag.replace(OF_YAML, "!!"))


def _but(node: yaml.Node, fits: bool) -> str:
    """Why a value is not taken whose characters would do."""
    if not fits:
        return ""
    if node.tag in KINDS:
        return f" without quotes, which YAML takes for {KINDS[node.tag]}"
    return " in quotes" if _has_tag(node, "str") else f" with the tag {_tag(node)}"


def walk(node: yaml.Node, spec: Spec, where: str) -> Item:
    """One node of the file held against its part of the schema."""
    match spec:
        case Keys():
            return _walk_keys(node, spec, where)
        case ListOf():
            return _walk_list(node, spec, where)
        case Text():
            return _walk_text(node, spec, where)
        case OneOf():
            return _walk_word(node, spec, where)
        case Number():
            return _walk_number(node, spec, where)
        case Flag():
            return _walk_flag(node, where)


def _walk_keys(node: yaml.Node, spec: Keys, where: str) -> Item:
    allowed = "keys: " + ", ".join(spec.keys)
    if not isinstance(node, yaml.MappingNode):
        _reject(node, where or "the file", allowed)
    _refuse_tag(node, where or "the file", "map")
    found: dict[str, Item] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else _said(key_node)
        path = f"{where}.{key}" if where else key
        if key not in spec.keys:
            raise _Wrong(_line(key_node), f"unknown key {shown(path)}{nearest(key, spec.keys)}", allowed)
        # The keys on and off are true and false to YAML.
        _refuse_tag(key_node, f'key "{path}"', "str", "bool")
        if key in found:
            raise _Wrong(
                _line(key_node), f'key "{path}" is given twice, first in line {found[key].line}', allowed
            )
        found[key] = walk(value_node, spec.keys[key], path)
    for key in spec.keys:
        if key not in found and key not in spec.optional:
            path = f"{where}.{key}" if where else key
            raise _Wrong(_line(node), f'key "{path}" is missing', allowed)
    return Item(found, _line(node))


def _walk_list(node: yaml.Node, spec: ListOf, where: str) -> Item:
    if not isinstance(node, yaml.SequenceNode):
        _reject(node, where, "a list, with at least one entry")
    if not node.value:
        raise _Wrong(_line(node), f"{where} is an empty list", "a list, with at least one entry")
    _refuse_tag(node, where, "seq")
    if len(node.value) > spec.most:
        raise _Wrong(_line(node), f"{where} has {len(node.value)} entries", f"at most {spec.most}")
    return Item([walk(one, spec.each, f"{where}[{i}]") for i, one in enumerate(node.value)], _line(node))


def _walk_text(node: yaml.Node, spec: Text, where: str) -> Item:
    fits = isinstance(node, yaml.ScalarNode) and _is_text(node.value, spec.pattern)
    if not fits or not _has_tag(node, "str"):
        _reject(node, where, spec.allowed, _but(node, fits))
    return Item(node.value, _line(node))


def _is_text(value: str, pattern: str) -> bool:
    """Whether it is of the pattern, and all of it can be seen: the rest is no path and no command."""
    return bool(re.fullmatch(pattern, value)) and value.isprintable()


def _walk_word(node: yaml.Node, spec: OneOf, where: str) -> Item:
    if not _has_tag(node, "str") or node.value not in spec.words:
        hint = nearest(node.value, spec.words) if isinstance(node, yaml.ScalarNode) else ""
        _reject(node, where, "one of: " + ", ".join(spec.words), hint)
    return Item(node.value, _line(node))


def _walk_number(node: yaml.Node, spec: Number, where: str) -> Item:
    allowed = f"a whole number from {spec.least} to {spec.most}"
    fits = isinstance(node, yaml.ScalarNode) and bool(re.fullmatch(r"[1-9][0-9]{0,8}", node.value))
    if not fits or not _has_tag(node, "int"):
        _reject(node, where, allowed, _but(node, fits))
    if not spec.least <= int(node.value) <= spec.most:
        _reject(node, where, allowed)
    return Item(int(node.value), _line(node))


def _walk_flag(node: yaml.Node, where: str) -> Item:
    fits = isinstance(node, yaml.ScalarNode) and node.value.lower() in ("true", "false")
    if not fits or not _has_tag(node, "bool"):
        _reject(node, where, "true or false", _but(node, fits))
    return Item(node.value.lower() == "true", _line(node))


# --- the rules that need more than one value --------------------------------------------------------------


def _refuse_duplicates(items: Iterable[Item], where: str) -> None:
    seen: dict[Any, int] = {}
    for item in items:
        if item.value in seen:
            first = seen[item.value]
            raise _Wrong(
                item.line, f'{where} "{item.value}" is given twice, first in line {first}', "each one once"
            )
        seen[item.value] = item.line


def _check_duplicates(lab: Item) -> None:
    for key in ("name", "address"):
        _refuse_duplicates((node[key] for node in lab["nodes"]), f"nodes: {key}")
    for key in ("name", "path"):
        _refuse_duplicates((service[key] for service in lab["services"]), f"services: {key}")
    for i, node in enumerate(lab["nodes"]):
        _refuse_duplicates(node["roles"], f"nodes[{i}].roles: role")
    for i, service in enumerate(lab["services"]):
        _refuse_duplicates(service["releases"], f"services[{i}].releases: release")


def _check_addresses(lab: Item) -> None:
    subnet = _subnet(lab["subnet"])
    first = subnet.network_address + 1
    reserved = {
        subnet.network_address: "is the network itself",
        subnet.broadcast_address: "is for broadcasts",
        first: "is the gateway's",
    }
    allowed = f"an address from {first + 1} to {subnet.broadcast_address - 1}"
    for i, node in enumerate(lab["nodes"]):
        where, item = f"nodes[{i}].address", node["address"]
        try:
            address = ipaddress.IPv4Address(item.value)
        except ValueError as error:
            raise _Wrong(item.line, f"{where} is {shown(item.value)}", ADDRESS.allowed) from error
        if address not in subnet:
            raise _Wrong(item.line, f"{where} {address} is outside the subnet {subnet}", allowed)
        if address in reserved:
            raise _Wrong(item.line, f"{where} {address} {reserved[address]}", allowed)


SMALLEST_PREFIX, LARGEST_PREFIX = 8, 29


def _subnet(item: Item) -> ipaddress.IPv4Network:
    try:
        subnet = ipaddress.IPv4Network(item.value)
    except ValueError as error:
        raise _Wrong(item.line, f"subnet is {shown(item.value)}: {error}", SUBNET.allowed) from error
    if str(subnet) != item.value:  # another spelling, which no other program has for it
        raise _Wrong(item.line, f"subnet is {shown(item.value)}", f"the same as {subnet}")
    if not any(subnet.subnet_of(private) for private in PRIVATE):
        allowed = "a private network: a part of " + ", ".join(map(str, PRIVATE))
        raise _Wrong(item.line, f"subnet is {subnet}: its addresses are somebody's", allowed)
    if not SMALLEST_PREFIX <= subnet.prefixlen <= LARGEST_PREFIX:
        raise _Wrong(
            item.line, f'subnet is "{item.value}"', f"a network from /{SMALLEST_PREFIX} to /{LARGEST_PREFIX}"
        )
    return subnet


def _check_access(lab: Item) -> None:
    """Nodes say how they are reached when the lab does not make them, and only then."""
    is_own = lab["provider"].value == OWN_HOSTS
    for i, node in enumerate(lab["nodes"]):
        where = f"nodes[{i}]"
        if is_own and "ssh" not in node.value:
            raise _Wrong(
                node.line,
                f'key "{where}.ssh" is missing',
                f"with the provider {OWN_HOSTS}: ssh: {{host: ...}}",
            )
        for key in ("ssh", "power"):
            if not is_own and key in node.value:
                provider = lab["provider"].value
                raise _Wrong(
                    node[key].line,
                    f"{where}.{key} with the provider {provider}",
                    f"with the provider {OWN_HOSTS}",
                )


def _check_hosts(lab: Item) -> None:
    """No machine is two nodes."""
    seen: dict[Any, Item] = {}
    for node in lab["nodes"]:
        if "ssh" not in node.value:
            continue
        way = node["ssh"].plain()
        place = tuple(way.get(key) for key in ("host", "port", "jump", "config"))
        if place in seen:
            names = f"{node['name'].value} is on the machine of {seen[place]['name'].value}"
            raise _Wrong(node["ssh"].line, f"nodes: {names}, {shown(way['host'])}", "a machine for each node")
        seen[place] = node


def _check_roles(lab: Item) -> None:
    nodes = lab["nodes"]
    masters = [node for node in nodes if "master" in node["roles"].plain()]
    if not masters:
        raise _Wrong(nodes.line, "nodes: none has the role master", "exactly one node with the role master")
    if len(masters) > 1:
        names = " and ".join(node["name"].value for node in masters)
        raise _Wrong(masters[1]["roles"].line, f"nodes: {names} have the role master", "exactly one master")
    if len(masters[0]["roles"].plain()) > 1:
        name, line = masters[0]["name"].value, masters[0]["roles"].line
        raise _Wrong(line, f"nodes: {name} has another role beside master", "the master is not a swarm node")
    if not any("node" in node["roles"].plain() for node in nodes):
        raise _Wrong(nodes.line, "nodes: none has the role node", "at least one node with the role node")


def _check_names(lab: Item) -> None:
    """Nobody is called like something else: a component, a node, a part of another service."""
    if lab["name"].value == SHARED:
        raise _Wrong(lab["name"].line, f'name is "{SHARED}": the mark of what all labs share', "another name")
    for node in lab["nodes"]:
        if node["name"].value in NO_NODE:
            raise _Wrong(
                node["name"].line, f"nodes: {shown(node['name'].value)} is this host", "another name"
            )
    taken = dict.fromkeys(COMPONENTS, "a component of the lab")
    taken |= dict.fromkeys((node["name"].value for node in lab["nodes"]), "a node")
    projects: dict[str, str] = {}
    for item in lab["services"]:
        service = Service(**item.plain())
        line, what = item["name"].line, f'services: name "{service.name}"'
        names = {service.name, *map(service.registered, (DATABASE, *COLORS))}
        for name in sorted(names & taken.keys()):
            raise _Wrong(line, f'{what}: "{name}" is the name of {taken[name]}', "another name")
        if service.project in projects:
            other = projects[service.project]
            raise _Wrong(
                line, f'{what}: its containers would be called like those of "{other}"', "another name"
            )
        projects[service.project] = service.name
        taken |= dict.fromkeys(names, f'a part of the service "{service.name}"')


# --- the way in -------------------------------------------------------------------------------------------


def lab_file() -> Path:
    """The file of the lab: LAB_FILE of the environment when it is set, else the one beside this module."""
    return Path(os.environ.get("LAB_FILE") or LAB_FILE)


def load(path: Path | None = None) -> Lab:
    """The lab of a file, or of `lab_file`; with LAB, the lab beside it of that name."""
    file = path or lab_file()
    first = read(file)
    name = named.chosen()
    if not name:
        return first
    if not re.fullmatch(NAME.pattern, name) or name in (*STATE_FOLDERS, SHARED):
        allowed = f"{NAME.allowed}; not {', '.join((*STATE_FOLDERS, SHARED))}"
        raise ConfigError(f"LAB is {shown(name)}", try_next=f"allowed: {allowed}")
    if name == first.name:
        raise ConfigError(f"{name} is the lab of {file} itself", try_next="the same without LAB or -n")
    if first.provider == OWN_HOSTS:
        raise ConfigError(
            f"LAB is {name}, and the machines of {file} can be in one lab alone",
            try_next="a lab file with other machines, in LAB_FILE",
        )
    return named.beside(first, name)


def read(path: Path) -> Lab:
    """The lab that a file says, whatever LAB is; its machines are what LAB_PROVIDER says, if that is set."""
    text = _read(path)
    try:
        return _with_provider(_record(_checked(text)), os.environ.get(PROVIDER, ""), path)
    except _Wrong as wrong:
        raise ConfigError(
            f"{_told(path)} line {wrong.line}: {wrong.what}", try_next=f"allowed: {wrong.allowed}"
        ) from None


def _with_provider(lab: Lab, chosen: str, path: Path) -> Lab:
    """The lab with its machines from elsewhere. Raises ConfigError for what cannot be chosen."""
    if chosen in ("", lab.provider):
        return lab
    if chosen not in OF_VAGRANT:
        raise ConfigError(
            f"{PROVIDER} is {shown(chosen)}{nearest(chosen, OF_VAGRANT)}",
            try_next=f"one of: {', '.join(OF_VAGRANT)}",
        )
    if lab.provider == OWN_HOSTS:
        raise ConfigError(
            f"{PROVIDER} is {chosen}, and {_told(path)} has machines of your own",
            try_next=f"unset {PROVIDER}, or another lab file in LAB_FILE",
        )
    return replace(lab, provider=chosen)


def _told(path: Path) -> str:
    """A path as one line of a message takes it."""
    return shown(str(path), 300)[1:-1]


def _read(path: Path) -> str:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConfigError(f"{_told(path)} is not a file", try_next="name another file in LAB_FILE")
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except OSError as error:
        raise ConfigError(
            f"{_told(path)} cannot be read: {error.strerror}", try_next="name another file in LAB_FILE"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{_told(path)} cannot be read: it is not UTF-8 text", try_next="save it as UTF-8"
        ) from error
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{_told(path)} is longer than {MOST_CHARACTERS} characters", try_next="a lab file")
    return text


def _checked(text: str) -> Item:
    root = _compose(text)
    if root is None:
        raise _Wrong(1, "the file is empty", "keys: " + ", ".join(SCHEMA.keys))
    lab = walk(root, SCHEMA, "")
    _check_duplicates(lab)
    _check_addresses(lab)
    _check_access(lab)
    _check_hosts(lab)
    _check_roles(lab)
    _check_names(lab)
    return lab


def _compose(text: str) -> yaml.Node | None:
    loader = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(_line_of(mark) if mark else 1, str(error.problem)) from error
    except yaml.reader.ReaderError as error:
        raise _broken(text.count("\n", 0, error.position) + 1, error.reason) from error
    except RecursionError as error:
        raise _broken(_line_of(loader.marks[-1]), "brackets in brackets without end") from error
    except (ValueError, OverflowError) as error:  # such as an escape beyond the last character there is
        raise _broken(
            _line_of(loader.get_mark()), "an escape that is no character, or a number without end"
        ) from error


def _broken(line: int, why: str) -> _Wrong:
    return _Wrong(line, f"broken YAML: {why}", "one YAML document")


def _record(item: Item) -> Lab:
    plain = item.plain()
    nodes = tuple(map(_node, plain.pop("nodes")))
    services = tuple(Service(**service) for service in plain.pop("services"))
    return Lab(**plain, nodes=nodes, services=services)


def _node(plain: dict[str, Any]) -> Node:
    ssh, power = plain.pop("ssh", None), plain.pop("power", None)
    return Node(**plain, ssh=ssh and Access(**ssh), power=power and Power(**power))
