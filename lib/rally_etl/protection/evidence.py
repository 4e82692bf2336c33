"""Evidence of the stage integration: does everything that users own still mean the same in the candidate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import read_only
from rally_etl.database.ownership import read_ownership
from rally_etl.database.references import (
    Reference,
    ReferenceParams,
    find_references,
    read_columns,
    read_reference_params,
)
from rally_etl.errors import RallyEtlError
from rally_etl.measures import Measures, counted, measure, store_metrics
from rally_etl.naming import Leagues, is_one_name, load_leagues
from rally_etl.planning.merge import own_name
from rally_etl.planning.operations import of_run
from rally_etl.planning.schema import schemas
from rally_etl.protection.accounted import unaccounted_rows
from rally_etl.protection.hand_kept import compare_hand_kept
from rally_etl.protection.identity import is_same_thing
from rally_etl.settings import Settings

STAGE = "integration"
NAMES = (
    "references_lost",
    "references_moved",
    "references_renamed",
    "user_rows_changed",
    "hand_kept_changed",
    "pages_worse",
)

_TABLES = sa.text(
    "select relname from pg_class where relnamespace = to_regnamespace(quote_ident(:name)) and relkind <> 'i'"
)
# Pages of a team, and the rows that fill them.
_PAGES = {
    "roster": "select team_id from {players} where is_active is not false and team_id is not null",
    "standing": "select team_id from {series_stats} where team_id is not null",
    "schedule": (
        "select unnest(array[home_team_id, away_team_id]) as team_id from {schedule}"
        " where coalesce(away_team, '') <> '' and home_team not ilike '%practice%'"
    ),
}


@dataclass(slots=True)
class _Found:
    """Counts and texts per measure and league; what concerns no league of the run concerns every one."""

    leagues: tuple[str, ...]
    keys: dict[int, str]
    decided: dict[tuple[str, int], str] = field(default_factory=dict)  # table and id -> why its new name is its own
    counts: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    texts: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, leagues: Iterable[str | None], count: int, text: str) -> None:
        """Count something for those of *leagues* that the run has, or for all."""
        for league in {each for each in leagues if each in self.leagues} or self.leagues:
            self.counts[name, league] += count
            self.texts[name, league].append(text)

    def measures(self) -> Measures:
        """One entry per league and measure, zero where nothing was found."""
        return {
            league: {name: measure(self.counts[name, league], sorted(self.texts[name, league])) for name in NAMES}
            for league in self.leagues
        }


def integration_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Compare what user rows point at in live and in the candidate; the measures go to the ledger too.

    Rows of users that a run without a scrape re-points are compared as they would be; that it re-points them as its
    operation says, and changes nothing else of them, is accounted for row by row.

    Raises:
        RallyEtlError: the run has no candidate to compare with.
        UsageError: `params/references.yaml` cannot be read.
    """
    params = read_reference_params(settings.params_dir / "references.yaml")
    plan, candidate = schemas(run_id)
    known = load_leagues(settings.params_dir)
    with read_only(engine, candidate, "public") as connection:
        seen = set(connection.scalars(_TABLES, {"name": candidate}))
        planned = set(connection.scalars(_TABLES, {"name": plan}))
        if not seen:
            raise RallyEtlError(f"run {run_id} has no candidate; nothing was compared\nhint: run the scrape again")
        leagues = tuple(
            connection.scalars(
                sa.text("select league from etl.run_leagues where run_id = :run_id order by league"), {"run_id": run_id}
            )
        )
        rows = connection.execute(sa.text("select id, league_id from leagues")).all()
        found = _Found(leagues, {row.id: known.canonical(row.league_id) or row.league_id for row in rows})
        found.decided = _decided(connection, plan)
        columns = read_columns(connection)
        operation = of_run(connection, run_id)
        references = find_references(connection, params)
        for reference in references:
            if reference.target in seen:
                users = candidate if operation and reference.table in seen else "public"
                _compare(connection, reference, params, candidate, users, columns, found, known)
        _count_user_rows(connection, params, plan, planned, columns, found, operation is None)
        for kept in compare_hand_kept(connection, read_ownership(settings.params_dir), params, run_id, operation):
            found.add("hand_kept_changed", [], 0, kept.told)
            for row, leagues in kept.changes:
                found.add("hand_kept_changed", leagues, 1, f"{kept.name} of {row}")
                found.add("user_rows_changed", leagues, 1, f"{kept.name} of {row}")
        if operation:
            for text in unaccounted_rows(connection, known, run_id, operation, params):
                found.add("user_rows_changed", [], 1, text)
        _count_pages(connection, candidate, found)
    measures = found.measures()
    store_metrics(engine, run_id, STAGE, measures)
    return measures


def _compare(
    connection: sa.Connection,
    reference: Reference,
    params: ReferenceParams,
    candidate: str,
    users: str,
    columns: set[tuple[str, str]],
    found: _Found,
    known: Leagues,
) -> None:
    """Count the user rows of one reference whose target is gone, or is another thing than before.

    Args:
        users: schema in which the user rows are read.
    """
    for row in connection.execute(sa.text(_changed_targets(reference, params, candidate, users, columns))):
        leagues = [found.keys.get(row.league_id)]
        if row.is_lost:
            text = f"{reference.name}: {counted(row.row_count, 'row')} of {row.before!r} ({reference.target} {row.key})"
            found.add("references_lost", leagues, row.row_count, text)
        elif is_same_thing(
            reference.target, own_name(row.before), own_name(row.after), params.series_words
        ) or _is_respelled(reference.target, row, found, known):
            continue
        elif why := found.decided.get((reference.target, row.id)):
            text = f"{reference.name}: {counted(row.row_count, 'row')} of {row.before!r}, now {row.after!r}: {why}"
            found.add("references_renamed", leagues, row.row_count, text)
        else:
            text = f"{reference.name}: {counted(row.row_count, 'row')} of {row.before!r} would be of {row.after!r}"
            found.add("references_moved", leagues, row.row_count, text)


def _decided(connection: sa.Connection, plan: str) -> dict[tuple[str, int], str]:
    """Live rows that identity has found under another name, by their players or by what a person said."""
    rows = connection.execute(
        sa.text(
            f"select table_name, id, evidence from {quote(plan, 'identified')}"
            " where strategy in ('roster', 'alias', 'name')"
        )
    )
    return {(row.table_name, row.id): row.evidence for row in rows}


def _is_respelled(target: str, row: sa.Row, found: _Found, known: Leagues) -> bool:
    """Whether the league's own grammar reads both names as one: `Biltmore 14a 14` and `Biltmore 14a`."""
    key = found.keys.get(row.league_id)
    if target not in ("teams", "series") or key is None:
        return False
    return is_one_name(known.get(key), own_name(row.before), own_name(row.after))


def _changed_targets(
    reference: Reference, params: ReferenceParams, candidate: str, users: str, columns: set[tuple[str, str]]
) -> str:
    """Referenced live rows that are gone from the candidate under their key, or have another name there."""
    key = quote(reference.target_column)
    live, after = quote("public", reference.target), quote(candidate, reference.target)
    league = "null::integer"
    if reference.target == "leagues":
        league = "l.id"
    elif (reference.target, "league_id") in columns:
        league = "l.league_id"
    rows = f" and ({reference.rows})" if reference.rows else ""
    user_key = quote(reference.column)
    before_name, after_name = (_name(alias, reference.target, params) for alias in ("l", "c"))
    return f"""
        with used as (
            select cast({user_key} as text) as key, count(*) as row_count
            from {quote(users, reference.table)}
            where {user_key} is not null{rows}
            group by {user_key}
        ),
        compared as (
            select distinct on (u.key)
                u.key, u.row_count, {league} as league_id, l.id,
                {before_name} as before, {after_name} as after,
                not exists (select from {after} as x where cast(x.{key} as text) = u.key) as is_lost
            from used as u
            join {live} as l on cast(l.{key} as text) = u.key
            left join {after} as c on c.id = l.id and cast(c.{key} as text) = u.key
            order by u.key, ({after_name} = {before_name}) is true desc, l.id
        )
        select * from compared where is_lost or before is distinct from after and after is not null
        """


def _name(alias: str, target: str, params: ReferenceParams) -> str:
    """SQL of the name of a row; NULL without a row."""
    columns = params.identity.get(target, ["id"])
    text = ", ".join(f"{alias}.{quote(column)}" for column in columns)
    return f"case when {alias}.id is not null then concat_ws(' ', {text}) end"


def _count_user_rows(
    connection: sa.Connection,
    params: ReferenceParams,
    plan: str,
    planned: set[str],
    columns: set[tuple[str, str]],
    found: _Found,
    is_import: bool,
) -> None:
    """Count the rows of users that an import would write."""
    for what, sql in _user_row_queries(params, plan, planned, columns, is_import):
        for row in connection.execute(sa.text(sql)):
            found.add("user_rows_changed", row.leagues, 1, f"{what} {row.shown}")


def _user_row_queries(
    params: ReferenceParams, plan: str, planned: set[str], columns: set[tuple[str, str]], is_import: bool
) -> Iterator[tuple[str, str]]:
    if "schedule" in planned and is_import:
        table = quote(plan, "schedule")
        yield (
            "practice row",
            f"select p._leagues as leagues, concat_ws(' ', p.id, p.home_team, p.match_date) as shown from {table} as p"
            f" where p.id in (select id from {table} where {params.practice_rows}"
            f" union select id from public.schedule where {params.practice_rows})",
        )
    for name in sorted(planned & {table for table, _ in columns} - set(IMPORTED)) if is_import else ():
        yield (
            f"{name} row",
            f"select array[]::text[] as leagues, cast(p as text) as shown from {quote(plan, name)} as p",
        )


def _count_pages(connection: sa.Connection, candidate: str, found: _Found) -> None:
    """Count the pages of teams that stay active and would lose all their rows."""
    tables = ("players", "series_stats", "schedule")
    live, after = ({name: quote(schema, name) for name in tables} for schema in ("public", candidate))
    for page, sql in _PAGES.items():
        gone = connection.execute(
            sa.text(
                f"select t.league_id, t.team_name from {quote(candidate, 'teams')} as t"
                f" join (select distinct team_id from ({sql.format(**live)}) as l) as b on b.team_id = t.id"
                f" left join (select distinct team_id from ({sql.format(**after)}) as c) as a on a.team_id = t.id"
                " where t.is_active is not false and a.team_id is null order by t.team_name"
            )
        )
        for row in gone:
            if (key := found.keys.get(row.league_id)) in found.leagues:
                found.add("pages_worse", [key], 1, f"{page} of {row.team_name}")
