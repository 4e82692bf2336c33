"""Ids that somebody else's importer has issued anew: which row after it is the thing that a row before it was."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import quote
from rally_etl.identity.aliases import EVERYWHERE, aliases_in_force
from rally_etl.identity.matching import match_teams
from rally_etl.identity.sides import Incoming, Known
from rally_etl.identity.thresholds import load_thresholds
from rally_etl.planning.merge import own_name
from rally_etl.planning.temporary import write_temporary
from rally_etl.protection.guard.pairs import KEPT, Keys, Pairs, Rows
from rally_etl.protection.identity import is_same_thing
from rally_etl.records.values import person_key

if TYPE_CHECKING:
    from rally_etl.settings import Settings

ENTITIES = ("leagues", "clubs", "series", "teams", "players")
"""Tables whose rows stand for something that users refer to by its id, parents first."""

_COLUMNS = {
    "leagues": ("league_id",),
    "clubs": ("name",),
    "series": ("name", "league_id"),
    "teams": ("team_name", "club_id", "series_id", "league_id", "is_active"),
    "players": ("tenniscores_player_id", "first_name", "last_name", "league_id", "series_id", "team_id", "is_active"),
}


@dataclass(frozen=True, slots=True)
class Reissued:
    """What became of every league, club, series, team and player; ``persons``: printed id before -> after."""

    tables: Mapping[str, Pairs]
    persons: Mapping[str, str]

    @property
    def entities(self) -> int:
        """Rows before."""
        return sum(len(pairs.before) for pairs in self.tables.values())

    @property
    def preserved(self) -> int:
        """Rows before whose id still stands for the same thing."""
        return sum(pairs.preserved for pairs in self.tables.values())

    @property
    def rate(self) -> float:
        """Share of ids that still stand for the same thing; 1 where there were none."""
        return self.preserved / self.entities if self.entities else 1.0

    @property
    def is_unsure(self) -> bool:
        return any(pairs.unsure for pairs in self.tables.values())

    def counts(self) -> list[dict[str, Any]]:
        """One row per table: ``entities`` before, what became of them, and ``how`` the re-issued ones were found."""
        return [
            {
                "table": table,
                "entities": len(pairs.before),
                "kept": pairs.preserved,
                "reissued": len(pairs.ids) - pairs.preserved,
                "unsure": len(pairs.unsure),
                "dropped": len(pairs.dropped),
                "added": len(pairs.added),
                "how": dict(Counter(how for how in pairs.how.values() if how != KEPT)),
            }
            for table, pairs in self.tables.items()
        ]

    def write(self, connection: sa.Connection) -> None:
        """Make the temporary tables ``reissued`` (table_name, old_id, new_id) and ``reissued_persons`` (old, new)."""
        rows = [
            {"table_name": table, "old_id": old, "new_id": new}
            for table, pairs in self.tables.items()
            for old, new in pairs.ids.items()
        ]
        write_temporary(connection, "reissued", rows, "table_name text, old_id integer, new_id integer")
        persons = [{"old": old, "new": new} for old, new in self.persons.items()]
        write_temporary(connection, "reissued_persons", persons, "old text, new text")


def map_ids(connection: sa.Connection, settings: Settings, before: str, after: str) -> Reissued:
    """Find for each row before what it is after, by what names and persons say; ids alone say nothing.

    An id that was given to another thing is not kept. What could be several rows is unsure and gets none.

    Args:
        before, after: schemas that hold the imported tables.
    """
    leagues = naming.load_leagues(settings.params_dir)
    old, new = (_read(connection, schema) for schema in (before, after))
    tables = {table: Pairs(old[table], new[table]) for table in ENTITIES}
    scene = _Scene(connection, settings, leagues, tables)
    scene.leagues()
    scene.clubs()
    scene.series()
    scene.teams()
    scene.through_teams()
    scene.players()
    for table, pairs in tables.items():
        pairs.close({row_id: _name(table, row) for row_id, row in pairs.before.items()})
    return Reissued(tables, _persons(tables["players"]))


def _read(connection: sa.Connection, schema: str) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for table, columns in _COLUMNS.items():
        has = connection.execute(sa.text(f"select * from {quote(schema, table)} limit 0")).keys()
        known = [column for column in columns if column in has]
        rows = connection.execute(
            sa.text(f"select id, {', '.join(map(quote, known))} from {quote(schema, table)} order by id")
        )
        blank = dict.fromkeys(columns)
        found[table] = {row["id"]: blank | dict(row) for row in rows.mappings()}
    return found


class _Scene:
    """Both states and the rules, applied parents first: what a child is depends on what its parents became."""

    def __init__(
        self, connection: sa.Connection, settings: Settings, known: naming.Leagues, tables: dict[str, Pairs]
    ) -> None:
        self.known, self.tables = known, tables
        self.thresholds = load_thresholds(settings.params_dir)
        names = {row_id: row["name"] for row_id, row in tables["clubs"].before.items()}
        self.club_names = _with_aliases(connection, naming.load_clubs(settings.params_dir), names)

    def leagues(self) -> None:
        def keys(rows: Rows) -> Keys:
            return {row_id: self._league_key(row) for row_id, row in rows.items()}

        pairs = self.tables["leagues"]
        pairs.take("key", keys(pairs.before), keys(pairs.after))

    def clubs(self) -> None:
        pairs = self.tables["clubs"]
        for strategy, key in (("name", lambda row: row["name"]), ("key", lambda row: self.club_names.key(row["name"]))):
            pairs.take(strategy, *({n: key(row) for n, row in rows.items()} for rows in (pairs.before, pairs.after)))
        pairs.keep(lambda one, other: is_same_thing("clubs", one["name"], other["name"]))

    def series(self) -> None:
        pairs = self.tables["series"]
        for strategy, read in (("name", lambda _, name: name), ("key", self._series_name)):
            pairs.take(
                strategy,
                *(
                    {
                        row_id: (self._parent("leagues", row["league_id"], is_old), read(row, own_name(row["name"])))
                        for row_id, row in rows.items()
                    }
                    for rows, is_old in ((pairs.before, True), (pairs.after, False))
                ),
            )
        pairs.keep(lambda one, other: self._is_same("series", one, other, "name"))

    def teams(self) -> None:
        """By name in league and series, by what the grammar reads, by players; a name over other players is unsure."""
        pairs = self.tables["teams"]
        doubted = self._doubts() if set(pairs.before) - set(pairs.after) or self._is_any_team_renamed() else {}
        for strategy, read in (("name", self._team_by_name), ("key", self._team_by_key)):
            keys = [
                {row_id: read(row, is_old) for row_id, row in rows.items()}
                for rows, is_old in ((pairs.before, True), (pairs.after, False))
            ]
            pairs.take(strategy, *keys, veto=doubted)
        pairs.keep(lambda one, other: self._is_same("teams", one, other, "team_name"))
        for league in self.tables["leagues"].ids:
            self._by_roster(league)
        for new, others in doubted.items():
            for old in others:
                if old not in pairs.ids and new not in pairs.taken:
                    pairs.unsure.setdefault(old, []).append(new)

    def through_teams(self) -> None:
        """Clubs and series under other names, by their teams: all of the one are of the other, and the other way."""
        teams = self.tables["teams"]
        for table, column in (("clubs", "club_id"), ("series", "series_id")):
            pairs = self.tables[table]
            into: defaultdict[int, set[int]] = defaultdict(set)
            back: defaultdict[int, set[int]] = defaultdict(set)
            for old, new in teams.ids.items():
                one, other = teams.before[old][column], teams.after[new][column]
                into[one].add(other)
                back[other].add(one)
            for old in pairs.open_before():
                if len(into[old]) == 1 and back[(new := next(iter(into[old])))] == {old} and new not in pairs.taken:
                    pairs.pair(old, new, "teams")

    def players(self) -> None:
        """By person and team, then by person where each side has one row left, then by name within a team."""
        pairs = self.tables["players"]
        for strategy, key, is_doubt in (
            ("person", lambda row, is_old: self._person(row, is_old, with_team=True), True),
            ("person", lambda row, is_old: self._person(row, is_old, with_team=False), False),
            ("name", self._named_member, False),
        ):
            pairs.take(
                strategy,
                {row_id: key(row, True) for row_id, row in pairs.before.items()},
                {row_id: key(row, False) for row_id, row in pairs.after.items()},
                is_doubt=is_doubt,
            )

    def _parent(self, table: str, row_id: int | None, is_old: bool) -> Hashable | None:
        """The id after of what a row belongs to; a mark of its own where that has no counterpart."""
        if row_id is None or not is_old:
            return row_id
        return self.tables[table].ids.get(row_id, f"gone {row_id}")

    def _league_key(self, row: dict[str, Any]) -> str:
        return self.known.canonical(row["league_id"]) or row["league_id"].casefold()

    def _league(self, row: dict[str, Any]) -> naming.League | None:
        """The league of a row of either side."""
        pairs = self.tables["leagues"]
        found = pairs.before.get(row["league_id"]) or pairs.after.get(row["league_id"])
        return found and self.known.get(self._league_key(found))

    def _league_of(self, row: dict[str, Any], is_old: bool) -> naming.League | None:
        pairs = self.tables["leagues"]
        found = (pairs.before if is_old else pairs.after).get(row["league_id"])
        return found and self.known.get(self._league_key(found))

    def _series_name(self, row: dict[str, Any], name: str) -> str:
        league = self._league(row)
        return (league and league.parse_series(name)) or name.casefold()

    def _is_same(self, table: str, one: dict[str, Any], other: dict[str, Any], column: str) -> bool:
        if self._parent("leagues", one["league_id"], True) != other["league_id"]:
            return False
        if table == "teams" and self._parent("series", one["series_id"], True) != other["series_id"]:
            return False
        before, after = own_name(one[column]), own_name(other[column])
        league = self._league(other)
        return is_same_thing(table, before, after, ("series", "division", "chicago")) or bool(
            league and naming.is_one_name(league, before, after)
        )

    def _team_by_name(self, row: dict[str, Any], is_old: bool) -> Hashable:
        return (
            self._parent("leagues", row["league_id"], is_old),
            self._parent("series", row["series_id"], is_old),
            own_name(row["team_name"]),
        )

    def _team_by_key(self, row: dict[str, Any], is_old: bool) -> Hashable | None:
        key = self._read_team(row, is_old)
        return key and (self._parent("leagues", row["league_id"], is_old), key)

    def _read_team(self, row: dict[str, Any], is_old: bool) -> tuple[str, str, str] | None:
        """Club, series and ordinal that a team's name says."""
        league = self._league_of(row, is_old)
        pairs = self.tables["series"]
        series = (pairs.before if is_old else pairs.after).get(row["series_id"])
        team = league and league.parse_team(own_name(row["team_name"]), series and series["name"])
        return (self.club_names.key(team.club), team.series, team.ordinal) if team else None

    def _is_any_team_renamed(self) -> bool:
        pairs = self.tables["teams"]
        return any(
            row["team_name"] != pairs.after[row_id]["team_name"]
            for row_id, row in pairs.before.items()
            if row_id in pairs.after
        )

    def _matches(self, league: int) -> dict[Hashable, tuple[list[int], Any]]:
        """Key of a team after -> its rows and the row before that names and players say it is."""
        pairs, into = self.tables["teams"], self.tables["leagues"].ids[league]
        people = [self._people(is_old) for is_old in (True, False)]
        known = [
            Known(
                row_id,
                self._read_team(row, True),
                own_name(row["team_name"]),
                row["is_active"] is not False,
                people[0][row_id],
            )
            for row_id, row in pairs.before.items()
            if row["league_id"] == league
        ]
        rows: defaultdict[Hashable, list[int]] = defaultdict(list)
        incoming = []
        for row_id, row in pairs.after.items():
            if row["league_id"] == into and row["is_active"] is not False:
                key = self._read_team(row, False) or (f"= {row['team_name'].casefold()}", str(row["series_id"]), "")
                rows[key].append(row_id)
                incoming.append(Incoming(key, row["team_name"], people[1][row_id]))
        found = match_teams(incoming, known, self.thresholds)
        return {key: (rows[key], match) for key, match in found.items()}

    def _people(self, is_old: bool) -> defaultdict[int, frozenset[str]]:
        """Team -> person keys of its active players."""
        pairs = self.tables["players"]
        found: defaultdict[int, set[str]] = defaultdict(set)
        for row in (pairs.before if is_old else pairs.after).values():
            league = self._league_of(row, is_old)
            if row["team_id"] is not None and row["is_active"] is not False and league:
                key = person_key(row["tenniscores_player_id"], tuple(league.id_prefixes))
                if not league.is_made_up(key):
                    found[row["team_id"]].add(key)
        return defaultdict(frozenset, {team: frozenset(people) for team, people in found.items()})

    def _doubts(self) -> dict[int, list[int]]:
        """Teams after whose name stands over the players of another team before -> the teams before it may be."""
        doubts: dict[int, list[int]] = {}
        for league in self.tables["leagues"].ids:
            for rows, match in self._matches(league).values():
                if match.kind == "contradiction":
                    doubts |= {row: [each.id for each in match.candidates] for row in rows}
        return doubts

    def _by_roster(self, league: int) -> None:
        pairs = self.tables["teams"]
        if not any(pairs.before[row]["league_id"] == league for row in pairs.open_before()):
            return
        for rows, match in self._matches(league).values():
            free = [row for row in rows if row not in pairs.taken]
            if len(free) != 1:
                continue
            if match.strategy == "roster" and match.id not in pairs.ids:
                pairs.pair(match.id, free[0], "roster")
            elif match.id is None:
                for candidate in match.candidates:
                    if candidate.id not in pairs.ids:
                        pairs.unsure.setdefault(candidate.id, []).append(free[0])

    def _person(self, row: dict[str, Any], is_old: bool, *, with_team: bool) -> Hashable | None:
        league = self._league_of(row, is_old)
        if league is None:
            return None
        key = person_key(row["tenniscores_player_id"], tuple(league.id_prefixes))
        if league.is_made_up(key):
            return None
        team = self._parent("teams", row["team_id"], is_old) if with_team else ""
        return (self._parent("leagues", row["league_id"], is_old), key, team)

    def _named_member(self, row: dict[str, Any], is_old: bool) -> Hashable | None:
        if row["team_id"] is None:
            return None
        return (self._parent("teams", row["team_id"], is_old), _person_name(row).casefold())


def _with_aliases(connection: sa.Connection, clubs: naming.Clubs, names: Mapping[int, str]) -> naming.Clubs:
    """The clubs of the params and the spellings decided since; *names*: id before -> name, to which aliases point."""
    recorded = {
        alias.spelling: clubs.key(names[int(alias.target)])
        for alias in aliases_in_force(connection, EVERYWHERE, "club").values()
        if int(alias.target) in names
    }
    return naming.Clubs({**clubs.keys, **recorded}, clubs.names)


def _name(table: str, row: dict[str, Any]) -> str:
    return _person_name(row) if table == "players" else row[_COLUMNS[table][0]]


def _person_name(row: dict[str, Any]) -> str:
    return " ".join(filter(None, (row["first_name"], row["last_name"])))


def _persons(players: Pairs) -> dict[str, str]:
    """Printed ids under which nobody stands any more -> what the same persons are printed as now."""
    still = {row["tenniscores_player_id"] for row in players.after.values()}
    into: defaultdict[str, set[str]] = defaultdict(set)
    for old, new in players.ids.items():
        into[players.before[old]["tenniscores_player_id"]].add(players.after[new]["tenniscores_player_id"])
    return {old: next(iter(new)) for old, new in into.items() if old not in still and len(new) == 1}
