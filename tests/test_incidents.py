"""Databases broken in the ways of thirteen incidents: what is found, repaired, asked; nothing is made wrong.

Repairs go their whole way but for the notebooks: planned, accounted for, published, verified.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from breaking import PRACTICE_TIMES, Damage
from conftest import REPOSITORY, MakeDatabase, first, project
from incidents import INCIDENTS
from rally_etl import ledger, planning, protection
from rally_etl.checks import audit, run_checks
from rally_etl.database.engine import connect
from rally_etl.database.references import ReferenceParams, read_reference_params
from rally_etl.operations import KINDS
from rally_etl.planning import operations
from rally_etl.protection import integration_measures, note_users
from rally_etl.protection.constraints import ddl
from rally_etl.sample import season
from rally_etl.sample.attachments import attach
from rally_etl.settings import Settings
from scrapes import Import, audited
from test_real_scrapes import DATA
from verdicts import State, Verdict, judge, read_state

WHO = {"by": "Ann Example", "reason": "after the incident"}
ACCOUNT = ("references_lost", "references_moved", "user_rows_changed")


@contextmanager
def start(make_database: MakeDatabase, template: str, folder: Path, scrape: Path, per_team: int) -> Iterator[str]:
    """The name of a database with a scrape, users on it, and users' rows noted."""
    with make_database(template) as url:
        settings = project(folder, url)
        engine = connect(settings, application_name="rally-etl tests")
        imports = Import(engine, settings)
        imports.load(scrape)
        imports.write(PRACTICE_TIMES)
        attach(engine, users_per_team=per_team)
        with engine.begin() as connection:
            note_users(connection, references(settings))
        engine.dispose()
        yield sa.make_url(url).database


def references(settings: Settings) -> ReferenceParams:
    """What `params/references.yaml` says."""
    return read_reference_params(settings.params_dir / "references.yaml")


LATER = (2, 4, 7, 11, 20, 46)
"""Incidents that are broken and mended like others; with the slow tests."""


@pytest.fixture(scope="module")
def sample_start(make_database, template_database, tmp_path_factory) -> Iterator[str]:
    """The first week of the sample season with users."""
    folder = tmp_path_factory.mktemp("sample")
    week = season.write(folder / "sample")[0]
    with start(make_database, template_database, folder, week, 2) as name:
        yield name


@pytest.fixture(scope="module")
def real_start(make_database, template_database, tmp_path_factory) -> Iterator[str]:
    """The first real scrape with users."""
    with start(
        make_database, template_database, tmp_path_factory.mktemp("real"), DATA / "scrapes/2025-06-21", 2
    ) as name:
        yield name


@pytest.mark.parametrize("number", first(4, sorted(INCIDENTS, key=LATER.__contains__)))
def test_incident(number, sample_start, make_database, tmp_path, record_property):
    """On the sample season; the counts are those of docs/incidents.md."""
    verdict = live_through(number, sample_start, make_database, tmp_path, record_property)

    assert told_counts()[number] == verdict.row()


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real scrapes are not beside the project")
@pytest.mark.parametrize("number", INCIDENTS)
def test_incident_on_real_rows(number, real_start, make_database, tmp_path, record_property):
    """On the first real scrape, whose lines name players on the wrong side: those may be asked."""
    live_through(number, real_start, make_database, tmp_path, record_property, may_ask=number == 14)


def live_through(
    number: int, template: str, make_database: MakeDatabase, folder: Path, tell, may_ask: bool = False
) -> Verdict:
    """Break a copy, repair it, compare with the truth; then there is nothing left to repair."""
    with make_database(template) as url:
        settings = project(folder, url)
        engine = connect(settings, application_name="rally-etl tests")
        before = read_state(engine)
        with engine.begin() as connection:
            damage = INCIDENTS[number](connection)
        broken = read_state(engine)
        assert before != broken
        verdict = mend(engine, settings, damage, before, broken)
        tell("incident", f"{number} | " + " | ".join(map(str, verdict.row())))
        print(f"\nincident {number}: broken, found, repaired, held, wrong: {verdict.row()}")
        assert [] == verdict.wrong
        assert [] == verdict.missed
        assert [] == verdict.left or may_ask
        assert [] == verdict.silent
        assert [] == [each for each in damage.dropped if not has_key(engine, *each)] or verdict.held
        for kind in ("orphans", "constraints"):
            assert {} == changes(engine, planned(engine, settings, kind)[0]), "a second repair finds something to do"
        engine.dispose()
        return verdict


def told_counts() -> dict[int, tuple[int, ...]]:
    """Incident -> broken, found, repaired, held, wrong, as the docs say."""
    text = (REPOSITORY / "docs/incidents.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) ((?:\| [\d,]+ ){5})\|$", text, re.M)
    return {
        int(number): tuple(int(cell.replace(",", "")) for cell in re.findall(r"[\d,]+", cells))
        for number, cells in rows
    }


def mend(engine: sa.Engine, settings: Settings, damage: Damage, before: State, broken: State) -> Verdict:
    """Find, repair, and judge what is left."""
    with engine.connect() as connection:
        found = {(each.table, each.row) for each in protection.find_orphans(connection, settings)}
    for kind in ("orphans", "constraints"):
        repair(engine, settings, kind)
    with engine.connect() as connection:
        told = connection.execute(sa.text("select table_name, row_key, state from etl.repairs")).all()
        merged = connection.execute(
            sa.text("select table_name, from_id::text from etl.redirects where ended_at is null")
        ).all()
    found |= {(row.table_name, row.row_key) for row in told}
    asked = {(row.table_name, row.row_key) for row in told if row.state != "planned"}
    return judge(damage, before, broken, read_state(engine), found, asked, set(merged))


def repair(engine: sa.Engine, settings: Settings, kind: str) -> None:
    """Plan one repair, see that users' rows are accounted for and no check is worse, publish and verify it."""
    run_id, keys = planned(engine, settings, kind)
    for league, measures in integration_measures(engine, settings, run_id).items():
        told = {name: measures[name]["detail"] for name in ACCOUNT if measures[name]["value"]}
        assert {} == told, (league, told)
    results = run_checks(engine, settings, run_id)
    assert [] == [each.check for each in results if each.severity == "error" and each.outcome in ("failed", "errored")]
    planning.publish(
        engine,
        run_id,
        keys,
        lambda connection: [name for league in keys for name in audit(connection, settings, run_id, league)],
        first=lambda connection: ddl.drop_planned(connection, run_id),
        last=lambda connection: note_users(connection, references(settings), run_id),
    )
    assert [] == planning.verify(engine, run_id, keys)
    assert [] == ddl.add_planned(engine, run_id)


def planned(engine: sa.Engine, settings: Settings, kind: str) -> tuple[str, list[str]]:
    """Begin a run that repairs, and plan it; answer its id and its leagues."""
    operation = {"kind": kind, **WHO}
    keys = operations.leagues_of(engine, settings, operation, KINDS)
    run_id = ledger.start_run(engine, kind, date(2025, 10, 3), False, keys, operation)
    planning.make_plan(engine, settings, run_id, kinds=KINDS)
    audited(engine, run_id)
    return run_id, keys


def changes(engine: sa.Engine, run_id: str) -> dict[str, dict[str, int]]:
    """Table -> planned rows by operation, where there are any."""
    with engine.connect() as connection:
        counts = connection.scalars(
            sa.text("select plan_counts::text from etl.run_leagues where run_id = :run"), {"run": run_id}
        ).all()
    return {
        table: by_operation
        for text in counts
        for table, by_operation in json.loads(text or "{}").items()
        if any(count for name, count in by_operation.items() if name != "unchanged")
    }


def has_key(engine: sa.Engine, table: str, column: str) -> bool:
    """Whether a foreign or unique key stands on the column."""
    with engine.connect() as connection:
        return bool(
            connection.scalar(
                sa.text(
                    "select count(*) from pg_constraint as c join pg_attribute as a on a.attrelid = c.conrelid"
                    " and a.attnum = any(c.conkey) where c.conrelid = to_regclass(:table) and a.attname = :column"
                    " and c.contype in ('f', 'u') and c.convalidated"
                ),
                {"table": table, "column": column},
            )
        )
