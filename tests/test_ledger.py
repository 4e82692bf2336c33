"""What the ledger tells of a run, in one line a stage and as one document."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from rally_etl import ledger

RUN = "20251003T060012-1f3a"


@pytest.fixture
def write(engine: sa.Engine):
    """Write rows into tables of the ledger, for a run that is there already."""

    def rows(table: str, *found: dict) -> None:
        columns = ", ".join(found[0])
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    f"insert into etl.{table} (run_id, {columns})"
                    f" select :run, {columns}"
                    f" from jsonb_populate_recordset(cast(null as etl.{table}), cast(:rows as jsonb))"
                ),
                {"run": RUN, "rows": json.dumps(found)},
            )

    rows("runs", {"source": "scrapes/week-1", "as_of": "2025-10-03"})
    return rows


@pytest.mark.parametrize(
    ("number", "stage", "line"),
    [
        (1, "baseline", "1 user row guarded"),
        (2000, "baseline", "2,000 user rows guarded"),
        (1, "integration", "0 of 0 pages and 1 reference of user rows would break"),
        (0, "integration", "0 of 0 pages and 0 references of user rows would break"),
        (97.31, "monitoring", "health score 97.3"),
    ],
)
def test_line_of_a_stage(engine, write, number, stage, line):
    """One thing is told as one, several as several, with separators."""
    metric = {"baseline": "user_rows", "integration": "references_lost", "monitoring": "health_score"}[stage]
    write("metrics", {"league": "*", "stage": stage, "metric": metric, "value": number, "detail": []})

    assert line == ledger.stage_facts(engine, RUN, stage)


def test_line_of_the_integration_counts_pages(engine, write):
    """Pages of all leagues together, those that a way back takes along too."""
    measures = {"pages_asked": 1200, "pages_broken": 1, "pages_taken_back": 2, "references_lost": 0}
    for league in ("NSTF", "APTA_CHICAGO"):
        for metric, value in measures.items():
            write(
                "metrics",
                {"league": league, "stage": "integration", "metric": metric, "value": value, "detail": []},
            )

    told = "6 of 2,400 pages and 0 references of user rows would break"
    assert told == ledger.stage_facts(engine, RUN, "integration")


def test_line_of_the_import(engine, write):
    """Files, records and changes each have their own number."""
    write("metrics", {"league": "NSTF", "stage": "import", "metric": "planned_changes", "value": 1, "detail": []})
    read = {"league": "NSTF", "kind": "players", "path": "x", "records": 1, "quarantined": 1, "fault": None}
    write("source_files", read)

    assert "1 file, 1 record, 1 quarantined, 1 change planned" == ledger.stage_facts(engine, RUN, "import")

    write("source_files", read | {"kind": "schedules", "records": 1200, "fault": "is no JSON"})

    assert "2 files, 1 faulty, 1,201 records, 2 quarantined, 1 change planned" == ledger.stage_facts(
        engine, RUN, "import"
    )


def test_reasons_of_the_document_begin_with_what_stops_the_league(engine, settings, write):
    """Errors first, then what a person may approve, then warnings, whatever the order they were found in."""
    reasons = [{"rule": f"rule {n}", "severity": word} for n, word in enumerate(("warn", "hold", "error", "hold"))]
    write(
        "run_leagues",
        {"league": "NSTF", "decision": "NO-GO", "state": "refused", "plan_counts": {}, "reasons": reasons},
    )

    found = ledger.run_document(engine, settings, RUN)["leagues"]["NSTF"]["reasons"]

    assert ["rule 2", "rule 1", "rule 3", "rule 0"] == [reason["rule"] for reason in found]
