"""The report of a run: `model` reads its folder, `pictures` draws it, `page` puts both on one HTML page."""

from __future__ import annotations

import json
from pathlib import Path

from evidence.report import model, page

PAGE = "report.html"
DATA = "report.json"


def write(folder: Path) -> Path:
    """Write the page and the same as JSON into the run's folder; returns the page's path."""
    report = model.load(folder)
    (folder / DATA).write_text(json.dumps(model.plain(report), indent=1, ensure_ascii=False) + "\n")
    path = folder / PAGE
    path.write_text(page.render(report))
    return path
