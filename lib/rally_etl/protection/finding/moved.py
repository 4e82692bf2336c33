"""References of users that point at another thing than before: re-pointed, or their id stands for another thing now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference
from rally_etl.protection.finding.broken import orphan, read_broken, what_of
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import ONE, Knowledge, is_one_thing
from rally_etl.protection.finding.texts import find_misnamed_players, find_misplaced_practices
from rally_etl.protection.finding.turned import find_turned
from rally_etl.protection.identity import name_sql
from rally_etl.protection.orphans import Orphan


@dataclass(frozen=True, slots=True)
class _Said:
    """What memory has of rows of one reference, and what these say; one per combination."""

    value: str
    had: str
    name: str


def find_moved(ground: Ground) -> Iterator[Orphan]:
    """Every row that points at another thing once, by the surest sign of it."""
    seen: set[tuple[str, str, str]] = set()
    for finder in (_find_by_memory, find_turned, find_misplaced_practices, find_misnamed_players):
        for each in finder(ground):
            place = (each.table, each.row, each.column)
            if place not in seen:
                seen.add(place)
                yield each


def _find_by_memory(ground: Ground) -> Iterator[Orphan]:
    """Rows that say something else than memory has, or the same while it stands for another thing.

    What a published run of ours writes is in the memory at once, under the names that it gives, so a difference is
    somebody else's work. People choose some references anew; only of those that they never write again another value
    counts.
    """
    if not ground.has_memory:
        return
    names: dict[tuple[str, str], dict[str, sa.Row]] = {}
    for table in sorted({each.table for each in ground.references}):
        references = [each for each in ground.references if each.table == table]
        noted, repointed = _noted(ground, references), _repointed(ground, references)
        for each in references:
            target = (each.target, each.target_column)
            if target not in names and (noted[each] or repointed[each]):
                names[target] = _names(ground, each)
            now = names.get(target, {})
            wrong = [one for one in repointed[each] if one.value in now]
            wrong += [one for one in noted[each] if one.had in now and _is_other(ground, each, one.name, now[one.had])]
            yield from _moved(ground, each, wrong, now)


def _noted(ground: Ground, references: list[Reference]) -> dict[Reference, list[_Said]]:
    """Values and names that memory has of the rows of one table: what rows say that nobody has changed since."""
    values = ", ".join(
        f"({place}, u.image ->> {text}, u.image -> '_names' ->> {text})"
        for place, text in enumerate(ground.text(each.column) for each in references)
    )
    rows = ground.connection.execute(
        sa.text(
            "select v.place, v.had as value, v.had, v.name from etl.user_rows as u"
            f" cross join lateral (values {values}) as v(place, had, name)"
            " where u.table_name = :table and u.gone_at is null and v.had is not null and v.name is not null"
            " group by 1, 2, 3, 4"
        ),
        {"table": references[0].table},
    )
    return _by_reference(references, rows)


def _repointed(ground: Ground, references: list[Reference]) -> dict[Reference, list[_Said]]:
    """Values of references that are never written again, where they are others than those in memory."""
    table, fixed = references[0].table, [each for each in references if each.is_fixed]
    if not fixed or ground.is_as_noted(table):
        return _by_reference(references, ())
    values = ", ".join(
        f"({references.index(each)}, cast(u.{quote(each.column)} as text), r.image ->> {text},"
        f" r.image -> '_names' ->> {text})"
        for each, text in ((each, ground.text(each.column)) for each in fixed)
    )
    rows = ground.connection.execute(
        sa.text(
            f"select v.place, v.value, v.had, v.name from {ground.rows(references[0])} as u"
            f" join etl.user_rows as r on r.table_name = :table and r.row_key = {ground.key(table, 'u')}"
            f" cross join lateral (values {values}) as v(place, value, had, name)"
            " where v.value <> v.had and v.name is not null group by 1, 2, 3, 4"
        ),
        {"table": table},
    )
    return _by_reference(references, rows)


def _by_reference(references: list[Reference], rows: Iterable[sa.Row]) -> dict[Reference, list[_Said]]:
    found: dict[Reference, list[_Said]] = {each: [] for each in references}
    for row in rows:
        found[references[row.place]].append(_Said(row.value, row.had, row.name))
    return found


def _names(ground: Ground, reference: Reference) -> dict[str, sa.Row]:
    """Value of a reference -> names that it stands for now (a person may have several) and their league."""
    league = "null::integer"
    if reference.target == "leagues":
        league = "t.id"
    elif ground.has(reference.target, "league_id"):
        league = "t.league_id"
    rows = ground.connection.execute(
        sa.text(
            f"select cast(t.{quote(reference.target_column)} as text) as value, min({league}) as league_id,"
            f" array_agg({name_sql('t', reference.target, ground.params)} order by t.id) as names"
            f" from {quote('public', reference.target)} as t group by 1"
        )
    )
    return {row.value: row for row in rows}


def _moved(ground: Ground, reference: Reference, said: list[_Said], now: dict[str, sa.Row]) -> Iterator[Orphan]:
    """The rows that say this."""
    if not said:
        return
    column = ground.text(reference.column)
    value = f"cast(u.{quote(reference.column)} as text)"
    rows = read_broken(
        ground,
        reference,
        f"from {ground.rows(reference)} as u join etl.user_rows as r on r.table_name = {ground.text(reference.table)}"
        f" and r.row_key = {ground.key(reference.table, 'u')}"
        " join unnest(cast(:values as text[]), cast(:hads as text[]), cast(:names as text[])) as x(value, had, name)"
        f" on x.value = {value} and x.had = r.image ->> {column} and x.name = r.image -> '_names' ->> {column}",
        {
            "values": [one.value for one in said],
            "hads": [one.had for one in said],
            "names": [one.name for one in said],
        },
    )
    is_id = reference.target_column == "id"
    known = Knowledge.read(ground, reference.target, (one.had for one in said) if is_id else ())
    one = ONE[reference.target]
    for row in rows:
        had, name = row.had, now[row.was].names[0]
        was = known.of(had, row.name)
        points = f"{what_of(reference, row)} points at {one} {row.was}"
        told = f"{points}{was.told()} and is {name} now"
        if had != row.was:
            told = f"{points}, which is {name}, and pointed at {one} {had}{was.told()}"
        yield orphan(ground, reference, "moved", row, was, had=had, told=told)


def _is_other(ground: Ground, reference: Reference, before: str, now: sa.Row) -> bool:
    """Whether none of the names that a value stands for now is the one that memory has."""
    if before in now.names:
        return False
    league = ground.league(now.league_id)
    return not any(is_one_thing(ground, reference.target, league, before, after) for after in now.names)
