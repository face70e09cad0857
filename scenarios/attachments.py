"""What a run leaves, attached to Allure's results; without --alluredir nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence import runs

# How a browser shows a file, by the end of its name.
TYPES = {".html": "text/html", ".txt": "text/plain", ".jsonl": "text/plain", ".gz": "application/gzip"}


def wanted(config: pytest.Config) -> bool:
    """Whether this run writes Allure's results."""
    return bool(config.getoption("allure_report_dir", default=None))


def of_failure(config: pytest.Config, archive: Path) -> None:
    """The evidence of the scenario under way, attached to that scenario."""
    if wanted(config):
        import allure  # noqa: PLC0415

        allure.attach.file(str(archive), archive.name, TYPES[archive.suffix], "tar.gz")


def of_run(config: pytest.Config, folder: Path) -> None:
    """The page, the numbers and the journals of a run that is over, attached to the results as a whole."""
    if wanted(config):
        import allure  # noqa: PLC0415

        for path in files(folder):
            allure.global_attach.file(str(path), path.name, TYPES[path.suffix], path.suffix[1:])


def files(folder: Path) -> list[Path]:
    """Those of a run's folder that tell of all its scenarios; those that are there."""
    # Drawing takes a second to load, and only a run that is over needs its names.
    from evidence import report  # noqa: PLC0415

    named = [folder / report.PAGE, folder / report.NUMBERS, *runs.journals(folder)]
    return [path for path in named if path.is_file()]
