"""The report of a run: `model` reads its folder, `pictures` draws it, `page` puts both on one HTML page."""

from __future__ import annotations

import json
from pathlib import Path

from evidence.report import model, page
from lab.errors import LabError

PAGE = "report.html"
DATA = "report.json"


def write(folder: Path) -> Path:
    """Write the page and the same as JSON into the run's folder; returns the page's path.

    Raises LabError when the folder takes no files.
    """
    report = model.load(folder)
    data = json.dumps(model.plain(report), indent=1, ensure_ascii=False) + "\n"
    path = folder / PAGE
    try:
        # What UTF-8 cannot write is written as an escape.
        (folder / DATA).write_bytes(data.encode(errors="backslashreplace"))
        path.write_bytes(page.render(report).encode(errors="backslashreplace"))
    except OSError as error:
        raise LabError(f"the report cannot be written to {folder}", last_seen=str(error)) from error
    return path
