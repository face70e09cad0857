"""The article's nodes and addresses in a feature, as those of the lab that plays it, by their roles."""

from __future__ import annotations

import re
from os.path import commonprefix

from lab.errors import ConfigError
from lab.model import Lab

# As the article numbers them: the master, then the swarm nodes.
NODES = {
    "swarm-master": "10.100.199.200",
    "swarm-node-01": "10.100.199.201",
    "swarm-node-02": "10.100.199.202",
    "swarm-node-03": "10.100.199.203",
}
BEGINNING = "10.100.199."  # stands for any node's address
PRINTED = re.compile(r"\b10\.100\.199\.\d*|\bswarm-(?:master|node-\d+)\b")


def of_lab(text: str, lab: Lab) -> str:
    """The text with this lab's nodes and addresses for the article's. Pure.

    Raises ConfigError for one that no node of the lab stands for.
    """
    here = (lab.master, *lab.swarm_nodes)
    words = {BEGINNING: commonprefix([node.address for node in here])}  # noqa: RUF071  by character
    for (name, address), node in zip(NODES.items(), here, strict=False):
        words |= {name: node.name, address: node.address}

    def translated(found: re.Match[str]) -> str:
        if found[0] not in words:
            raise ConfigError(
                f'"{found[0]}" of the article has no node here',
                last_seen=f"the lab has {len(lab.swarm_nodes)} swarm nodes",
                try_next="a lab with as many nodes as the feature names",
            )
        return words[found[0]]

    return PRINTED.sub(translated, text)
