"""Damage to the plan of a run: what importers have made of good files. The candidate shows it as it would go live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.bench.mutations.damages import ALL_SIZES, FEW, ONE, WHOLE, Damage, how_many
from rally_etl.database.catalog import quote, read_catalog
from rally_etl.planning.schema import add_tables, create_candidate, planned_names, read_planned, schemas

OF_LEAGUE = "league_id = :league_id"
OF_SEASON = f"{OF_LEAGUE} and match_date >= date '2025-08-01'"
MATCHES = f"{OF_LEAGUE} and home_team !~* 'practice' and away_team <> ''"
SEATS = [f"{side}_player_{seat}_id" for side in ("home", "away") for seat in (1, 2)]
PRACTICES = f"{OF_LEAGUE} and home_team ~* 'practice'"
ACTIVE = f"{OF_LEAGUE} and is_active is not false"


@dataclass(slots=True)
class Plan:
    """The plan of a run that is damaged, for the rows of one league."""

    connection: sa.Connection
    run_id: str
    league: str
    league_id: int
    seed: int

    def keys(self, table: str, where: str, size: float) -> list[Any]:
        """Keys of rows of the candidate to hit, drawn from those that a condition allows."""
        key = self._key(table)
        sql = f"select {key} from {self._shown(table)} as c where {where} order by md5(cast({key} as text) || :seed)"
        binds = {"league_id": self.league_id} if ":league_id" in where else {}
        found = self.connection.scalars(sa.text(sql), {"seed": str(self.seed), **binds}).all()
        return list(found[: how_many(size, len(found))])

    def value(self, sql: str) -> Any:
        """The first value of a query, in which `{candidate}` is the candidate's schema."""
        sql = sql.format(candidate=quote(schemas(self.run_id)[1]))
        return self.connection.scalar(sa.text(sql), {"league_id": self.league_id} if ":league_id" in sql else {})

    def change(self, table: str, keys: Sequence[Any], **values: str) -> int:
        """Plan other values for rows; each value is an expression over the row as the candidate has it."""
        self._take(table)
        plan, key = quote(schemas(self.run_id)[0], table), self._key(table)
        before = quote(schemas(self.run_id)[0], f"{table}_before")
        columns = read_catalog(self.connection, (table,))[table].column_names
        names = ", ".join(map(quote, columns))
        shown = ", ".join(f"c.{quote(name)}" for name in columns)
        new = ", ".join(f"{quote(name)} = {value}" for name, value in values.items())
        binds = {"keys": list(keys), "league": self.league}
        for statement in (
            f"create temp table hit on commit drop as select {shown}, coalesce(p._op, 'update') as _op,"
            f" coalesce(p._leagues, array[cast(:league as text)]) as _leagues"
            f" from {self._shown(table)} as c left join {plan} as p using ({key}) where c.{key} = any(:keys)",
            *([f"update hit as c set {new}"] if new else []),
            f"delete from {plan} where {key} = any(:keys)",
            f"insert into {plan} ({names}, _op, _leagues) select {names}, _op, _leagues from hit",
            f"insert into {before} ({names}) select {names} from {quote('public', table)} as l"
            f" where l.{key} = any(:keys) and not exists (select from {before} as b where b.{key} = l.{key})",
            "drop table hit",
        ):
            self.connection.execute(sa.text(statement), {n: v for n, v in binds.items() if f":{n}" in statement})
        return len(keys)

    def delete(self, table: str, keys: Sequence[Any]) -> int:
        """Plan that rows go."""
        self.change(table, keys)
        plan, key = quote(schemas(self.run_id)[0], table), self._key(table)
        live = f"exists (select from {quote('public', table)} as l where l.{key} = p.{key})"
        binds = {"keys": list(keys)}
        self.connection.execute(sa.text(f"delete from {plan} as p where {key} = any(:keys) and not {live}"), binds)
        self.connection.execute(sa.text(f"update {plan} set _op = 'delete' where {key} = any(:keys)"), binds)
        return len(keys)

    def again(self, table: str, keys: Sequence[Any], **values: str) -> int:
        """Plan copies of rows under new ids, with other values."""
        self._take(table)
        plan = quote(schemas(self.run_id)[0], table)
        columns = read_catalog(self.connection, (table,))[table].column_names
        highest = (
            f"(select max(id) from (select id from {quote('public', table)} union all select id from {plan}) as a)"
        )
        values = {"id": f"{highest} + row_number() over (order by c.id)", **values}
        new = ", ".join(values.get(name, f"c.{quote(name)}") for name in columns)
        self.connection.execute(
            sa.text(
                f"insert into {plan} ({', '.join(map(quote, columns))}, _op, _leagues) select {new}, 'insert',"
                f" array[cast(:league as text)] from {self._shown(table)} as c where c.id = any(:keys)"
            ),
            {"keys": list(keys), "league": self.league},
        )
        return len(keys)

    def show(self) -> None:
        """Lay the candidate anew over what is planned now."""
        self.connection.execute(sa.text(f"drop schema {quote(schemas(self.run_id)[1])} cascade"))
        create_candidate(self.connection, self.run_id, read_planned(self.connection, self.run_id))

    def _shown(self, table: str) -> str:
        return quote(
            schemas(self.run_id)[1] if table in planned_names(self.connection, self.run_id) else "public", table
        )

    def _key(self, table: str) -> str:
        return quote(read_catalog(self.connection, (table,))[table].key[0])

    def _take(self, table: str) -> None:
        """Give the plan tables for a table of users, as a run without a scrape does, and show them."""
        if table not in planned_names(self.connection, self.run_id):
            add_tables(self.connection, self.run_id, read_catalog(self.connection, (table,)))
        self.show()


def _change(table: str, where: str = OF_LEAGUE, **values: str) -> Callable[[Plan, float], int]:
    return lambda plan, size: plan.change(table, plan.keys(table, where, size), **values)


def _delete(table: str, where: str = OF_LEAGUE) -> Callable[[Plan, float], int]:
    return lambda plan, size: plan.delete(table, plan.keys(table, where, size))


def _again(table: str, where: str = OF_LEAGUE, **values: str) -> Callable[[Plan, float], int]:
    return lambda plan, size: plan.again(table, plan.keys(table, where, size), **values)


def _reissued(table: str) -> Callable[[Plan, float], int]:
    """Rows cleared and made again: the same in everything but the id."""

    def apply(plan: Plan, size: float) -> int:
        keys = plan.keys(table, f"{OF_LEAGUE} and exists (select from public.{table} as l where l.id = c.id)", size)
        plan.again(table, keys)
        return plan.delete(table, keys)

    return apply


def _names_exchanged(plan: Plan, size: float) -> int:
    first, second = plan.keys("teams", f"{ACTIVE} and exists (select from public.polls as u where u.team_id = c.id)", 2)
    names = {key: plan.value(f"select team_name from {{candidate}}.teams where id = {key}") for key in (first, second)}
    plan.change("teams", [first], team_name="'changing'")
    plan.change("teams", [second], team_name=_literal(names[first]))
    plan.change("teams", [first], team_name=_literal(names[second]))
    return 2


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _with_users(table: str, column: str) -> str:
    return f"{ACTIVE} and exists (select from public.{table} as u where u.{column} = c.id)"


def _club_split(plan: Plan, size: float) -> int:
    """A second row for a club in another spelling, with a part of its teams and their players."""
    teams = plan.keys(
        "teams", f"{ACTIVE} and exists (select from clubs as k where k.id = c.club_id and k.name like '% %')", 1
    )
    club = plan.value(f"select club_id from {{candidate}}.teams where id = {teams[0]}")
    plan.again("clubs", [club], name="replace(c.name, ' ', '-')")
    plan.show()
    spare = plan.value("select max(id) from {candidate}.clubs")
    plan.again("club_leagues", plan.keys("club_leagues", f"{OF_LEAGUE} and club_id = {club}", 1), club_id=str(spare))
    plan.change("players", plan.keys("players", f"{OF_LEAGUE} and team_id = {teams[0]}", 1.0), club_id=str(spare))
    return plan.change("teams", teams, club_id=str(spare))


def _other(table: str, column: str) -> str:
    """Another row of the same league, whichever."""
    others = f"from public.{table} as o where o.league_id = c.league_id and o.id <> c.{column}"
    return f"(select o.id {others} order by o.id limit 1)"


_OTHER_HOST = _other("teams", "home_team_id")
_OTHER_LEAGUE = "(select max(id) from public.leagues where id <> c.league_id)"
_PLAYED = f"{OF_SEASON} and home_team_id is not null"
_TABLE: list[tuple[str, str, tuple[float, ...], Callable[[Plan, float], int]]] = [
    ("teams: cleared and made again", "1, 4", ALL_SIZES, _reissued("teams")),
    ("players: cleared and made again", "1", ALL_SIZES, _reissued("players")),
    ("series: cleared and made again", "1", ONE, _reissued("series")),
    ("schedule: cleared and made again", "6", ALL_SIZES, _reissued("schedule")),
    ("teams: names of two exchanged", "5", WHOLE, _names_exchanged),
    ("teams: one of users goes", "1", ONE, _delete("teams", _with_users("polls", "team_id"))),
    ("teams: switched off", "11", ALL_SIZES, _change("teams", ACTIVE, is_active="false")),
    ("teams: renamed", "25", ALL_SIZES, _change("teams", ACTIVE, team_name="c.team_name || ' X'")),
    ("teams: under another club", "40", ALL_SIZES, _change(
        "teams", ACTIVE, club_id="(select min(o.id) from public.clubs as o where o.id <> c.club_id)")),
    ("teams: under another series", "19, 27", ALL_SIZES, _change(
        "teams", ACTIVE, series_id=_other("series", "series_id"))),
    ("teams: phantom of an importer", "11", ALL_SIZES, _again("teams", ACTIVE, team_name="c.team_name || 'II'")),
    ("teams: display name lost", "25", FEW, _change("teams", ACTIVE, display_name="''")),
    ("teams: alias lost", "22", ALL_SIZES, _change("teams", ACTIVE, team_alias="null")),
    ("clubs: kept columns emptied", "43", (1.0,), _change(
        "clubs", "logo_filename is not null or club_address is not null", logo_filename="null", club_address="null")),
    ("clubs: one in two spellings", "40, 47", ONE, _club_split),
    ("clubs: phantom", "40", ONE, _again("clubs", "true", name="c.name || ' 2'")),
    ("clubs: pair with the league lost", "20", ALL_SIZES, _delete("club_leagues")),
    ("series: pair with the league lost", "20", FEW, _delete("series_leagues")),
    ("series: phantom", "24", FEW, _again("series", name="'Series ' || c.id", display_name="'Series ' || c.id")),
    ("series: of another league", "42", ONE, _change("series", league_id=_OTHER_LEAGUE)),
    ("series: name empty", "24", ONE, _change("series", name="''")),
    ("players: without a team", "39", ALL_SIZES, _change("players", ACTIVE, team_id="null")),
    ("players: twice in a team", "31", ALL_SIZES, _again("players", ACTIVE)),
    ("players: in a team of another club", "31", ALL_SIZES, _change(
        "players", ACTIVE, team_id=_other("teams", "team_id"))),
    ("players: switched off", "34", ALL_SIZES, _change("players", ACTIVE, is_active="false")),
    ("players: one of users goes", "1", ONE, _delete(
        "players", f"{ACTIVE} and exists (select from public.user_player_associations as u"
        " where u.tenniscores_player_id = c.tenniscores_player_id)")),
    ("players: id of another person", "5", FEW, _change(
        "players", ACTIVE, tenniscores_player_id="(select min(o.tenniscores_player_id) from public.players as o"
        " where o.league_id = c.league_id and o.id <> c.id)")),
    ("players: names of others", "5", ALL_SIZES, _change("players", ACTIVE, first_name="'Some'", last_name="'Body'")),
    ("players: career figures lost", "36", ALL_SIZES, _change(
        "players", f"{ACTIVE} and career_wins > 0", career_wins="0", career_losses="0", career_matches="0")),
    ("players: rating lost", "45", ALL_SIZES, _change("players", f"{ACTIVE} and pti is not null", pti="null")),
    ("players: rating out of range", "", ALL_SIZES, _change("players", f"{ACTIVE} and pti is not null", pti="-900")),
    ("matches: lines twice", "16", (*ALL_SIZES, 1.0), _again(
        "match_scores", OF_SEASON, tenniscores_match_id="c.tenniscores_match_id || '_Line1'")),
    ("matches: lines gone", "29", ALL_SIZES, _delete(
        "match_scores", f"{OF_SEASON} and exists (select from public.match_scores as l where l.id = c.id)")),
    ("matches: team not linked", "14", ALL_SIZES, _change("match_scores", _PLAYED, home_team_id="null")),
    ("matches: linked to another team", "26", ALL_SIZES, _change("match_scores", _PLAYED, home_team_id=_OTHER_HOST)),
    ("matches: team and name of another", "26", ALL_SIZES, _change(
        "match_scores", _PLAYED, home_team_id=_OTHER_HOST,
        home_team=f"(select o.team_name from public.teams as o where o.id = {_OTHER_HOST})")),
    ("matches: names not those of the teams", "25", ALL_SIZES, _change(
        "match_scores", _PLAYED, home_team="c.home_team || ' SW'")),
    ("matches: dates moved", "28", ALL_SIZES, _change("match_scores", _PLAYED, match_date="c.match_date + 21")),
    ("matches: one date", "28", (0.30, 1.0), _change("match_scores", _PLAYED, match_date="date '2025-10-14'")),
    ("matches: without a date", "28", ALL_SIZES, _change("match_scores", _PLAYED, match_date="null")),
    ("matches: winner reversed", "", ALL_SIZES, _change(
        "match_scores", _PLAYED, winner="case c.winner when 'home' then 'away' else 'home' end")),
    ("matches: of another league", "18", ALL_SIZES, _change(
        "match_scores", _PLAYED, league_id=_OTHER_LEAGUE)),
    ("matches: players null", "44", ALL_SIZES, _change(
        "match_scores", _PLAYED, **dict.fromkeys(SEATS, "null"))),
    ("schedule: team not linked", "13", ALL_SIZES, _change("schedule", MATCHES, home_team_id="null")),
    ("schedule: linked to another team", "46", ALL_SIZES, _change("schedule", MATCHES, home_team_id=_OTHER_HOST)),
    ("schedule: twice", "12", ALL_SIZES, _again("schedule", MATCHES, home_team="c.home_team || ' '")),
    ("schedule: practice times gone", "6", (1, 1.0), _delete("schedule", PRACTICES)),
    ("schedule: practice times twice", "3", (1, 1.0), _again("schedule", PRACTICES)),
    ("schedule: practice times of another team", "5", ONE, _change("schedule", PRACTICES, home_team_id=_OTHER_HOST)),
    ("standings: team not linked", "22", ALL_SIZES, _change("series_stats", team_id="null")),
    ("standings: series of another team", "27", ALL_SIZES, _change(
        "series_stats", series_id=_other("series", "series_id"))),
    ("standings: figures altered", "", ALL_SIZES, _change(
        "series_stats", matches_won="c.matches_won + 1", points="c.points + 9")),
    ("standings: figures zero", "22", ALL_SIZES, _change(
        "series_stats", **dict.fromkeys(("points", "matches_won", "matches_lost", "lines_won", "lines_lost"), "0"))),
    ("history: of nobody", "45", ALL_SIZES, _change("player_history", player_id="null")),
    ("history: of another player", "45", ALL_SIZES, _change(
        "player_history", player_id=_other("players", "player_id"))),
    ("users: contexts emptied", "31", (1, 1.0), _change("user_contexts", "team_id is not null", team_id="null")),
    ("users: polls of another team", "5", (1, 1.0), _change(
        "polls", "team_id is not null", team_id="(select min(o.id) from public.teams as o where o.id <> c.team_id)")),
    ("users: availability gone", "7", (1, 1.0), _delete("player_availability", "true")),
]  # fmt: skip

LIFE = ("players: switched off",)

DAMAGES = [
    Damage(f"plan, {name}", incident, "plan", sizes, apply, is_life=name in LIFE)
    for name, incident, sizes, apply in _TABLE
]
