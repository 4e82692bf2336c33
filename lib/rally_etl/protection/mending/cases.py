"""What is known of each orphan: its row, what its id was seen to stand for, and whose row it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog
from rally_etl.database.references import Reference, find_references, read_reference_params
from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.planning.merge import own_name
from rally_etl.protection.mending.things import ENTITIES, Thing, Things

if TYPE_CHECKING:
    from rally_etl.protection.mending.strategies import Lead
    from rally_etl.protection.mending.trust import Trust
    from rally_etl.protection.orphans import Orphan
    from rally_etl.settings import Settings

IN_ROW = ("home_team", "away_team", "player_name", "team", "series", "created_at", "noted_at")
"""Columns beside references, writers and texts that say what a row is about."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a lost reference was seen to stand for. ``source``: the strategy that it supports."""

    source: str
    name: str
    league: str = EVERYWHERE
    series: str = ""
    team: str = ""
    told: str = ""


@dataclass(slots=True)
class Case:
    """One orphan with all that is known.

    Attributes:
        row: columns of the live row, as JSON values; empty where there is none.
        others: other references of the row and the live things that they point at.
        teams: active teams of whoever wrote the row.
        best: where the surest strategy leads, once that is known.
    """

    orphan: Orphan
    target_column: str = "id"
    row: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    others: dict[str, Thing] = field(default_factory=dict)
    teams: list[Thing] = field(default_factory=list)
    best: Lead | None = None

    @property
    def league(self) -> str:
        """Key of the league that the row is of, as far as that is known."""
        if self.orphan.league != EVERYWHERE:
            return self.orphan.league
        return next((each.league for each in self.sightings if each.league != EVERYWHERE), EVERYWHERE)

    @property
    def lost_ids(self) -> list[str]:
        """Values that the reference had, that of now first; never one that it still has rightly."""
        orphan = self.orphan
        found = {"emptied": [orphan.had], "moved": [orphan.had or orphan.was]}.get(
            orphan.kind, [orphan.was, orphan.had]
        )
        return [value for value in dict.fromkeys(found) if value is not None]

    @property
    def name(self) -> str:
        """What it stood for, "" where that is not known."""
        return next((each.name for each in self.sightings), "")


def read_cases(
    connection: sa.Connection, settings: Settings, trust: Trust, things: Things, orphans: Collection[Orphan]
) -> list[Case]:
    """Read what is known of each orphan, one query per table and not per row; the answers are in their order."""
    params = read_reference_params(settings.params_dir / "references.yaml")
    references: dict[str, list[Reference]] = defaultdict(list)
    for each in find_references(connection, params, with_imported=True):
        if each.how == "id" and each.target in ENTITIES:
            references[each.table].append(each)
    catalog = read_catalog(connection, tuple({*IMPORTED, *(orphan.table for orphan in orphans)}))
    columns = {orphan.table: _wanted(catalog.get(orphan.table), references[orphan.table], trust) for orphan in orphans}
    by_table: dict[str, set[str]] = defaultdict(set)
    for orphan in orphans:
        by_table[orphan.table].add(orphan.row)
    rows = {
        table: _read_rows(connection, catalog[table], columns[table], keys)
        for table, keys in by_table.items()
        if table in catalog
    }
    memory = _read_memory(connection, by_table)
    cases = [
        Case(
            orphan,
            _target_column(orphan, references[orphan.table]),
            rows.get(orphan.table, {}).get(orphan.row, {}),
            memory.get((orphan.table, orphan.row), {}),
        )
        for orphan in orphans
    ]
    _see(connection, things, cases)
    _read_people(connection, things, cases, references)
    writers = _read_writers(connection, things, trust, cases)
    for case in cases:
        case.others = _others(case, references[case.orphan.table], things)
        case.teams = _teams(case, writers, trust, things)
    return cases


def _wanted(table: Table | None, references: Iterable[Reference], trust: Trust) -> list[str]:
    """Columns of a table that say something; none that may hold a secret is read."""
    if table is None:
        return []
    names = {each.column for each in references} | {*trust.creators, *IN_ROW, *trust.texts.get(table.name, [])}
    return [name for name in table.column_names if name in names]


def _read_rows(
    connection: sa.Connection, table: Table, columns: Iterable[str], keys: Collection[str]
) -> dict[str, dict[str, Any]]:
    if not table.key:
        return {}
    shown = ", ".join(f"'{name}', l.{quote(name)}" for name in columns)
    key = f"concat_ws(', ', {', '.join(f'l.{quote(name)}' for name in table.key)})"
    found = connection.execute(
        sa.text(
            f"select {key} as row_key, jsonb_build_object({shown}) as image from {quote('public', table.name)} as l"
            f" join unnest(cast(:keys as text[])) as k(row_key) on k.row_key = {key}"
        ),
        {"keys": sorted(keys)},
    )
    return {row.row_key: row.image for row in found}


def _read_memory(connection: sa.Connection, keys: Mapping[str, set[str]]) -> dict[tuple[str, str], dict[str, Any]]:
    found = connection.execute(
        sa.text(
            "select r.table_name, r.row_key, r.image from etl.user_rows as r"
            " join unnest(cast(:tables as text[]), cast(:rows as text[])) as k(table_name, row_key)"
            " using (table_name, row_key)"
        ),
        {
            "tables": [table for table, rows in keys.items() for _ in rows],
            "rows": [row for rows in keys.values() for row in rows],
        },
    )
    return {(row.table_name, row.row_key): row.image for row in found}


def _target_column(orphan: Orphan, references: Iterable[Reference]) -> str:
    return next(
        (each.target_column for each in references if (each.column, each.target) == (orphan.column, orphan.target)),
        "id",
    )


_HISTORY = sa.text(
    """
    select cast(entity_id as text) as id, league, name, series, team, valid_from, valid_to from etl.entity_history
    where table_name = :table and entity_id = any(:ids) order by coalesce(valid_to, 'infinity') desc, valid_from desc
    """
)


def _see(connection: sa.Connection, things: Things, cases: Iterable[Case]) -> None:
    """Fill what each lost reference was seen to stand for, the newest first."""
    ids: dict[str, set[int]] = defaultdict(set)
    for case in cases:
        if case.target_column == "id" and case.orphan.target in ENTITIES:
            ids[case.orphan.target] |= {int(value) for value in case.lost_ids if _is_id(value)}
    history: dict[tuple[str, str], list[sa.Row]] = defaultdict(list)
    for table, wanted in ids.items():
        for row in connection.execute(_HISTORY, {"table": table, "ids": sorted(wanted)}):
            history[table, row.id].append(row)
    for case in cases:
        orphan = case.orphan
        remembered = _remembered(case)
        for value in case.lost_ids if case.target_column == "id" else []:
            seen = _at_its_time(history.get((orphan.target, value), []), case)
            if orphan.kind == "moved":
                then = orphan.name or (remembered.name if remembered else "")
                now = things.get(orphan.target, int(value)) if _is_id(value) else None
                seen = [
                    row
                    for row in seen
                    if (then and things.is_one_name(orphan.target, row.league, own_name(row.name), then))
                    or (not then and not (now and things.is_one_name(orphan.target, row.league, row.name, now.name)))
                ]
            for row in seen:
                until = f"until {row.valid_to:%Y-%m-%d}" if row.valid_to else "when last seen"
                sighting = Sighting(
                    "history", own_name(row.name), row.league, row.series if orphan.target != "series" else "",
                    row.team, f"{ENTITIES[orphan.target]} {value} was {own_name(row.name)} {until}",
                )  # fmt: skip
                case.sightings.append(sighting)
        names = {each.name.casefold() for each in case.sightings}
        if remembered and remembered.name.casefold() not in names:  # the id's history knows more of it
            case.sightings.append(remembered)
        if orphan.name and not case.sightings:
            case.sightings.append(_said(case))


def _is_id(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 10


def _at_its_time(rows: list[sa.Row], case: Case) -> list[sa.Row]:
    """Of several things that an id stood for, the one of the time when the row was written, where that is known."""
    if len({(row.name, row.league, row.series, row.team) for row in rows}) < 2:
        return rows[:1]
    written = case.row.get("created_at") or case.memory.get("created_at")
    if written:
        moment = datetime.fromisoformat(written)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        there = [row for row in rows if row.valid_from <= moment and (row.valid_to is None or moment < row.valid_to)]
        if there:
            return there[:1]
    seen = {}
    for row in rows:
        seen.setdefault((row.name, row.league, row.series, row.team), row)
    return list(seen.values())


def _remembered(case: Case) -> Sighting | None:
    """The name that the ledger noted when the reference was last right."""
    orphan = case.orphan
    said = (case.memory.get("_names") or {}).get(orphan.column)
    name = str(said or "")
    series, team = "", ""
    if orphan.target == "players":
        series, team = _beside(case, "series"), _beside(case, "team")
    told = f"it pointed at {name} when it was last right"
    return Sighting("memory", name, orphan.league, series, team, told) if name else None


def _beside(case: Case, what: str) -> str:
    """The series or team that the row pointed at beside it when it was last right."""
    return str((case.memory.get("_names") or {}).get(f"{what}_id") or "")


def _said(case: Case) -> Sighting:
    """What the finding says of the name, where neither the id's history nor memory does."""
    orphan = case.orphan
    source, told = "memory", f"it stood for {orphan.name}"
    if orphan.kind in ("unlinked", "mislinked"):
        source, told = "name", f"the row says {orphan.name}"
    elif orphan.name in (case.row.get("player_name"), case.row.get("series")) or orphan.target in ("series", "clubs"):
        source, told = "pattern", f"the row says {orphan.name}"
    return Sighting(source, orphan.name, orphan.league, orphan.series, "", told)


def _read_people(
    connection: sa.Connection, things: Things, cases: Iterable[Case], references: Mapping[str, list[Reference]]
) -> None:
    """Read the players that any of the cases may be about."""
    names: set[str] = set()
    printed: set[str] = set()
    ids: set[int] = set()
    for case in cases:
        if case.orphan.target == "players":
            names |= {each.name for each in case.sightings} | {case.row.get("player_name") or ""}
            ids |= {int(value) for value in case.lost_ids if _is_id(value)}
            if case.target_column != "id":
                printed |= set(case.lost_ids)
        for each in references[case.orphan.table]:
            if each.target == "players" and (value := case.row.get(each.column)) is not None:
                if each.target_column == "id":
                    ids.add(int(value))
                else:
                    printed.add(str(value))
    ids |= {things.redirects["players"][row] for row in ids if row in things.redirects["players"]}
    if names or printed or ids:
        things.read_people(names, printed, ids)


_WRITERS = sa.text(
    """
    select u.id as user_id, t.id as team_id, 'context' as how
    from public.users as u join public.user_contexts as c on c.user_id = u.id join public.teams as t on t.id = c.team_id
    where u.id = any(:users) and t.is_active is not false
    union
    select a.user_id, t.id, 'association'
    from public.user_player_associations as a
    join public.players as p on p.tenniscores_player_id = a.tenniscores_player_id and p.is_active is not false
    join public.teams as t on t.id = p.team_id and t.is_active is not false
    where a.user_id = any(:users)
    """
)


def _read_writers(
    connection: sa.Connection, things: Things, trust: Trust, cases: Iterable[Case]
) -> dict[int, dict[int, set[str]]]:
    """User -> team that is live and active -> how it is known to be theirs."""
    users = {user for case in cases if (user := writer_of(case, trust)) is not None}
    found: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    needed = {"users", "user_contexts", "user_player_associations"}
    if users and needed <= read_catalog(connection, tuple(needed)).keys():
        for row in connection.execute(_WRITERS, {"users": sorted(users)}):
            found[row.user_id][row.team_id].add(row.how)
    return found


def _teams(case: Case, writers: Mapping[int, Mapping[int, set[str]]], trust: Trust, things: Things) -> list[Thing]:
    """Teams of whoever wrote the row; where the row's league is known, those of that league."""
    user = writer_of(case, trust)
    found = [things.get("teams", team) for team in sorted(writers.get(user, {}))] if user is not None else []
    return [thing for thing in found if thing and case.league in (thing.league, EVERYWHERE)]


def writer_of(case: Case, trust: Trust) -> int | None:
    """Who wrote the row, as the first column that says it says."""
    if case.orphan.table == "users":
        return int(case.orphan.row) if _is_id(case.orphan.row) else None
    return next((value for name in trust.creators if isinstance(value := case.row.get(name), int)), None)


def _others(case: Case, references: Iterable[Reference], things: Things) -> dict[str, Thing]:
    """The live things that the other references of the row point at."""
    found = {}
    for each in references:
        value = case.row.get(each.column)
        if each.column == case.orphan.column or value is None:
            continue
        if thing := things.at(each.target, each.target_column, str(value)):
            found[each.column] = thing
    return found
