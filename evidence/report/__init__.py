"""The report of a run: `model` reads its folder, `pictures` draws it, `page` puts both on one HTML page.

`markdown` and `openmetrics` say its numbers for other tools. `moments` and `story` tell it to a learner, and
`slides` puts that on a page of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evidence.report import markdown, model, openmetrics, page, slides
from evidence.report.model import Report
from lab.errors import LabError

PAGE = "report.html"
DATA = "report.json"
NUMBERS = "metrics.txt"
STORY = "story.html"


def _json(report: Report) -> str:
    return json.dumps(_finite(model.plain(report)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """The same with null for a number that JSON has not."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# The files of a report, and what is in each.
FILES: Mapping[str, Callable[[Report], str]] = {
    DATA: _json,
    NUMBERS: openmetrics.render,
    PAGE: page.render,
}
# What `text` says, by the name of its form.
FORMS: Mapping[str, Callable[[Report], str]] = {
    "markdown": markdown.render,
    "openmetrics": openmetrics.render,
}


def write(folder: Path) -> Path:
    """Write the page, the same as JSON, and the numbers into the run's folder; returns the page's path.

    Raises LabError when the folder takes no files.
    """
    report = model.load(folder)
    for name, render in FILES.items():
        _write(folder / name, render(report))
    return folder / PAGE


def write_story(folder: Path, wanted: str | None = None) -> Path:
    """Write the slides of a run into its folder and return their path; `wanted` is in each name told.

    Raises LabError when the folder takes no files, and ConfigError when no scenario is called so.
    """
    _write(folder / STORY, slides.render(model.load(folder), wanted))
    return folder / STORY


def _write(path: Path, text: str) -> None:
    """Anew, beside the one before: what is called so may be a link to a file elsewhere."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        with new.open("xb") as file:
            file.write(text.encode(errors="backslashreplace"))  # what UTF-8 cannot write is an escape
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise LabError(f"the report cannot be written to {path.parent}", last_seen=str(error)) from error


def text(folder: Path, form: str) -> str:
    """The numbers of a run in a form of FORMS."""
    return FORMS[form](model.load(folder))
