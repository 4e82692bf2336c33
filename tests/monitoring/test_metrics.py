"""Metrics: what is measured of live and of a run, and what is read of them afterwards."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, MakeDatabase, first, project
from rally_etl.checks.results import CheckResult, Rule
from rally_etl.database.engine import connect, read_only
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.monitoring.freshness import Freshness, read_freshness
from rally_etl.monitoring.keeping import Known, store_candidate, store_end, store_look
from rally_etl.monitoring.metrics import EVERYWHERE, KINDS, Metric, metrics_document, read_history, store
from rally_etl.monitoring.quality import freshness_metrics, rate_metrics
from rally_etl.monitoring.server import STATEMENT_LENGTH, normalised, server_metrics
from rally_etl.monitoring.volumes import count_tables
from rally_etl.planning.schema import schemas
from rally_etl.protection.orphans import Orphan
from scrapes import APTA, Import, changed

DOC = REPOSITORY / "docs" / "metrics.md"
AS_OF = dt.date(2025, 10, 1)
HEALTH = {
    "health_score": 91.0,
    "level": "good",
    "parts": [{"part": "validity", "score": 91.0}],
    "leagues": {APTA: {"health_score": 91.0, "parts": [{"part": "validity", "score": 91.0}]}},
}
ODD_SERIES = 'Series 7/8 "O\'Neil" %s :x'


@pytest.fixture(scope="module")
def live(
    make_database: MakeDatabase, small_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Import]:
    """The small scrape in live, and a league without any row; a series has an odd name."""
    with make_database(small_database) as url:
        settings = project(tmp_path_factory.mktemp("project"), url)
        engine = connect(settings, application_name="rally-etl tests")
        importing = Import(engine, settings)
        importing.write("insert into leagues (id, league_id, league_name) values (77, 'NSTF', 'Empty')")
        importing.write("update series set name = :name where name = 'Series 7 SW'", name=ODD_SERIES)
        yield importing
        engine.dispose()


def known(of: Import, *schemas: str, orphans: Sequence[Orphan] = ()) -> Known:
    """What the health has read of live, or of what is found first in *schemas*."""
    with read_only(of.engine, *schemas, "public") as connection:
        return Known(counts=count_tables(connection), fresh=read_freshness(connection, AS_OF), orphans=orphans)


def look(live: Import, results: Sequence[CheckResult] = (), orphans: Sequence[Orphan] = ()) -> int:
    """Take a look at live as health does; answer its number."""
    rests_on = known(live, orphans=orphans)
    number, _ = store_look(live.engine, live.settings, HEALTH, results, rests_on, as_of=AS_OF, seconds=1.5)
    assert number is not None
    return number


def values(live: Import, metric: str, league: str = APTA) -> dict[str, float]:
    """Subject -> value of a metric as the newest look has it."""
    rows = live.rows(
        "select subject, value from etl.metric_history"
        " where look = (select max(look) from etl.looks) and league = :league and metric = :metric",
        league=league,
        metric=metric,
    )
    return {row.subject: row.value for row in rows}


def history(live: Import, *metrics: str, league: str = APTA) -> dict[tuple[str, str], list[float]]:
    """Metric and subject -> values over the looks, the oldest first."""
    with live.engine.connect() as connection:
        found = read_history(connection, league, metrics, looks=True)
    return {key: [point.value for point in points] for key, points in found.items()}


def keep(live: Import, *metrics: Metric) -> None:
    """Keep metrics as those of one more look."""
    with live.engine.begin() as connection:
        sql = "insert into etl.looks (as_of, health_score, level) values ('2025-10-01', 90, 'good') returning look"
        store(connection, metrics, look=connection.scalar(sa.text(sql)))


def fresh_looks(live: Import) -> None:
    """Forget all looks."""
    live.write("delete from etl.looks")


def metric(name: str, value: float, subject: str = "", detail: Sequence[str] = ()) -> Metric:
    """A metric of the league."""
    return Metric(league=APTA, metric=name, value=value, subject=subject, detail=list(detail))


def result(outcome: str, failing_rows: int | None, check: str = "teams/name_is_unique") -> CheckResult:
    """What a check says of the league."""
    rule = Rule(check=check, severity="warn", dimension="uniqueness", title="Names are unique")
    return rule.result(APTA, outcome, failing_rows=failing_rows)


def test_every_metric_is_described():
    """docs/metrics.md has each metric with its subject and unit, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| ([\w/]*) ?\| (\w+) \|", DOC.read_text(encoding="utf-8"), re.M)

    assert {name: (kind.subject, kind.unit) for name, kind in KINDS.items()} == {
        name: (subject, unit) for name, subject, unit in rows
    }


def test_every_coverage_is_described(live):
    """docs/metrics.md has each subject of coverage, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| [a-z ]+ \| (?:have|are|name) ", DOC.read_text(encoding="utf-8"), re.M)
    look(live)

    assert set(rows) == set(values(live, "coverage"))


def test_view_of_the_page_is_as_it_says(live):
    """The query that docs/metrics.md shows answers."""
    look(live)
    (sql,) = re.findall(r"```sql\n(.*?);\n```", DOC.read_text(encoding="utf-8"), re.S)

    assert 1.0 in [row.value for row in live.rows(sql) if row.subject == "sides_with_team"]


def test_volumes_are_the_rows(live):
    """Rows per table, active ones, and per series, are those that live has."""
    look(live)
    tables = values(live, "rows")

    assert {"": sum(tables.values()) - tables[""]} == {"": tables[""]}
    assert (4, 16, 4, 3, 4) == tuple(
        tables[name] for name in ("teams", "players", "match_scores", "schedule", "series_stats")
    )
    assert {"teams": 4, "players": 16} == values(live, "rows_active")
    series = values(live, "rows_of_series")
    assert (16, 8, 8) == tuple(series[f"players{of}"] for of in ("", "/Series 12", f"/{ODD_SERIES}"))
    assert (3, 2, 1) == tuple(series[f"schedule{of}"] for of in ("", "/Series 12", f"/{ODD_SERIES}"))
    assert 2 == values(live, "rows", EVERYWHERE)["leagues"]


def test_practices_of_users_are_no_matches_of_a_series(live):
    """A practice counts as a row of the schedule and as nothing that a scrape brings."""
    with live.engine.connect() as connection:
        connection.execute(
            sa.text(
                "insert into schedule (league_id, match_date, home_team, home_team_id)"
                " select league_id, '2025-10-02', 'Skokie Practice - Series 12', id from teams limit 1"
            )
        )
        found = [each for each in count_tables(connection) if each.table == "schedule"]

    assert (4, 3) == (sum(each.rows for each in found), sum(each.used for each in found))
    assert 6 == sum(each.covered["scheduled_sides_with_team"][1] for each in found)


def test_league_without_rows_has_zeros_and_no_shares(live):
    """Nothing is made up of a league that has nothing: volumes are 0, shares and days are not known."""
    look(live)
    found = {name: values(live, name, "NSTF") for name in KINDS}

    assert {"rows", "rows_active", "rows_of_series", "orphans"} == {name for name, each in found.items() if each}
    assert {0.0} == {value for each in found.values() for value in each.values()}


@pytest.mark.parametrize(
    "change",
    [
        "drop table series_stats cascade",
        "alter table series drop league_id cascade",
        "alter table teams drop is_active cascade",
    ],
)
def test_database_that_lacks_something_is_counted_too(live, change):
    """The rows of the other tables are known; those of a table without league are of none."""
    with live.engine.connect() as connection:
        connection.execute(sa.text(change))
        found = count_tables(connection)
    rows = Counter()
    for each in found:
        rows[each.table] += each.rows

    assert (4, 16, 2) == tuple(rows[name] for name in ("teams", "players", "series"))
    assert ("series_stats" in change) == ("series_stats" not in rows)
    assert ("alter table series " in change) == ([None] == [each.league_id for each in found if each.table == "series"])


def test_orphans_are_counted_per_league_and_reference(live):
    """One of an unknown league is everywhere; a league that has none has 0."""
    orphans = [
        Orphan(kind="dangling", table="polls", row=str(row), column="team_id", target="teams", was="9", league=league)
        for row, league in enumerate((APTA, APTA, "*"))
    ]
    look(live, orphans=orphans)

    assert {"": 3, "polls.team_id": 3} == values(live, "orphans", EVERYWHERE)
    assert {"": 2, "polls.team_id": 2} == values(live, "orphans")
    assert {"": 0} == values(live, "orphans", "NSTF")


def test_rates_are_shares_of_the_table():
    """One of four teams fails; more rows than there are is all of them; the total is the share of checks."""
    rows = {APTA: {"teams": 4}, EVERYWHERE: {"teams": 9, "clubs": 10}}
    results = [
        result("warned", 1),
        result("failed", 7, "teams/active_team_has_players"),
        result("passed", 0, "teams/captains_are_few"),
        result("passed", 1, "clubs/club_has_teams"),
    ]
    found = {each.subject: each.value for each in rate_metrics(results, rows, [APTA])}

    assert {
        "": 0.75,
        "clubs/club_has_teams": 0.1,
        "teams/active_team_has_players": 1.0,
        "teams/name_is_unique": 0.25,
    } == found


@pytest.mark.parametrize("outcome", ["errored", "skipped"])
def test_check_that_says_nothing_has_no_rate(outcome):
    """It is named in the total, so that nobody reads a zero; without any answer there is no total either."""
    rows = {APTA: {"teams": 4}, EVERYWHERE: {"teams": 4}}
    silent = result(outcome, None, "teams/captains_are_few")
    (total,) = rate_metrics([result("passed", 0), silent], rows, [APTA])

    assert (0.0, ["teams/captains_are_few"]) == (total.value, total.detail)
    assert [] == rate_metrics([silent], rows, [APTA])


@pytest.mark.parametrize(
    ("played", "due", "expected"),
    first(
        2,
        [
            (9, 6, {"days_since_match": 9, "days_since_due": 6, "days_behind": 3}),
            (None, 6, {"days_since_due": 6, "days_behind": 6}),
            (2, 6, {"days_since_match": 2, "days_since_due": 6, "days_behind": 0}),
            (2, None, {"days_since_match": 2}),
            (None, None, {}),
        ],
    ),
)
def test_freshness_is_finite(played, due, expected):
    """Where no match was played at all the schedule is behind since the newest was due; nothing known is no metric."""
    days = [None if ago is None else AS_OF - dt.timedelta(days=ago) for ago in (played, due)]
    fresh = {1: Freshness(as_of=AS_OF, newest_match=days[0], newest_due=days[1])}

    assert expected == {each.metric: each.value for each in freshness_metrics(fresh, {APTA: [1]})}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_stored(live, value):
    """The message names metric, subject and league; nothing of the look is kept."""
    fresh_looks(live)
    with pytest.raises(RallyEtlError, match=rf"coverage x of {APTA} is {value}.*nothing was stored"):
        keep(live, metric("rows", 1), metric("coverage", value, "x"))

    assert [0] == live.column("select count(*) from etl.looks")


def test_metric_that_nobody_described_is_not_stored(live):
    """A name that is in no page and no chart does not creep in, nor is one read."""
    with pytest.raises(RallyEtlError, match="no metric speed"):
        keep(live, metric("speed", 1))
    with pytest.raises(UsageError, match="no metric speed"):
        history(live, "speed")


def test_storing_twice_is_once(live):
    """A second call for the same run and stage replaces the first, and leaves other stages alone."""
    live.write("insert into etl.runs (run_id, source, as_of) values ('twice', 'x', '2025-10-01')")
    with live.engine.begin() as connection:
        store(connection, [metric("rows", 1), metric("rows", 1, "teams")], run_id="twice")
        store(connection, [metric("duration", 5)], run_id="twice", stage="after")
        store(connection, [metric("rows", 2)], run_id="twice")
        found = metrics_document(connection, "twice")["metrics"]

    assert [("duration", "", 5), ("rows", "", 2)] == [
        (each["metric"], each["subject"], each["value"]) for each in found
    ]


def test_series_that_vanishes_reads_zero_from_then_on(live):
    """Not before it was there, and not where its table was not measured; its name may hold anything."""
    fresh_looks(live)
    keep(live, metric("rows_of_series", 10, "teams"), metric("rows_of_series", 10, "teams/Series 1"))
    keep(live, metric("rows_of_series", 14, "teams"), metric("rows_of_series", 4, f"teams/{ODD_SERIES}"))
    keep(live, metric("rows_of_series", 4, "players"))
    keep(live, metric("rows_of_series", 10, "teams"), metric("rows_of_series", 10, "teams/Series 1"))

    found = history(live, "rows_of_series")
    assert [10, 0, 10] == found["rows_of_series", "teams/Series 1"]
    assert [4, 0] == found["rows_of_series", f"teams/{ODD_SERIES}"]
    assert [10, 14, 10] == found["rows_of_series", "teams"]


def test_rate_that_is_not_stored_is_zero_but_of_a_silent_check(live):
    """A check that found nothing had the rate 0; of one that could not be asked nothing is known."""
    fresh_looks(live)
    keep(live, metric("check_rate", 0))
    keep(live, metric("check_rate", 0.5), metric("check_rate", 0.25, "teams/a"))
    keep(live, metric("check_rate", 0, detail=["teams/a"]))
    keep(live, metric("rows", 5))

    assert {("check_rate", ""): [0, 0.5, 0], ("check_rate", "teams/a"): [0, 0.25]} == history(live, "check_rate")


def test_newest_runs_are_read_and_looks_only_on_demand(live):
    """`runs` limits how far back; a look is no import."""
    fresh_looks(live)
    for number in (1, 2, 3):
        keep(live, metric("rows", number), metric("rows_active", number))
    with live.engine.connect() as connection:
        newest = read_history(connection, APTA, ["rows"], looks=True, runs=2)
        imports = read_history(connection, APTA, ["rows_active"])

    assert [2, 3] == [point.value for point in newest["rows", ""]]
    assert [True, True] == [point.is_good for point in newest["rows", ""]]
    assert {} == imports


def test_candidate_is_measured_before_it_is_live(loaded):
    """What is kept of a run is what live has once it is published, with what its files held; as strict JSON too."""
    run_id = loaded.plan(changed())
    rests_on = known(loaded, schemas(run_id)[1])
    store_candidate(loaded.engine, loaded.settings, run_id, {APTA: (88.0, {"validity": 80.0})}, rests_on)
    loaded.publish(run_id)
    with loaded.engine.connect() as connection:
        found = {
            (each["metric"], each["subject"]): each["value"]
            for each in metrics_document(connection, run_id)["metrics"]
            if each["league"] == APTA
        }
        points = read_history(connection, APTA, ["rows", "health"])

    for table in ("teams", "players", "match_scores", "schedule", "series_stats"):
        assert loaded.column(f"select count(*) from {table}") == [found["rows", table]], table
    assert (88, 80) == (found["health", ""], found["health_part", "validity"])
    assert (5, 0.0, 0.0) == (
        found["records", "match_scores"],
        found["quarantined", "match_scores"],
        found["damaged", ""],
    )
    assert (5, 3) == (found["records_of_series", "series_stats"], found["records_of_series", "match_scores/Series 12"])
    assert [(True, 17)] == [(point.is_good, point.value) for point in points["rows", "players"]]


def test_document_of_a_run_is_strict(loaded):
    """metrics.json parses without NaN; each metric has its unit and its meaning."""
    run_id = loaded.plan(changed())
    store_candidate(loaded.engine, loaded.settings, run_id, {APTA: (88.0, {})}, known(loaded, schemas(run_id)[1]))
    with loaded.engine.connect() as connection:
        text = json.dumps(metrics_document(connection, run_id), allow_nan=False)
    document = json.loads(text, parse_constant=pytest.fail)

    assert (run_id, "2025-10-01") == (document["run_id"], document["as_of"])
    assert {(each["metric"], each["unit"], each["told"]) for each in document["metrics"]} <= {
        (name, kind.unit, kind.told) for name, kind in KINDS.items()
    }


def test_run_that_ended_early_has_its_durations(live):
    """Of the stages that ended, whenever it was closed; without a candidate nothing else is known but the server."""
    live.write(
        "insert into etl.runs (run_id, source, as_of, started_at, finished_at, status)"
        " values ('early', 'x', '2025-10-01', '2025-10-01 06:00Z', '2025-10-02 18:00Z', 'completed')"
    )
    live.write(
        "insert into etl.stages (run_id, stage, ordinal, status, started_at, finished_at) values"
        " ('early', 'baseline', 1, 'completed', '2025-10-01 06:00Z', '2025-10-01 06:00:12.5Z'),"
        " ('early', 'import', 2, 'running', '2025-10-01 06:00:13Z', null), ('early', 'gate', 6, 'pending', null, null)"
    )
    store_end(live.engine, "early")
    with live.engine.connect() as connection:
        found = metrics_document(connection, "early")["metrics"]

    assert {"": 12.5, "baseline": 12.5} == {
        each["subject"]: each["value"] for each in found if each["metric"] == "duration"
    }
    assert {EVERYWHERE} == {each["league"] for each in found}


def test_looks_are_thinned_to_one_a_day(live):
    """After thirty days the last of a day stays, with its metrics; younger looks all do."""
    fresh_looks(live)
    for at in ("40 days", "40 days - 1 minute", "20 days", "20 days - 1 minute"):
        keep(live, metric("rows", 1))
        live.write(
            "update etl.looks set at = date_trunc('day', now()) + interval '6 hours' - cast(:ago as interval)"
            " where look = (select max(look) from etl.looks)",
            ago=at,
        )
    kept = live.column("select look from etl.looks order by look")
    number = look(live)

    assert [*kept[1:], number] == live.column("select look from etl.looks order by look")
    assert [*kept[1:], number] == live.column("select distinct look from etl.metrics where look is not null order by 1")


def test_server_tells_what_it_knows(live):
    """Size and sessions are always known; that the extension is not there is nothing to hear of at each look."""
    with live.engine.connect() as connection:
        found, missing = server_metrics(connection)

    assert {"database_size", "connections"} <= {each.metric for each in found}
    assert [] == [each for each in found if each.metric == "dead_rows" and not 0 <= each.value < 1]
    assert all(math.isfinite(each.value) for each in found)
    assert [] == missing


def test_slowest_statement_is_told_where_the_server_knows(live):
    """Of this database, of those that ran often enough, and of none that may hold a password; broken it is no error."""
    fake = """
        insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
        values (999999, 'pg_stat_statements', 10, cast('public' as regnamespace), true, '1.10');
        create view public.pg_stat_statements as
        select d.oid as dbid, s.query, cast(s.calls as bigint) as calls, cast(s.ms as float8) as mean_exec_time
        from pg_database as d, (values
            ('select a from polls where id = $1', 5, 12.5), ('create role x password ''secret''', 5, 99),
            ('select b', 2, 80), ('with c as (select 1) select ''Ann''', 3, 7.25)) as s (query, calls, ms)
        where d.datname = current_database()
        """
    with live.engine.connect() as connection:
        for statement in fake.split(";"):
            connection.execute(sa.text(statement))
        found, _ = server_metrics(connection)
        connection.execute(sa.text("drop view public.pg_stat_statements"))
        _, missing = server_metrics(connection)
    (slowest,) = [each for each in found if each.metric == "slowest_statement"]

    assert 12.5 == slowest.value
    told = ["12.5 ms in 5 calls: select a from polls where id = $1", "7.2 ms in 3 calls: with c as (select ?) select ?"]
    assert told == slowest.detail
    assert any(text.startswith("slowest_statement cannot be read: relation") for text in missing)


def test_login_without_rights_is_told_and_no_failure(live):
    """A reader without a ledger gets the numbers of live; that the look is not kept is said."""
    live.write("create role rally_metrics_reader")
    try:
        live.write("grant select on all tables in schema public to rally_metrics_reader")
        reader = sa.create_engine(
            live.settings.database_url, connect_args={"options": "-c role=rally_metrics_reader"}, poolclass=sa.NullPool
        )
        number, notes = store_look(reader, live.settings, HEALTH, [], known(live), as_of=AS_OF, seconds=1.0)
    finally:
        live.write("drop owned by rally_metrics_reader")
        live.write("drop role rally_metrics_reader")

    assert number is None
    assert "this look at live is not kept, so no trend will show it: permission denied for schema etl" == notes[-1]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select *\n  from users where id = $1", "select * from users where id = $1"),
        ("select 1 from players where name = 'Ann' and wins > 12", "select ? from players where name = ? and wins > ?"),
        ("update x set a = E'it\\'s', b = 'O''Neil' where c_1 = 1.5", "update x set a = ?, b = ? where c_1 = ?"),
        ("select $body$Ann Example$body$, $$Ann$$", "select ?, ?"),
        ("select 'cut in the mid", "select ?"),
    ],
)  # fmt: skip
def test_statement_is_told_without_values(statement, expected):
    """No literal leaves the server's statistics: a value may be a person's name."""
    assert expected == normalised(statement)


def test_long_statement_is_cut():
    """So many characters, whatever the statement."""
    assert STATEMENT_LENGTH == len(normalised("select " + "a, " * 999))


def test_look_sees_one_moment(live):
    """What is written while live is counted is in no count, or in all."""
    with read_only(live.engine, "public", one_moment=True) as connection:
        before = connection.scalar(sa.text("select count(*) from clubs"))
        live.write("insert into clubs (name) values ('Late Club')")
        after = connection.scalar(sa.text("select count(*) from clubs"))
    live.write("delete from clubs where name = 'Late Club'")

    assert before == after
