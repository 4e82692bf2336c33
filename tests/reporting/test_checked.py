"""What the notebook shows of checks: how to mend, and the keys beyond the rows that are kept whole."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl import workbook

ROW = """
    insert into etl.check_results (run_id, league, check_name, severity, outcome, failing_rows, threshold, sample, keys,
                                   title, why, mend)
    select :run, 'NSTF', 'teams/team_is_named', 'error', 'failed', 250, 2,
           (select jsonb_agg(jsonb_build_object('id', n)) from generate_series(1, 100) as n),
           array(select cast(n as text) from generate_series(1, 250) as n), 'A team is named', 'blank lines', 'name it'
    """


def test_failing_rows_go_on_with_keys(settings, engine, finished_run, monkeypatch):
    """Of one check more rows may be asked for than are kept whole: their keys follow, in order."""
    with engine.begin() as connection:
        connection.execute(sa.text(ROW), {"run": finished_run})
    monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("RALLY_HOME", str(settings.root))
    book = workbook.open("explore")
    name = "teams/team_is_named"
    shown = [row["row"] for row in book.failing_rows(name, limit=120).rows]

    assert (120, "key 101", "key 120") == (len(shown), shown[100], shown[-1])
    assert 50 == len(book.failing_rows(name).rows)
    told = next(row for row in book.checks().rows if row["check_name"] == name)
    assert ("A team is named", "name it", 2.0) == (told["should_be_true"], told["mend"], told["threshold"])
