"""Imported rows that are one thing with certainty, made one in a plan; what is less certain is left for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.database.references import read_reference_params
from rally_etl.naming import club_key, load_leagues
from rally_etl.naming.text import fold
from rally_etl.planning import folding, merge
from rally_etl.planning.pointers import keep_persons, plan_pointers
from rally_etl.protection.constraints.twins import Group, Row

if TYPE_CHECKING:
    from rally_etl.settings import Settings

ORDER = ("clubs", "series", "teams")
"""A team's club and series are decided on before the team."""

MEMBERSHIP = ("tenniscores_player_id", "league_id", "club_id", "series_id", "team_id")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two live rows that are one thing: ``loser`` goes into ``winner``."""

    table: str
    loser: Row
    winner: Row
    league: str
    evidence: str


@dataclass(slots=True)
class Decided:
    """Pairs that are one with certainty, and groups that a person is asked about."""

    pairs: list[Pair] = field(default_factory=list)
    doubtful: list[Group] = field(default_factory=list)

    def into(self, table: str) -> dict[int, int]:
        """Id of a row that goes -> id of the row that it goes into."""
        return {pair.loser.id: pair.winner.id for pair in self.pairs if pair.table == table}


def decide(connection: sa.Connection, groups: Mapping[str, list[Group]]) -> Decided:
    """Which of these rows are one with certainty: the same letters and, of teams, the same club and series.

    Teams that have met are two, and so is what a person has said to be two.
    """
    decided = Decided()
    rejected = _rejected(connection)
    met = _have_met(connection, [row.id for group in groups.get("teams", ()) for row in group.rows])
    for table in ORDER:
        for group in groups.get(table, ()):
            known = {frozenset(pair) for pair in rejected[table]} | (met if table == "teams" else set())
            left = _certain_pairs(decided, group, known)
            if not _pairs(left) <= known:
                decided.doubtful.append(Group(table, group.spelling, tuple(left), group.league))
    decided.doubtful += groups.get("leagues", [])
    return decided


def _certain_pairs(decided: Decided, group: Group, two: Collection[frozenset[int]]) -> list[Row]:
    """Note the pairs of a group that are one; answer the rows that stay and may be one still."""
    kept: dict[object, Row] = {}
    left = []
    for row in group.rows:
        letters = _letters(decided, group.table, row)
        winner = kept.get(letters)
        if winner is None:
            kept[letters] = row
            left.append(row)
        elif frozenset((row.id, winner.id)) in two:
            left.append(row)
        else:
            evidence = f"{row.name} and {winner.name} are spelled with the same letters"
            decided.pairs.append(Pair(group.table, row, winner, group.league, evidence))
    return left


def _letters(decided: Decided, table: str, row: Row) -> object:
    if table == "clubs":
        return club_key(row.name)
    if table == "series":
        return row.name  # `Series 1` and `Series I` are a person's to decide
    club = decided.into("clubs").get(row.club_id, row.club_id)
    series = decided.into("series").get(row.series_id, row.series_id)
    return fold(row.name), club, series


def _pairs(rows: Iterable[Row]) -> set[frozenset[int]]:
    ids = [row.id for row in rows]
    return {frozenset((one, other)) for place, one in enumerate(ids) for other in ids[place + 1 :]}


def _rejected(connection: sa.Connection) -> dict[str, set[tuple[int, int]]]:
    """Table -> pairs of rows that a person has said to be two things."""
    rows = connection.execute(
        sa.text(
            "select entity, array(select c ->> 'id' from jsonb_array_elements(candidates) as c) as ids"
            " from etl.reviews where kind = 'merge' and state = 'rejected' and entity in ('club', 'series', 'team')"
        )
    )
    tables = {entity: table for table, entity in merge.ENTITIES.items()}
    found: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for row in rows:
        ids = [int(each) for each in row.ids]
        found[tables[row.entity]] |= {(one, other) for one in ids for other in ids if one < other}
    return found


def _have_met(connection: sa.Connection, teams: list[int]) -> set[frozenset[int]]:
    rows = connection.execute(
        sa.text(
            "select home_team_id, away_team_id from public.match_scores"
            " where home_team_id = any(:teams) and away_team_id = any(:teams) union"
            " select home_team_id, away_team_id from public.schedule"
            " where home_team_id = any(:teams) and away_team_id = any(:teams)"
        ),
        {"teams": teams},
    )
    return {frozenset((row.home_team_id, row.away_team_id)) for row in rows}


def plan_folds(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
    decided: Decided,
    dropped: Collection[str],
) -> tuple[dict[str, Table], dict[str, str]]:
    """Plan the pairs with everything that refers to them; the plan's schema comes first in ``search_path``.

    A pair after which rows of users could not stand beside one another is given up and becomes doubtful.

    Args:
        dropped: names of keys that the run takes away.

    Returns:
        the user tables that are re-pointed; and why a pair was given up, by what it is called.
    """
    given_up: dict[str, str] = {}
    touched, found = _attempt(connection, catalog, settings, run_id, operation, keys, decided.pairs, dropped)
    if not found:
        return touched, given_up
    for pair in [pair for pair in decided.pairs if pair.table == "teams"]:
        _, alone = _attempt(connection, catalog, settings, run_id, operation, keys, [pair], dropped, keeps=False)
        if alone:
            decided.pairs.remove(pair)
            decided.doubtful.append(Group("teams", fold(pair.loser.name), (pair.winner, pair.loser), pair.league))
            given_up[f"{pair.loser.name} ({pair.loser.id}) and {pair.winner.name} ({pair.winner.id})"] = "; ".join(
                alone
            )
    touched, found = _attempt(connection, catalog, settings, run_id, operation, keys, decided.pairs, dropped)
    if found:
        for pair in decided.pairs:
            decided.doubtful.append(Group(pair.table, fold(pair.loser.name), (pair.winner, pair.loser), pair.league))
        given_up["all rows that are one"] = "; ".join(found)
        decided.pairs.clear()
    return touched, given_up


def _attempt(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
    pairs: list[Pair],
    dropped: Collection[str],
    *,
    keeps: bool = True,
) -> tuple[dict[str, Table], list[str]]:
    """Plan these pairs; where rows could not stand beside others nothing is planned, and they are answered."""
    members = membership_pairs(connection, catalog, {row.id for pair in pairs for row in (pair.loser, pair.winner)})
    if not pairs and not members:
        return {}, []
    savepoint = connection.begin_nested()
    leagues = load_leagues(settings.params_dir)
    league_of = {
        row.id: leagues.get(leagues.canonical(row.league_id) or row.league_id)
        for row in connection.execute(sa.text("select id, league_id from public.leagues"))
    }
    redirect(connection, operation, [(pair.table, pair.loser.id, pair.winner.id) for pair in pairs])
    redirect(connection, operation, [("players", loser, winner) for loser, winner in members])
    persons: dict[str, str] = {}
    for pair in pairs:
        if pair.table == "teams":
            league = league_of[pair.loser.league_id]
            persons |= merge.fold_rosters(connection, operation, league, pair.loser.id, pair.winner.id)
    keep_persons(connection, persons)
    params = read_reference_params(settings.params_dir / "references.yaml")
    touched = plan_pointers(connection, catalog, params, run_id, keys)
    folding.fold(connection, catalog)
    for name in ("teams", "players", "series"):
        merge.plan_losers_and_winners(connection, catalog[name], keys)
    same = "r.from_id = l.id join public.clubs as w on w.id = r.into_id and w.name = l.name"
    marked = {"name": "left(l.name, 200) || format(' (merged into %s)', r.into_id)"}
    merge.plan_images(connection, catalog["clubs"], marked, same, "'update'", keys)
    outside = f"r.from_id = l.id where l.id = any(array[{', '.join(str(loser) for loser, _ in members)}]::integer[])"
    merge.plan_images(
        connection,
        catalog["players"],
        {"team_id": "cast(null as integer)", "is_active": "false"},
        outside,
        "'deactivate'",
        keys,
    )
    found = folding.collisions(connection, {**catalog, **touched}, dropped)
    if found or not keeps:
        savepoint.rollback()
        return {}, found
    savepoint.commit()
    return touched, []


def redirect(connection: sa.Connection, operation: Mapping[str, Any], pairs: Iterable[tuple[str, int, int]]) -> None:
    """Note which rows go into which: (table, row that goes, row that stays)."""
    rows = [
        {"table": table, "loser": loser, "winner": winner, "by": operation["by"], "reason": operation["reason"]}
        for table, loser, winner in pairs
    ]
    if rows:
        connection.execute(sa.text("insert into new_redirects values (:table, :loser, :winner, :by, :reason)"), rows)


def membership_pairs(
    connection: sa.Connection, catalog: Mapping[str, Table], but: Collection[int] = ()
) -> list[tuple[int, int]]:
    """(Row that goes, row that stays) of memberships that stand several times; of these an active one stays.

    The row that goes has no team any more, so that the key has room for the other.

    Args:
        but: ids of teams that are left alone.
    """
    if not catalog["players"].has(*MEMBERSHIP):
        return []
    columns = ", ".join(quote(name) for name in MEMBERSHIP)
    rows = connection.execute(
        sa.text(
            f"select id, first_id from (select id, first_value(id) over (partition by {columns}"
            " order by (is_active is not false) desc, id) as first_id from public.players"
            " where team_id is not null and not team_id = any(:but)) as numbered where id <> first_id order by id"
        ),
        {"but": list(but)},
    )
    return [(row.id, row.first_id) for row in rows]
