"""Which live league, clubs, series and teams a scrape speaks of; those it does not know yet get their ids here."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.planning.compare import Wanted, plan_changes

if TYPE_CHECKING:
    from rally_etl.database.catalog import Table
    from rally_etl.identity.reviews import Review
    from rally_etl.naming import Clubs, League, TeamName

TeamKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class LiveTeam:
    """A team as the candidate will hold it."""

    id: int
    name: str
    series_id: int
    series_name: str
    club_id: int


@dataclass(slots=True)
class Scene:
    """What planning one league needs to know, filled step by step in the order of the tables."""

    connection: sa.Connection
    catalog: dict[str, Table]
    league: League
    clubs: Clubs
    kinds: frozenset[str]
    league_id: int = 0
    club_ids: dict[str, int] = field(default_factory=dict)
    series_ids: dict[str, int] = field(default_factory=dict)
    series_names: dict[str, str] = field(default_factory=dict)
    teams: dict[TeamKey, LiveTeam] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)  # identity.spelling -> id of a live team
    teams_by_id: dict[int, LiveTeam] = field(default_factory=dict)  # every team of the candidate, also inactive ones
    waiting: dict[str, str] = field(default_factory=dict)  # identity.spelling -> name that a review asks about
    reviews: list[Review] = field(default_factory=list)
    held: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def key(self, team: TeamName) -> TeamKey:
        """What makes two printed names the same team: club, series and ordinal, whatever the spelling."""
        return (self.clubs.key(team.club), team.series, team.ordinal)

    @property
    def id_prefix(self) -> str:
        """What precedes a person in an id of this league, a regular expression: `records.values.person_key` for SQL."""
        prefixes = "|".join(re.escape(prefix) for prefix in self.league.id_prefixes)
        return f"^(?:{prefixes})+(?=.)" if prefixes else "^$"

    def plan(self, table: str, rows: list[dict[str, object]], types: dict[str, str], **values: str) -> None:
        """Plan rows that were worked out here; *types* are their columns, *values* what is written (else as given)."""
        if rows and table in self.catalog:
            shape = ", ".join(f"{name} {type_name}" for name, type_name in types.items())
            written = {name: f"w.{name}" for name in types if name != "id"} | values
            plan_changes(
                self.connection,
                self.catalog[table],
                Wanted(f"select * from jsonb_to_recordset(cast(:rows as jsonb)) as r({shape})", written, new_id="w.id"),
                self.league.key,
                {"rows": json.dumps(rows)},
            )

    def share(self, table: str, ids: list[int]) -> None:
        """This league needs rows, too, that another league of the run plans."""
        self.connection.execute(
            sa.text(
                f"update {quote(table)} set _leagues = _leagues || cast(:league as text)"
                " where id = any(:ids) and not cast(:league as text) = any(_leagues)"
            ),
            {"league": self.league.key, "ids": ids},
        )

    def new_ids(self, table: str, count: int) -> list[int]:
        """Take ids from the live sequence, so that the id an auditor sees is the id users will get."""
        found = self.connection.execute(
            sa.text("select nextval(:sequence) from generate_series(1, :count)"),
            {"sequence": self.catalog[table].sequence, "count": count},
        )
        return list(found.scalars())


def plan_league(scene: Scene, canonical: dict[str, str | None]) -> None:
    """Find the league's row by any spelling of its key, or plan one."""
    rows = scene.connection.execute(sa.text("select id, league_id from public.leagues order by id")).all()
    league = scene.league
    found = [row for row in rows if league.key in (row.league_id, canonical.get(row.league_id))]
    found.sort(key=lambda row: (row.league_id != league.key, row.id))
    if found:
        scene.league_id = found[0].id
        return
    scene.league_id = scene.new_ids("leagues", 1)[0]
    row = {"id": scene.league_id, "league_id": league.key, "league_name": league.name, "league_url": league.url}
    scene.plan("leagues", [row], dict.fromkeys(row, "text") | {"id": "integer"})


def plan_clubs(scene: Scene, roster: Iterable[TeamName], planned: dict[str, int]) -> None:
    """Find the clubs of *roster* under any spelling; new ones are planned once for all leagues of the run.

    Args:
        planned: club key -> id of clubs that another league of this run plans already; added to.
    """
    live: dict[str, int] = {}
    for row in scene.connection.execute(sa.text("select id, name from public.clubs order by id")):
        key = scene.clubs.key(row.name)
        if key not in live or row.name == scene.clubs.name(key):
            live[key] = row.id
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for team in roster:
        spellings[scene.clubs.key(team.club)][team.club] += 1
    new = sorted(key for key in spellings if key not in live and key not in planned)
    rows = [
        {"id": new_id, "name": scene.clubs.name(key) or _most_printed(spellings[key])}
        for key, new_id in zip(new, scene.new_ids("clubs", len(new)), strict=True)
    ]
    scene.plan("clubs", rows, {"id": "integer", "name": "text"})
    scene.share("clubs", [planned[key] for key in spellings if key in planned])
    planned |= dict(zip(new, (row["id"] for row in rows), strict=True))
    scene.club_ids = {key: live[key] if key in live else planned[key] for key in spellings}


def plan_series(scene: Scene, roster: Iterable[TeamName], planned: dict[str, int]) -> None:
    """Find the series of *roster* by their canonical name, renaming old spellings; new ones are planned.

    Where series have no league they are shared by name (docs/databases.md): none is renamed, and a new one is planned
    once for all leagues of the run.

    Args:
        planned: name -> id of shared series that another league of this run plans already; added to.
    """
    is_shared = not scene.catalog["series"].has("league_id")
    live = _live_series(scene)
    wanted = sorted({team.series for team in roster})
    new = [name for name in wanted if name not in live and not (is_shared and name in planned)]
    ids = dict(zip(new, scene.new_ids("series", len(new)), strict=True))
    rows = []
    for name in wanted:
        live_id, printed = live.get(name, (ids.get(name, planned.get(name)), name))
        scene.series_ids[name] = live_id
        scene.series_names[name] = kept = printed if is_shared else name
        if name in live or name in ids:
            rows.append({"id": live_id, "name": kept, "display_name": kept, "league_id": scene.league_id})
    if is_shared:
        scene.share("series", [planned[name] for name in wanted if name in planned and name not in live])
        planned |= ids
    types = {"id": "integer", "name": "text", "display_name": "text"} | ({} if is_shared else {"league_id": "integer"})
    # a display name that somebody chose stays
    shown = "case when l.id is null or l.display_name = l.name then w.display_name else l.display_name end"
    scene.plan("series", rows, types, display_name=shown)


def plan_teams(scene: Scene, roster: dict[TeamKey, TeamName], is_complete: bool) -> None:
    """Find the teams of *roster*: a live team that parses to the same club, series and ordinal keeps its id.

    With *is_complete* (rosters and standings both scraped) an active team that nothing mentions is deactivated.
    """
    live = _live_teams(scene)
    by_key: dict[TeamKey, list[_LiveRow]] = defaultdict(list)
    for row in live:
        if row.key:
            by_key[row.key].append(row)
    keep = {key: _best(by_key[key], team.name) for key, team in roster.items() if key in by_key}
    new = sorted(_without_key_conflicts(scene, [key for key in roster if key not in keep], roster, live))
    ids = dict(zip(new, scene.new_ids("teams", len(new)), strict=True))
    rows = []
    for key, team in sorted(roster.items()):
        if key not in keep and key not in ids:
            continue
        row = keep.get(key)
        club_id, series_id = scene.club_ids[key[0]], scene.series_ids[team.series]
        alias = team.series
        if row and row.alias and scene.league.parse_series(row.alias) != team.series:
            alias = row.alias  # somebody chose it
        team_id = row.id if row else ids[key]
        scene.teams[key] = LiveTeam(team_id, team.name, series_id, scene.series_names[team.series], club_id)
        rows.append(
            {"id": team_id, "club_id": club_id, "series_id": series_id, "league_id": scene.league_id,
             "team_name": team.name, "display_name": team.name, "team_alias": alias, "is_active": True}
        )  # fmt: skip
    if is_complete:
        rows += [row.switched_off() for row in live if row.is_active and row.key not in roster]
    for row in live:
        if row.is_active and row.key and row.key not in scene.teams:
            scene.teams[row.key] = LiveTeam(row.id, row.name, row.series_id, row.series_name, row.club_id)
    types = {
        "id": "integer", "club_id": "integer", "series_id": "integer", "league_id": "integer", "team_name": "text",
        "display_name": "text", "team_alias": "text", "is_active": "boolean",
    }  # fmt: skip
    shown = "case when l.id is null or l.display_name = l.team_name then w.display_name else l.display_name end"
    scene.plan("teams", rows, types, display_name=shown)


def plan_junctions(scene: Scene) -> None:
    """Plan missing pairs of club and league, series and league: from all files, not rosters alone (incident 20)."""
    for table, column, ids in (
        ("club_leagues", "club_id", scene.club_ids.values()),
        ("series_leagues", "series_id", scene.series_ids.values()),
    ):
        if table not in scene.catalog or not ids:
            continue
        plan_changes(
            scene.connection,
            scene.catalog[table],
            Wanted(
                f"select distinct unnest(cast(:ids as integer[])) as {column},"
                " cast(:league_id as integer) as league_id",
                {column: f"w.{column}", "league_id": "w.league_id"},
                join=f"l.{column} = w.{column} and l.league_id = w.league_id",
            ),
            scene.league.key,
            {"ids": sorted(ids), "league_id": scene.league_id},
        )


@dataclass(frozen=True, slots=True)
class _LiveRow:
    id: int
    name: str
    display_name: str
    alias: str | None
    club_id: int
    series_id: int
    series_name: str
    league_id: int
    is_active: bool
    key: TeamKey | None

    def switched_off(self) -> dict[str, object]:
        """The wanted row of a team that a complete scrape does not mention: the same, but not active."""
        return {
            "id": self.id, "club_id": self.club_id, "series_id": self.series_id, "league_id": self.league_id,
            "team_name": self.name, "display_name": self.display_name, "team_alias": self.alias, "is_active": False,
        }  # fmt: skip


def _live_teams(scene: Scene) -> list[_LiveRow]:
    rows = scene.connection.execute(
        sa.text(
            """
            select t.id, t.team_name, t.display_name, t.team_alias, t.club_id, t.series_id, s.name as series_name,
                   t.league_id, coalesce(t.is_active, true) as is_active
            from public.teams as t join public.series as s on s.id = t.series_id
            where t.league_id = :league_id order by t.id
            """
        ),
        {"league_id": scene.league_id},
    )
    live = []
    for row in rows:
        team = scene.league.parse_team(row.team_name, row.series_name)
        live.append(_LiveRow(*row, key=scene.key(team) if team else None))
    return live


def live_team_names(scene: Scene) -> list[TeamName]:
    """The active live teams of the league as names, to resolve what the scrape's own rosters do not know."""
    rows = [(row.name, row.series_name) for row in _live_teams(scene) if row.is_active]
    return [team for name, series in rows if (team := scene.league.parse_team(name, series))]


def _best(rows: list[_LiveRow], name: str) -> _LiveRow:
    """Of several live rows of one team the one that is spelled right, else active, else oldest."""
    return min(rows, key=lambda row: (row.name != name, not row.is_active, row.id))


def _without_key_conflicts(
    scene: Scene, new: list[TeamKey], roster: dict[TeamKey, TeamName], live: list[_LiveRow]
) -> list[TeamKey]:
    """Leave out teams that a unique key of the database met cannot hold beside another; they are held."""
    one_per_series = [
        key.name
        for key in scene.catalog["teams"].unique_keys
        if set(key.columns) == {"club_id", "series_id", "league_id"}
    ]
    if not one_per_series:
        return new
    taken = {(row.club_id, row.series_id) for row in live}
    kept = []
    for key in sorted(new):
        place = (scene.club_ids[key[0]], scene.series_ids[key[1]])
        if place in taken:
            scene.held["teams", f"unique key {one_per_series[0]} has no room", roster[key].name] += 1
        else:
            taken.add(place)
            kept.append(key)
    return kept


def _most_printed(spellings: Counter[str]) -> str:
    return min(spellings, key=lambda name: (-spellings[name], name))


def _live_series(scene: Scene) -> dict[str, tuple[int, str]]:
    """Canonical name -> id and live name; of several spellings the league's own comes first, then the right one."""
    if scene.catalog["series"].has("league_id"):
        sql = "select id, name, true as is_own from public.series where league_id = :league_id"
    elif "series_leagues" in scene.catalog:
        sql = """
            select id, name, exists (select from public.series_leagues as j
                                     where j.series_id = s.id and j.league_id = :league_id) as is_own
            from public.series as s
            """
    else:
        sql = """
            select id, name, exists (select from public.teams as t
                                     where t.series_id = s.id and t.league_id = :league_id) as is_own
            from public.series as s
            """
    spellings: dict[str, list[sa.Row]] = defaultdict(list)
    for row in scene.connection.execute(sa.text(sql), {"league_id": scene.league_id}):
        spellings[scene.league.parse_series(row.name) or row.name].append(row)
    best = {
        name: min(rows, key=lambda row: (not row.is_own, row.name != name, row.id)) for name, rows in spellings.items()
    }
    return {name: (row.id, row.name) for name, row in best.items()}
