"""Live things by every name under which a lost reference may have known them; never by a part of a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import read_catalog
from rally_etl.identity.aliases import EVERYWHERE, aliases_in_force, redirected_ids
from rally_etl.identity.spelling import printed_spelling, team_spelling
from rally_etl.naming.text import clean_name
from rally_etl.planning.clubs import with_recorded_aliases
from rally_etl.records.values import person_key

if TYPE_CHECKING:
    from rally_etl.settings import Settings

ENTITIES = {"leagues": "league", "clubs": "club", "series": "series", "teams": "team", "players": "player"}
"""Tables whose rows stand for something that a row can lose, and what one row of each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One live row. ``league``: key, `EVERYWHERE` for clubs; ``team`` and ``printed_id`` are a player's."""

    table: str
    id: int
    name: str
    league: str = EVERYWHERE
    series: str = ""
    club: str = ""
    team: str = ""
    printed_id: str = ""
    is_active: bool = True
    league_id: int | None = None
    club_id: int | None = None
    series_id: int | None = None
    team_id: int | None = None

    def key(self, target_column: str) -> str:
        """What a reference at this row holds, as text."""
        return str(self.id) if target_column == "id" else self.printed_id if self.table == "players" else self.name

    @property
    def told(self) -> str:
        """`Tennaqua 12 (team 61)`."""
        return f"{self.name} ({ENTITIES[self.table]} {self.id})"


@dataclass(frozen=True, slots=True)
class Found:
    """A thing of a name. ``lessened``: how it is not quite that name (keys of `Trust.less`)."""

    thing: Thing
    lessened: tuple[str, ...] = ()


_TEAMS = """
    select t.id, t.team_name as name, t.league_id, t.club_id, t.series_id, s.name as series, c.name as club,
           coalesce(t.is_active, true) as is_active
    from public.teams as t
    left join public.series as s on s.id = t.series_id
    left join public.clubs as c on c.id = t.club_id
    """
_PEOPLE = """
    select p.id, concat_ws(' ', p.first_name, p.last_name) as name, p.tenniscores_player_id as printed_id, p.league_id,
           p.club_id, p.series_id, p.team_id, s.name as series, c.name as club, t.team_name as team,
           coalesce(p.is_active, true) as is_active
    from public.players as p
    left join public.series as s on s.id = p.series_id
    left join public.clubs as c on c.id = p.club_id
    left join public.teams as t on t.id = p.team_id
    where lower(concat_ws(' ', p.first_name, p.last_name)) = any(:names) or p.tenniscores_player_id = any(:printed)
       or p.id = any(:ids)
    order by p.id
    """


@dataclass(frozen=True, slots=True)
class _People:
    """The players that were read; ``by_person``: prefixes of a league -> person key -> players of such leagues."""

    by_printed_id: dict[str, list[Thing]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[str, list[Thing]] = field(default_factory=lambda: defaultdict(list))
    by_person: dict[tuple[str, ...], dict[str, list[Thing]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )


@dataclass
class Things:
    """All live leagues, clubs, series and teams but those merged into others, and those players that were asked for."""

    connection: sa.Connection
    settings: Settings
    people: dict[int, Thing] = field(default_factory=dict)

    @cached_property
    def leagues(self) -> naming.Leagues:
        return naming.load_leagues(self.settings.params_dir)

    @cached_property
    def clubs(self) -> naming.Clubs:
        return with_recorded_aliases(self.connection, naming.load_clubs(self.settings.params_dir))

    @cached_property
    def redirects(self) -> dict[str, dict[int, int]]:
        """Table -> id that was merged -> id at the end of the chain."""
        return {table: redirected_ids(self.connection, table) for table in ENTITIES}

    @cached_property
    def league_keys(self) -> dict[int, str]:
        rows = self.connection.execute(sa.text("select id, league_id from public.leagues"))
        return {row.id: self.leagues.canonical(row.league_id) or row.league_id for row in rows}

    @cached_property
    def by_id(self) -> dict[str, dict[int, Thing]]:
        """Table -> id -> thing, without players; leagues by their key."""
        found: dict[str, dict[int, Thing]] = {table: {} for table in ENTITIES}
        for row_id, key in self.league_keys.items():
            found["leagues"][row_id] = Thing(table="leagues", id=row_id, name=key, league=key, league_id=row_id)
        for row in self._rows("select id, name from public.clubs order by id"):
            found["clubs"][row.id] = Thing(table="clubs", id=row.id, name=row.name)
        for row in self._rows(_TEAMS + " order by t.id"):
            found["teams"][row.id] = self._thing("teams", row)
        has_league = read_catalog(self.connection, ("series",))["series"].has("league_id")
        of_league = "league_id" if has_league else "null::integer as league_id"
        for row in self._rows(f"select id, name, {of_league} from public.series order by id"):
            league = self.league_keys.get(row.league_id, EVERYWHERE)
            found["series"][row.id] = Thing(
                table="series", id=row.id, name=row.name, league=league, series=row.name, league_id=row.league_id
            )
        return {
            table: {row: thing for row, thing in things.items() if row not in self.redirects[table]}
            for table, things in found.items()
        }

    def read_people(self, names: Iterable[str], printed: Iterable[str], ids: Iterable[int]) -> None:
        """Read the players of these names, printed ids (under any league's prefix) and row ids, once for all."""
        known = self.leagues.keys()
        prefixes = {prefix for key in known for prefix in self.leagues.get(key).id_prefixes}
        bodies = {person_key(text, tuple(prefixes)) for text in printed}
        variants = {first + text for text in bodies for first in ("", *prefixes)} | set(printed)
        binds = {
            "names": sorted({" ".join(name.split()).lower() for name in names if name}),
            "printed": sorted(variants),
            "ids": sorted(ids),
        }
        for row in self.connection.execute(sa.text(_PEOPLE), binds):
            if row.id not in self.redirects["players"]:
                self.people[row.id] = self._thing("players", row)
        vars(self).pop("_index", None)

    @cached_property
    def _index(self) -> _People:
        found = _People()
        for thing in self.people.values():
            prefixes = tuple(self.leagues.get(thing.league).id_prefixes)
            found.by_printed_id[thing.printed_id].append(thing)
            found.by_name[clean_name(thing.name).casefold()].append(thing)
            found.by_person[prefixes][person_key(thing.printed_id, prefixes)].append(thing)
        return found

    def get(self, table: str, row_id: int | None) -> Thing | None:
        """The live thing of an id; one that was merged is none."""
        if row_id is None:
            return None
        return self.people.get(row_id) if table == "players" else self.by_id[table].get(row_id)

    def at(self, table: str, target_column: str, value: str | None) -> Thing | None:
        """The live thing that a reference with this value points at; a person's first active row."""
        if value is None:
            return None
        if target_column == "id":
            return self.get(table, int(value)) if value.isascii() and value.isdigit() and len(value) < 10 else None
        if table == "players":
            rows = self._index.by_printed_id[value]
            return min(rows, key=lambda thing: (not thing.is_active, thing.id), default=None)
        return next((thing for thing in self.by_id[table].values() if thing.name == value), None)

    def find(
        self, table: str, name: str, league: str = EVERYWHERE, series: str = "", team: str = ""
    ) -> tuple[Found, ...]:
        """Live things of a name: as it is written, else by the league's grammar, else by an alias in force.

        Args:
            league: key; `EVERYWHERE` where it is not known, then things of every league are answered.
            series, team: in which the thing was, as far as that is known.
        """
        if not name:
            return ()
        if table == "players":
            return self._find_people(name, league, series, team)
        if table in ("leagues", "clubs"):
            league = EVERYWHERE
        lessened = ("any_league",) if league == EVERYWHERE and table in ("teams", "series") else ()
        for how, things in self._ways(table, name, league, series):
            if things:
                how_far = lessened if len({thing.league for thing in things}) == 1 else ()
                near = (
                    [thing for thing in things if not self._is_elsewhere(thing, series)] if table == "teams" else things
                )
                far = ("elsewhere",) if not near else ()
                return tuple(Found(thing, (*how, *far, *how_far)) for thing in near or things)
        return ()

    def of_club(self, club: str, series: str, league: str) -> list[Thing]:
        """Active teams of a club in a series, by any spelling of the two; of one league, or of all."""
        key = self.clubs.key(club)
        found = []
        for thing in self.by_id["teams"].values():
            is_here = thing.is_active and league in (thing.league, EVERYWHERE) and self.clubs.key(thing.club) == key
            if is_here and self.is_one_series(thing.league, thing.series, series):
                found.append(thing)
        return found

    def is_one_series(self, league: str, one: str, other: str) -> bool:
        """Whether two names mean one series by the league's grammar."""
        if one.casefold() == other.casefold():
            return True
        known = self.leagues.get(league)
        standard = known.parse_series(one)
        return standard is not None and standard == known.parse_series(other)

    def is_one_name(self, table: str, league: str, one: str, other: str) -> bool:
        """Whether two names certainly mean one thing: letter by letter but for case, or by the league's grammar."""
        if clean_name(one).casefold() == clean_name(other).casefold():
            return True
        if table == "clubs":
            return self.clubs.key(one) == self.clubs.key(other)
        if table not in ("teams", "series") or league == EVERYWHERE:
            return False
        return naming.is_one_name(self.leagues.get(league), one, other)

    def _ways(self, table: str, name: str, league: str, series: str) -> Iterable[tuple[tuple[str, ...], list[Thing]]]:
        """From the most certain way on: what is not quite the name, and the things found so."""
        exact = self._named.get((table, clean_name(name).casefold()), [])
        yield (), [thing for thing in exact if league == EVERYWHERE or thing.league in (league, EVERYWHERE)]
        if table == "clubs":
            key = self.clubs.key(name)
            yield ("spelling",), [each for each in self.by_id["clubs"].values() if self.clubs.key(each.name) == key]
            return
        if table == "leagues":
            key = self.leagues.canonical(name)
            yield ("spelling",), [each for each in self.by_id["leagues"].values() if key and each.league == key]
            return
        keys = [league] if league != EVERYWHERE else sorted(set(self.league_keys.values()))
        yield ("spelling",), [thing for key in keys for thing in self._spelled(table, key, name, series)]
        yield ("alias",), [thing for key in keys for thing in self._aliased(table, key, name, series)]

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[Thing]]:
        found: dict[tuple[str, str], list[Thing]] = defaultdict(list)
        for table, things in self.by_id.items():
            for thing in things.values():
                found[table, clean_name(thing.name).casefold()].append(thing)
        return found

    def _spelled(self, table: str, league: str, name: str, series: str) -> list[Thing]:
        wanted = self._spelling(table, league, name, series)
        return self._spellings(table, league).get(wanted, []) if wanted else []

    def _spellings(self, table: str, league: str) -> dict[str, list[Thing]]:
        known = self._read_spellings
        if (table, league) not in known:
            found = known.setdefault((table, league), defaultdict(list))
            for thing in self.by_id[table].values():
                if thing.league in (league, EVERYWHERE) and (
                    text := self._spelling(table, league, thing.name, thing.series)
                ):
                    found[text].append(thing)
        return known[table, league]

    @cached_property
    def _read_spellings(self) -> dict[tuple[str, str], dict[str, list[Thing]]]:
        return {}

    def _spelling(self, table: str, league: str, name: str, series: str) -> str | None:
        """What a name says by the grammar; None where it is not read."""
        if table == "series":
            return self.leagues.get(league).parse_series(name)
        team = self.leagues.get(league).parse_team(name, series or None)
        return team and team_spelling((self.clubs.key(team.club), team.series, team.ordinal))

    def _aliased(self, table: str, league: str, name: str, series: str) -> list[Thing]:
        aliases = self._aliases.get((league, ENTITIES[table]))
        if aliases is None:
            aliases = aliases_in_force(self.connection, league, ENTITIES[table])
            self._aliases[league, ENTITIES[table]] = aliases
        read = self._spelling(table, league, name, series)
        spellings = [read or name.casefold()] if table == "series" else [read, printed_spelling(name, series)]
        spellings.append(printed_spelling(name))
        for spelling in filter(None, spellings):
            if (alias := aliases.get(spelling)) and (thing := self.get(table, int(alias.target))):
                return [thing]
        return []

    @cached_property
    def _aliases(self) -> dict:
        return {}

    def _is_elsewhere(self, thing: Thing, series: str) -> bool:
        return bool(series and thing.series) and not self.is_one_series(thing.league, thing.series, series)

    def _find_people(self, name: str, league: str, series: str, team: str) -> tuple[Found, ...]:
        same = clean_name(name).casefold()
        rows = [thing for thing in self._index.by_name[same] if league in (thing.league, EVERYWHERE)]
        far = ("any_league",) if league == EVERYWHERE and len({thing.league for thing in rows}) == 1 else ()
        if team:
            there = [thing for thing in rows if self.is_one_name("teams", thing.league, thing.team, team)]
        else:
            there = [thing for thing in rows if series and not self._is_elsewhere(thing, series)]
        if there:
            rows = there
        else:
            far = (*far, "elsewhere" if team or series else "alone")
        active = [thing for thing in rows if thing.is_active]
        return tuple(Found(thing, far) for thing in active or rows)

    def by_person(self, printed: str) -> list[Thing]:
        """Rows of the person whom a printed id means under any league's prefix, or by an alias in force."""
        return [
            thing
            for prefixes, persons in self._index.by_person.items()
            for thing in persons[person_key(printed, prefixes)]
        ]

    def _rows(self, sql: str) -> Collection[sa.Row]:
        return self.connection.execute(sa.text(sql)).all()

    def _thing(self, table: str, row: sa.Row) -> Thing:
        extra = (
            {"team": row.team or "", "printed_id": row.printed_id, "team_id": row.team_id} if table == "players" else {}
        )
        return Thing(
            table=table, id=row.id, name=row.name, league=self.league_keys.get(row.league_id, EVERYWHERE),
            series=row.series or "", club=row.club or "", is_active=row.is_active, league_id=row.league_id,
            club_id=row.club_id, series_id=row.series_id, **extra,
        )  # fmt: skip
