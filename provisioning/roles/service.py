"""What the master needs to deploy the services: tools, and each service's compose and nginx files."""

from __future__ import annotations

from lab.model import COLORS, Lab, Node, Service
from provisioning.build import Built
from provisioning.resources import Directory, File, Package, Program, Resource, Unit
from provisioning.roles import Health, is_master
from provisioning.templates import render


def _service_files(lab: Lab, service: Service) -> list[Resource]:
    releases = dict(zip(COLORS, (*service.releases, service.releases[-1]), strict=False))
    return [
        Directory(service.folder, owner="vagrant"),
        File(
            f"{service.folder}/docker-compose.yml.ctmpl",
            render("service/docker-compose.yml.ctmpl", lab, service=service, colors=COLORS),
        ),
        # What each color runs is the deployments' to say from then on.
        File(
            f"{service.folder}/.env",
            render("service/env", lab, service=service, releases=releases),
            owner="vagrant",
            keep=True,
        ),
        *(
            File(
                service.upstream_template(color),
                render("service/upstream.conf.ctmpl", lab, service=service, color=color),
            )
            for color in COLORS
        ),
        File(
            service.upstream,
            render("service/no-upstream.conf", lab, service=service),
            keep=True,
        ),
        File(
            f"/data/nginx/includes/{service.name}.conf", render("service/include.conf", lab, service=service)
        ),
    ]


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if not is_master(node):
        return []
    resume = File("/usr/local/sbin/lab-resume", render("service/lab-resume", lab), mode="755")
    unit = File("/etc/systemd/system/lab-resume.service", render("service/lab-resume.service", lab))
    return [
        Package(("docker-compose", "ansible-core")),
        # Behind a few lines that also take the article's flag.
        Program("consul-template.bin", *built.programs["consul-template"]),
        File("/usr/local/bin/consul-template", render("service/consul-template", lab), mode="755"),
        File("/usr/local/bin/deployment_lock.sh", render("service/deployment_lock.sh", lab), mode="755"),
        File("/etc/profile.d/lab.sh", f"export DOCKER_HOST={lab.swarm_endpoint}\n"),
        File("/etc/profile.d/lab-steps.sh", render("service/steps.sh", lab)),
        File("/etc/lab/facts.yml", render("service/facts.yml", lab)),
        Directory("/data/compose"),
        Directory("/data/compose/config"),
        *(resource for service in lab.services for resource in _service_files(lab, service)),
        resume,
        unit,
        Unit("lab-resume.service", started=False),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    return []
