"""Databases broken by hand in the ways of real incidents, and the truth about every broken row.

Each breaker takes a session to a database with live rows and users, breaks it, and answers what it broke: which value
or row is wrong now and what would be right, or that nobody can know. Numbers are those of docs/incidents.md.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from attached import PRACTICE
from breaking import (
    BACK,
    GONE,
    UNKNOWN,
    Damage,
    Truth,
    delete_rows,
    execute,
    leagues_of_users,
    mend,
    references_to,
    reissue,
    remove_team,
    rows_of,
    teams_with_polls,
    value_now,
    without_keys,
)  # fmt: skip

Breaker = Callable[[sa.Connection], Damage]


def polls_orphaned(connection: sa.Connection) -> Damage:
    """1: teams and players are cleared and made again with new ids; one team is not made again."""
    damage = without_keys(connection, "polls", "team_id")
    teams = teams_with_polls(connection, 9)
    *again, lost = teams
    new_teams, new_players = reissue(connection, again)
    persons = remove_team(connection, lost)
    moves = {"teams": new_teams | {lost: None}, "players": new_players | persons}
    damage.truths += references_to(connection, moves)
    return damage


def restore_incomplete(connection: sa.Connection) -> Damage:
    """2: teams re-issued, polls restored where names are equal to the letter; five teams are spelled otherwise."""
    damage = without_keys(connection, "polls", "team_id")
    teams = teams_with_polls(connection, 14)
    respelled = teams[::3][:5]
    new_teams, new_players = reissue(connection, teams, respelled)
    truths = references_to(connection, {"teams": new_teams, "players": new_players})
    left = {str(team) for team in respelled}
    damage.truths = [each for each in truths if each.table == "polls" and value_now(connection, each) in left]
    mend(connection, [each for each in truths if each not in damage.truths])
    return damage


def messages_and_polls_orphaned(connection: sa.Connection) -> Damage:
    """4: one team gets another id; everything follows but its polls and its captain's messages."""
    damage = without_keys(connection, "polls", "team_id")
    damage.dropped += without_keys(connection, "captain_messages", "team_id").dropped
    new_teams, new_players = reissue(connection, teams_with_polls(connection, 1))
    truths = references_to(connection, {"teams": new_teams, "players": new_players})
    damage.truths = [each for each in truths if each.table in ("polls", "captain_messages")]
    mend(connection, [each for each in truths if each not in damage.truths])
    return damage


def repaired_wrongly(connection: sa.Connection) -> Damage:
    """5: teams of two leagues get other ids, and somebody re-points the practice times of both to a third team."""
    first, *_, last = [teams_with_polls(connection, 1, key)[0] for key in leagues_of_users(connection)]
    third = teams_with_polls(connection, 3)[2]
    new_teams, new_players = reissue(connection, [first, last])
    truths = references_to(connection, {"teams": new_teams, "players": new_players})
    mend(connection, [each for each in truths if each.table != "practice_times"])
    wrong = [each for each in truths if each.table == "practice_times"]
    execute(connection, "update practice_times set team_id = :third where team_id = any(:old)", third=third,
             old=[first, last])  # fmt: skip
    return Damage(wrong)


def practices_lost(connection: sa.Connection) -> Damage:
    """6: the schedule is cleared and read again from the scrape; the practice rows in it are not."""
    return Damage(delete_rows(connection, "schedule", PRACTICE))


def availability_lost(connection: sa.Connection) -> Damage:
    """7: a table that nothing protects is cleared; two rows are written since."""
    kept = "id not in (select id from player_availability order by id desc limit 2)"
    return Damage(delete_rows(connection, "player_availability", kept))


def orphaned_teams(connection: sa.Connection) -> Damage:
    """11: teams made from standings alone that nothing speaks of, some in another league than their series."""
    ids = connection.scalars(
        sa.text(
            """
            insert into teams (club_id, series_id, league_id, team_name, display_name)
            select t.club_id, t.series_id, l.id, c.name || ' Ghost ' || t.id, c.name || ' Ghost ' || t.id
            from (select * from teams order by id limit 12) as t join clubs as c on c.id = t.club_id
            join lateral (select id from leagues where id <> t.league_id or t.id % 3 > 0
                          order by id = t.league_id desc limit 1) as l on true
            returning id
            """
        )
    ).all()
    return Damage([Truth("teams", str(row), "is_active", "false") for row in ids])


def teams_missing(connection: sa.Connection) -> Damage:
    """14: lines and standings of a league name teams, and hold no ids; of two names no team was ever made."""
    league = leagues_of_users(connection)[-1]
    truths = []
    for table, columns in (("match_scores", ("home_team_id", "away_team_id")), ("series_stats", ("team_id",))):
        for column in columns:
            rows = rows_of(
                connection,
                f"select id, {column} as value from {table} where league_id = :league and {column} is not null",
                league=league,
            )
            truths += [Truth(table, str(row.id), column, str(row.value)) for row in rows]
            execute(connection, f"update {table} set {column} = null where league_id = :league", league=league)
    unmade = rows_of(
        connection,
        "insert into match_scores (league_id, match_date, home_team, away_team, scores, winner, tenniscores_match_id)"
        " select :league, min(match_date), 'Ravenswood S' || n, 'Old Mill S' || n, '6-3, 6-3', 'home',"
        " 'nndz-unmade' || n || '_Line1' from match_scores cross join generate_series(7, 8) as n group by n"
        " returning id",
        league=league,
    )
    truths += [Truth("match_scores", str(row.id), column, UNKNOWN) for row in unmade
               for column in ("home_team_id", "away_team_id")]  # fmt: skip
    return Damage(truths)


def imported_twice(connection: sa.Connection) -> Damage:
    """16: every line of a league a second time, under its id with the suffix of the line repeated."""
    league = leagues_of_users(connection)[0]
    execute(  # the files of older seasons print no ids
        connection,
        "update match_scores set tenniscores_match_id = 'nndz-' || id || '_Line' || 1 + id % 4"
        " where league_id = :league and tenniscores_match_id is null",
        league=league,
    )
    rows = rows_of(
        connection,
        """
        insert into match_scores (league_id, match_date, home_team, away_team, home_team_id, away_team_id,
            home_player_1_id, home_player_2_id, away_player_1_id, away_player_2_id, scores, winner,
            tenniscores_match_id)
        select league_id, match_date, home_team, away_team, home_team_id, away_team_id,
            home_player_1_id, home_player_2_id, away_player_1_id, away_player_2_id, scores, winner,
            tenniscores_match_id || substring(tenniscores_match_id from '_Line[0-9]+$')
        from match_scores where league_id = :league and tenniscores_match_id ~ '_Line[0-9]+$' order by id
        returning id
        """,
        league=league,
    )
    twins = rows_of(
        connection,
        "select c.id, o.id as original from match_scores as c join match_scores as o"
        " on o.tenniscores_match_id = regexp_replace(c.tenniscores_match_id, '_Line[0-9]+$', '')"
        " where c.id = any(:ids)",
        ids=[row.id for row in rows],
    )
    return Damage([Truth("match_scores", str(row.id), "", GONE, found_as=str(row.original)) for row in twins])


def junctions_incomplete(connection: sa.Connection) -> Damage:
    """20: pairs of league and club, and of league and series, are missing."""
    truths = []
    for table, other, limit in (("club_leagues", "club_id", 3), ("series_leagues", "series_id", 43)):
        if not connection.scalar(sa.text("select to_regclass(:name)"), {"name": table}):
            continue
        rows = rows_of(
            connection,
            f"delete from {table} where id in (select id from {table} order by id limit {limit})"
            f" returning id, league_id, {other} as other",
        )
        truths += [
            Truth(
                table,
                str(row.id),
                "",
                BACK,
                (("league_id", str(row.league_id)), (other, str(row.other))),
                found_as=f"{row.other}, {row.league_id}",
            )
            for row in rows
        ]
    return Damage(truths)


def schedule_on_wrong_team(connection: sa.Connection) -> Damage:
    """46: matches of one team stand under another team of the same club; the name beside the id is right."""
    right, wrong = connection.execute(
        sa.text(
            "select a.id, b.id from teams as a join teams as b on b.club_id = a.club_id and b.league_id = a.league_id"
            " and b.id <> a.id where exists"
            " (select from schedule where home_team_id = a.id and away_team_id is not null) order by a.id, b.id limit 1"
        )
    ).one()
    truths = []
    for column in ("home_team_id", "away_team_id"):
        rows = rows_of(
            connection,
            f"update schedule set {column} = :wrong where {column} = :right and coalesce(away_team, '') <> ''"
            " and :wrong not in (coalesce(home_team_id, 0), coalesce(away_team_id, 0)) returning id",
            right=right,
            wrong=wrong,
        )
        truths += [Truth("schedule", str(row.id), column, str(right)) for row in rows]
    return Damage(truths)


def clubs_spelled_twice(connection: sa.Connection) -> Damage:
    """47: a second row for one club in another spelling; the lesser part of its teams and players is linked to it."""
    club, name = connection.execute(
        sa.text(
            "select c.id, c.name from clubs as c join teams as t on t.club_id = c.id where c.name like '% %'"
            " group by c.id order by count(*) desc, c.id limit 1"
        )
    ).one()
    spare = connection.scalar(
        sa.text("insert into clubs (name) values (:name) returning id"), {"name": name.replace(" ", "-", 1)}
    )
    truths = [Truth("clubs", str(spare), "", GONE)]
    found = {"found_as": str(spare), "found_in": "clubs"}
    teams = connection.scalars(
        sa.text(
            "select id from teams where club_id = :club order by id desc"
            " limit (select least(2, (count(*) - 1) / 2) from teams where club_id = :club)"
        ),
        {"club": club},
    ).all()
    for table, key in (("teams", "id"), ("players", "team_id")):
        rows = rows_of(
            connection,
            f"update {table} set club_id = :spare where {key} = any(:teams) returning id",
            spare=spare,
            teams=teams,
        )
        truths += [Truth(table, str(row.id), "club_id", str(club), **found) for row in rows]
    rows = rows_of(
        connection,
        "insert into club_leagues (club_id, league_id) select distinct :spare, league_id from teams"
        " where id = any(:teams) returning id",
        spare=spare,
        teams=teams,
    )
    return Damage([*truths, *(Truth("club_leagues", str(row.id), "", GONE, **found) for row in rows)])


def player_with_several_users(connection: sa.Connection) -> Damage:
    """50: registered twice, with two addresses; which account a person goes on with nobody can tell from here."""
    damage = without_keys(connection, "user_player_associations", "tenniscores_player_id", kind="u")
    rows = rows_of(
        connection,
        """
        with old as (
            select a.tenniscores_player_id as person, u.* from user_player_associations as a
            join users as u on u.id = a.user_id order by a.user_id limit 3
        ),
        made as (
            insert into users (email, password_hash, first_name, last_name, league_context)
            select 'again.' || email, password_hash, first_name, last_name, league_context from old
            returning id, email
        )
        insert into user_player_associations (user_id, tenniscores_player_id)
        select m.id, o.person from made as m join old as o on m.email = 'again.' || o.email
        returning user_id, tenniscores_player_id
        """,
    )
    firsts = dict(
        connection.execute(
            sa.text("select tenniscores_player_id, min(user_id) from user_player_associations group by 1")
        ).all()
    )
    damage.truths = [
        Truth("user_player_associations", f"{user}, {person}", "", UNKNOWN, found_as=f"{firsts[person]}, {person}")
        for user, person in rows
    ]
    return damage


INCIDENTS: dict[int, Breaker] = {
    1: polls_orphaned,
    2: restore_incomplete,
    4: messages_and_polls_orphaned,
    5: repaired_wrongly,
    6: practices_lost,
    7: availability_lost,
    11: orphaned_teams,
    14: teams_missing,
    16: imported_twice,
    20: junctions_incomplete,
    46: schedule_on_wrong_team,
    47: clubs_spelled_twice,
    50: player_with_several_users,
}
