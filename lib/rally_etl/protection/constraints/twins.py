"""Rows that are one thing though no unique key sees it: by naming, by the suffix of a match id, by what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import quote
from rally_etl.database.references import read_reference_params
from rally_etl.identity.aliases import redirected_ids
from rally_etl.measures import counted
from rally_etl.planning.clubs import with_recorded_aliases
from rally_etl.protection.constraints.standing import Standing

if TYPE_CHECKING:
    from rally_etl.settings import Settings

SHOWN = 3
PAIRS = {"clubs": "club", "series": "series", "teams": "team", "leagues": "league"}
COUNTED = {"clubs": "clubs", "series": "series", "teams": "teams", "leagues": "leagues"}
NOT_CONTENT = ("id", "tenniscores_match_id", "match_id", "created_at")
"""Columns of a match line that do not say what was played."""

_WHY = {
    "leagues": "Imports take one of the rows; what hangs on the others is not kept up.",
    "clubs": "A club in two spellings shows two half rosters and two entries in every list (incidents 40 and 47).",
    "series": "A series in two spellings shows two half standings.",
    "teams": "Matches, polls and practices of one team are split between two pages.",
}
_MEND = {
    "leagues": "asks a person: rows of two leagues are never made one by a program",
    "clubs": "makes those one that are spelled with the same letters, with all that refers to them; asks about others",
    "series": "asks a person; `rally-etl reviews` lists the question",
    "teams": "makes those one whose clubs become one and that are spelled alike; asks about the others",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One live row that may be the same thing as another; ``weight``: how much hangs on it."""

    id: int
    name: str
    league_id: int | None = None
    club_id: int | None = None
    series_id: int | None = None
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Live rows that are one thing by the rules of naming, the one to keep first; ``spelling``: what makes them one."""

    table: str
    spelling: str
    rows: tuple[Row, ...]
    league: str

    @property
    def told(self) -> str:
        """`Prairie Club (14202) and Prairie-Club (8711)`."""
        return " and ".join(f"{row.name} ({row.id})" for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """All rows of one table that are twins of one sort, as a finding says it."""

    table: str
    columns: tuple[str, ...]
    severity: str
    told: str
    why: str
    mend: str
    rows: int


def find_twins(connection: sa.Connection, settings: Settings, standing: Standing) -> Iterator[Twins]:
    """Twins of every sort in the live database; those that a unique key would see are left to it."""
    found = find_groups(connection, settings, standing)
    for table, name in (("leagues", "league_id"), ("clubs", "name"), ("series", "name"), ("teams", "team_name")):
        groups = [each for each in found.get(table, []) if len({row.name for row in each.rows}) > 1]
        if groups:
            rows = sum(len(each.rows) for each in groups)
            yield Twins(
                table=table,
                columns=(name,),
                severity="warn",
                told=f"{counted(len(groups), PAIRS[table], COUNTED[table])} under several spellings: {_some(groups)}",
                why=_WHY[table],
                mend=_MEND[table],
                rows=rows,
            )
    yield from _lines(connection, standing)
    yield from _memberships(connection, standing)
    yield from _practices(connection, settings, standing)


def find_groups(connection: sa.Connection, settings: Settings, standing: Standing) -> dict[str, list[Group]]:
    """Table -> its rows that are one thing by naming; rows that were merged already are not looked at."""
    leagues = naming.load_leagues(settings.params_dir)
    clubs = with_recorded_aliases(connection, naming.load_clubs(settings.params_dir))
    if not {"leagues", "clubs", "series", "teams"} <= standing.columns.keys():
        return {}
    rows = connection.execute(sa.text("select id, league_id from public.leagues order by id")).all()
    keys = {row.id: leagues.canonical(row.league_id) or row.league_id for row in rows}
    found = {
        "leagues": _groups("leagues", [(keys[row.id], Row(row.id, row.league_id)) for row in rows], {}),
        "clubs": _clubs(connection, clubs),
        "series": _series(connection, leagues, keys, standing),
        "teams": _teams(connection, leagues, keys, clubs),
    }
    return {table: groups for table, groups in found.items() if groups}


def _clubs(connection: sa.Connection, clubs: naming.Clubs) -> list[Group]:
    merged = redirected_ids(connection, "clubs")
    rows = connection.execute(
        sa.text(
            "select c.id, c.name, count(t.id) filter (where t.is_active is not false) as weight"
            " from public.clubs as c left join public.teams as t on t.club_id = c.id group by c.id order by c.id"
        )
    )
    keyed = [(clubs.key(row.name), row) for row in rows if row.id not in merged]
    found = [
        (key, Row(row.id, row.name, weight=row.weight + 1_000_000 * (row.name == clubs.name(key))))
        for key, row in keyed
    ]
    return _groups("clubs", found, {})


def _series(
    connection: sa.Connection, leagues: naming.Leagues, keys: Mapping[int, str], standing: Standing
) -> list[Group]:
    if "league_id" not in standing.columns["series"]:
        return []  # leagues share these rows, and each reads a name in its own way
    merged = redirected_ids(connection, "series")
    rows = connection.execute(
        sa.text(
            "select s.id, s.name, s.league_id, count(t.id) filter (where t.is_active is not false) as weight"
            " from public.series as s left join public.teams as t on t.series_id = s.id group by s.id order by s.id"
        )
    )
    found = []
    for row in rows:
        name = leagues.get(keys[row.league_id]).parse_series(row.name) if row.league_id in keys else None
        if name and row.id not in merged:
            weight = row.weight + 1_000_000 * (name == row.name)
            found.append(((row.league_id, name), Row(row.id, row.name, row.league_id, weight=weight)))
    return _groups("series", found, keys)


def _teams(
    connection: sa.Connection, leagues: naming.Leagues, keys: Mapping[int, str], clubs: naming.Clubs
) -> list[Group]:
    merged = redirected_ids(connection, "teams")
    rows = connection.execute(
        sa.text(
            "select t.id, t.team_name, t.league_id, t.club_id, t.series_id, s.name as series,"
            " (t.is_active is not false)::integer as weight"
            " from public.teams as t join public.series as s on s.id = t.series_id order by t.id"
        )
    )
    found = []
    known = {league_id: leagues.get(key) for league_id, key in keys.items()}
    for row in rows:
        if row.league_id not in known or row.id in merged:
            continue
        team = known[row.league_id].parse_team(row.team_name, row.series)
        if team:
            key = (row.league_id, clubs.keys.get(team.club_key, team.club_key), team.series, team.ordinal)
            weight = 2 * row.weight + (team.name == row.team_name)
            found.append((key, Row(row.id, row.team_name, row.league_id, row.club_id, row.series_id, weight=weight)))
    return _groups("teams", found, keys)


def _groups(table: str, keyed: Iterable[tuple[object, Row]], keys: Mapping[int, str]) -> list[Group]:
    """Rows with equal keys, where there are several; the weightiest first, of equal ones the oldest."""
    by_key: dict[object, list[Row]] = defaultdict(list)
    for key, row in keyed:
        by_key[key].append(row)
    groups = []
    for key, rows in by_key.items():
        if len(rows) > 1:
            first = sorted(rows, key=lambda row: (-row.weight, row.id))
            spelling = key if isinstance(key, str) else " / ".join(part for part in key[1:] if part)
            groups.append(Group(table, spelling, tuple(first), keys.get(rows[0].league_id, "*")))
    return groups


def _some(groups: list[Group]) -> str:
    more = f"; and {len(groups) - SHOWN:,} more" if len(groups) > SHOWN else ""
    return "; ".join(group.told for group in groups[:SHOWN]) + more


PLAIN_ID = "regexp_replace({}.tenniscores_match_id, '(_Line[0-9]+)\\1+$', '\\1')"
"""SQL of a match id with its suffix once."""


def copies_of_lines(columns: frozenset[str], rows: str = "public.match_scores") -> str:
    """SQL of match lines whose id repeats its suffix.

    Columns: ``id``, ``plain`` (the id with the suffix once), ``tenniscores_match_id``, ``first_id`` (the line to keep
    of those with this plain id: the row itself where it stands alone), ``is_same`` (whether that says the same).

    Args:
        rows: SQL of the lines to look at.
    """
    content = sorted(columns - set(NOT_CONTENT))
    one, other = (f"row({', '.join(f'{alias}.{quote(name)}' for name in content)})" for alias in ("d", "f"))
    return f"""
        with odd as materialized (
            select m.id, {PLAIN_ID.format("m")} as plain
            from {rows} as m
            where m.tenniscores_match_id like '%\\_Line%\\_Line%' and m.tenniscores_match_id ~ '(_Line[0-9]+)\\1+$'
        ),
        named as (
            select id, plain, true as is_odd from odd
            union all
            select m.id, m.tenniscores_match_id, false
            from {rows} as m
            where m.tenniscores_match_id in (select plain from odd)
        ),
        placed as (
            select id, plain, is_odd, first_value(id) over (partition by plain order by is_odd, id) as first_id
            from named
        )
        select p.id, p.plain, d.tenniscores_match_id, p.first_id, {one} is not distinct from {other} as is_same
        from placed as p
        join {rows} as d on d.id = p.id
        join {rows} as f on f.id = p.first_id
        where p.is_odd
        """


def _lines(connection: sa.Connection, standing: Standing) -> Iterator[Twins]:
    columns = standing.columns.get("match_scores", frozenset())
    if "tenniscores_match_id" not in columns:
        return
    rows = connection.execute(
        sa.text(
            "select id = first_id as is_alone, is_same, count(*) as rows,"
            " (array_agg(tenniscores_match_id order by id))[1] as said"
            f" from ({copies_of_lines(columns)}) as copies group by 1, 2 order by 1, 2 desc"
        )
    )
    for row in rows:
        lines = counted(row.rows, "match line")
        if row.is_alone:
            told = f"the ids of {lines} repeat their suffix: {row.said}"
            severity, mend = "warn", "writes the suffix once"
        elif row.is_same:
            told = f"{lines} stand a second time under a doubled suffix: {row.said}"
            severity, mend = "error", "deletes the copies under the doubled suffix"
        else:
            told = f"{lines} stand a second time under a doubled suffix and say something else there: {row.said}"
            severity, mend = "warn", "asks a person which one is right"
        yield Twins(
            table="match_scores",
            columns=("tenniscores_match_id",),
            severity=severity,
            told=told,
            why="Wins and losses are doubled (incident 16: 18,377 rows), and the court is read from the suffix.",
            mend=mend,
            rows=row.rows,
        )


def _memberships(connection: sa.Connection, standing: Standing) -> Iterator[Twins]:
    if not {"tenniscores_player_id", "team_id", "is_active"} <= standing.columns.get("players", frozenset()):
        return
    row = connection.execute(
        sa.text(
            "select count(*) as things, sum(row_count) as rows, (array_agg(said order by said))[1:3] as said from ("
            " select count(*) as row_count, format('%s in team %s', tenniscores_player_id, team_id) as said"
            " from public.players where team_id is not null and is_active is not false"
            " group by tenniscores_player_id, team_id having count(*) > 1) as doubled"
        )
    ).one()
    if row.things:
        yield Twins(
            table="players",
            columns=("tenniscores_player_id", "team_id"),
            severity="warn",
            told=f"{counted(row.things, 'person', 'persons')} twice in one team: {'; '.join(row.said)}",
            why="A person who is twice in a team is twice in its roster, and a session may open the wrong row.",
            mend="asks a person; `rally-etl merge players` makes them one",
            rows=int(row.rows),
        )


def _practices(connection: sa.Connection, settings: Settings, standing: Standing) -> Iterator[Twins]:
    if "schedule" not in standing.columns:
        return
    practice = read_reference_params(settings.params_dir / "references.yaml").practice_rows
    row = connection.execute(
        sa.text(
            "select count(*) as things, sum(row_count) as rows, (array_agg(said order by said))[1:3] as said from ("
            " select count(*) as row_count, format('%s on %s', home_team, match_date) as said"
            f" from public.schedule where ({practice}) and home_team_id is not null and match_date is not null"
            " group by home_team_id, home_team, match_date, match_time having count(*) > 1) as doubled"
        )
    ).one()
    if row.things:
        yield Twins(
            table="schedule",
            columns=("home_team_id", "match_date", "match_time"),
            severity="warn",
            told=f"{counted(row.things, 'practice')} of users stand several times: {'; '.join(row.said)}",
            why="A loop of a backup once wrote 3,470,114 rows for 41 practices (incident 3).",
            mend="nothing: rows of users are never folded; who wrote them removes one",
            rows=int(row.rows),
        )
