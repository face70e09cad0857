"""Features play on a lab with addresses of its own."""

from dataclasses import replace

import pytest

from lab import config
from lab.model import Lab, Node
from scenarios.steps.addresses import NODES, of_lab

ARTICLE = config.load(config.LAB_FILE)


def moved(lab: Lab) -> Lab:
    def move(node: Node) -> Node:
        return replace(node, address=node.address.replace("10.100.199.2", "10.7.0.1"))

    return replace(lab, subnet="10.7.0.0/24", nodes=tuple(map(move, lab.nodes)))


def test_the_article_s_addresses_are_those_of_the_lab_that_comes_with_it() -> None:
    assert {node.address: node.name for node in ARTICLE.nodes} == NODES


@pytest.mark.parametrize("address", NODES)
def test_the_lab_s_own_file_changes_no_address(address: str) -> None:
    text = f"curl http://{address}:8500/v1/kv and {address}."
    assert of_lab(text, ARTICLE) == text


@pytest.mark.parametrize(
    ("printed", "here"),
    [
        ("http://10.100.199.200/api", "http://10.7.0.100/api"),
        ("http://10.100.199.203:8080/", "http://10.7.0.103:8080/"),
        ("server 10.100.199.", "server 10.7.0.10"),
        ("10.100.199.200, 10.100.199.201", "10.7.0.100, 10.7.0.101"),
        ("10.100.199.7 and 110.100.199.200", "10.100.199.7 and 110.100.199.200"),
        ("no address", "no address"),
    ],
)
def test_another_lab_s_addresses_stand_for_the_article_s(printed: str, here: str) -> None:
    assert of_lab(printed, moved(ARTICLE)) == here


def test_an_article_s_node_that_the_lab_has_not_keeps_its_address() -> None:
    small = replace(moved(ARTICLE), nodes=moved(ARTICLE).nodes[:2])
    assert of_lab("10.100.199.203", small) == "10.100.199.203"
