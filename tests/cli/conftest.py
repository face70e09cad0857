"""The `lab` command as a user types it, in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import cli.main as lab_command
from tests.provisioning.bundle.bundles import bundle, machine  # noqa: F401  fixtures

Said = tuple[int, str, str]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs `lab WORDS...`; answers its exit code, stdout and stderr."""

    def run(*words: str) -> Said:
        monkeypatch.setattr("sys.argv", ["lab", *words])
        code = 0
        try:
            lab_command.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        out, err = capsys.readouterr()
        return code, out, err

    return run
