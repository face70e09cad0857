"""Jenkins on the master: container `jenkins`, its home in /data/jenkins, port 8080 on the lab address."""

from __future__ import annotations

from lab.model import Lab, Node, Service
from provisioning.build import Built
from provisioning.resources import (
    Container,
    Directory,
    File,
    Made,
    OwnFile,
    Package,
    Password,
    Reload,
    Resource,
)
from provisioning.roles import Health, Logs, ask, image, is_master
from provisioning.templates import render

# Jenkins of 2011 knows no younger kind of host key, and a master may lack it.
HOST_KEY = "/etc/ssh/ssh_host_rsa_key"
MAKE_KEY = f"""rm -f {HOST_KEY}.new*
ssh-keygen -q -t rsa -b 2048 -N '' -f {HOST_KEY}.new
rm {HOST_KEY}.new.pub
mv {HOST_KEY}.new {HOST_KEY}"""


def resources(lab: Lab, node: Node, built: Built) -> list[Resource]:
    if not is_master(node):
        return []
    # It reads its jobs at its start alone: with another service it is another container.
    jobs = ",".join(service.name for service in lab.services)
    options = ("--net=host", "-v", "/data/jenkins:/data/jenkins", "-e", f"JOBS={jobs}")
    command = (f"--httpListenAddress={node.address}",)
    host_key = Made(HOST_KEY, MAKE_KEY)
    sshd = File("/etc/ssh/sshd_config.d/jenkins.conf", render("jenkins/sshd.conf", lab))
    return [
        Package(("openjdk-17-jre-headless",)),  # for the agent of the node `cd`
        Password("vagrant", "vagrant"),  # as in the article; taken from the lab network alone
        sshd,
        host_key,
        Reload("ssh.service", on=(sshd.key, host_key.key)),
        Directory("/data/jenkins"),
        Directory("/data/jenkins/slaves"),
        Directory("/data/jenkins/slaves/cd", owner="vagrant"),
        # From its first start on Jenkins keeps these itself. Without its node `cd` no job can run; without
        # crumbs any page in a user's browser may post to it.
        OwnFile(
            File("/data/jenkins/config.xml", render("jenkins/config.xml", lab)),
            ("<name>cd</name>", "DefaultCrumbIssuer"),
            "jenkins",
        ),
        Directory("/data/jenkins/jobs"),
        *(resource for service in lab.services for resource in _job(lab, service)),
        Container("jenkins", image(lab, "jenkins"), built.images["jenkins"], options, command),
    ]


def _job(lab: Lab, service: Service) -> list[Resource]:
    home = f"/data/jenkins/jobs/{service.name}"
    return [
        Directory(home),
        File(f"{home}/config.xml", render("jenkins/job.xml", lab, service=service), keep=True),
    ]


def health(lab: Lab, node: Node) -> list[Health]:
    if not is_master(node):
        return []
    # Jenkins is of use when its node `cd` is online.
    cd = f"http://{node.address}:8080/computer/cd/api/json"
    said = f"{ask(cd)} 2>&1 | grep -Eo '\"offline\":(true|false)|^curl: .*'"
    check = f'said=$({said}); echo "$said"; test "$said" = \'"offline":false\''
    return [Health("jenkins", node.name, check, Logs(containers=("jenkins",)), late=True)]
