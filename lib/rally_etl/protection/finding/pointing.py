"""References that point at nothing, or are empty and were not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference
from rally_etl.identity.aliases import redirected_ids
from rally_etl.protection.finding.broken import orphan, read_broken, what_of
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import ONE, Knowledge
from rally_etl.protection.orphans import Orphan


def find_dangling(ground: Ground, references: Iterable[Reference]) -> Iterator[Orphan]:
    """References whose value no row of their target has."""
    for each in references:
        source = (
            f"from {ground.rows(each)} as u where u.{quote(each.column)} is not null"
            f" and not exists ({ground.target_of(each, 'u')})"
        )
        rows = read_broken(ground, each, source)
        hads = [row.had or row.was for row in rows]
        known = _knowledge(ground, each, hads)
        for row, had in zip(rows, hads, strict=True):
            was = known.of(had, row.name)
            nothing = ", of which nothing is known"
            points = f"{what_of(each, row)} points at {ONE[each.target]} {row.was}"
            told = points + (was.told() or nothing)
            if had != row.was:
                told = f"{points}, which there is not, and pointed at {had}{was.told()}"
            yield orphan(ground, each, "dangling", row, was, had=had, told=told)


def find_merged(ground: Ground) -> Iterator[Orphan]:
    """References of users to rows that a merge has switched off: somebody wrote them after it."""
    if "redirects" not in ground.ledger:
        return
    into = {target: redirected_ids(ground.connection, target) for target in {each.target for each in ground.references}}
    for each in ground.references:
        if each.target_column != "id" or not into[each.target]:
            continue
        source = f"from {ground.rows(each)} as u where u.{quote(each.column)} = any(:ids) and exists"
        rows = read_broken(ground, each, f"{source} ({ground.target_of(each, 'u')})", {"ids": list(into[each.target])})
        known = _knowledge(ground, each, (row.was for row in rows))
        for row in rows:
            was, one = known.of(row.was, row.name), ONE[each.target]
            merged = f"which was merged into {one} {into[each.target][int(row.was or 0)]}"
            told = f"{what_of(each, row)} points at {one} {row.was}, {merged}"
            yield orphan(ground, each, "merged", row, was, had=row.was, told=told)


def find_emptied(ground: Ground) -> Iterator[Orphan]:
    """References of users that are NULL and must not be, or were something that only an importer can have taken.

    People do empty what they may choose anew, so such a reference counts only when the thing it pointed at is gone.
    """
    for each in ground.references:
        column = quote(each.column)
        source = f"from {ground.rows(each)} as u"
        if not each.is_required:
            if not ground.has_memory:
                continue
            had = f"r.image ->> {ground.text(each.column)}"
            source += (
                f" join etl.user_rows as r on r.table_name = {ground.text(each.table)}"
                f" and r.row_key = {ground.key(each.table, 'u')} and {had} is not null"
            )
            if not each.is_fixed:
                target = quote("public", each.target)
                key = f"cast(t.{quote(each.target_column)} as text)"
                source += f" and not exists (select from {target} as t where {key} = {had})"
        rows = read_broken(ground, each, f"{source} where u.{column} is null")
        known = _knowledge(ground, each, (row.had for row in rows))
        for row in rows:
            had = row.had
            was = known.of(had, row.name)
            one = ONE[each.target]
            told = f"{what_of(each, row)} has no {one}, and must have one"
            if had is not None:
                told = f"{what_of(each, row)} has no {one} and had {had}{was.told()}"
            yield orphan(ground, each, "emptied", row, was, had=had, told=told)


def _knowledge(ground: Ground, reference: Reference, values: Iterable[str | None]) -> Knowledge:
    """What is known of the ids; a printed id of a person has no history of its own."""
    return Knowledge.read(ground, reference.target, values if reference.target_column == "id" else ())
