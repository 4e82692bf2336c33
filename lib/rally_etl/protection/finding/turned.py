"""Ids that stand for another thing than they did, by the history: somebody else than a run gave them to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference
from rally_etl.planning.merge import own_name
from rally_etl.protection.finding.broken import orphan, read_broken, what_of
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import ONE, Known, club_of, is_one_thing
from rally_etl.protection.orphans import Orphan

WRITTEN = ("created_at", "responded_at", "initiator_submitted_at", "updated_at", "last_updated")
"""Columns that say when a row was there already."""

TOUCHED = ("updated_at", "last_updated")
"""Columns that say when a row was written last."""

_PUBLISHED = sa.text(
    "select league, published_at from etl.run_leagues where published_at is not null order by published_at"
)
# Things whose name or league is another one at a later sighting that no run made, or in live.
_TURNED = """
    with seen as (
        select h.*, lag(h.name) over w as before_name, lag(h.league) over w as before_league
        from etl.entity_history as h where h.table_name = :target
        window w as (partition by h.entity_id order by h.valid_from, h.valid_to nulls last)
    ),
    now as (select l.id, {name} as name, {league} as league_id from {live} as l),
    turned as (
        select entity_id as id from seen
        where run_id is null and before_name is not null and (before_name <> name or before_league <> league)
        union
        select n.id from now as n join seen as s on s.entity_id = n.id and s.valid_to is null
        where s.name <> n.name or s.league <> coalesce(:keys ->> cast(n.league_id as text), s.league)
    )
    select s.entity_id as id, s.league, s.name, s.series, s.valid_from, s.valid_to, s.run_id,
           n.name as now_name, n.league_id as now_league
    from turned as t
    join seen as s on s.entity_id = t.id
    join now as n on n.id = t.id
    order by s.entity_id, s.valid_from, s.valid_to nulls last
    """


@dataclass(frozen=True, slots=True)
class Turn:
    """An id that was something else until `last_seen`, when a run saw it so for the last time."""

    id: int
    was: Known
    now: str
    last_seen: datetime


def find_turned(ground: Ground) -> Iterator[Orphan]:
    """Rows of users that were there while their id was another thing, and that nobody has looked at since."""
    if not {"entity_history", "run_leagues"} <= ground.ledger:
        return
    turns: dict[str, dict[int, Turn]] = {}
    for each in ground.references:
        if each.target not in ("teams", "series", "clubs", "players") or each.target_column != "id":
            continue
        if each.target not in turns:
            turns[each.target] = {turn.id: turn for turn in _turns(ground, each.target)}
        known = turns[each.target]
        if not known or (condition := _was_there(ground, each)) is None:
            continue
        memory = ""
        if ground.has_memory:
            memory = (
                f" left join etl.user_rows as r on r.table_name = {ground.text(each.table)}"
                f" and r.row_key = {ground.key(each.table, 'u')}"
            )
        rows = read_broken(
            ground,
            each,
            f"from {ground.rows(each)} as u"
            " join unnest(cast(:ids as integer[]), cast(:seen as timestamptz[])) as x(turned, last_seen)"
            f" on x.turned = u.{quote(each.column)}{memory} where {condition}",
            {"ids": list(known), "seen": [turn.last_seen for turn in known.values()]},
        )
        for row in rows:
            turn = known[int(row.was)]
            told = f"{what_of(each, row)} points at {ONE[each.target]} {row.was}{turn.was.told()} and is {turn.now} now"
            yield orphan(ground, each, "moved", row, turn.was, had=row.was, told=told)


def _was_there(ground: Ground, reference: Reference) -> str | None:
    """SQL: the row said so when the id was seen for the last time as what it was; None where nothing tells."""
    names = WRITTEN if reference.is_fixed else TOUCHED
    signs = [
        f"cast(u.{quote(name)} as timestamptz) <= x.last_seen" for name in names if ground.has(reference.table, name)
    ]
    if not ground.has_memory:
        return f"({' or '.join(signs)})" if signs else None
    value = f"r.image ->> {ground.text(reference.column)} = cast(u.{quote(reference.column)} as text)"
    signs.append(f"r.noted_at <= x.last_seen and {value}")
    # What a run of ours has written since is right.
    return f"({' or '.join(signs)}) and (r.run_id is null or r.noted_at <= x.last_seen)"


def _turns(ground: Ground, target: str) -> Iterator[Turn]:
    """Ids of one table that stand for another thing now than at some sighting, by no run's doing."""
    name = {"teams": "l.team_name", "players": "concat_ws(' ', l.first_name, l.last_name)"}.get(target, "l.name")
    league = "l.league_id" if target != "clubs" and ground.has(target, "league_id") else "null::integer"
    sql = _TURNED.format(name=name, league=league, live=quote("public", target))
    binds = {"target": target, "keys": {str(number): key for number, key in ground.keys.items()}}
    statement = sa.text(sql).bindparams(sa.bindparam("keys", type_=sa.dialects.postgresql.JSONB))
    published: dict[str, list[datetime]] = defaultdict(list)
    for row in ground.connection.execute(_PUBLISHED):
        published[row.league].append(row.published_at)
    seen: dict[int, list[sa.Row]] = defaultdict(list)
    for row in ground.connection.execute(statement, binds):
        seen[row.id].append(row)
    for number, rows in seen.items():
        turn = _turn(ground, target, rows, published)
        if turn:
            yield Turn(number, *turn)


def _turn(
    ground: Ground, target: str, rows: list[sa.Row], published: dict[str, list[datetime]]
) -> tuple[Known, str, datetime] | None:
    """The last sighting as another thing than now that no run has ended by what it decided."""
    now_league = ground.league(rows[0].now_league)
    names = [(row.name, row.league, row.run_id) for row in rows[1:]] + [(rows[0].now_name, now_league, None)]
    for place in range(len(rows) - 1, -1, -1):
        row, (name, league, run_id) = rows[place], names[place]
        is_same_league = target == "clubs" or now_league is None or row.league == league
        if run_id is not None or (is_same_league and is_one_thing(ground, target, row.league, row.name, name)):
            continue
        # What was the present thing before, too, leaves open which of the two a row meant.
        if any(_is_now(ground, target, each, now_league) for each in rows[: place + 1]):
            return None
        end = row.valid_to or (rows[place + 1].valid_from if place + 1 < len(rows) else None)
        runs = [at for at in published[row.league] if end is None or at < end]
        was = Known(
            name=own_name(row.name),
            series=row.name if target == "series" else row.series,
            club=club_of(ground, row.league, row.name, row.series) if target == "teams" else "",
            league="" if target == "clubs" else row.league,
            until=end,
        )
        return was, rows[0].now_name, max([row.valid_from, *runs])
    return None


def _is_now(ground: Ground, target: str, row: sa.Row, now_league: str | None) -> bool:
    """Whether a sighting is of the thing that the id is now."""
    is_league = target == "clubs" or now_league is None or row.league == now_league
    return is_league and is_one_thing(ground, target, row.league, row.name, row.now_name)
