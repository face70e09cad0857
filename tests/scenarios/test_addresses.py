"""Features play on a lab with names and addresses of its own."""

from dataclasses import replace

import pytest

from lab import config
from lab.errors import ConfigError
from lab.model import Lab, Node
from scenarios.addresses import NODES, of_lab

ARTICLE = config.load(config.LAB_FILE)
OTHER = Lab(
    "other",
    "docker",
    "10.7.0.0/24",
    5,
    (
        Node("worker-a", "10.7.0.101", ("node",)),
        Node("boss", "10.7.0.100", ("master",)),
        Node("worker-b", "10.7.0.102", ("node",)),
    ),
    ARTICLE.services,
)


def test_the_article_s_nodes_are_those_of_the_lab_that_comes_with_it() -> None:
    assert {node.name: node.address for node in ARTICLE.nodes} == NODES


@pytest.mark.parametrize("name", NODES)
def test_the_lab_s_own_file_changes_nothing(name: str) -> None:
    text = f"curl http://{NODES[name]}:8500/v1/kv and {NODES[name]} on {name}"
    assert of_lab(text, ARTICLE) == text


@pytest.mark.parametrize(
    ("printed", "here"),
    [
        ("http://10.100.199.200/api", "http://10.7.0.100/api"),
        ("http://10.100.199.202:8080/", "http://10.7.0.102:8080/"),
        ("server 10.100.199.", "server 10.7.0.10"),
        ("10.100.199.200, 10.100.199.201", "10.7.0.100, 10.7.0.101"),
        ("registrator on swarm-node-02", "registrator on worker-b"),
        ("swarm-master | swarm-node-01", "boss | worker-a"),
        ("swarm-node on swarm-node-01", "swarm-node on worker-a"),
        ("110.100.199.200 and no address", "110.100.199.200 and no address"),
    ],
)
def test_another_lab_s_nodes_stand_for_the_article_s_by_their_roles(printed: str, here: str) -> None:
    assert of_lab(printed, OTHER) == here


@pytest.mark.parametrize("printed", ["10.100.199.203", "swarm-node-03", "10.100.199.7", "swarm-node-04"])
def test_what_no_node_stands_for_is_refused(printed: str) -> None:
    with pytest.raises(ConfigError, match=f'"{printed}" of the article has no node here'):
        of_lab(f"curl {printed}", OTHER)


def test_of_a_larger_lab_the_article_s_nodes_are_the_first_ones() -> None:
    larger = replace(ARTICLE, nodes=(*ARTICLE.nodes, Node("more", "10.100.199.209", ("node",))))
    assert of_lab("10.100.199.203 swarm-node-03", larger) == "10.100.199.203 swarm-node-03"
