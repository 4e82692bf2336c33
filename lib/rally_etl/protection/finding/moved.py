"""References of users that point at another thing than before: re-pointed, or their id stands for another thing now."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference
from rally_etl.protection.finding.broken import orphan, read_broken, remembered, remembered_name, what_of
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import ONE, Knowledge, is_one_thing
from rally_etl.protection.finding.texts import find_misnamed_players, find_misplaced_practices
from rally_etl.protection.finding.turned import find_turned
from rally_etl.protection.identity import name_sql
from rally_etl.protection.orphans import Orphan


def find_moved(ground: Ground) -> Iterator[Orphan]:
    """Every row that points at another thing once, by the surest sign of it."""
    seen: set[tuple[str, str, str]] = set()
    for finder in (_find_repointed, _find_renamed, find_turned, find_misplaced_practices, find_misnamed_players):
        for each in finder(ground):
            place = (each.table, each.row, each.column)
            if place not in seen:
                seen.add(place)
                yield each


def _find_repointed(ground: Ground) -> Iterator[Orphan]:
    """References that the application never writes again, with another value than the memory has.

    What a published run of ours writes is in the memory at once, so another value is somebody else's work.
    """
    for each in ground.references:
        if not (ground.has_memory and each.is_fixed):
            continue
        column = ground.text(each.column)
        rows = read_broken(
            ground,
            each,
            f"from {ground.rows(each)} as u join etl.user_rows as r on r.table_name = {ground.text(each.table)}"
            f" and r.row_key = {ground.key(each.table, 'u')}"
            f" and r.image ->> {column} <> cast(u.{quote(each.column)} as text)"
            f" where r.image -> '_names' ->> {column} is not null and exists ({ground.target_of(each, 'u')})",
            beside={"found_now": _name_now(ground, each)},
        )
        is_id = each.target_column == "id"
        known = Knowledge.read(ground, each.target, (remembered(row, each.column) for row in rows) if is_id else ())
        for row in rows:
            had = remembered(row, each.column)
            was = known.of(had, remembered_name(row, each.column))
            one = ONE[each.target]
            told = (
                f"{what_of(each, row)} points at {one} {row.was}, which is {row.found_now},"
                f" and pointed at {one} {had}{was.told()}"
            )
            yield orphan(ground, each, "moved", row, was, had=had, told=told)


def _find_renamed(ground: Ground) -> Iterator[Orphan]:
    """References whose id stands for another thing than the memory names.

    A name that a published run has changed is in the memory under its new name; a difference of spelling is none.
    """
    for each in ground.references:
        if not ground.has_memory:
            continue
        pairs = [
            row for row in ground.connection.execute(sa.text(_renamed(ground, each))) if _is_other(ground, each, row)
        ]
        if not pairs:
            continue
        column = ground.text(each.column)
        value = f"cast(u.{quote(each.column)} as text)"
        rows = read_broken(
            ground,
            each,
            f"from {ground.rows(each)} as u join etl.user_rows as r on r.table_name = {ground.text(each.table)}"
            f" and r.row_key = {ground.key(each.table, 'u')} and r.image ->> {column} = {value}"
            " join unnest(cast(:values as text[]), cast(:befores as text[]), cast(:afters as text[]))"
            f" as x(value, before, after) on x.value = {value} and x.before = r.image -> '_names' ->> {column}",
            {
                "values": [row.value for row in pairs],
                "befores": [row.before for row in pairs],
                "afters": [row.afters[0] for row in pairs],
            },
            beside={"found_now": "x.after"},
        )
        known = Knowledge.read(ground, each.target, (row.was for row in rows) if each.target_column == "id" else ())
        for row in rows:
            was = known.of(row.was, remembered_name(row, each.column))
            told = f"{what_of(each, row)} points at {ONE[each.target]} {row.was}{was.told()} and is {row.found_now} now"
            yield orphan(ground, each, "moved", row, was, had=row.was, told=told)


def _renamed(ground: Ground, reference: Reference) -> str:
    """SQL of values of a reference whose present names (a person may have several) lack the remembered one."""
    column = quote(reference.column)
    name = f"r.image -> '_names' ->> {ground.text(reference.column)}"
    key = f"cast(t.{quote(reference.target_column)} as text)"
    league = "null::integer"
    if reference.target == "leagues":
        league = "t.id"
    elif ground.has(reference.target, "league_id"):
        league = "t.league_id"
    return f"""
        with noted as (
            select cast(u.{column} as text) as value, {name} as before, count(*) as row_count
            from {ground.rows(reference)} as u
            join etl.user_rows as r
                on r.table_name = {ground.text(reference.table)} and r.row_key = {ground.key(reference.table, "u")}
            where r.image ->> {ground.text(reference.column)} = cast(u.{column} as text) and {name} is not null
            group by 1, 2
        ),
        named as (
            select {key} as value, array_agg({name_sql("t", reference.target, ground.params)} order by t.id) as afters,
                   min({league}) as league_id
            from {quote("public", reference.target)} as t
            group by 1
        )
        select n.value, n.before, d.afters, d.league_id
        from noted as n join named as d on d.value = n.value
        where n.before <> all (d.afters)
        """


def _is_other(ground: Ground, reference: Reference, row: sa.Row) -> bool:
    league = ground.league(row.league_id)
    return not any(is_one_thing(ground, reference.target, league, row.before, after) for after in row.afters)


def _name_now(ground: Ground, reference: Reference) -> str:
    """SQL of the name of what the row under `u` points at."""
    return (
        f"(select min({name_sql('t', reference.target, ground.params)}) from {quote('public', reference.target)} as t"
        f" where {ground.points(reference, 'u', 't')})"
    )
