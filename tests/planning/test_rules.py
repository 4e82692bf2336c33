"""Rules that must never break, tried with scrapes and plans that nobody wrote down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import MakeDatabase, project
from rally_etl import planning
from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import connect
from rally_etl.errors import PlanIsStale
from scrapes import APTA, TEAMS, Import, Kinds, changed, fingerprint, line, meeting, player, small, stats

UNHURRIED = hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
NEW_TEAMS = ("Skokie 12", "Skokie 7 SW", "Tennaqua 7 SW", "Wilmette PD II 12", "Midtown - Chicago 12")
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str.upper,
    lambda name: name.replace(" 12", " - 12").replace(" 7 SW", " - 7 SW"),
    lambda name: name.replace(" ", "  "),
    lambda name: name.removesuffix(" SW"),
)
TEAM_FIELDS = {
    "players": ("Team",),
    "series_stats": ("team",),
    "match_scores": ("Home Team", "Away Team"),
    "schedules": ("home_team", "away_team"),
}
VALUES = {
    "players": {"PTI": ["N/A", "-3", "55.55"], "Wins": ["7", ""], "Captain": ["Yes", "Player"],
                "Last Name": ["Other", "O'Neill"],
                "Player ID": ["nndz-x", "apta_nndz-Tennaqua121", "nndz-Tennaqua121"], "Series": ["Series 1", ""]},
    "series_stats": {"points": [7, "7.5", None], "series": ["Chicago 12", "Series 7 SW", ""]},
    "match_scores": {"Date": ["30-Sep-25", "16-Sep-25", "21-Oct-25"], "Winner": ["away", "tie"],
                     "match_id": [None, "nndz-match0_Line1", "nndz-z_Line4"],
                     "Scores": ["6-2, 6-4", "2-6, 4-6"],
                     "Away Player 2 ID": ["", "apta_nndz-Winnetka122", "FALLBACK_1"]},
    "schedules": {"date": ["09/30/2025", "10/21/2025", "02/12/2026"], "time": ["", "08:00 pm"],
                  "location": ["", "TENNAQUA", "Nowhere"]},
}  # fmt: skip


@st.composite
def scrapes(draw: st.DrawFn) -> Kinds:
    """The small scrape with records changed, respelled, left out, repeated or added, and whole kinds missing."""
    scrape = small()
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(sorted(VALUES)))
        records = scrape[kind]
        place = draw(st.integers(0, len(records) - 1)) if records else 0
        act = draw(st.sampled_from(["value", "value", "spelling", "drop", "repeat", "team", "new team"]))
        if act == "new team":
            team = draw(st.sampled_from(NEW_TEAMS))
            scrape["players"].append(player(team.replace(" ", ""), team))
            scrape["series_stats"].append(stats(team))
            scrape["schedules"].append(meeting("10/28/2025", team, draw(st.sampled_from(sorted(TEAMS)))))
            scrape["match_scores"].append(
                line(draw(st.sampled_from([None, "nndz-n_Line1"])), team, draw(st.sampled_from(sorted(TEAMS))))
            )
        elif not records:
            continue
        elif act == "drop":
            del records[place]
        elif act == "repeat":
            records.append(records[place] | {"url": draw(st.integers(0, 2))})
        elif act == "value":
            name = draw(st.sampled_from(sorted(VALUES[kind])))
            records[place] = records[place] | {name: draw(st.sampled_from(VALUES[kind][name]))}
        else:
            name = draw(st.sampled_from(TEAM_FIELDS[kind]))
            team = draw(st.sampled_from([*TEAMS, *NEW_TEAMS]))
            new = team if act == "team" else draw(st.sampled_from(SPELLINGS))(records[place][name])
            records[place] = records[place] | {name: new}
    for kind in draw(st.sets(st.sampled_from(sorted(scrape)), max_size=2)):
        del scrape[kind]
    return scrape or small()


def ids(importing: Import) -> dict[str, set[int]]:
    """Table -> ids of its live rows."""
    return {table: set(importing.column(f"select id from {table}")) for table in IMPORTED}


@UNHURRIED
@given(drawn=st.data())
def test_twice_is_once_and_ids_are_forever(make_database: MakeDatabase, small_database: str, drawn: st.DataObject):
    """Rules 3 and 7: after any two scrapes no live row is gone, and the second of them again makes an empty plan."""
    with TemporaryDirectory() as folder, make_database(small_database) as url:
        settings = project(Path(folder), url)
        engine = connect(settings, application_name="rally-etl tests")
        importing = Import(engine, settings)
        importing.numbers = iter(range(2000, 2100))
        for _ in range(2):
            before, scrape = ids(importing), drawn.draw(scrapes())
            importing.load(scrape)
            assert all(rows <= after for rows, after in zip(before.values(), ids(importing).values(), strict=True))
        again = importing.plan(scrape)
        assert {} == importing.changes(again)
        engine.dispose()


TAMPERED = {
    "integer": "{column} + 1000", "numeric": "{column} + 0.01", "boolean": "not {column}", "date": "{column} + 1",
    "time without time zone": "{column} + interval '1 minute'",
    "timestamp with time zone": "{column} + interval '1 second'",
    "text[]": "{column} || text 'OTHER'", "text": "{column} || 'x'", "character varying": "{column} || 'x'",
}  # fmt: skip
FROM_NULL = {
    "integer": "7",
    "numeric": "7",
    "boolean": "false",
    "date": "date '2025-01-01'",
    "text": "''",
    "character varying": "''",
}


def test_any_change_to_a_plan_is_noticed(loaded):
    """Rule 9: any value or row of an image, or the ledger's hash, altered after planning: publish refuses."""
    run_id = loaded.plan(changed())
    plan, before = planning.schemas(run_id)[0], fingerprint(loaded.engine)
    columns = loaded.rows(
        "select c.relname as table, a.attname as column,"
        " regexp_replace(format_type(a.atttypid, a.atttypmod), '[(].*[)]', '') as type"
        " from pg_attribute as a join pg_class as c on c.oid = a.attrelid and c.relkind = 'r'"
        " where c.relnamespace = cast(:plan as regnamespace) and a.attnum > 0"
        " and c.relname not in ('names', 'kept_dates', 'identified')"  # evidence: nothing of it is published
        " order by 1, a.attnum",
        plan=plan,
    )
    filled = {table for table, _, _ in columns if loaded.column(f"select count(*) from {quote(plan, table)}")[0]}
    for table in filled:
        loaded.write(f"create table etl.{quote('kept_' + table)} as table {quote(plan, table)}")
    tampering = [
        f"delete from {quote(plan, table)} where id = (select max(id) from {quote(plan, table)})"
        for table in sorted(filled)
    ]
    for table, column, kind in columns:
        if table in filled:
            name, value = quote(plan, table), TAMPERED[kind].format(column=quote(column))
            value = f"coalesce({value}, {FROM_NULL[kind]})" if kind in FROM_NULL else value
            tampering.append(f"update {name} set {quote(column)} = {value} where id = (select min(id) from {name})")
    assert len(tampering) > 100

    for statement in [
        *tampering,
        "update etl.run_leagues set plan_hash = md5(plan_hash)",
        "update etl.run_leagues set plan_hash = null",
    ]:
        hashes = loaded.rows("select run_id, plan_hash from etl.run_leagues")
        loaded.write(statement)
        with pytest.raises(PlanIsStale, match=f"the plan of {APTA} is not the one that was decided on"):
            planning.publish(loaded.engine, run_id, [APTA])
        for table in filled & {table for table in filled if quote(plan, table) in statement}:
            name = quote(plan, table)
            loaded.write(f"truncate {name}")
            loaded.write(f"insert into {name} select * from etl.{quote('kept_' + table)}")
        for row in hashes:
            loaded.write(
                "update etl.run_leagues set plan_hash = :hash where run_id = :run", run=row.run_id, hash=row.plan_hash
            )

    assert before == fingerprint(loaded.engine)
    loaded.publish(run_id)
