"""Evidence of the stage integration: does everything that users own still mean the same in the candidate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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
from rally_etl.measures import Measures, counted, measure
from rally_etl.naming import load_leagues
from rally_etl.planning.operations import of_run
from rally_etl.planning.schema import schemas
from rally_etl.protection.account import account, store_accounts
from rally_etl.protection.accounted import unaccounted_rows
from rally_etl.protection.hand_kept import compare_hand_kept
from rally_etl.protection.kept import keys_that_differ, practices_that_differ
from rally_etl.protection.meaning import Meaning, read_meaning
from rally_etl.protection.stored.evidence import unlike_snapshot
from rally_etl.protection.user_tables import find_user_tables
from rally_etl.settings import Settings

NAMES = (
    "references_lost",
    "references_moved",
    "references_renamed",
    "user_rows_changed",
    "hand_kept_changed",
    "practices_differ",
    "keys_differ",
)
_FATES = {fate: f"references_{fate}" for fate in ("lost", "moved", "renamed")} | {"emptied": "references_lost"}
"""Measure that a fate of an account counts in: a reference that is emptied has lost what it pointed at."""


_TABLES = sa.text(
    "select relname from pg_class where relnamespace = to_regnamespace(quote_ident(:name)) and relkind <> 'i'"
)


@dataclass(slots=True)
class _Found:
    """Counts and texts per measure and league; what concerns no league of the run concerns every one."""

    leagues: tuple[str, ...]
    keys: dict[int, str]
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
        meaning = read_meaning(connection, known, params.series_words, run_id)
        found = _Found(leagues, meaning.keys)
        columns = read_columns(connection)
        operation = of_run(connection, run_id)
        references = find_references(connection, params)
        accounts = account(connection, params, ("public",), (candidate, "public"), meaning)
        for reference in references:
            # what an import makes of users' rows is in the account; what an operation does, in what it may do
            if reference.target in seen and (operation or not reference.is_users):
                users = candidate if operation and reference.table in seen else "public"
                _compare(connection, reference, params, candidate, users, columns, found, meaning)
        if operation is None:
            for each in accounts:
                for fate, league_id, count, text in each.told:
                    found.add(_FATES[fate], [found.keys.get(league_id)], count, text)
        _count_keys(connection, params, candidate, operation, found)
        _count_user_rows(connection, params, plan, planned, columns, found, operation is None)
        for kept in compare_hand_kept(connection, read_ownership(settings.params_dir), params, run_id, operation):
            found.add("hand_kept_changed", [], 0, kept.told)
            for row, leagues in kept.changes:
                found.add("hand_kept_changed", leagues, 1, f"{kept.name} of {row}")
                found.add("user_rows_changed", leagues, 1, f"{kept.name} of {row}")
        if operation:
            texts = unaccounted_rows(connection, known, run_id, operation, params)
            if operation["kind"] == "restore":
                texts = unlike_snapshot(connection, settings, run_id, operation)
            for text in texts:
                found.add("user_rows_changed", [], 1, text)
    measures = found.measures()
    with engine.begin() as connection:
        store_accounts(connection, run_id, "candidate", accounts)
    return measures


def _count_keys(
    connection: sa.Connection,
    params: ReferenceParams,
    candidate: str,
    operation: Mapping[str, Any] | None,
    found: _Found,
) -> None:
    """Count keys of users' rows, and practices of teams, that differ; a guarded run is compared with its snapshot,
    and so is a restore."""
    if operation and operation["kind"] in ("guard", "undo", "restore"):
        return
    sides = find_user_tables(connection, params), ("public",), (candidate, "public"), operation is None
    for count, text in keys_that_differ(connection, *sides):
        found.add("keys_differ", [], count, text)
    for league_id, count, text in practices_that_differ(connection, *sides):
        found.add("practices_differ", [found.keys.get(league_id)], count, text)


def _compare(
    connection: sa.Connection,
    reference: Reference,
    params: ReferenceParams,
    candidate: str,
    users: str,
    columns: set[tuple[str, str]],
    found: _Found,
    meaning: Meaning,
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
        elif meaning.is_same(reference.target, row.league_id, row.before, row.after):
            continue
        elif why := meaning.why_renamed(reference.target, [row.id]):
            text = f"{reference.name}: {counted(row.row_count, 'row')} of {row.before!r}, now {row.after!r}: {why}"
            found.add("references_renamed", leagues, row.row_count, text)
        else:
            text = f"{reference.name}: {counted(row.row_count, 'row')} of {row.before!r} would be of {row.after!r}"
            found.add("references_moved", leagues, row.row_count, text)


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
