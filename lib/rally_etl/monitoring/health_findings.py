"""What a health score rests on, beside the checks: rows, freshness, orphans, constraints, agreements, the last run."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from rally_etl.checks.agreement import Agreement, read_agreements
from rally_etl.database.catalog import IMPORTED, readable_ledger
from rally_etl.measures import counted
from rally_etl.monitoring.freshness import Freshness, read_freshness
from rally_etl.monitoring.health import Finding
from rally_etl.monitoring.health_params import HealthParams
from rally_etl.monitoring.keeping import Known
from rally_etl.monitoring.volumes import OF_NO_LEAGUE, Count, count_tables
from rally_etl.protection.constraints import keys
from rally_etl.protection.open_orphans import OpenOrphans, count_user_rows, read_open_orphans
from rally_etl.protection.orphans import KINDS, Orphan
from rally_etl.settings import Settings

NEEDED = ("series", "teams", "players", "match_scores", "schedule", "series_stats")
"""Tables of which a league has rows, or something is missing."""

CONSTRAINT_CHECK = "constraint/"
"""How the checks begin that the database's own constraints ask."""

USERS, SOURCES, FRESHNESS, CONSTRAINTS, TABLES = "rows of users", "sources", "freshness", "constraints", "tables"
"""Where findings count that are of no imported table."""

_PRESENT = sa.text("select n from unnest(cast(:names as text[])) as n where to_regclass('public.' || n) is not null")
_READ = {"runs", "run_leagues", "agreements", "check_results", "user_rows"}
LOOKED_BACK = 20
"""So many runs of a league are looked through for what the newest ones did not measure or ask."""
_AGREEMENTS = sa.text(
    f"""
    with newest as (
        select league, run_id, row_number() over (partition by league order by run_id desc) as place
        from etl.run_leagues where run_id = :run or state in ('published', 'verified'))
    select distinct on (a.league, a.name) a.league, a.name, a.outcome, a.compared, a.agreeing, a.note
    from newest as n join etl.agreements as a using (run_id, league)
    where n.place <= {LOOKED_BACK} and a.outcome <> 'skipped'
    order by a.league, a.name, a.run_id desc
    """
)
_LAST_ASKED = sa.text(
    f"""
    with newest as (
        select league, run_id, row_number() over (partition by league order by run_id desc) as place
        from etl.run_leagues where run_id < :run or :run = ''),
    asked as (
        select n.league, max(n.run_id) as run_id from newest as n
        where n.place <= {LOOKED_BACK}
            and exists (select from etl.check_results as c where c.run_id = n.run_id and c.league = n.league)
        group by n.league)
    select c.league, c.check_name, c.severity, c.dimension, c.outcome, c.failing_rows, c.title
    from etl.check_results as c join asked using (run_id, league)
    """
)
_HAS_MEMORY = sa.text("select exists (select from etl.user_rows)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """All that a score rests on beside the answers of checks, of all leagues at one moment.

    Attributes:
        counts: rows of every table, league and series.
        fresh: ``leagues.id`` -> freshness.
        agreements: league -> name -> its newest result that became live, or of the run.
        last_asked: league -> check -> what the last run says of it.
        remembers: whether the ledger knows what users' rows were.
    """

    counts: Sequence[Count]
    fresh: dict[int, Freshness]
    lacking: list[str]
    orphans: OpenOrphans
    user_rows: int
    constraints: list[keys.Finding]
    declared: list[Agreement]
    agreements: dict[str, dict[str, sa.Row]] = field(default_factory=dict)
    last_asked: dict[str, dict[str, sa.Row]] = field(default_factory=dict)
    remembers: bool = False


def look_around(connection: sa.Connection, settings: Settings, as_of: dt.date, run_id: str = "") -> Around:
    """Read all of it; orphans that the run does not mend and constraints of live, all else of what *connection* sees.

    Raises:
        UsageError: params that cannot be read.
    """
    present = set(connection.scalars(_PRESENT, {"names": list(IMPORTED)}))
    has_ledger = _READ <= readable_ledger(connection)
    agreements: dict[str, dict[str, sa.Row]] = {}
    last_asked: dict[str, dict[str, sa.Row]] = {}
    if has_ledger:
        for row in connection.execute(_AGREEMENTS, {"run": run_id}):
            agreements.setdefault(row.league, {})[row.name] = row
        for row in connection.execute(_LAST_ASKED, {"run": run_id}):
            last_asked.setdefault(row.league, {})[row.check_name] = row
    is_whole = {"leagues", "schedule", "match_scores"} <= present
    return Around(
        counts=count_tables(connection),
        fresh=read_freshness(connection, as_of) if is_whole else {},
        lacking=[name for name in IMPORTED if name not in present],
        orphans=read_open_orphans(connection, settings, run_id),
        user_rows=count_user_rows(connection, settings),
        constraints=keys.find_constraints(connection, settings),
        declared=read_agreements(settings.params_dir),
        agreements=agreements,
        last_asked=last_asked,
        remembers=bool(has_ledger and connection.scalar(_HAS_MEMORY)),
    )


def known_of(around: Around) -> Known:
    """What of it is measured for trends, too."""
    return Known(counts=around.counts, fresh=around.fresh, orphans=[*around.orphans.new, *around.orphans.asked])


def rows_of(counts: Iterable[Count], league_id: int | None) -> dict[str, int]:
    """Table -> rows that count in a league: of teams and players the active ones, of the schedule the matches.

    Tables that no league owns count as a whole.
    """
    rows: Counter[str] = Counter()
    for each in counts:
        rows[each.table] += each.used if each.league_id == league_id or each.table in OF_NO_LEAGUE else 0
    return dict(rows)


def findings_of(
    params: HealthParams, around: Around, league: str, league_id: int | None, asked: Sequence[Finding]
) -> list[Finding]:
    """Everything that the score of a league rests on.

    Args:
        asked: one finding per check that was asked, or should have been, with `outcome` None.
    """
    rows = rows_of(around.counts, league_id)
    return [
        *_checks(around, league, rows, asked),
        *_tables(around.lacking),
        *_rows(rows, league, around.lacking),
        _freshness(params, around.fresh.get(league_id), league),
        *_orphans(around, league),
        *_constraints(around.constraints),
        *_agreements(around, league),
    ]


def in_season(params: HealthParams, around: Around, league_id: int | None) -> bool:
    """Whether matches of a league are played or due about now."""
    known = around.fresh.get(league_id)
    return known is not None and known.is_in_season(params.season_days)


def _checks(around: Around, league: str, rows: Mapping[str, int], asked: Sequence[Finding]) -> Iterator[Finding]:
    """The checks with the rows they are a share of; one without an answer has the failing rows of its last one."""
    before = around.last_asked.get(league, {})
    look = f"rally-etl check --league {league} --check"
    for each in asked:
        # live and candidates are asked different ones of these; what passes is no table of its own in either
        if each.check.startswith(CONSTRAINT_CHECK) and each.state == "passed":
            continue
        found = replace(each, rows=rows.get(each.table, 0), command=f"{look} {each.check}")
        if found.state == "unknown" and (last := before.get(each.check)) is not None:
            found = replace(found, failing_rows=_failing(last))
        if found.state == "unknown" and not found.todo:
            found = replace(found, todo="Ask it by itself, and mend what the database says: the query or the database")
        yield found
    names = {each.check for each in asked}
    for name, last in before.items():
        # what a constraint of the database demanded is no file that somebody took away
        if name not in names and not name.startswith(CONSTRAINT_CHECK):
            table = name.partition("/")[0]
            yield Finding(
                check=name, table=table, dimension=last.dimension or "consistency", severity=last.severity,
                outcome="gone", failing_rows=_failing(last), rows=rows.get(table, 0), title=last.title,
                todo=f"Put params/checks/{name}.sql back; if it is gone for good, the next run forgets it",
                command="git log --oneline -- params/checks",
            )  # fmt: skip


def _failing(last: sa.Row) -> int:
    return (last.failing_rows or 0) if last.outcome in ("failed", "warned") else 0


def _tables(lacking: Sequence[str]) -> Iterator[Finding]:
    for name in IMPORTED:
        yield Finding(
            check=f"{name}/table_is_there", table=TABLES, dimension="completeness", severity="error", kind="table",
            outcome=None if name in lacking else "passed", failing_rows=None, title="The table is there",
            told=f"this database has no table {name}" if name in lacking else "",
            todo="A migration of the application makes it; in a database of one's own `rally-etl db init` does",
            command="rally-etl db init",
        )  # fmt: skip


def _rows(rows: Mapping[str, int], league: str, lacking: Sequence[str]) -> Iterator[Finding]:
    for name in NEEDED:
        if name in lacking:
            continue
        is_empty = not rows.get(name)
        yield Finding(
            check=f"{name}/has_rows", table=name, dimension="completeness", severity="warn", kind="rows",
            outcome="warned" if is_empty else "passed", failing_rows=None, lost=1.0 if is_empty else 0.0,
            extent=1.0 if is_empty else None, told=f"{league} has no row in {name}" if is_empty else "",
            title="The league has rows in the table", command="rally-etl run --source DIR",
            todo="Import a scrape that has it; a league that is closed is taken out of `leagues` by the application",
        )  # fmt: skip


def _freshness(params: HealthParams, known: Freshness | None, league: str) -> Finding:
    finding = Finding(
        check="match_scores/freshness", table=FRESHNESS, dimension="timeliness", severity="warn", kind="freshness",
        outcome=None, failing_rows=None, title="Matches are there soon after they were due",
        told="freshness was not measured",
        todo=f"Scrape the matches of {league} again; see whether the scraper runs at all",
        command="rally-etl run --source DIR",
    )  # fmt: skip
    if known is None:
        return finding
    if known.newest_match is None and known.newest_due is None and known.next_due is None:
        told = "nothing was played, nothing is due: nobody can say how old the matches are"
        return replace(finding, outcome="skipped", lost=1.0, told=told)
    lag = known.lag_days or 0
    fresh, stale = params.lag_days.fresh, params.lag_days.stale
    lost = 1.0 if math.isinf(lag) else min(1.0, max(0.0, (lag - fresh) / (stale - fresh)))
    told = f"{known.told()}: {lag:.0f} days behind" if lost and not math.isinf(lag) else known.told()
    return replace(finding, outcome="warned" if lost else "passed", lost=lost, extent=lag / stale, told=told)


def _orphans(around: Around, league: str) -> Iterator[Finding]:
    shapes = (
        ("orphans", "users/orphans", around.orphans.new, "error",
         "Look at them, then repair; what cannot be mended is asked", "rally-etl orphans --repair --dry-run"),
        ("asked", "users/orphans_asked", around.orphans.asked, "warn",
         "Answer the questions that wait: until then users do not see these rows", "rally-etl reviews"),
    )  # fmt: skip
    for kind, name, orphans, severity, todo, command in shapes:
        own = [each for each in orphans if each.league in (league, "*")]
        yield Finding(
            check=name, table=USERS, dimension="consistency", severity=severity, kind=kind,
            outcome=("failed" if severity == "error" else "warned") if own else "passed", failing_rows=len(own),
            rows=around.user_rows, title="What users wrote points at what it was written about",
            told=_told(own, around.user_rows) if own else "", todo=todo, command=command,
        )  # fmt: skip
    if around.user_rows:
        yield Finding(
            check="users/memory", table=USERS, dimension="consistency", severity="warn", kind="memory",
            outcome="passed" if around.remembers else "skipped", failing_rows=None,
            told="" if around.remembers else "what users' rows were about is not remembered: no run has noted it",
            title="The ledger remembers what users' rows are about", todo="Import a scrape: every run notes it first",
            command="rally-etl run --source DIR",
        )  # fmt: skip


def _told(orphans: Sequence[Orphan], user_rows: int) -> str:
    """Counts per reference, without what a row says."""
    counts = Counter((f"{each.table}.{each.column}" if each.column else each.table, each.kind) for each in orphans)
    first = [f"{count:,} of {name}: {KINDS[kind]}" for (name, kind), count in counts.most_common(3)]
    more = f"; and {counted(len(counts) - 3, 'other reference')}" if len(counts) > 3 else ""
    lost = f"{len(orphans):,} of {counted(user_rows, 'row')} of users have lost what they are about"
    return f"{lost} ({'; '.join(first)}{more})"


def _constraints(found: Sequence[keys.Finding]) -> Iterator[Finding]:
    if not found:
        yield Finding(
            check="database/constraints", table=CONSTRAINTS, dimension="uniqueness", severity="error",
            kind="constraint", outcome="passed", failing_rows=0, title="Keys and constraints stand",
        )  # fmt: skip
    for each in found:
        # what only asks for a look (a key that stands twice, one that other programs rest on) has no cap
        is_doubt = each.severity != "error" and (each.table in IMPORTED or each.kind in ("doubled_key", "contradicted"))
        yield Finding(
            check=f"database/{each.kind}.{each.table}.{'_'.join(each.columns)}", table=CONSTRAINTS,
            dimension="uniqueness", severity=each.severity, kind="doubt" if is_doubt else "constraint",
            outcome="failed" if each.severity == "error" else "warned", failing_rows=each.rows,
            lost=1.0 if each.severity == "error" else 0.1, extent=1.0, title=each.why, told=each.told,
            todo=f"`rally-etl constraints --repair` {each.mend}" if not each.mend.startswith("nothing") else each.mend,
            command="rally-etl constraints",
        )  # fmt: skip


def _agreements(around: Around, league: str) -> Iterator[Finding]:
    known = around.agreements.get(league, {})
    base: dict[str, Any] = {"table": SOURCES, "dimension": "accuracy", "kind": "agreement"}
    if around.declared and not known:
        yield Finding(
            check="sources/agreement", severity="warn", outcome="skipped", failing_rows=None, lost=1.0, **base,
            title="The sources of the league tell the same",
            told=f"no import of {league} that is live has compared its sources",
            todo="Import a scrape: every run compares them", command="rally-etl run --source DIR",
        )  # fmt: skip
    for each in around.declared:
        row = known.get(each.name)
        if row is None:
            continue
        outcome = {"passed": "passed", "measured": "passed", "failed": "failed", "errored": "errored"}.get(row.outcome)
        differing = row.compared - row.agreeing
        yield Finding(
            check=f"sources/{each.name}", severity="error" if row.outcome == "failed" else "warn",
            outcome=outcome or "warned", failing_rows=differing, rows=row.compared, title=each.title,
            told=f"{each.title}: " + (f"{differing:,} of {row.compared:,} differ" if row.compared else row.note or ""),
            todo=each.mend, command=f"rally-etl run --source DIR --league {league}", **base,
        )  # fmt: skip
