"""How the outcome of a guarded command is taken over: under its new ids or under the old ones, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from rally_etl.database.catalog import IMPORTED, quote, read_catalog
from rally_etl.database.references import find_references, read_reference_params
from rally_etl.measures import counted
from rally_etl.naming import Leagues, load_leagues
from rally_etl.params import read_model
from rally_etl.planning.pointers import PERSON_KEY
from rally_etl.protection.guard import user_rows
from rally_etl.protection.guard.imported_rows import TARGETS, Source
from rally_etl.protection.guard.reissued import ENTITIES, Reissued, map_ids

if TYPE_CHECKING:
    from rally_etl.settings import Settings

DIRECT, OLD_IDS = "direct", "old_ids"


class GuardParams(BaseModel):
    """`params/guard.yaml`; ``preserved`` is a share from 0 to 1, ``timeout_s`` seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preserved: Annotated[float, Field(ge=0, le=1)]
    timeout_s: Annotated[float, Field(gt=0)]


def load_guard_params(params_dir: Path) -> GuardParams:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is missing, unknown or out of range.
    """
    return read_model(params_dir / "guard.yaml", GuardParams, "the command was not started")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The method, in words why, and what it was chosen by.

    Attributes:
        users_changes: references of users' rows that would get new ids.
        imported_changes: imported rows that would get old ids, or references to them.
        counts: what became of the ids, a row per table (`Reissued.counts`).
        unsure, dropped: table -> what may be several things, and what nothing after stands for, as texts.
        seasons: league -> ``active_before`` teams, and the names of teams and series that ``gone`` or ``come``.
    """

    method: str
    why: str
    preserved: int
    entities: int
    users_changes: int
    imported_changes: int
    counts: list[dict[str, Any]]
    unsure: dict[str, list[str]]
    dropped: dict[str, list[str]]
    seasons: dict[str, dict[str, Any]]


def choose(
    connection: sa.Connection, settings: Settings, before: str, params: GuardParams, *, is_old_ids: bool = False
) -> Choice:
    """Decide by the share of preserved ids, and by which way changes less.

    Args:
        is_old_ids: the operator wants the old ids, whatever is preserved.
        before: schema with the picture taken before the command; live is as the command left it. Temporary tables are
            made, which go with the transaction.
    """
    reissued = map_ids(connection, settings, before, "public")
    reissued.write(connection)
    references = read_reference_params(settings.params_dir / "references.yaml")
    found = find_references(connection, references, with_imported=True)
    tables = user_rows.user_tables(connection, before)
    users = 0
    for each in found:
        if each.table in tables or (each.table == user_rows.SCHEDULE and each.rows == references.practice_rows):
            users += _repointed(connection, before, each.table, each.column, each.target, each.target_column, each.rows)
    imported = _reissued_rows(connection)
    rate = f"{reissued.preserved:,} of {counted(reissued.entities, 'id')} still mean the same ({reissued.rate:.1%})"
    source = Source(connection, before, False, (), references.practice_rows)
    outside = sorted({each.table for each in found} - tables.keys() - set(IMPORTED))
    either = f"{counted(users, 'reference')} of users would get new ids, {counted(imported, 'imported row')} old ones"
    if reissued.is_unsure:
        method, why = OLD_IDS, f"{rate}, but some things may be several others"
    elif outside:
        method, why = OLD_IDS, f"{rate}, but {', '.join(outside)} is not guarded and knows only the old ids"
    elif unkeyed := user_rows.unkeyed(source, tables):
        method, why = OLD_IDS, f"{rate}, but rows of {', '.join(unkeyed)} have changed and have no key"
    elif is_old_ids:
        method, why = OLD_IDS, f"{rate}; the old ids were asked for"
    elif reissued.rate < params.preserved:
        method, why = OLD_IDS, f"{rate}, fewer than {params.preserved:.0%}; {either}"
    elif imported < users:
        method, why = OLD_IDS, f"{rate}; {either}, which is fewer changes"
    else:
        method, why = DIRECT, f"{rate}; {either}"
    return Choice(
        method=method,
        why=why,
        preserved=reissued.preserved,
        entities=reissued.entities,
        users_changes=users,
        imported_changes=imported,
        counts=reissued.counts(),
        unsure={
            table: [f"{old}: {', '.join(map(str, others))}" for old, others in sorted(pairs.unsure.items())]
            for table, pairs in reissued.tables.items()
            if pairs.unsure
        },
        dropped={
            table: sorted(f"{name} ({old})" for old, name in pairs.dropped.items())
            for table, pairs in reissued.tables.items()
            if pairs.dropped
        },
        seasons=_seasons(reissued, load_leagues(settings.params_dir)),
    )


def _seasons(reissued: Reissued, leagues: Leagues) -> dict[str, dict[str, Any]]:
    """Which active teams, and series with any, each league has lost and won."""
    teams, series, keys = (reissued.tables[table] for table in ("teams", "series", "leagues"))
    back = {new: old for old, new in teams.ids.items()}
    of_series = {new: old for old, new in series.ids.items()}
    found = {}
    for league_id, row in {**keys.before, **{new: row for new, row in keys.after.items() if new in keys.added}}.items():
        after_id = league_id if league_id in keys.added else keys.ids.get(league_id)
        was = {n: t for n, t in teams.before.items() if t["league_id"] == league_id and t["is_active"] is not False}
        now = {n: t for n, t in teams.after.items() if t["league_id"] == after_id and t["is_active"] is not False}
        series_was = {team["series_id"] for team in was.values()}
        series_now = {of_series.get(team["series_id"], f"new {team['series_id']}") for team in now.values()}
        key = leagues.canonical(row["league_id"]) or row["league_id"]
        found[key] = {
            "active_before": len(was),
            "gone": sorted(team["team_name"] for old, team in was.items() if teams.ids.get(old) not in now),
            "come": sorted(team["team_name"] for new, team in now.items() if back.get(new) not in was),
            "series_gone": sorted(
                series.before[old]["name"] for old in series_was - series_now if old in series.before
            ),
            "series_come": sorted(
                series.after[team["series_id"]]["name"]
                for team in {team["series_id"]: team for team in now.values()}.values()
                if of_series.get(team["series_id"], f"new {team['series_id']}") not in series_was
                and team["series_id"] in series.after
            ),
        }
    return found


def _repointed(
    connection: sa.Connection, before: str, table: str, column: str, target: str, target_column: str, rows: str | None
) -> int:
    """Rows of users whose reference has another id now."""
    value = f"s.{quote(column)}"
    if target in ENTITIES and target_column == "id":
        into = f"reissued as r on r.table_name = '{target}' and r.old_id = {value} and r.new_id <> r.old_id"
    elif target_column == PERSON_KEY:
        into = f"reissued_persons as r on r.old = {value}"
    else:
        return 0
    part = f"(select * from {quote(before, table)}{f' where {rows}' if rows else ''})"
    return connection.scalar(sa.text(f"select count(*) from {part} as s join {into}"))


def _reissued_rows(connection: sa.Connection) -> int:
    """Imported rows of live that have another id than before, or refer to one that has."""
    found = 0
    for name, table in read_catalog(connection).items():
        others = [
            f"l.{quote(column)} in (select new_id from reissued where table_name = '{target}' and new_id <> old_id)"
            for column, target in [*TARGETS.items(), *([("id", name)] if name in ENTITIES else [])]
            if table.has(column) and (column == "id" or target != name)
        ]
        if others:
            sql = f"select count(*) from {quote('public', name)} as l where {' or '.join(others)}"
            found += connection.scalar(sa.text(sql))
    return found
