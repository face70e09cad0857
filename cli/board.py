"""`lab board`: the page that shows the lab live, and the reports of a room to it. docs/board.md."""

from __future__ import annotations

from contextlib import suppress

import click

from cli.progress import say
from lab.errors import ConfigError
from lab.model import Lab


@click.command()
@click.option("--address", help="The address of this host to listen on; 127.0.0.1 unless told.")
@click.option("--port", type=click.IntRange(0, 65535), help="8765 unless told; 0 takes a free one.")
@click.option("--join", "url", metavar="URL", help="Report to the board there, instead of showing one.")
@click.option("--as", "name", metavar="NAME", help="With --join: what the board calls you.")
@click.option("--token", help="What the board printed. Without --join: the one to keep from a board before.")
@click.pass_obj
def board(
    lab: Lab,
    /,
    *,
    address: str | None,
    port: int | None,
    url: str | None,
    name: str | None,
    token: str | None,
) -> None:
    """A web page that shows the lab live, until Ctrl-C; or, with --join, your step on somebody's page.

    The page is read-only. What --join sends is your step, what it lacks, colors and times, and nothing else.
    """
    if url is None and name is None:
        _show(lab, address, port, token)
        return
    joins = {"--join": url, "--as": name, "--token": token}
    missing = [option for option, value in joins.items() if value is None]
    if missing or address is not None or port is not None:
        raise ConfigError(
            "a lab reports to a board with --join, --as and --token, and with nothing else",
            last_seen="without " + ", ".join(missing) if missing else "with --address or --port",
            try_next="the line that the board printed: lab board --join URL --token TOKEN --as NAME",
        )
    _join(lab, str(url), str(name), str(token))


def _show(lab: Lab, address: str | None, port: int | None, token: str | None) -> None:
    from board import serving  # noqa: PLC0415  no other command needs a server

    place = serving.ADDRESS if address is None else address
    token = serving.new_token() if token is None else serving.sound(token)
    with serving.listen(place, serving.PORT if port is None else port) as opened:
        url = serving.url(place, opened.getsockname()[1])
        shown = serving.Serving(lab, opened, place, token)
        click.echo(f"{url}/")
        click.echo(f"lab board --join {url} --token {token} --as NAME")
        if not serving.is_loopback(opened):
            say(f"everybody who reaches {place} reads this page: docs/board.md says what it tells")
        shown.run()
    say("the board has ended")
    serving.leave()


def _join(lab: Lab, url: str, name: str, token: str) -> None:
    from board import joining, serving  # noqa: PLC0415  no other command needs them

    with suppress(KeyboardInterrupt):  # how one leaves
        joining.join(lab, url, name, token, say)
    say("the board is told no more")
    serving.leave()
