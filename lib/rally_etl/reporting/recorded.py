"""What the ledger holds about runs, as rows for tables and charts; nothing here writes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote, read_catalog
from rally_etl.identity.reviews import Question, read_open
from rally_etl.records.reasons import REASONS
from rally_etl.reporting.persons import without_persons

Rows = list[dict[str, Any]]

BY_LEAGUE_ID = (
    "select l.league_id as league, count(*) as rows from {table} as t"
    " left join leagues as l on l.id = t.league_id group by 1"
)
LEAGUE_OF = {
    "leagues": "select league_id as league, count(*) as rows from leagues group by 1",
    "clubs": "select l.league_id as league, count(distinct t.club_id) as rows from club_leagues as t"
    " join leagues as l on l.id = t.league_id group by 1",
}
"""How rows are counted per league where a table carries no `league_id` by design."""

REPLAYED = "(replayed from run "
FATES = ("new", "updated", "deactivated", "merged", "removed", "kept", "untouched")  # the rarest first
CHANGES = ("insert", "update", "deactivate", "delete")
OPERATIONS = (*CHANGES, "unchanged")


def fetch(connection: sa.Connection, sql: str, **binds: Any) -> Rows:
    """Rows of a query as dictionaries."""
    return [dict(row) for row in connection.execute(sa.text(sql), binds).mappings()]


def exists(connection: sa.Connection, name: str) -> bool:
    """Whether a table, view or (with a dot at its end) a schema of this name exists."""
    function = "to_regnamespace" if name.endswith(".") else "to_regclass"
    return connection.scalar(sa.text(f"select {function}(:name) is not null"), {"name": name.rstrip(".")})


def latest_run(connection: sa.Connection) -> str:
    """Id of the newest run, '' when there is none or no ledger yet."""
    if not exists(connection, "etl.runs"):
        return ""
    return connection.scalar(sa.text("select run_id from etl.runs order by started_at desc, run_id desc limit 1")) or ""


def run(connection: sa.Connection, run_id: str) -> dict[str, Any] | None:
    """The run's own row."""
    rows = fetch(connection, "select * from etl.runs where run_id = :run_id", run_id=run_id)
    return rows[0] if rows else None


def runs(connection: sa.Connection, limit: int = 30) -> Rows:
    """Newest runs first."""
    return fetch(
        connection,
        "select run_id, started_at, status, decision, dry_run, health_score, source from etl.runs"
        " order by started_at desc limit :limit",
        limit=limit,
    )


def stages(connection: sa.Connection, run_id: str) -> Rows:
    """The run's stages in order, with their seconds."""
    return fetch(
        connection,
        "select stage, ordinal, status, started_at, error,"
        " extract(epoch from finished_at - started_at)::float8 as seconds"
        " from etl.stages where run_id = :run_id order by ordinal",
        run_id=run_id,
    )


def leagues(connection: sa.Connection, run_id: str) -> Rows:
    """Decision, state, plan and reasons per league of the run."""
    return fetch(connection, "select * from etl.run_leagues where run_id = :run_id order by league", run_id=run_id)


def plan_rows(connection: sa.Connection, run_id: str) -> Rows:
    """One row per league and table of the plan, in the order of publishing, with a column per operation."""
    found = []
    for league in leagues(connection, run_id):
        for table in sorted(league["plan_counts"], key=_place):
            counts = league["plan_counts"][table]
            found.append(
                {"league": league["league"], "table": table} | {op: int(counts.get(op, 0)) for op in OPERATIONS}
            )
    return found


def plan_by_table(connection: sa.Connection, run_id: str) -> Rows:
    """One row per table of the plan over all leagues."""
    totals: dict[str, dict[str, Any]] = {}
    for row in plan_rows(connection, run_id):
        total = totals.setdefault(row["table"], {"table": row["table"]} | dict.fromkeys(OPERATIONS, 0))
        for operation in OPERATIONS:
            total[operation] += row[operation]
    return sorted(totals.values(), key=lambda row: _place(row["table"]))


def source_files(connection: sa.Connection, run_id: str) -> Rows:
    """Files of the run's scrape."""
    return fetch(
        connection, "select * from etl.source_files where run_id = :run_id order by league, kind", run_id=run_id
    )


QUARANTINE = (
    " from etl.quarantine as q join etl.source_files as f using (sha256, ruleset, league, kind)"
    " where f.run_id = :run_id"
)


def quarantine_by_reason(connection: sa.Connection, run_id: str) -> Rows:
    """Quarantined records of the run's files: league, kind, reason, class and count, most first."""
    rows = fetch(
        connection,
        f"select league, kind, reason, count(*) as records {QUARANTINE}"
        " group by 1, 2, 3 order by records desc, 1, 2, 3",
        run_id=run_id,
    )
    return [row | {"class": REASONS.get(row["reason"], "fault")} for row in rows]


def quarantine_examples(connection: sa.Connection, run_id: str, per_reason: int = 2) -> Rows:
    """A few quarantined records of each league, kind and reason, with all their faults and their original text.

    What names a person in them is left out; `etl.quarantine` has it.
    """
    found = fetch(
        connection,
        "select league, kind, reason, record_no, faults, left(original, 300) as original from ("
        "  select q.*, row_number() over (partition by league, kind, reason order by record_no) as place"
        f" {QUARANTINE}) as examples where place <= :per_reason order by reason, league, kind, record_no limit 60",
        run_id=run_id,
        per_reason=per_reason,
    )
    return [row | {"original": without_persons(row["original"])} for row in found]


def held_rows(connection: sa.Connection, run_id: str) -> Rows:
    """Staged rows that wait because their team or player is not known, most rows first."""
    return fetch(
        connection,
        "select league, kind, reason, name, row_count from etl.held_rows where run_id = :run_id"
        " order by row_count desc, league, kind, name limit 200",
        run_id=run_id,
    )


def reviews(connection: sa.Connection, run_id: str) -> list[Question]:
    """Open questions about identity that the run asks, those that rows wait for first."""
    found = read_open(connection, run_id=run_id) if exists(connection, "etl.reviews") else []
    return sorted(found, key=lambda question: (not question.review.is_held, question.league, -question.held_rows))


def fates(connection: sa.Connection, run_id: str) -> Rows:
    """What became of the rows of the run's leagues: league, table_name, fate, why, row_count; tables in order."""
    rows = fetch(connection, "select * from etl.fates where run_id = :run_id", run_id=run_id)
    return sorted(
        rows,
        key=lambda row: (
            row["league"],
            _place(row["table_name"]),
            FATES.index(row["fate"]),
            -row["row_count"],
            row["why"],
        ),
    )


def check_results(connection: sa.Connection, run_id: str) -> Rows:
    """Checks of the run, failures first; of the keys of failing rows only the number, see `failing_keys`."""
    return fetch(
        connection,
        "select check_name, league, severity, outcome, failing_rows, threshold, seconds, error, sample, dimension,"
        " title, owner, why, mend, cardinality(keys) as keys from etl.check_results where run_id = :run_id order by"
        " array_position(array['errored', 'failed', 'warned', 'skipped', 'passed'], outcome), check_name, league",
        run_id=run_id,
    )


def failing_keys(
    connection: sa.Connection, run_id: str, check: str, league: str, first: int = 1, limit: int = 1000
) -> list[str]:
    """Keys of the failing rows of a check from the one of number *first* on, in the order found."""
    values = {"run_id": run_id, "check": check, "league": league, "first": first, "last": first + limit - 1}
    rows = fetch(
        connection,
        "select keys[:first : :last] as keys from etl.check_results"
        " where run_id = :run_id and check_name = :check and league = :league",
        **values,
    )
    return [key for row in rows for key in row["keys"]]


def check_outcomes(connection: sa.Connection, run_id: str) -> Rows:
    """Number of checks per league and outcome."""
    return fetch(
        connection,
        "select league, outcome, count(*) as checks from etl.check_results where run_id = :run_id group by 1, 2",
        run_id=run_id,
    )


def agreements(connection: sa.Connection, run_id: str) -> Rows:
    """Agreements of the run's sources, those that differ too much first, then by the share that is told alike."""
    return fetch(
        connection,
        "select * from etl.agreements where run_id = :run_id order by array_position("
        "array['errored', 'failed', 'held', 'warned', 'measured', 'passed', 'skipped'], outcome),"
        " agreeing / nullif(cast(compared as double precision), 0), name, league",
        run_id=run_id,
    )


def standings(connection: sa.Connection, run_id: str) -> Rows:
    """Standings beside their lines: per league the teams of each class, those that differ, how many are computed."""
    return fetch(connection, "select * from etl.standings where run_id = :run_id order by league", run_id=run_id)


def metrics(connection: sa.Connection, run_id: str, stage: str = "") -> Rows:
    """Measures of the run as they were glued, of one stage or of all."""
    return fetch(
        connection,
        "select stage, league, metric, value, detail from etl.metrics where run_id = :run_id"
        " and (stage = :stage or :stage = '') order by stage, league, metric",
        run_id=run_id,
        stage=stage,
    )


def anomalies(connection: sa.Connection, run_id: str) -> Rows:
    """What was unusual of the run, or heads for a threshold: anomalies first, then the soonest."""
    if not exists(connection, "etl.anomalies"):
        return []
    return fetch(
        connection,
        "select * from etl.anomalies where run_id = :run_id order by kind, days_left, league, metric, subject",
        run_id=run_id,
    )


def glued(document: dict[str, Any]) -> Rows:
    """Measures of a stage as `metrics` answers them, from the document that its notebook has glued."""
    return [
        {"league": league, "metric": name, "value": each["value"], "detail": each.get("detail", [])}
        for league, measures in sorted(document["leagues"].items())
        for name, each in measures.items()
    ]


def rows_per_league(connection: sa.Connection) -> Rows:
    """One row per table and league: live rows, or the candidate's when the search path says so."""
    catalog = read_catalog(connection)
    found = []
    for name in (name for name in IMPORTED if name in catalog):
        sql = LEAGUE_OF.get(name) or BY_LEAGUE_ID.format(table=quote(name))
        if name not in LEAGUE_OF and not catalog[name].has("league_id"):
            sql = f"select null as league, count(*) as rows from {quote(name)}"
        found += [{"table": name, **row, "league": row["league"] or "none"} for row in fetch(connection, sql)]
    return found


def constraints(connection: sa.Connection) -> Rows:
    """Constraints and unique indexes that stand on the imported tables."""
    return fetch(
        connection,
        """
        select t.relname as table, c.conname as name,
               case c.contype when 'p' then 'primary key' when 'u' then 'unique' when 'f' then 'foreign key'
                    when 'c' then 'check' else c.contype::text end as kind,
               pg_get_constraintdef(c.oid) as definition
        from pg_constraint as c join pg_class as t on t.oid = c.conrelid
        where t.relnamespace = 'public'::regnamespace and t.relname = any(:imported)
          and c.contype in ('p', 'u', 'f', 'c')
        union all
        select t.relname, i.relname, 'unique index', pg_get_indexdef(x.indexrelid)
        from pg_index as x join pg_class as i on i.oid = x.indexrelid join pg_class as t on t.oid = x.indrelid
        where t.relnamespace = 'public'::regnamespace and t.relname = any(:imported) and x.indisunique
          and not exists (select from pg_constraint as c where c.conindid = x.indexrelid and c.contype in ('p', 'u'))
        order by 1, 3, 2
        """,
        imported=list(IMPORTED),
    )


def _place(table: str) -> int:
    return IMPORTED.index(table) if table in IMPORTED else len(IMPORTED)
