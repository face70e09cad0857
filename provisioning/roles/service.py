"""What the master needs to deploy the services: tools, and each service's compose and nginx files."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.config import Lab, Node, Service
from provisioning.built import Built
from provisioning.resources import MARK, Directory, File, Package, Program, Resource, Unit
from provisioning.roles import Health, is_master

COLORS = ("blue", "green")
# [[ ]] is ours, {{ }} is left for consul-template.
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "files" / "service"),
    variable_start_string="[[",
    variable_end_string="]]",
    block_start_string="[%",
    block_end_string="%]",
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    autoescape=False,
)


def project(service: Service) -> str:
    """The compose project, as in the article's container names: booksservice_blue_1."""
    return service.name.replace("-", "")


def folder(service: Service) -> str:
    return f"/data/compose/config/{service.name}"


def _render(template: str, lab: Lab, **values: object) -> str:
    return TEMPLATES.get_template(template).render(lab=lab, mark=MARK, project=project, **values)


def _service_files(lab: Lab, service: Service) -> list[Resource]:
    releases = dict(zip(COLORS, (*service.releases, service.releases[-1]), strict=False))
    return [
        Directory(folder(service), owner="vagrant"),
        File(
            f"{folder(service)}/docker-compose.yml.ctmpl",
            _render("docker-compose.yml.ctmpl", lab, service=service, colors=COLORS),
        ),
        # What each color runs is the deployments' to say from then on.
        File(
            f"{folder(service)}/.env",
            _render("env", lab, service=service, releases=releases),
            owner="vagrant",
            keep=True,
        ),
        *(
            File(
                f"/data/nginx/templates/{service.name}-{color}-upstream.conf.ctmpl",
                _render("upstream.conf.ctmpl", lab, service=service, color=color),
            )
            for color in COLORS
        ),
        File(
            f"/data/nginx/upstreams/{service.name}.conf",
            _render("no-upstream.conf", lab, service=service),
            keep=True,
        ),
        File(f"/data/nginx/includes/{service.name}.conf", _render("include.conf", lab, service=service)),
    ]


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if not is_master(node):
        return []
    resume = File("/usr/local/sbin/lab-resume", _render("lab-resume", lab), mode="755")
    unit = File("/etc/systemd/system/lab-resume.service", _render("lab-resume.service", lab))
    return [
        Package(("docker-compose", "ansible-core")),
        # Behind a few lines that also take the article's flag.
        Program("consul-template.bin", *built.programs["consul-template"]),
        File("/usr/local/bin/consul-template", _render("consul-template", lab), mode="755"),
        File("/etc/profile.d/lab.sh", f"export DOCKER_HOST={lab.swarm_endpoint}\n"),
        Directory("/data/compose"),
        Directory("/data/compose/config"),
        *(resource for service in lab.services for resource in _service_files(lab, service)),
        resume,
        unit,
        Unit("lab-resume.service", started=False),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    return []
