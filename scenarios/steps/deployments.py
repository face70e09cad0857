"""Deployments of each kind, and how they end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_bdd import given, parsers, then, when

from deployments import by_hand
from lab.clients.jenkins import JenkinsClient
from lab.errors import CheckFailed, LabError
from lab.model import Lab
from lab.shell import CommandFailed, Shell
from provisioning.roles import registry
from scenarios.steps.world import Story

PLAYBOOK = "ansible-playbook /vagrant/ansible/{service}.yml -i /vagrant/ansible/hosts/prod"


@when(parsers.parse("release {release} of {service} is deployed by hand"))
def deploy_by_hand(lab: Lab, master: Shell, story: Story, release: str, service: str) -> None:
    try:
        by_hand.deploy(lab, master, lab.service(service), release, print)
    except CheckFailed as error:
        story.error = error


@then(parsers.parse('the deployment is refused with "{words}"'))
def refused_with(story: Story, words: str) -> None:
    assert story.error is not None, "it was not refused"
    told = f"{story.error}\n{story.output}"
    assert words in told, told


@then("the deployment succeeds")
def deployment_succeeds(story: Story) -> None:
    assert story.error is None, str(story.error)


@given(parsers.parse("Jenkins has deployed {service}"))
def jenkins_has_deployed(lab: Lab, story: Story, service: str) -> None:
    jenkins_deploys(lab, story, service)
    if story.error is not None:
        raise story.error


@when(parsers.parse("Jenkins deploys {service}"))
def jenkins_deploys(lab: Lab, story: Story, service: str) -> None:
    client = JenkinsClient(lab)
    build = client.build(service)
    client.close()
    story.output = build.console
    print(f"build {build.number}: {build.result} in {build.seconds:.1f} s")
    if service == lab.main_service.name:
        story.builds = build.number
    if build.result != "SUCCESS":
        story.error = CheckFailed(
            f"build {build.number} of {service}: {build.result}", last_seen=build.console
        )


@when(parsers.parse("Ansible deploys {service} with {words}"))
@when(parsers.parse("Ansible deploys {service}"))
def ansible_deploys(master: Shell, story: Story, service: str, words: str = "") -> None:
    _play(master, story, f"{PLAYBOOK.format(service=service)} {words}")


def _play(master: Shell, story: Story, line: str) -> None:
    try:
        story.output = master.run(line, sudo=False, timeout=240).stdout
    except CommandFailed as error:
        story.error, story.output = error, error.result.stdout + error.result.stderr


@when(parsers.parse("two deployments of {service} are started at once"))
def two_at_once(lab: Lab, master: Shell, story: Story, service: str) -> None:
    client = JenkinsClient(lab)
    by_ansible = threading.Thread(target=ansible_deploys, args=(master, story, service))
    by_ansible.start()
    build = client.build(service)
    by_ansible.join()
    client.close()
    if build.result != "SUCCESS":
        story.error = LabError(f"build {build.number}: {build.result}", last_seen=build.console)


# Releases that are made for a scenario: an image of the lab with another word to start with.
BROKEN = {
    "answers 500": (
        "from http.server import *; "
        "H = type('H', (BaseHTTPRequestHandler,), {'do_GET': lambda self: self.send_error(500)}); "
        "HTTPServer(('', 8080), H).serve_forever()"
    ),
    "never answers": "import time; time.sleep(3600)",
}


@given(parsers.parse("a release {release} of {service} that {what}"))
def broken_release(lab: Lab, master: Shell, release: str, service: str, what: str) -> Iterator[None]:
    if what == "has no image":
        yield
        return
    with made_release(lab, master, release, service, what):
        yield


@contextmanager
def made_release(lab: Lab, master: Shell, release: str, service: str, what: str) -> Iterator[None]:
    """A broken release in the lab's registry, and out of it again: "the newest release" might be this one."""
    image = f"{lab.registry}/{service}"
    entry = json.dumps(["python3", "-c", BROKEN[what]])
    dockerfile = f"FROM {image}:1.0\nENTRYPOINT {entry}\n"
    tag = f"{image}:{release}"
    master.run(f"docker build -q -t {tag} - <<'END'\n{dockerfile}END\ndocker push -q {tag}", timeout=180)
    try:
        yield
    finally:
        master.run(f"rm -rf {registry.tags(service)}/{release}; docker rmi -f {tag}")


@then(parsers.parse('its output says "{words}"'))
def output_says(story: Story, words: str) -> None:
    assert words in story.output, story.output
