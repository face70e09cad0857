"""The names that follow from a lab: of containers, files, entries of Consul's, addresses."""

from __future__ import annotations

import pytest

from lab import config
from lab.errors import ConfigError
from lab.model import COLORS, Service, other

LAB = config.load(config.LAB_FILE)
BOOKS, FRONT = LAB.service("books-service"), LAB.service("books-fe")


@pytest.mark.parametrize(("live", "idle"), [("blue", "green"), ("green", "blue"), (None, "blue")])
def test_a_deployment_goes_to_the_color_that_is_not_live(live: str | None, idle: str) -> None:
    assert other(live) == idle


@pytest.mark.parametrize(
    ("name", "project"), [("books-service", "booksservice"), ("a", "a"), ("a-b-c", "abc")]
)
def test_a_compose_project_is_the_service_without_hyphens(name: str, project: str) -> None:
    assert Service(name, "/", 80, False, ("1",)).project == project


def test_names_are_those_of_the_article() -> None:
    assert [BOOKS.container(part) for part in BOOKS.parts] == [
        "booksservice_db_1",
        "booksservice_blue_1",
        "booksservice_green_1",
    ]
    assert [BOOKS.registered(part) for part in COLORS] == ["books-service-blue", "books-service-green"]
    assert BOOKS.color_key == "services/books-service/color"
    assert BOOKS.folder == "/data/compose/config/books-service"
    assert LAB.public_address(BOOKS) == "http://10.100.199.200/api/v1/books"


def test_a_service_without_a_database_has_its_colors_alone() -> None:
    assert FRONT.parts == COLORS


@pytest.mark.parametrize(
    ("container", "own"), [("booksservice_blue_1", True), ("booksfe_blue_1", False), ("booksservice", False)]
)
def test_a_service_knows_its_containers_by_their_names(container: str, own: bool) -> None:
    assert BOOKS.owns(container) == own


def test_what_the_lab_has_not_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match='no service "book-service"; did you mean "books-service"'):
        LAB.service("book-service")
    with pytest.raises(ConfigError, match='did you mean "swarm-master"'):
        LAB.node("swarmmaster")
