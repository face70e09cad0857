from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console

from bench.spending import table
from evidence.entries import ScenarioBegan, ScenarioEnded, Waited
from evidence.journal import Journal
from evidence.runs import JOURNAL


def test_the_table_of_a_run_is_that_of_its_page(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "20260102-030405" / JOURNAL)
    journal.add(ScenarioBegan(at=100.0))
    journal.add(Waited(at=108.0, what="[b]the books", seconds=6.0))
    journal.add(ScenarioEnded(at=110.0, verdict="passed", seconds=10.0))
    written = StringIO()
    Console(width=140, file=written).print(table(journal.path.parent))
    lines = [" ".join(line.replace("│", "").split()) for line in written.getvalue().splitlines()]
    assert "run 20260102-030405: 10 s of all labs together, 10 s by the clock" in lines
    assert "outside of steps 1 10.0 10.0 6.0 100%" in lines
    assert "[b]the books 1 6.0 6.0 6.0 60%" in lines
