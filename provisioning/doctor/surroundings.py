"""The checks of what is around the lab: ports, networks, the shell, the browser, what is ready."""

from __future__ import annotations

from collections.abc import Iterator

from lab import named, network
from provisioning.doctor.facts import Check, Engine, Facts, Unseen, blocker, note, ok, unseen

SSH_PORTS = range(2200, 2251)  # where Vagrant looks for a free one when 2222 is taken
FIRST_PORT = 2222
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
OF_ENGINE = {"HttpProxy": "http", "HttpsProxy": "https"}  # in the engine's words
# Other tools' variables: they would lead a child of the lab elsewhere, and they do not pass.
OF_TOOLS = ("DOCKER_", "CONSUL_", "VAGRANT_", "ANSIBLE_", "COMPOSE_", "PIP_", "PYTHONPATH", "PYTHONHOME")
OF_GO = ("GOFLAGS", "GOOS", "GOARCH", "GOPATH", "GOROOT", "GOENV", "GOWORK", "GOTOOLCHAIN", "GOEXPERIMENT")
FOLLOWED = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")  # they name the engine: see the check of it
KEYRING = "debian-archive-keyring"
ALL_READY, SOME_READY, NONE_READY = "under 1 min", "1 to 10 min", "about 10 min"


# --- the network ------------------------------------------------------------------------------------------


def ports(facts: Facts) -> Check:
    """SSH of each node is forwarded to a port of 127.0.0.1; all else is on the lab's own network."""
    if isinstance(facts.listening, Unseen):
        return unseen("ports", facts.listening)
    own = _ports(facts, is_ours=True)
    taken = sorted(facts.listening.intersection(SSH_PORTS).difference(own))
    free = f"{len(SSH_PORTS) - len(taken)} of {SSH_PORTS[0]} to {SSH_PORTS[-1]} free or the lab's, for SSH"
    if len(SSH_PORTS) - len(taken) < len(facts.lab.nodes):
        return blocker("ports", f"{free}; {len(facts.lab.nodes)} nodes need one each", "sudo ss -ltnp")
    if FIRST_PORT in taken:
        seen = f"{FIRST_PORT} is taken by {_owner(facts)}: Vagrant takes another for SSH"
        return note("ports", seen, f"sudo ss -ltnp 'sport = :{FIRST_PORT}'")
    return ok("ports", free)


def _ports(facts: Facts, *, is_ours: bool) -> dict[int, str]:
    """Ports of this host that containers take -> the container's name."""
    containers = facts.engine.containers if isinstance(facts.engine, Engine) else ()
    return {port: one.name for one in containers if one.is_ours == is_ours for port in one.ports}


def _owner(facts: Facts) -> str:
    if isinstance(facts.engine, Unseen):
        return "the lab or another program"
    name = _ports(facts, is_ours=False).get(FIRST_PORT)
    return f"the container {name}" if name else "another program"


def subnet(facts: Facts) -> Check:
    """Whether the lab's addresses are free on this host, or its own already."""
    if isinstance(facts.routes, Unseen):
        return unseen("subnet", facts.routes)
    if isinstance(facts.engine, Unseen):
        return note("subnet", "could not tell: no engine answers, so nobody knows whose the networks are")
    if facts.hypervisor and isinstance(facts.hypervisor.networks, Unseen):
        return unseen("subnet", facts.hypervisor.networks)
    owner = network.clash(facts.lab, facts.routes, _networks(facts, facts.engine))
    if owner:
        return blocker(
            "subnet",
            f"{facts.lab.subnet} is taken by {owner}",
            "free it, or give the lab another subnet and other addresses in lab.yml",
        )
    return ok("subnet", f"{facts.lab.subnet} is {_whose(facts, facts.engine)}")


def _whose(facts: Facts, engine: Engine) -> str:
    return "the lab's own" if network.own_networks(facts.lab, _networks(facts, engine)) else "free"


def _networks(facts: Facts, engine: Engine) -> tuple[network.Network, ...]:
    """Those of what makes the nodes: as `lab up` asks for them."""
    if facts.lab.provider != "libvirt":
        return engine.networks
    found = facts.hypervisor.networks if facts.hypervisor else ()
    return () if isinstance(found, Unseen) else found


# --- the shell --------------------------------------------------------------------------------------------


def proxies(facts: Facts) -> Check:
    """Who stands between this host and the outside; names only, since their addresses hold passwords."""
    set_here = [name for name in facts.given if name.lower() in PROXIES and facts.given[name]]
    info = facts.engine.info if isinstance(facts.engine, Engine) else {}
    of_engine = [kind for said, kind in OF_ENGINE.items() if info.get(said)]
    told = [", ".join(sorted(set_here))] if set_here else []
    told += [f"the engine's own for {' and '.join(of_engine)}"] if of_engine else []
    if told:
        return note(
            "proxies",
            f"{'; '.join(told)}: for what is fetched, never for the lab's addresses; NO_PROXY is not needed",
        )
    return ok("proxies", "none")


def variables(facts: Facts) -> Check:
    """What is set for other tools and does not pass into the lab."""
    ignored = sorted(name for name in facts.given if _is_of_a_tool(name) and not _passes(facts, name))
    if ignored:
        return note("variables", f"set, and ignored by the lab: {', '.join(ignored)}")
    return ok("variables", "none that other tools would follow")


def _is_of_a_tool(name: str) -> bool:
    return name not in FOLLOWED and (name in OF_GO or name.startswith(OF_TOOLS))


def _passes(facts: Facts, name: str) -> bool:
    return any(
        name.startswith(passing[:-1]) if passing.endswith("*") else name == passing
        for passing in facts.passing
    )


# --- what is ready ----------------------------------------------------------------------------------------


def browser(facts: Facts) -> Check:
    """A Chromium that really starts; only the features that look at pages need one."""
    tried = facts.browsers or ()
    for one in tried:
        if isinstance(one.said, str) and one.said:
            return ok("browser", one.said)
    if any(isinstance(one.said, Unseen) for one in tried):
        seen = ", ".join(f"{one.name}: {one.said.why}" for one in tried if isinstance(one.said, Unseen))
        return note("browser", f"none that starts ({seen})", "lab/host.sh --browser")
    return note("browser", "no Chromium: the features that look at pages need one", "lab/host.sh --browser")


def building(facts: Facts) -> Check:
    """What it takes to make what is not there yet."""
    missing = list(_missing_builders(facts))
    if missing:
        return blocker("building", "; ".join(what for what, _ in missing), missing[0][1])
    if isinstance(facts.cache.go, Unseen):
        return unseen("building", facts.cache.go)
    return ok("building", "nothing is lacking")


def _missing_builders(facts: Facts) -> Iterator[tuple[str, str]]:
    """What is missing, and what brings it."""
    if isinstance(facts.cache.go, Unseen) and facts.cache.go.is_certain:
        yield facts.cache.go.why, facts.cache.go.mend
    if isinstance(facts.engine, Unseen) or _has_base(facts, facts.engine):
        return
    if not facts.tools.get("debootstrap"):
        yield "debootstrap is not here", f"sudo apt-get install debootstrap {KEYRING}"
    if not facts.has_keyring:
        yield "Debian's keys are not here, for debootstrap", f"sudo apt-get install {KEYRING}"
    if not facts.is_root and not facts.tools.get("sudo"):
        yield "neither root nor sudo, for debootstrap", f"run `{named.up_command()}` once as root"


def _has_base(facts: Facts, engine: Engine) -> bool:
    """The base image is there, or nothing will be made from it."""
    return "base" in engine.images or ("node" in engine.images and facts.cache.has_store)


def cache(facts: Facts) -> Check:
    """What is ready, and so how long a bring-up takes."""
    if isinstance(facts.engine, Unseen):
        return unseen("cache", Unseen("no engine answers, so nobody knows what images are there"))
    lacking = list(facts.cache.lacking)
    lacking += [] if facts.cache.has_store else ["the registry's images"]
    lacking += [] if "node" in facts.engine.images else ["the node image"]
    if not lacking:
        return ok("cache", f"everything is there: a bring-up takes {ALL_READY}")
    is_empty = not facts.cache.has_store and "consul" in facts.cache.lacking
    seen = f"a bring-up takes {NONE_READY if is_empty else SOME_READY}: to be made are {', '.join(lacking)}"
    return note("cache", seen, named.up_command())
