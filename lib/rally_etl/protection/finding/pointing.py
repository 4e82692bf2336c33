"""References of users and of imports that point at nothing, or are empty and were not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import ONE, Known, club_of, known_ids
from rally_etl.protection.finding.wording import called, practice_of
from rally_etl.protection.orphans import Orphan


def find_dangling(ground: Ground, references: tuple[Reference, ...]) -> Iterator[Orphan]:
    """References whose value no row of their target has."""
    for each in references:
        broken = (
            f"select u.*, {ground.key(each.table, 'u')} as _row, {ground.shown(each.table, 'u')} as _shown"
            f" from {_rows(ground, each)} as u where u.{quote(each.column)} is not null and not exists ("
            f"select from {quote('public', each.target)} as t where {ground.points(each, 'u', 't')})"
        )
        rows = ground.connection.execute(sa.text(with_context(ground, each, broken))).all()
        known = known_ids(ground, each.target, (row.was for row in rows)) if each.target_column == "id" else {}
        for row in rows:
            yield _orphan(ground, each, "dangling", row, known.get(row.was, Known()), had=row.was)


def find_emptied(ground: Ground) -> Iterator[Orphan]:
    """References of users that are NULL although the ledger remembers a value, or that must never be NULL."""
    for each in ground.references:
        if not (ground.has_memory or each.is_required):
            continue
        empty = f"u.{quote(each.column)} is null"
        source = _rows(ground, each)
        key = ground.key(each.table, "u")
        if not each.is_required:
            source += (
                f" as u join etl.user_rows as r on r.table_name = '{each.table}' and r.row_key = {key}"
                f" and r.image ->> '{each.column}' is not null"
            )
        else:
            source += " as u"
        broken = f"select u.*, {key} as _row, {ground.shown(each.table, 'u')} as _shown from {source} where {empty}"
        rows = ground.connection.execute(sa.text(with_context(ground, each, broken))).all()
        values = [(row.image or {}).get(each.column) for row in rows]
        had = [None if value is None else str(value) for value in values]
        known = known_ids(ground, each.target, had) if each.target_column == "id" else {}
        for row, value in zip(rows, had, strict=True):
            yield _orphan(ground, each, "emptied", row, known.get(value or "", Known()), had=value)


def with_context(ground: Ground, reference: Reference, broken: str) -> str:
    """SQL of broken rows with what is known of them: `row`, `was`, `shown`, `image`, `player_name`, series and league.

    Args:
        broken: SQL of the rows, all their columns beside `_row` and `_shown`.
    """
    image, memory = "cast(null as jsonb)", ""
    if ground.has_memory:
        image = "m.image"
        memory = f" left join etl.user_rows as m on m.table_name = '{reference.table}' and m.row_key = b._row"
    series, leagues, clubs = (_lookups(ground, reference, what) for what in ("series", "leagues", "clubs"))
    person = "b.player_name" if ground.has(reference.table, "player_name") else "cast(null as text)"
    return (
        f"with broken as materialized ({broken}) select b._row as row, b._shown as shown,"
        f" cast(b.{quote(reference.column)} as text) as was, {image} as image, {person} as player_name,"
        f" {series} as series, {leagues} as league_id, {clubs} as club from broken as b{memory} order by b._row"
    )


def _rows(ground: Ground, reference: Reference) -> str:
    """Rows of the reference, with their place where the table has no key."""
    if ground.tables[reference.table].key:
        return ground.rows(reference)
    condition = f" where {reference.rows}" if reference.rows else ""
    return f"(select *, ctid from {quote('public', reference.table)}{condition})"


def _lookups(ground: Ground, reference: Reference, what: str) -> str:
    """SQL of the series, league or club that other references of the same row lead to, the nearest first."""
    near: list[str] = []
    far: list[str] = []
    column = {"series": "name", "leagues": "id", "clubs": "name"}[what]
    foreign = {"series": "series_id", "leagues": "league_id", "clubs": "club_id"}[what]
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


def _orphan(ground: Ground, reference: Reference, kind: str, row: Any, known: Known, had: str | None) -> Orphan:
    """The finding of one row: what the ledger knows of the id, else what the row itself says."""
    names = (row.image or {}).get("_names") or {}
    remembered = (row.image or {}).get(reference.column)
    if kind == "dangling" and remembered is not None:
        had = str(remembered)
    league = ground.league(row.league_id) or known.league or "*"
    name = known.name or _text(names.get(reference.column))
    club, series = practice_of(row.shown) or ("", "")
    if reference.target == "players":
        name = name or row.player_name or ""
    if reference.target in ("teams", "players"):
        series = known.series or series or row.series or ""
        club = known.club or (club_of(ground, league, name, series) if reference.target == "teams" else "") or club
        club = club or row.club or ""
    elif reference.target == "series":
        series, name = known.series or name or series, name or series
        club = row.club or club
    else:
        series, club = row.series or series, name if reference.target == "clubs" else row.club or club
    what = called(reference.label, row.row, row.shown)
    one = ONE[reference.target]
    # What the row itself says of the name is no sighting of the id.
    was = known if known.name or not name else Known(name=name, series=series, until=known.until, into=known.into)
    if kind == "dangling":
        told = f"{what} points at {one} {row.was}{was.told(reference.target) or ', of which nothing is known'}"
    elif had is None:
        told = f"{what} has no {one}, and must have one"
    else:
        told = f"{what} has no {one} and had {had}{was.told(reference.target)}"
    return Orphan(
        kind=kind,
        table=reference.table,
        row=row.row,
        column=reference.column,
        target=reference.target,
        was=row.was,
        had=had,
        name=name,
        series=series,
        club=club,
        league=league,
        told=told,
    )


def _text(value: object) -> str:
    """A remembered name; memory may keep more than the name of a thing."""
    if isinstance(value, dict):
        return str(value.get("name") or "")
    return "" if value is None else str(value)
