"""Questions about orphans in the review queue, and what people have answered."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.identity.reviews import ORPHAN, Candidate
from rally_etl.measures import counted
from rally_etl.protection.orphans import WHOLE

if TYPE_CHECKING:
    from rally_etl.protection.mending.proposals import Repair
    from rally_etl.protection.orphans import Orphan

SHOWN_CANDIDATES = 8
SHOWN_TOLD = 3


@dataclass(frozen=True, slots=True)
class Given:
    """What a person answered. ``target``: what the reference will hold, or the row that the answer is about."""

    state: str
    target: str
    told: str


Answers = Mapping[str, Given]


def spelling_of(orphan: Orphan, name: str = "") -> str:
    """What a question is filed under: rows that lost the same thing share it, a row that knows nothing is alone.

    Args:
        name: what it stood for, as far as that is known.
    """
    known = f" {name.casefold()}" if name else ""
    if orphan.kind in WHOLE:
        return f"{orphan.kind} {orphan.table} {orphan.row}"
    if orphan.kind in ("unlinked", "mislinked"):
        return f"named {orphan.target}{known or f' {orphan.table} {orphan.row}'}"
    lost = orphan.had if orphan.kind in ("emptied", "moved") else orphan.was or orphan.had
    if lost is None and orphan.kind == "moved":
        lost = orphan.was
    if lost is None:
        return f"row {orphan.table} {orphan.row} {orphan.column}"
    return f"lost {orphan.target} {lost}{known}"


def read_answers(connection: sa.Connection) -> dict[str, Given]:
    """Spelling -> the newest answer to a question about orphans."""
    rows = connection.execute(
        sa.text(
            "select distinct on (spelling) spelling, state, target, number, decided_by, reason from etl.reviews"
            " where kind = :orphan and state in ('accepted', 'rejected') order by spelling, decided_at desc"
        ),
        {"orphan": ORPHAN},
    )
    return {
        row.spelling: Given(
            row.state, row.target or "", f"question {row.number} was {row.state} by {row.decided_by}: {row.reason}"
        )
        for row in rows
    }


def write_questions(
    connection: sa.Connection, run_id: str, repairs: Iterable[Repair], leagues: Collection[str] | None = None
) -> int:
    """Bring the questions about orphans up to what was found; answer how many stand open.

    One that is asked again is updated, a new one gets a number, one whose rows are no longer found is closed.

    Args:
        leagues: keys of those that were looked at; None for all.
    """
    groups: dict[tuple[str, str, str], list[Repair]] = defaultdict(list)
    for repair in repairs:
        if repair.state == "asked":
            groups[repair.league, repair.entity, repair.spelling].append(repair)
    rows = [
        {
            "league": league, "entity": entity, "spelling": spelling, "name": _name(found), "told": _told(found),
            "series": next((each.orphan.series for each in found if each.orphan.series), ""),
            "candidates": [asdict(each) for each in _candidates(found)],
            "held_rows": len({(each.orphan.table, each.orphan.row) for each in found}),
        }
        for (league, entity, spelling), found in groups.items()
    ]  # fmt: skip
    binds = {"run": run_id, "orphan": ORPHAN, "rows": json.dumps(rows)}
    connection.execute(_UPDATE, binds)
    connection.execute(_INSERT, binds)
    connection.execute(_CLOSE, binds | {"leagues": None if leagues is None else [*leagues, EVERYWHERE]})
    return len(rows)


_ASKED = """jsonb_to_recordset(cast(:rows as jsonb)) as asked(
    league text, entity text, spelling text, name text, told text, series text, candidates jsonb, held_rows bigint)"""
_SAME = "r.league = asked.league and r.entity = asked.entity and r.spelling = asked.spelling"
_UPDATE = sa.text(
    f"""
    update etl.reviews as r
    set name = asked.name, told = asked.told, series = asked.series, candidates = asked.candidates,
        held_rows = asked.held_rows, last_run = :run
    from {_ASKED}
    where r.state = 'open' and r.kind = :orphan and {_SAME}
    """
)
_INSERT = sa.text(
    f"""
    insert into etl.reviews (league, entity, kind, spelling, name, told, series, candidates, is_held, held_rows,
                             first_run, last_run)
    select asked.league, asked.entity, :orphan, asked.spelling, asked.name, asked.told, asked.series, asked.candidates,
           true, asked.held_rows, :run, :run
    from {_ASKED}
    where not exists (select from etl.reviews as r where r.state = 'open' and r.kind = :orphan and {_SAME})
    order by asked.league, asked.entity, asked.spelling
    """
)
_CLOSE = sa.text(
    f"""
    update etl.reviews as r set state = 'obsolete', decided_at = clock_timestamp()
    where r.state = 'open' and r.kind = :orphan
      and (cast(:leagues as text[]) is null or r.league = any(cast(:leagues as text[])))
      and not exists (select from {_ASKED} where {_SAME})
    """
)


def _name(found: list[Repair]) -> str:
    """What was lost, in a few words: `87189 (Tennaqua 12)`, `Skokie 12`, `polls 7`."""
    orphan = found[0].orphan
    name = next((each.name for each in found if each.name), "")
    if orphan.kind in WHOLE and found[0].entity == "row":
        return f"{orphan.table} {orphan.row}" + (f" ({name})" if name else "")
    if orphan.kind in (*WHOLE, "unlinked", "mislinked"):
        return name or f"{orphan.table} {orphan.row}"
    lost = orphan.had if orphan.kind in ("emptied", "moved") else orphan.was or orphan.had
    if lost is None:
        return f"of {orphan.table} {orphan.row}"
    return f"{lost} ({name})" if name else lost


def _told(found: list[Repair]) -> str:
    """What the rows are, and what is known of them."""
    tables = Counter(f"{each.orphan.table}.{each.orphan.column}".rstrip(".") for each in found)
    what = ", ".join(f"{counted(count, 'row')} of {name}" for name, count in sorted(tables.items()))
    known = list(dict.fromkeys(each.evidence for each in found))
    more = f"; and {len(known) - SHOWN_TOLD} more" if len(known) > SHOWN_TOLD else ""
    return f"{what}: {'; '.join(known[:SHOWN_TOLD])}{more}"


def _candidates(found: Iterable[Repair]) -> list[Candidate]:
    best: dict[str, Candidate] = {}
    for candidate in (each for repair in found for each in repair.candidates):
        known = best.get(str(candidate.id))
        if known is None or candidate.confidence > known.confidence:
            best[str(candidate.id)] = candidate
    return sorted(best.values(), key=lambda each: -each.confidence)[:SHOWN_CANDIDATES]
