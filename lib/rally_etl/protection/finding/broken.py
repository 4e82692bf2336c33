"""Broken rows of one reference, and what they, the memory and the history still say of the thing that is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import Known, club_of, id_of
from rally_etl.protection.finding.wording import called, practice_of
from rally_etl.protection.orphans import Orphan

_NEAR = ("series", "leagues", "clubs")
_NUMBERS = ("integer", "bigint", "smallint")


@dataclass(slots=True, kw_only=True)
class Broken:
    """One broken row of one reference.

    Attributes:
        was: what the reference says.
        shown: the text that tells a person which row is meant.
        person: the name of a player that the row says.
        beside: what else the search has read.
        had, name: the last right value in memory, and the name of what it stood for.
        series, league_id, club: to which the row's other references lead, the nearest first.
    """

    row: str
    was: str | None
    shown: str | None
    person: str | None
    beside: str | None
    had: str | None = None
    name: str = ""
    series: str | None = None
    league_id: int | None = None
    club: str | None = None


def read_broken(
    ground: Ground, reference: Reference, source: str, binds: Mapping[str, Any] | None = None, *, beside: str = ""
) -> list[Broken]:
    """Read broken rows with what is known of them, by key.

    What is known is read for these rows alone: mostly there are none, and a planner that expects none is wrong when
    there are many.

    Args:
        source: SQL from the word ``from`` on; the rows of the reference under the alias ``u``.
        beside: SQL of one more text.
    """
    siblings = list(ground.siblings(reference))
    others = "".join(f", cast(u.{quote(each.column)} as text)" for each in siblings)
    person = "u.player_name" if ground.has(reference.table, "player_name") else "cast(null as text)"
    rows = ground.connection.execute(
        sa.text(
            f"select {ground.key(reference.table, 'u')}, cast(u.{quote(reference.column)} as text),"
            f" {ground.shown(reference.table, 'u')}, {person}, {beside or 'cast(null as text)'}{others}"
            f" {source} order by 1"
        ),
        dict(binds or {}),
    ).all()
    found = [Broken(row=row[0], was=row[1], shown=row[2], person=row[3], beside=row[4]) for row in rows]
    if found:
        _remember(ground, reference, found)
        for number, each in sorted(enumerate(siblings), key=lambda pair: pair[1].target not in _NEAR):
            _place(ground, each, [(broken, row[5 + number]) for broken, row in zip(found, rows, strict=True)])
    return found


def _remember(ground: Ground, reference: Reference, found: list[Broken]) -> None:
    """Fill in what memory has of the rows."""
    if not ground.has_memory:
        return
    column = ground.text(reference.column)
    rows = ground.connection.execute(
        sa.text(
            f"select m.row_key, m.image ->> {column}, m.image -> '_names' ->> {column} from etl.user_rows as m"
            " where m.table_name = :table and m.row_key = any(:keys)"
        ),
        {"table": reference.table, "keys": [each.row for each in found]},
    )
    memory = {row[0]: (row[1], row[2] or "") for row in rows}
    for each in found:
        each.had, each.name = memory.get(each.row, (None, ""))


def _place(ground: Ground, reference: Reference, found: list[tuple[Broken, str | None]]) -> None:
    """Fill in series, league and club where they are not known yet, from what another reference of the rows says."""
    values = sorted({value for _, value in found if value is not None})
    key = f"t.{quote(reference.target_column)}"
    if ground.type(reference.target, reference.target_column) in _NUMBERS:
        values = [number for value in values if (number := id_of(value)) is not None]
    places = {
        str(row.key): row
        for row in ground.connection.execute(
            sa.text(f"{_places(ground, reference.target, key)} where {key} = any(:values) group by 1"),
            {"values": values},
        )
    }
    for broken, value in found:
        if (place := places.get(value or "")) is not None:
            broken.series = broken.series or place.series
            broken.league_id = place.league_id if broken.league_id is None else broken.league_id
            broken.club = broken.club or place.club


def _places(ground: Ground, target: str, key: str) -> str:
    """SQL of series, league and club per key of a target; a person in several has those that are the same in all."""
    columns = {"series": "cast(null as text)", "league_id": "cast(null as integer)", "club": "cast(null as text)"}
    joins = ""
    if target == "leagues":
        columns["league_id"] = "t.id"
    elif ground.has(target, "league_id"):
        columns["league_id"] = "t.league_id"
    for name, foreign, table, alias in (("series", "series_id", "series", "s"), ("club", "club_id", "clubs", "c")):
        if target == table:
            columns[name] = "t.name"
        elif ground.has(target, foreign) and ground.has(table, "name"):
            joins += f" left join {quote('public', table)} as {alias} on {alias}.id = t.{foreign}"
            columns[name] = f"{alias}.name"
    values = ", ".join(
        f"case when count(distinct {sql}) = 1 then min({sql}) end as {name}" for name, sql in columns.items()
    )
    return f"select {key} as key, {values} from {quote('public', target)} as t{joins}"


def what_of(reference: Reference, row: Broken) -> str:
    """How a sentence calls the row: `poll 12 ("Friday or Monday?")`."""
    return called(reference.label, row.row, row.shown)


def orphan(
    ground: Ground, reference: Reference, kind: str, row: Broken, known: Known, *, had: str | None, told: str
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
