"""Rows of users that memory has and live has not, when so many went at once that no user has done it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import PRACTICE_ROWS
from rally_etl.protection.finding.ground import SHOWN, Ground
from rally_etl.protection.finding.knowledge import Knowledge
from rally_etl.protection.finding.wording import called, practice_of
from rally_etl.protection.mending.trust import Gone, load_trust
from rally_etl.protection.orphans import Orphan

OWNERS = {
    "poll_choices": {"poll_id": "polls"},
    "poll_responses": {"poll_id": "polls", "choice_id": "poll_choices"},
    "user_player_associations": {"user_id": "users"},
    "user_contexts": {"user_id": "users"},
    "player_availability": {"user_id": "users"},
}
"""Whose going takes rows along, also in a database that has lost its foreign keys: table -> column -> table."""

FEWEST = 2
"""Rows that must go before they are a share of a table: whoever deletes the only poll has deleted a poll."""

_OWNERS = sa.text(
    """
    select t.relname as table_name, a.attname as column_name, r.relname as owner
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid
    join pg_class as r on r.oid = c.confrelid
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and cardinality(c.conkey) = 1 and not r.relname = any(:targets)
      and t.relnamespace = to_regnamespace('public') and r.relnamespace = to_regnamespace('public')
    """
)


@dataclass(slots=True, eq=False)
class _Table:
    """Gone rows of one table, and how many there were: in all and per team, by when they were missed."""

    name: str
    gone: list[sa.Row] = field(default_factory=list)
    known: Counter[tuple[datetime | None, str | None]] = field(default_factory=Counter)  # missed at, team
    team: str | None = None

    def all_of(self, missed: datetime | None, team: str | None = None) -> int:
        """Rows that were there before those missed at that moment went."""
        return sum(
            count
            for (at, of), count in self.known.items()
            if (at is None or (missed is not None and at >= missed)) and team in (None, of)
        )


def find_gone(ground: Ground) -> Iterator[Orphan]:
    """Rows that went in numbers between two notings.

    Not those that went with their user or their poll, unless that one is among the orphans itself; and not single rows,
    which their users may have deleted: `count_gone` tells how many these are.
    """
    orphans, _ = _sorted_out(ground)
    for table, rows in orphans.items():
        yield from _told(ground, table, rows)


def count_gone(ground: Ground) -> dict[str, int]:
    """Table -> rows that memory has and live has not and that are no orphans: a user may have deleted them."""
    return {name: count for name, count in _sorted_out(ground)[1].items() if count}


def _sorted_out(ground: Ground) -> tuple[dict[_Table, list[tuple[sa.Row, str]]], dict[str, int]]:
    """Orphans per table, each with what went along, and the count of the other gone rows."""
    orphans: dict[str, tuple[_Table, list[tuple[sa.Row, str]]]] = {}
    others: dict[str, int] = {}
    if not ground.has_memory:
        return {}, {}
    rule = load_trust(ground.settings.params_dir).gone
    names = ground.connection.scalars(sa.text("select distinct table_name from etl.user_rows order by 1")).all()
    owners = _owners(ground, names)
    lost: dict[str, set[str]] = {}
    for name in _parents_first(names, owners):
        table = _read(ground, name, owners.get(name, {}))
        own = [row for row in table.gone if not _went_along(row, owners.get(name, {}), lost)]
        found = list(_in_numbers(table, own, rule))
        lost[name] = {row.row for row, _ in found}
        others[name] = len(table.gone) - len(found)
        if found:
            orphans[name] = (table, found)
    return dict(orphans.values()), others


def _owners(ground: Ground, names: Collection[str]) -> dict[str, dict[str, str]]:
    """Table -> column -> table of users whose row takes the row along."""
    found: dict[str, dict[str, str]] = {name: dict(OWNERS.get(name, {})) for name in names}
    targets = sorted({each.target for each in (*ground.references, *ground.imported)})
    for row in ground.connection.execute(_OWNERS, {"targets": targets}):
        if row.table_name in found and row.owner != row.table_name:
            found[row.table_name][row.column_name] = row.owner
    return found


def _parents_first(names: Collection[str], owners: Mapping[str, Mapping[str, str]]) -> list[str]:
    ordered: list[str] = []
    waiting: set[str] = set()

    def place(name: str) -> None:
        if name in ordered or name in waiting:
            return
        waiting.add(name)
        for owner in owners.get(name, {}).values():
            if owner in names:
                place(owner)
        ordered.append(name)

    for name in names:
        place(name)
    return ordered


def _read(ground: Ground, name: str, owners: Mapping[str, str]) -> _Table:
    """The gone rows of one table: their keys, what tells of them, and whether their owners are still there."""
    team = next(
        (each.column for each in ground.references if each.table == name and each.target == "teams"),
        "home_team_id" if name == "schedule" else "team_id",
    )
    table = _Table(name, team=team)
    live, gone = "false", ""
    if name in ground.tables:
        gone = " and m.gone_at is not null" if ground.is_as_noted(name) else ""
        rows = f" where {ground.params.practice_rows}" if name == "schedule" else ""
        source = f"(select * from {quote('public', name)}{rows})"
        live = f"exists (select from {source} as u where {ground.key(name, 'u')} = m.row_key)"
    taken = []
    for column, owner in owners.items():
        value = f"m.image ->> {ground.text(column)}"
        there = f"{value} is null"
        if ground.has(owner, "id"):
            there += f" or exists (select from {quote('public', owner)} as o where cast(o.id as text) = {value})"
        taken += [f"{value} as {quote('owner_' + column)}", f"({there}) as {quote('has_' + column)}"]
    shown = ", ".join(f"m.image ->> '{each}'" for each in SHOWN)
    table.gone = list(
        ground.connection.execute(
            sa.text(
                f"select m.row_key as row, m.gone_at, m.noted_at, left(coalesce({shown}), 61) as shown,"
                f" m.image ->> {ground.text(team)} as team, m.image ->> 'league_id' as league_id,"
                f" m.image ->> 'player_name' as person, m.image -> '_names' as names"
                f"{''.join(', ' + each for each in taken)}"
                f" from etl.user_rows as m where m.table_name = :name{gone} and not {live} order by 1"
            ),
            {"name": name},
        )
    )
    if table.gone:
        counts = ground.connection.execute(
            sa.text(
                f"select gone_at, image ->> {ground.text(team)} as team, count(*) as row_count"
                " from etl.user_rows where table_name = :name group by 1, 2"
            ),
            {"name": name},
        )
        table.known = Counter({(row.gone_at, row.team): row.row_count for row in counts})
    return table


def _went_along(row: sa.Row, owners: Mapping[str, str], lost: Mapping[str, Collection[str]]) -> bool:
    """Whether the row's own user or poll is gone, and not as an orphan."""
    return any(
        not getattr(row, f"has_{column}") and getattr(row, f"owner_{column}") not in lost.get(owner, ())
        for column, owner in owners.items()
    )


def _in_numbers(table: _Table, gone: list[sa.Row], rule: Gone) -> Iterator[tuple[sa.Row, str]]:
    """Those rows that went together with a share of their table or of their team's rows, and what share."""
    moments: dict[datetime | None, list[sa.Row]] = defaultdict(list)
    for row in gone:
        moments[row.gone_at].append(row)
    for missed, rows in moments.items():
        since = f"since {max(row.noted_at for row in rows):%Y-%m-%d}"
        if missed is not None:
            since = f"missed since {missed:%Y-%m-%d}"
        of = table.all_of(missed)
        if len(rows) >= FEWEST and len(rows) >= rule.share * of:
            yield from ((row, f"{len(rows)} of {of} rows of {table.name} are gone, {since}") for row in rows)
            continue
        teams = Counter(row.team for row in rows if row.team is not None)
        for row in rows:
            of = table.all_of(missed, row.team) if row.team is not None else 0
            if row.team is not None and teams[row.team] >= max(rule.rows, rule.share * of):
                what = f"{teams[row.team]} of {of} rows of {table.name} of team {row.team}"
                yield row, f"{what} are gone, {since}"


def _told(ground: Ground, table: _Table, rows: list[tuple[sa.Row, str]]) -> Iterator[Orphan]:
    known = Knowledge.read(ground, "teams", (row.team for row, _ in rows))
    label = ground.params.called.get(PRACTICE_ROWS if table.name == "schedule" else table.name)
    for row, share in rows:
        names = row.names or {}
        was = known.of(row.team, names.get(table.team) or "")
        club, series = practice_of(row.shown) or ("", "")
        league_id = int(row.league_id) if row.league_id and row.league_id.isdigit() else None
        name = was.name or row.person or ""
        of = f" of {name}" if name else ""
        yield Orphan(
            kind="gone",
            table=table.name,
            row=row.row,
            column="",
            target="",
            was=None,
            had=row.row,
            name=name,
            series=was.series or series,
            club=was.club or club,
            league=ground.league(league_id) or was.league or "*",
            told=f"{called(label or table.name.replace('_', ' '), row.row, row.shown)}{of} is gone: {share}",
        )
