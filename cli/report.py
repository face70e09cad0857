"""`lab report`: a run's page, its slides, its numbers as text, or its numbers judged again. Needs no lab."""

from __future__ import annotations

import click

from lab.errors import CheckFailed

TEXTS = ("markdown", "openmetrics")


@click.command()
@click.argument("run", required=False)
@click.option("--recheck", is_flag=True, help="Judge the stored journal again; exits 1 on a difference.")
@click.option("--format", "form", type=click.Choice(["page", *TEXTS]), default="page", help="What to print.")
@click.option("--story", is_flag=True, help="Write slides of what happened, for those who learn from it.")
@click.option("--scenario", metavar="TEXT", help="With --story: only scenarios with TEXT in their name.")
def report(run: str | None, recheck: bool, form: str, story: bool, scenario: str | None) -> None:
    """Write the page of RUN (a name, a folder, or the newest run) and print its path; or print numbers."""
    if recheck and form != "page":
        raise click.UsageError("--recheck says what differs, in no other --format")
    if story and (recheck or form != "page"):
        raise click.UsageError("--story writes slides: without --recheck and --format")
    if scenario is not None and not story:
        raise click.UsageError("--scenario chooses among the slides of --story")
    # What draws takes a second to load: the other commands need not wait for it.
    from evidence import report as reports  # noqa: PLC0415
    from evidence.report import model  # noqa: PLC0415

    folder = model.find(run)
    if form != "page":
        click.echo(reports.text(folder, form), nl=False)
        return
    if not recheck:
        click.echo(reports.write_story(folder, scenario) if story else reports.write(folder))
        return
    differences = model.recheck(folder)
    if differences:
        raise CheckFailed(
            f"run {folder.name} is not as it was told",
            last_seen="\n".join(differences),
            try_next="lab report",
        )
    click.echo(f"run {folder.name}: every number is as it was told")
