"""Notebooks opened by hand show the latest run and write nothing."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl import workbook

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_latest_run_is_shown(path, engine, settings, finished_run, monkeypatch, capsys):
    """Every cell shows something of the latest run, and the ledger is as before."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("RALLY_HOME", str(settings.root))
    before = _ledger(engine)
    names: dict = {}

    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            exec(compile(tree, path.name, "exec"), names)
            if isinstance(tree.body[-1], ast.Expr):
                answer = eval(compile(ast.Expression(tree.body[-1].value), path.name, "eval"), names)
                printed = capsys.readouterr().out.strip()
                assert printed or (answer._repr_html_() if hasattr(answer, "_repr_html_") else answer.data)

    assert finished_run == names["book"].run_id
    assert before == _ledger(engine)


def test_stage_is_active_only_while_it_runs(engine, settings, finished_run, monkeypatch):
    """A notebook works only with its run's id, while the ledger says that its own stage is running."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("RALLY_HOME", str(settings.root))
    with engine.begin() as connection:
        connection.execute(sa.text("update etl.stages set status = 'running' where stage = 'import'"))

    assert workbook.open("import", finished_run).active
    assert not workbook.open("import").active
    assert not workbook.open("validation", finished_run).active


def _ledger(engine: sa.Engine) -> list:
    with engine.connect() as connection:
        tables = ("runs", "stages", "run_leagues", "metrics", "check_results", "source_files")
        return [connection.execute(sa.text(f"select * from etl.{table} order by 1, 2, 3")).all() for table in tables]
