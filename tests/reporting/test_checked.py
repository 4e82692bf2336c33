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


def test_checks_that_passed_are_told_by_table(settings, engine, finished_run, monkeypatch):
    """One line for all that passed of a table, so that those that did not are seen; each by itself where asked for."""
    passed = ROW.replace("'failed', 250, 2", "'passed', 0, 0")
    with engine.begin() as connection:
        connection.execute(sa.text("delete from etl.check_results where run_id = :run"), {"run": finished_run})
        connection.execute(sa.text(ROW.replace("team_is_named", "name_is_unique")), {"run": finished_run})
        for league in ("NSTF", "CITA"):
            connection.execute(sa.text(passed.replace("'NSTF'", f"'{league}'")), {"run": finished_run})
    monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("RALLY_HOME", str(settings.root))
    book = workbook.open("explore")

    shown = [(row["outcome"], row["check_name"], row["league"]) for row in book.checks().rows]
    assert [("failed", "teams/name_is_unique", "NSTF"), ("passed", "1 check of teams", "CITA, NSTF")] == shown
    assert 3 == len(book.checks(passed=True).rows)
