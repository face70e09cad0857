"""The article's addresses in a feature, as those of the lab that plays it."""

from __future__ import annotations

import re
from os.path import commonprefix

from lab.model import Lab

NODES = {
    "10.100.199.200": "swarm-master",
    "10.100.199.201": "swarm-node-01",
    "10.100.199.202": "swarm-node-02",
    "10.100.199.203": "swarm-node-03",
}
ADDRESS = re.compile(r"\b10\.100\.199\.\d*")
BEGINNING = "10.100.199."  # stands for any node's address


def of_lab(text: str, lab: Lab) -> str:
    """The text with this lab's addresses for the article's; an address of no node stays. Pure."""
    own = {node.name: node.address for node in lab.nodes}
    begin = commonprefix(list(own.values()))  # noqa: RUF071  character by character is what is meant

    def here(printed: re.Match[str]) -> str:
        address = printed[0]
        return begin if address == BEGINNING else own.get(NODES.get(address, ""), address)

    return ADDRESS.sub(here, text)
