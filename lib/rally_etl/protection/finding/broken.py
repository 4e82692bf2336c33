"""Broken rows of one reference, and what they, the memory and the history still say of the thing that is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import Known, club_of
from rally_etl.protection.finding.wording import called, practice_of
from rally_etl.protection.orphans import Orphan

_COLUMN = {"series": "name", "leagues": "id", "clubs": "name"}
_FOREIGN = {"series": "series_id", "leagues": "league_id", "clubs": "club_id"}


def read_broken(
    ground: Ground,
    reference: Reference,
    source: str,
    binds: Mapping[str, Any] | None = None,
    *,
    beside: Mapping[str, str] | None = None,
) -> Sequence[sa.Row]:
    """Read broken rows with what is known of them, by key.

    Args:
        source: SQL from the word ``from`` on; the rows of the reference under the alias ``u``.
        beside: further columns, name -> SQL.

    Returns:
        rows of ``row``, ``shown``, ``was``, ``image``, ``person``, ``series``, ``league_id``, ``club``, and *beside*.
    """
    image, memory = "cast(null as jsonb)", ""
    if ground.has_memory:
        image = "m.image"
        memory = (
            f" left join etl.user_rows as m on m.table_name = {ground.text(reference.table)} and m.row_key = b._row"
        )
    series, leagues, clubs = (_lookups(ground, reference, what) for what in ("series", "leagues", "clubs"))
    person = "b.player_name" if ground.has(reference.table, "player_name") else "cast(null as text)"
    extra = "".join(f", {sql} as {quote(name)}" for name, sql in (beside or {}).items())
    names = "".join(f", b.{quote(name)}" for name in beside or {})
    return ground.connection.execute(
        sa.text(
            f"with broken as materialized (select u.*, {ground.key(reference.table, 'u')} as _row,"
            f" {ground.shown(reference.table, 'u')} as _shown{extra} {source})"
            f" select b._row as row, b._shown as shown, cast(b.{quote(reference.column)} as text) as was,"
            f" {image} as image, {person} as person, {series} as series, {leagues} as league_id, {clubs} as club{names}"
            f" from broken as b{memory} order by b._row"
        ),
        dict(binds or {}),
    ).all()


def remembered(row: sa.Row, column: str) -> str | None:
    """The last right value of a reference in memory; None where nobody remembers one."""
    value = (row.image or {}).get(column)
    return None if value is None else str(value)


def remembered_name(row: sa.Row, column: str) -> str:
    """The name of what a reference pointed at when it was last right."""
    return ((row.image or {}).get("_names") or {}).get(column) or ""


def what_of(reference: Reference, row: sa.Row) -> str:
    """How a sentence calls the row: `poll 12 ("Friday or Monday?")`."""
    return called(reference.label, row.row, row.shown)


def orphan(
    ground: Ground, reference: Reference, kind: str, row: sa.Row, known: Known, *, had: str | None, told: str
) -> Orphan:
    """The finding of one row: what the ledger knows of the thing, else what the row itself says of it."""
    league = ground.league(row.league_id) or known.league or "*"
    practice = practice_of(row.shown) or ("", "")
    name, series, club = known.name, known.series, known.club
    if reference.target == "players":
        name = name or row.person or ""
    elif reference.target == "series":
        name = name or practice[1] or row.series or ""
        series = series or name
    elif reference.target == "clubs":
        name = name or row.club or ""
        club = name
    elif reference.target == "teams" and not club:
        club = club_of(ground, league, name, series)
    return Orphan(
        kind=kind,
        table=reference.table,
        row=row.row,
        column=reference.column,
        target=reference.target,
        was=row.was,
        had=had,
        name=name,
        series=series or practice[1] or row.series or "",
        club=club or practice[0] or row.club or "",
        league=league,
        told=told,
    )


def _lookups(ground: Ground, reference: Reference, what: str) -> str:
    """SQL of the series, league or club that other references of the same row lead to, the nearest first."""
    near: list[str] = []
    far: list[str] = []
    column, foreign = _COLUMN[what], _FOREIGN[what]
    for each in ground.siblings(reference):
        value = f"cast(b.{quote(each.column)} as text)"
        target = quote("public", each.target)
        same = f"cast(t.{quote(each.target_column)} as text) = {value}"
        if each.target == what:
            near.append(f"(select t.{column} from {target} as t where {same})")
        elif each.target in ("teams", "players", "series") and ground.has(each.target, foreign):
            other = quote("public", what)
            far.append(
                f"(select min(x.{column}) from {target} as t join {other} as x on x.id = t.{foreign} where {same}"
                f" having count(distinct x.id) = 1)"
            )
    nothing = "cast(null as integer)" if what == "leagues" else "cast(null as text)"
    return f"coalesce({', '.join([*near, *far, nothing])})"
