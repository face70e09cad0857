"""`lab bundle`: all that a bring-up takes from outside, as one file. docs/bundle.md."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import BUNDLE_FILE
from cli.progress import Progress
from lab.errors import ConfigError
from lab.model import Lab
from provisioning import build
from provisioning.bundle import archive, making, manifest, serve, taking
from provisioning.bundle.manifest import Manifest


@click.group()
def bundle() -> None:
    """All that a bring-up takes from outside, as one file: make it, check it, give it out to a room."""


@bundle.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, resolve_path=True))
@click.pass_obj
def create(lab: Lab, file: Path) -> None:
    """Write FILE: programs, node image, registry, wheels, and packages for hosts of this distribution."""
    _tell(file, making.create(lab, file, Progress()))


@bundle.command()
@click.argument("file", type=BUNDLE_FILE)
@click.pass_obj
def verify(lab: Lab, file: Path) -> None:
    """Whether FILE is whole, and for this machine and checkout; exits 1 with the member that is not."""
    listed = archive.read(file)
    _tell(file, listed)
    taking.refuse(listed, build.things(lab), str(file))


@bundle.command("serve")
@click.argument("file", type=BUNDLE_FILE)
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address of this host to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8700, show_default=True)
def serve_bundle(file: Path, bind: str, port: int) -> None:
    """Give FILE out over HTTP, to who takes it with `lab up --from` or `make lab-up FROM=`, until Ctrl-C."""
    archive.read(file)
    with serve.Server((bind, port), file, Progress()) as server:
        click.echo(f"make lab-up FROM=http://{bind}:{server.server_port}")
        server.serve_forever()


def source(file: Path | None, url: str | None) -> str:
    """The bundle that the options of a command name, "" for none. Raises ConfigError for two."""
    if file and url:
        raise ConfigError("--bundle and --from are two bundles", try_next="one of them")
    return str(file or url or "")


def _tell(file: Path, listed: Manifest) -> None:
    click.echo(f"{file}: {file.stat().st_size / 1e6:.0f} MB, {len(listed.members)} members")
    click.echo(
        f"for {listed.architecture}, hosts with {listed.distribution} and Python {listed.python}, "
        f"of commit {listed.commit[:12]}"
    )
    click.echo(f"identity {manifest.identity(archive.manifest_text(file))}")
