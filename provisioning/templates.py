"""The files of the roles, rendered from provisioning/files with the lab's facts."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.model import MARK, Lab
from lab.waiting import patience

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
    known = {"lab": lab, "mark": MARK, "patience": patience()}
    return ENVIRONMENT.get_template(template).render(known | values)
