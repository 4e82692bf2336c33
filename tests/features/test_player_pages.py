"""The pages of players and users on a handful of rows: what is right, and what looks empty or wrong."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from rally_etl.features import (
    all_team_availability,
    analyze_me,
    courts_and_partners,
    find_subs,
    last_season,
    lineup,
    pairing,
    pickup_games,
    player_search,
    polls,
    pti_chart,
    registration,
    session,
    switching,
    tracking,
    update_availability,
)
from userland import fill

AS_OF = date(2025, 10, 1)
PAGES = (
    all_team_availability, analyze_me, courts_and_partners, find_subs, last_season, lineup, pairing, pickup_games,
    player_search, polls, pti_chart, registration, session, switching, tracking, update_availability,
)  # fmt: skip
ANN, BOB = 1, 2  # ids of their users, their players and their players' teams
LINE = (
    "insert into match_scores (league_id, match_date, home_team, away_team, home_team_id, away_team_id,"
    " home_player_1_id, home_player_2_id, away_player_1_id, scores, winner, tenniscores_match_id)"
    " values (1, '{day}', 'Lakeside 12', 'Hillcrest 3', {home}, {away}, 'nndz-a', '{partner}', 'nndz-b', '{scores}',"
    " {winner}, {match})"
)
PARTNER = (
    "insert into players (id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)"
    " values ({id}, '{person}', '{first}', '{last}', 1, 1, 1, {team})"
)


@pytest.fixture(scope="module")
def live(module_engine):
    """Two teams, of Ann and of Bob; Ann is a user with rows of her own. Tests take back what they write."""
    fill(module_engine)
    return module_engine


def asked(engine, page, *statements, as_of=AS_OF):
    """Subject -> (works, shown), after the statements; foreign keys are off, as with an old importer."""
    feature = page.FEATURE
    binds = {"league_id": 1, "as_of": as_of}
    query = sa.text(feature.sql)
    with engine.connect() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        for statement in statements:
            connection.execute(sa.text(statement.replace(":", r"\:")))
        rows = connection.execute(query, {name: binds[name] for name in query._bindparams}).all()
        connection.rollback()
    assert len(rows) == len({row.subject_id for row in rows})
    return {row.subject_id: (row.works, row.shown) for row in rows}


def line(day="2025-09-23", *, home=1, away=2, partner="nndz-c", winner="home", match="", scores="6-1, 6-2"):
    """A line of Ann and a partner at home against Bob."""
    told = f"'{match or f'nndz-{day}_Line1'}'" if match is not None else "null"
    winner = f"'{winner}'" if winner else "null"
    return LINE.format(day=day, home=home, away=away, partner=partner, winner=winner, match=told, scores=scores)


def another(number, first="Cem", last="Other", *, team=1, person=None):
    """One more player."""
    return PARTNER.format(id=number, person=person or f"nndz-{number}", first=first, last=last, team=team)


def record(won, lost):
    """What the league prints for Ann."""
    return f"update players set wins = {won}, losses = {lost} where id = 1"


def named(first, last="Example"):
    """Everybody has this name."""
    return f"update players set first_name = '{first}', last_name = '{last}'"


def chosen(what):
    """What the user chose before is not there."""
    return f"update user_contexts set {what}_id = 77"


LEFT = "update players set is_active = false where id = 1"
DAYS = [f"2025-08-{day:02}" for day in range(2, 17)]
WEEKS = ("2025-09-23", "2025-09-30", "2025-09-16")
PARTNERS = another(3, person="nndz-c")
SECOND_TEAM = another(3, "Ann", "Example", team=2, person="nndz-a")
AWAY = (
    "insert into leagues (id, league_id, league_name) values (2, 'AWAY', 'Away')",
    "insert into series (id, name, display_name, league_id) values (9, 'Series 12', 'Series 12', 2)",
    "insert into teams (id, club_id, series_id, league_id, team_name, display_name)"
    " values (9, 1, 9, 2, 'Far 1', 'Far 1')",
    "insert into players (id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)"
    " values (9, 'nndz-a', 'Ann', 'Example', 2, 1, 9, 9)",
)
HOME = "Lakeside 12 in Series 12, Lakeside"


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((True, HOME), ()),
        ((True, HOME), (SECOND_TEAM,)),
        ((True, "Hillcrest 3 in Series 12, Lakeside"), (SECOND_TEAM, "update user_contexts set team_id = null")),
        (
            (True, "Hillcrest 3 in Series 12, Lakeside"),
            (SECOND_TEAM, LEFT),
        ),
        ((True, HOME), (SECOND_TEAM, "delete from user_contexts", "update players set team_id = null where id = 3")),
        ((True, HOME), ("update users set league_context = null",)),
        ((True, HOME), ("update users set league_context = 77",)),
        ((True, HOME), ("delete from user_contexts",)),
        (None, (LEFT,)),
        (None, ("delete from user_player_associations",)),
        ((False, "no team: the person is in no team of the league"), ("delete from players where id = 1",)),
        ((False, "no team"), ("update players set team_id = null where id = 1",)),
        ((False, "Lakeside 12, which plays no more"), ("update teams set is_active = false where id = 1",)),
        ((False, "Lakeside 12, which is of another league"), ("update teams set league_id = 2 where id = 1",)),
        ((False, "Lakeside 12 without its club or series"), ("delete from clubs",)),
        ((False, "Lakeside 12 without its club or series"), ("delete from series",)),
        ((False, "Lakeside 12, but the team chosen before is not there"), (chosen("team"),)),
        (
            (False, "Lakeside 12, but the team chosen before is another one"),
            (*AWAY, "update user_contexts set team_id = 9"),
        ),
    ],
)
def test_session(live, expected, statements):
    """The user lands in the context's team while it is theirs, and never silently in one that is not there."""
    assert expected == asked(live, session, *statements).get(ANN)


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((True, "offers Lakeside 12"), ()),
        ((True, "offers Hillcrest 3, Lakeside 12"), (SECOND_TEAM,)),
        ((True, "offers Lakeside 12"), AWAY),
        (None, (LEFT,)),
        ((False, "1 player of the user not found, offers nothing"), ("delete from players where id = 1",)),
        (
            (False, "1 roster without a team, offers Lakeside 12"),
            (SECOND_TEAM, "update players set team_id = null where id = 3"),
        ),
        ((False, "the team chosen before is not there, offers Lakeside 12"), (chosen("team"),)),
        (
            (False, "the league chosen before is not there, offers Lakeside 12"),
            (chosen("league"),),
        ),
        (
            (False, "the series chosen before is not there, offers Lakeside 12"),
            (chosen("series"),),
        ),
    ],
)
def test_switching(live, expected, statements):
    """Each roster of the user is a choice, and the choice made before is there."""
    assert expected == asked(live, switching, *statements).get(ANN)


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((True, "no matches"), ()),
        ((True, "3 matches, 3 won"), (record(3, 0), *map(line, WEEKS))),
        ((True, "1 match, 0 won"), (record(0, 1), line(winner="away"))),
        ((True, "2 matches, 2 won"), (record(1, 0), *map(line, WEEKS[:2]))),
        ((True, "no matches"), (record(1, 0),)),
        ((True, "3 matches, 3 won"), tuple(map(line, WEEKS))),
        ((True, "1 match, 1 won"), (record(3, 0), line())),
        ((True, "12 matches, 12 won"), (record(15, 0), *map(line, DAYS[:12]))),
        (
            (False, "11 matches, 11 won: the record says 15 won and 0 lost, the lines for the team 11 and 0"),
            (record(15, 0), *map(line, DAYS[:11])),
        ),
        ((True, "2 matches, 2 won"), (record(2, 0), line("2025-08-01"), line("2025-08-01", match=None))),
        ((True, "2 matches, 2 won"), (record(1, 0), line(), line(WEEKS[1], home=2, away=1))),
        ((True, "3 matches, 3 won"), (record(3, 0), *map(line, WEEKS), *(line(day, home=77) for day in DAYS[:2]))),
        (
            (False, "1 match, 1 won: 1 more name the player, but no team"),
            (record(2, 0), line(), line(WEEKS[1], home="null")),
        ),
        ((True, "no matches"), (line("2025-03-11"), line("2026-08-01"))),
        ((True, "1 match, 1 won"), (record(1, 0), line(match=None), line(match=None))),
        (
            (False, "no matches: the record says 3 won and 0 lost, the lines for the team 0 and 0"),
            (record(3, 0), line(), "update match_scores set home_player_1_id = 'nndz-d'"),
        ),
        ((True, "no matches"), (record(3, 0),)),
        ((True, "no matches"), (record(3, 0), line("2025-03-11"))),
        (
            (False, "4 matches, 4 won: the record says 2 won and 0 lost, the lines for the team 4 and 0"),
            (record(2, 0), *map(line, WEEKS[:2]), line(match="a_Line1"), line(WEEKS[1], match="b_Line1")),
        ),
        (
            (False, "1 match, 0 won: the record says 1 won and 0 lost, the lines for the team 0 and 1"),
            (record(1, 0), line(winner=None)),
        ),
        (
            (False, "3 matches, 3 won: all on 2025-09-23"),
            (record(3, 0), *(line(match=f"{court}_Line1") for court in "abc")),
        ),
        ((False, "no matches: 1 more name the player, but no team"), (record(1, 0), line(home="null"))),
        ((False, "no matches: 1 more name the player, but no team"), (record(1, 0), line(home=77))),
        (
            (False, "1 match, 1 won: the record says 0 won and 1 lost, the lines for the team 1 and 0"),
            (record(0, 1), line()),
        ),
        (None, (LEFT,)),
    ],
)
def test_analyze_me(live, expected, statements):
    """Lines and record agree within what files of different days explain; nothing is doubled, hidden or of one day."""
    assert expected == asked(live, analyze_me, *statements).get(ANN)


@pytest.mark.parametrize("match", ["", None])
def test_season_changes_on_the_first_of_august(live, match):
    """Until the last of July the season is that of the August before, with an id of the match or without."""
    july, august = line("2025-07-31", match=match), line("2025-08-01", match=match)

    assert (True, "1 match, 1 won") == asked(live, analyze_me, july, august, as_of=date(2025, 7, 31))[ANN]
    assert (True, "1 match, 1 won") == asked(live, analyze_me, july, august, as_of=date(2025, 8, 1))[ANN]
    assert (True, "no matches") == asked(live, analyze_me, july, as_of=date(2025, 8, 1))[ANN]
    assert (True, "no matches") == asked(live, analyze_me, august, as_of=date(2025, 7, 31))[ANN]


def test_analyze_me_shows_lines_for_other_teams_of_the_club_only(live):
    """A line as a substitute for another team of the club is shown, and is in no record of the own team."""
    elsewhere = "insert into clubs (id, name) values (2, 'Hillcrest')"
    club = "update teams set club_id = 2 where id = 2"

    assert (True, "1 match, 1 won") == asked(live, analyze_me, line(home=2, away=1))[ANN]
    assert (True, "no matches") == asked(live, analyze_me, elsewhere, club, line(home=2, away=1))[ANN]


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        (None, ()),
        ((True, "2 lines with 1 partner"), (PARTNERS, *map(line, WEEKS[:2]))),
        ((True, "1 line with 1 partner"), (PARTNERS, line(match=None))),
        ((True, "1 line with 0 partners"), (line(partner=""),)),
        ((False, "1 line with 1 partner: 1 without a court"), (PARTNERS, line(match="nndz-x"))),
        ((False, "1 line with 1 partner: 1 without a court"), (PARTNERS, line(match="nndz-x_Line4_Line4"))),
        ((False, "1 line with 1 partner: 1 without a court"), (PARTNERS, line(match="nndz-x_Line6"))),
        ((False, "1 line with 1 partner: 1 without a court"), (PARTNERS, line(match="nndz-x_Line1x"))),
        (
            (False, "2 lines with 1 partner: 1 without a court"),
            (PARTNERS, line(), line(WEEKS[1], match=None)),
        ),
        ((False, "1 line with 0 partners: 1 with a partner whom nobody knows"), (line(partner="nndz-x"),)),
        (
            (False, "2 lines with 0 partners: 2 without a partner"),
            tuple(line(day, partner="") for day in WEEKS[:2]),
        ),
        (None, (line(), LEFT)),
    ],
)
def test_courts_and_partners(live, expected, statements):
    """The suffix stands there once, and the partner has a name; what files never had is not missed."""
    assert expected == asked(live, courts_and_partners, *statements).get(ANN)


POINT = "insert into player_history (player_id, league_id, date, end_pti) values ({}, 1, '2025-04-05', 40.5)"


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        (None, ()),
        ((True, "1 point, the last of 2025-04-05"), (POINT.format(1),)),
        ((True, "2 points, the last of 2025-04-05"), (POINT.format(1), POINT.format(1))),
        (
            (False, "no history, although the person has 1 point"),
            ("update players set pti = 40", SECOND_TEAM, POINT.format(3)),
        ),
        ((False, "no history"), ("update players set pti = 40", POINT.format(2))),
        (None, ("update players set pti = 40", another(3), another(4), "update players set pti = 40", POINT.format(2))),
        (None, (POINT.format(1), LEFT)),
        (None, (POINT.format("null"),)),
    ],
)
def test_pti_chart(live, expected, statements):
    """The points stand at the player's own row; where most rated players have points, each has."""
    assert expected == asked(live, pti_chart, *statements).get(ANN)


TODAY = "update player_availability set match_date = '2025-10-01T00:00:00Z'"
PAST = "update player_availability set match_date = '2025-09-20T00:00:00Z'"


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((True, "1 answer, 1 of them to come"), ()),
        (
            (True, "1 answer, 0 of them to come"),
            (PAST,),
        ),
        ((True, "1 answer, 1 of them to come"), ("update players set first_name = 'Anna' where id = 1",)),
        ((True, "1 answer, 1 of them to come"), ("update players set is_active = false, series_id = 5 where id = 1",)),
        ((True, "1 answer, 1 of them to come"), (TODAY,)),
        ((False, "1 answer, 1 of them to come: 1 under another series"), (TODAY, "update players set series_id = 5")),
        (
            (False, "1 answer, 1 of them to come: 1 under another series"),
            ("update player_availability set series_id = 77",),
        ),
        (
            (False, "1 answer, 1 of them to come: 1 for a player who is not there"),
            ("update player_availability set player_id = 77",),
        ),
        (
            (False, "1 answer, 1 of them to come: 1 under the name of Bob Sample"),
            ("update player_availability set player_id = 2",),
        ),
        (
            (False, "1 answer, 1 of them to come: 1 under another series"),
            ("update players set series_id = 5 where id = 1",),
        ),
        (None, ("update player_availability set user_id = null",)),
    ],
)
def test_all_team_availability(live, expected, statements):
    """The answer is found by the ids of the row, under the name of who gave it."""
    assert expected == asked(live, all_team_availability, *statements).get(ANN)


def test_update_availability(live):
    """The series is the first of its name, whatever the league."""
    older = "insert into series (id, name, display_name, league_id) values (0, 'Series 12', 'Series 12', {})"

    assert {1: (True, "saved in Series 12")} == asked(live, update_availability)
    assert {1: (True, "saved in Series 12")} == asked(live, update_availability, *AWAY)
    assert (False, "saved in Series 12 of no league") == asked(live, update_availability, older.format(7))[1]
    assert (False, "saved in Series 12 of AWAY") == asked(live, update_availability, AWAY[0], older.format(2))[1]


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ((True, "Ann Example, Lakeside 12"), "select 1"),
        ((True, "Ann Example, Lakeside 12"), SECOND_TEAM),
        (
            (True, "Ann (Briarwood) Example, Lakeside 12"),
            named("Ann (Briarwood)"),
        ),
        ((False, "Ann Example (S), Lakeside 12: a substitute's row"), named("Ann", "Example (S)")),
        ((False, "Ann Example(S ↑), Lakeside 12: a substitute's row"), named("Ann", "Example(S ↑)")),
        ((False, "Ann (default), Lakeside 12: a substitute's row"), named("Ann", "(default)")),
        (
            (False, "Birchwood 2, Lakeside 12: no person"),
            named("Birchwood", "2"),
        ),
        (
            (False, "Unknown Player, Lakeside 12: no person"),
            named("Unknown", "Player"),
        ),
        ((False, ", Lakeside 12: no person"), named("", "")),
        ((False, "Ann Example: in no team that plays"), "update players set team_id = null where id = 1"),
        ((False, "Ann Example, Lakeside 12: in no team that plays"), "update teams set is_active = false"),
        (None, "update players set is_active = false"),
    ],
)
def test_player_search(live, expected, statement):
    """A person of a team stands there once; substitutes, placeholders and who is in no team do not."""
    assert expected == asked(live, player_search, statement).get(ANN)


def test_player_search_lists_a_person_of_a_team_once(live):
    """Two active rows of one person in one team are two entries; no constraint that each database has prevents it."""
    without = "alter table players drop constraint unique_player_in_league_club_series"
    again = another(3, "Ann", "Example", person="nndz-a")

    assert (False, "Ann Example, Lakeside 12: listed 2 times") == asked(live, player_search, without, again)[ANN]


@pytest.mark.parametrize(
    ("works", "name"),
    [
        (True, "Series 12"), (True, "Series 7 SW"), (True, "Series G"), (True, "Series H (1)"), (True, "Series 2B"),
        (True, "Series SN"), (True, "Series SN (2)"), (True, "Series 4.0 & Under Wed"), (True, "Chicago 17 SW"),
        (False, "Series SW"), (False, "Series Legends"), (False, "Unknown"), (False, "Chicago Chicago"),
    ],
)  # fmt: skip
def test_find_subs_reads_a_number_or_letter(live, works, name):
    """The name of a series says how strong it is by a number or a letter that stands by itself."""
    assert works == asked(live, find_subs, f"update series set name = '{name}'")[ANN][0]


def test_find_subs_needs_each_series_of_the_club(live):
    """One series without a number spoils the comparison for the club; an own one without a row, too."""
    second = "insert into series (id, name, display_name, league_id) values (2, 'Series {}', '', 1)"
    moved = "update players set series_id = {} where id = 2"

    assert (True, "1 player of the club in 1 other series") == asked(
        live, find_subs, second.format(13), moved.format(2)
    )[ANN]
    assert (False, "1 player of the club in 1 other series: nothing to compare Series SW by") == asked(
        live, find_subs, second.format("SW"), moved.format(2)
    )[ANN]
    assert {ANN} == set(asked(live, find_subs, *AWAY, "update players set is_active = false where id = 2"))
    assert (False, "1 player of the club in 1 other series: nothing to compare no series by") == asked(
        live, find_subs, moved.format(7)
    )[ANN]


FOUR = tuple(another(number, f"P{number}") for number in (3, 4, 5))
ESCROW = (
    "insert into lineup_escrow (escrow_token, initiator_user_id, recipient_name, recipient_contact, contact_type,"
    " initiator_team_id, recipient_team_id, initiator_lineup, message_body)"
    " values ('t', 1, 'B', 'b', 'email', 1, {}, '', '')"
)
SAVED = (
    "insert into saved_lineups (user_id, team_id, lineup_name, lineup_data)"
    """ values (1, 1, 'A', '{{"court1": ["Ann Example", "{}"], "note": ""}}')"""
)


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((True, "4 players, 0 saved line-ups"), FOUR),
        ((True, "4 players, 1 saved line-up"), (*FOUR, SAVED.format("P3 Other"))),
        ((True, "4 players, 1 saved line-up"), (*FOUR, SAVED.format("P3 Other").replace("{", "").replace("}", ""))),
        (
            (True, "4 players, 1 saved line-up"),
            (*FOUR, another(6), "update players set is_active = false where id = 6", SAVED.format("Cem Other")),
        ),
        (
            (True, "4 players, 1 saved line-up, 1 under a former name"),
            (*FOUR, SAVED.format("P3 Other"), "create temporary table players as table public.players",
             "update pg_temp.players set first_name = 'Pim' where id = 3"),
        ),
        (
            # a part of the name moved from one to the other
            (True, "4 players, 1 saved line-up, 1 under a former name"),
            (*FOUR, "update players set last_name = 'van Other' where id = 3", SAVED.format("P3 van Other"),
             "create temporary table players as table public.players",
             "update pg_temp.players set first_name = 'P3 van', last_name = 'Else' where id = 3"),
        ),
        (
            (False, "4 players, 1 saved line-up: 1 saved for a name that the team never had"),
            (*FOUR, SAVED.format("P3 Other"), "create temporary table players as table public.players",
             "update pg_temp.players set first_name = 'Pim', last_name = 'Else' where id = 3"),
        ),
        (
            (True, "4 players, 0 saved line-ups"),
            (*FOUR, SAVED.format("Nobody Ever"), "update saved_lineups set is_active = false"),
        ),
        (
            (True, "4 players, 1 saved line-up"),
            (*FOUR, SAVED.format("Nobody Ever"), "update saved_lineups set lineup_data = '[]'"),
        ),
        ((True, "4 players, 0 saved line-ups"), (*FOUR, ESCROW.format("null"))),
        ((True, "1 player, 0 saved line-ups"), ()),
        ((False, "0 players, 0 saved line-ups: nobody to choose from"), ("delete from players where team_id = 1",)),
        (None, ("update players set is_active = false where team_id = 1",)),
        ((False, "5 players, 0 saved line-ups: two players of one name"), (*FOUR, another(6, "P3"))),
        (
            (False, "4 players, 1 saved line-up: 1 saved for a name that the team never had"),
            (*FOUR, SAVED.format("Somebody Else")),
        ),
        (
            (False, "4 players, 0 saved line-ups: 1 offered to a team that is not there"),
            (*FOUR, ESCROW.format(77)),
        ),
    ],
)  # fmt: skip
def test_lineup(live, expected, statements):
    """Somebody is on the roster, names differ, and each name of a saved line-up was on it once."""
    assert expected == asked(live, lineup, *statements).get(1)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.FEATURE.name)
def test_page_runs_where_series_have_no_league_and_answers_no_user(live, page):
    """Older shapes of the database: series shared by name, availability without a column for the user."""
    older = ("alter table series drop column league_id cascade", "alter table player_availability drop column user_id")
    now, then = asked(live, page), asked(live, page, *older)

    assert then == ({} if page is all_team_availability else now)


POLL = "1 poll of Lakeside 12, 1 vote, votes as Ann Example"


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((True, POLL), ()),
        ((True, "0 polls of Lakeside 12, 0 votes, votes as Ann Example"), ("delete from polls where id = 1",)),
        ((True, POLL), (SECOND_TEAM, "update poll_responses set player_id = 3")),
        (
            (False, f"{POLL}: 1 without the choices that were offered"),
            ("create temporary table poll_choices as table public.poll_choices", "delete from pg_temp.poll_choices"),
        ),
        ((True, POLL.replace("1 vote", "0 votes")), ("delete from poll_choices", "delete from poll_responses")),
        ((False, f"{POLL}: 1 vote without a voter"), ("update poll_responses set player_id = 77",)),
        (
            (False, f"{POLL}: 1 vote of somebody who never was in the team"),
            ("update poll_responses set player_id = 2",),
        ),
        ((False, f"{POLL}: 1 vote for what the poll does not offer"), ("update poll_responses set choice_id = 77",)),
        (
            (False, "0 polls of Lakeside 12, 0 votes, votes as Ann Example: 1 that the user asked for no team"),
            ("update polls set team_id = null where id = 1",),
        ),
        (
            (False, "0 polls of Lakeside 12, 0 votes, votes as Ann Example: 1 that the user asked for no team"),
            ("update polls set team_id = 77 where id = 1",),
        ),
        (
            (False, f"{POLL}: may vote as another player of theirs"),
            ("insert into user_player_associations (user_id, tenniscores_player_id) values (1, 'nndz-b')",
             "update user_contexts set team_id = 1"),
        ),
        ((False, "0 polls of no team, 0 votes, votes as Ann Example: the team is not there"),
         ("delete from teams where id = 1", "delete from polls where id = 1", "update user_contexts set team_id = 1")),
        (None, (LEFT,)),
    ],
)  # fmt: skip
def test_polls(live, expected, statements):
    """The team's polls have choices, votes have voters of the team, and the user votes as the right player."""
    assert expected == asked(live, polls, *statements).get(ANN)


COUNTER = "insert into player_season_tracking (player_id, team_id, league_id) values ('{}', {}, 1)"


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ({}, ()),
        ({1: (True, "1 counter, 1 of the roster")}, (COUNTER.format("nndz-a", 1),)),
        (
            {1: (True, "1 counter, 0 of the roster")},
            (COUNTER.format("nndz-a", 1), "update players set is_active = false"),
        ),
        ({1: (False, "1 counter, 0 of the roster: 1 of nobody who was in the team")}, (COUNTER.format("nndz-b", 1),)),
        ({77: (False, "1 counter, 0 of the roster: the team is not there")}, (COUNTER.format("nndz-a", 77),)),
    ],
)
def test_tracking(live, expected, statements):
    """Counters stand under a team and a person who is or was in it."""
    assert expected == asked(live, tracking, *statements)


PAIR = "insert into pairing_preferences (team_id, player1_user_id, player2_user_id) values ({}, 1, 2)"
PARTNER_OF_ANN = (
    "insert into user_player_associations (user_id, tenniscores_player_id) values (2, 'nndz-b')",
    "update players set team_id = 1 where id = 2",
)


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ({}, ()),
        ({1: (True, "1 pair")}, (PAIR.format(1), *PARTNER_OF_ANN)),
        ({1: (True, "1 pair")}, (PAIR.format(1), *PARTNER_OF_ANN, "update players set is_active = false")),
        ({1: (False, "1 pair: 1 with somebody who never was in the team")}, (PAIR.format(1),)),
        ({2: (False, "1 pair: 1 with somebody who never was in the team")}, (PAIR.format(2), *PARTNER_OF_ANN)),
    ],
)
def test_pairing(live, expected, statements):
    """Both users of a pair are or were players of the team."""
    assert expected == asked(live, pairing, *statements)


GAME = (
    "insert into pickup_games (description, game_date, game_time, players_requested, club_id, league_id,"
    " creator_user_id) values ('x', '2025-10-09', '10:00', 4, {}, {}, 1)"
)


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((True, "no PTI"), ()),
        ((True, "no PTI"), ("update players set pti = 40 where id = 2",)),
        ((True, "games for a PTI of 40.50"), ("update players set pti = 40.5 where id = 1", GAME.format(1, 1))),
        (
            (False, "no PTI: every game is hidden, although the player is rated"),
            (SECOND_TEAM, "update players set pti = 40 where id = 3"),
        ),
        (
            (False, "no PTI: every game is hidden, although the player is rated"),
            ("update players set pti = 40 where id = 1", "create temporary table players as table public.players",
             "update pg_temp.players set pti = null"),
        ),
        ((False, "no PTI: 1 offered for a club or league that is not there"), (GAME.format(77, 1),)),
        ((False, "no PTI: 1 offered for a club or league that is not there"), (GAME.format("null", 77),)),
    ],
)  # fmt: skip
def test_pickup_games(live, expected, statements):
    """Who is rated has a PTI, and who offers a game offers it for a club and a league that are there."""
    assert expected == asked(live, pickup_games, *statements).get(ANN)


FOUND = "Ann Example, Lakeside, Series 12"
UNTYPED = ", Lakeside, Series 12: under a name that nobody types"
NOWHERE = ": in no club or series that one may choose"


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ((True, FOUND), "select 1"),
        ((True, FOUND), SECOND_TEAM),
        ((True, FOUND), another(3, "Ann", "Sample")),
        ((False, f"{FOUND}: several of this name"), another(3, "ann", "EXAMPLE", team=2)),
        ((False, f"Ann  Example{UNTYPED}"), named("Ann ")),
        ((False, f"Ann (Jo) Example{UNTYPED}"), named("Ann (Jo)")),
        ((False, f"Ann Example {UNTYPED}"), named("Ann", "Example ")),
        ((False, f" Example{UNTYPED}"), named("")),
        ((False, f"Ann Example, no club, Series 12{NOWHERE}"), "delete from clubs"),
        ((False, f"Ann Example, Lakeside, no series{NOWHERE}"), "update series set league_id = 7"),
        (None, "update players set is_active = false"),
    ],
)  # fmt: skip
def test_registration(live, expected, statement):
    """First and last name, club and series find one person."""
    assert expected == asked(live, registration, statement).get(ANN)


OLD = (
    "insert into match_scores_previous_seasons (league_id, match_date, home_player_1_id, winner, season)"
    " values (1, '{}', 'nndz-a', '{}', '{}')"
)


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        (None, ()),
        ((True, "1 match, 1 won"), (OLD.format("2025-01-14", "home", "2024-2025"),)),
        ((True, "2 matches, 1 won"), tuple(OLD.format(day, won, "2024-2025") for day, won in
                                            (("2025-01-14", "home"), ("2025-01-21", "tie")))),
        (None, (OLD.format("2024-01-14", "home", "2023-2024"),)),
        (
            (True, "2 matches, 2 won"),
            tuple(OLD.format(day, "home", "2024-2025") for day in ("2024-08-01", "2025-07-31")),
        ),
        ((False, "1 match, 1 won: 1 outside that season"), (OLD.format("2025-08-01", "home", "2024-2025"),)),
        ((False, "1 match, 1 won: 1 outside that season"), (OLD.format("2024-07-31", "home", "2024-2025"),)),
        ((False, "3 matches, 3 won: all on one day"), (OLD.format("2025-01-14", "home", "2024-2025"),) * 3),
        (None, (OLD.format("2025-01-14", "home", "2024-2025"), "update players set is_active = false")),
    ],
)  # fmt: skip
def test_last_season(live, expected, statements):
    """The archive of the season before this one, by the printed id of the person."""
    assert expected == asked(live, last_season, *statements).get(ANN)
