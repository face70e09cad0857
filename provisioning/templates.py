"""The files of the roles, rendered from provisioning/files with the lab's facts."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.config import Lab, Service
from lab.waiting import patience
from provisioning.resources import MARK


def project(service: Service) -> str:
    """The compose project, as in the article's container names: booksservice_blue_1."""
    return service.name.replace("-", "")


# [[ ]] is ours; {{ }} is left for consul-template and Docker.
ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "files"),
    variable_start_string="[[",
    variable_end_string="]]",
    block_start_string="[%",
    block_end_string="%]",
    comment_start_string="[#",
    comment_end_string="#]",
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    autoescape=False,
)


def render(template: str, lab: Lab, **values: object) -> str:
    """One file of provisioning/files; an unknown variable is an error."""
    known = {"lab": lab, "mark": MARK, "project": project, "patience": patience()}
    return ENVIRONMENT.get_template(template).render(known | values)
