"""What the rows of users look like, table by table: an expression per column over rows of teams and their members.

The temporary tables that they are made from: `roster` (grain: an active membership, with the person's place in the
team), `side` (a team that has members), `account` (a person who gets an account), `member` (a membership of such a
person), and `made_<table>` (the rows of a table made before).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rally_etl.sample.users import DOMAIN, PASSWORD_HASH

BASE = (
    """
    create temp table roster on commit drop as
    select p.id as player_id, p.tenniscores_player_id as person, p.first_name, p.last_name,
           p.first_name || ' ' || p.last_name as player_name,
           t.id as team_id, t.club_id, t.series_id, t.league_id, t.team_name, c.name as club, s.name as series,
           row_number() over (partition by t.id order by hashtextextended(p.tenniscores_player_id, :seed), p.id)
             as place
    from players as p
    join teams as t on t.id = p.team_id and t.is_active is not false
    join clubs as c on c.id = t.club_id
    join series as s on s.id = t.series_id
    where p.is_active is not false
    """,
    """
    create temp table account on commit drop as
    select row_number() over (order by person) as number, person
    from (select distinct person from roster where place <= :users_per_team) as chosen
    where not exists (select from user_player_associations as a where a.tenniscores_player_id = chosen.person)
    """,
    """
    create temp table member on commit drop as
    select r.*, a.number,
           row_number() over (partition by a.number order by r.team_id, r.player_id) as membership,
           row_number() over (partition by r.team_id order by r.place) as rank
    from roster as r join account as a using (person)
    """,
    """
    create temp table side on commit drop as
    select r.team_id, r.club_id, r.series_id, r.league_id, r.team_name, r.club, r.series,
           array_agg(r.player_name order by r.place) filter (where r.place <= 8) as names,
           lead(r.team_id, 1, r.team_id) over (partition by r.series_id order by r.team_id) as other_team_id,
           coalesce((select min(g.match_date) from schedule as g where g.league_id = r.league_id), date '2025-09-23')
             as first_day
    from roster as r
    where exists (select from member as m where m.team_id = r.team_id)
    group by r.team_id, r.club_id, r.series_id, r.league_id, r.team_name, r.club, r.series
    """,
    "analyze roster, account, member, side",
)

_TIMES = "cross join generate_series(1, :scale) as n"
_COURT = "json_build_array(names[{0}], names[{1}])"
_LINEUP = f"json_build_object('court1', {_COURT.format(1, 2)}, 'court2', {_COURT.format(3, 4)})::text"
# The captain is the first member with an account.
_CAPTAINS = (
    "select s.*, x.id as user_id, x.email from side as s join member as m on m.team_id = s.team_id and m.rank = 1"
    " join made_users as x on x.number = m.number"
)
_MEMBERS = (
    "select m.*, s.first_day, s.names, s.other_team_id, x.id as user_id, x.email from member as m"
    " join side as s using (team_id) join made_users as x on x.number = m.number"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table: a source and, over its columns, an expression per column of the table.

    `kept` are expressions that only the temporary table of the rows has. Sources are in the order of their keys, so
    that ids are given out in the same order each time.
    """

    table: str
    source: str
    columns: dict[str, str]
    kept: dict[str, str] = field(default_factory=dict)


TABLES = (
    Rows(
        "users",
        "select * from member where membership = 1 order by number",
        {
            "email": "lower(regexp_replace(first_name || '.' || last_name, '[^a-zA-Z.]', '', 'g'))"
            f" || '.' || player_id || '@{DOMAIN}'",
            "password_hash": f"'{PASSWORD_HASH}'",
            "first_name": "first_name",
            "last_name": "last_name",
            "league_context": "league_id",
            "team_id": "team_id",
        },
        {"number": "number"},
    ),
    Rows(
        "user_player_associations",
        "select x.id as user_id, a.person from account as a join made_users as x using (number) order by a.number",
        {"user_id": "user_id", "tenniscores_player_id": "person"},
    ),
    Rows(
        "user_contexts",
        # Who plays in several teams looks at the last of them.
        f"select distinct on (number) * from ({_MEMBERS}) as m order by number, membership desc",
        {
            "user_id": "user_id",
            "league_id": "league_id",
            "team_id": "team_id",
            "active_team_id": "team_id",
            "series_id": "series_id",
            "club": "club",
            "context_type": "'team'",
            "is_active": "true",
        },
    ),
    Rows(
        "polls",
        f"select c.*, n from ({_CAPTAINS}) as c {_TIMES} order by n, team_id",
        {
            "team_id": "team_id",
            "created_by": "user_id",
            "question": "case (team_id + n) % 3 when 0 then 'Practice of ' || team_name || ' on week ' || n || '?'"
            " when 1 then 'Who plays in ' || series || ' on week ' || n || '?'"
            " else 'Dinner after week ' || n || '?' end",
        },
        {"n": "n", "team": "team_id"},
    ),
    Rows(
        "poll_choices",
        "select p.id as poll_id, c.place, c.text from made_polls as p"
        " cross join unnest(array['Monday', 'Friday', 'Either']) with ordinality as c(text, place) order by 1, 2",
        {"poll_id": "poll_id", "choice_text": "text"},
        {"place": "place"},
    ),
    Rows(
        "poll_responses",
        "select p.id as poll_id, c.id as choice_id, m.player_id from made_polls as p"
        " join member as m on m.team_id = p.team"
        " join made_poll_choices as c on c.poll_id = p.id"
        " and c.place = 1 + (hashtextextended(m.person, :seed + p.n) & 65535) % 3 order by 1, 3",
        {"poll_id": "poll_id", "choice_id": "choice_id", "player_id": "player_id"},
    ),
    Rows(
        "captain_messages",
        f"select c.*, n from ({_CAPTAINS}) as c {_TIMES} order by n, team_id",
        {
            "team_id": "team_id",
            "captain_user_id": "user_id",
            "message": "case (team_id + n) % 2 when 0 then team_name || ': be there at six, week ' || n"
            " else 'Bring both balls and a warm hat, week ' || n end",
        },
    ),
    Rows(
        "schedule",
        f"select c.*, n from ({_CAPTAINS}) as c cross join generate_series(1, 4 * :scale) as n where not exists"
        " (select from schedule as g where g.home_team_id = c.team_id and g.match_date = c.first_day + 7 * n - 2"
        " and g.home_team ilike '%practice%') order by team_id, n",
        {
            "league_id": "league_id",
            "match_date": "first_day + 7 * n - 2",
            "match_time": "time '19:00' + (team_id % 4) * interval '30 minutes'",
            "home_team": "club || ' Practice - ' || series",
            "home_team_id": "team_id",
        },
    ),
    Rows(
        # Two shapes of this table are known; each takes the columns that it has.
        "practice_times",
        f"select c.*, n from ({_CAPTAINS}) as c {_TIMES} order by team_id, n",
        {
            "team_id": "team_id",
            "league_id": "league_id",
            "practice_date": "first_day + 7 * n - 2",
            "day_of_week": "trim(to_char(first_day + n, 'Day'))",
            "start_time": "time '19:00'",
            "end_time": "time '20:30'",
            "court_number": "1 + team_id % 4",
            "location": "club",
            "notes": "'Court and lights are booked'",
            "created_by": "user_id",
        },
    ),
    Rows(
        "player_availability",
        # Days are stored as midnight UTC, one row per person and day: each membership has a weekday of its own.
        f"select m.*, n from ({_MEMBERS}) as m cross join generate_series(1, 4 * :scale) as n"
        " where membership <= 7 order by user_id, membership, n",
        {
            "player_name": "player_name",
            "match_date": "(first_day + 7 * n + membership::integer - 1)::timestamp at time zone 'UTC'",
            "availability_status": "1 + (hashtextextended(person, :seed + n) & 65535) % 3",
            "series_id": "series_id",
            "player_id": "player_id",
            "user_id": "user_id",
            "notes": "case when (player_id + n) % 5 = 0 then 'late by ten minutes' end",
        },
    ),
    Rows(
        "saved_lineups",
        f"select m.*, n from ({_MEMBERS}) as m {_TIMES} order by user_id, team_id, n",
        {
            "user_id": "user_id",
            "team_id": "team_id",
            "lineup_name": "'Choice ' || n",
            "lineup_data": _LINEUP,
        },
    ),
    Rows(
        "lineup_escrow",
        f"select c.*, n from ({_CAPTAINS}) as c {_TIMES} order by team_id, n",
        {
            "escrow_token": "concat_ws('-', 'sample', user_id, team_id, n)",
            "initiator_user_id": "user_id",
            "recipient_name": "'Captain of ' || other_team_id",
            "recipient_contact": f"'captain.' || other_team_id || '@{DOMAIN}'",
            "contact_type": "'email'",
            "initiator_team_id": "team_id",
            "recipient_team_id": "other_team_id",
            "initiator_lineup": _LINEUP,
            "message_body": "'Our line-up for week ' || n",
        },
        {"user_id": "user_id"},
    ),
    Rows(
        "lineup_escrow_views",
        "select * from made_lineup_escrow order by id",
        {"escrow_id": "id", "viewer_user_id": "user_id", "viewer_contact": f"'captain@{DOMAIN}'"},
    ),
    Rows(
        "player_season_tracking",
        f"select * from ({_MEMBERS}) as m order by person, team_id",
        {
            "player_id": "person",
            "team_id": "team_id",
            "league_id": "league_id",
            "season_year": "extract(year from first_day)::integer",
            "forced_byes": "(player_id % 3)::integer",
            "not_available": "(player_id % 2)::integer",
        },
    ),
    Rows(
        "pairing_preferences",
        f"select a.*, b.user_id as partner_id from ({_MEMBERS}) as a join ({_MEMBERS}) as b"
        " on b.team_id = a.team_id and b.rank = a.rank + 1 order by a.team_id, a.rank",
        {
            "team_id": "team_id",
            "player1_user_id": "user_id",
            "player2_user_id": "partner_id",
            "is_allowed": "rank % 2 = 1",
        },
    ),
    Rows(
        "player_notes",
        f"select * from ({_MEMBERS}) as m where membership = 1 order by user_id",
        {"player_id": "person", "creator_id": "user_id", "club_id": "club_id", "note": "'Plays the backhand side'"},
    ),
    Rows(
        "videos",
        f"select * from ({_CAPTAINS}) as c order by team_id",
        {
            "name": "team_name || ' at home'",
            "url": "'https://video.example/' || team_id",
            "players": "array_to_string(names[1:4], ', ')",
            "date": "first_day + 7",
            "team_id": "team_id",
        },
    ),
    Rows(
        "user_instructions",
        f"select * from ({_CAPTAINS}) as c order by team_id",
        {
            "user_email": "email",
            "instruction": "'Remind ' || team_name || ' two days before a match'",
            "series_id": "series_id",
            "team_id": "team_id",
        },
    ),
    Rows(
        "pickup_games",
        f"select distinct on (club_id, league_id) * from ({_CAPTAINS}) as c order by club_id, league_id, team_id",
        {
            "description": "'Anybody at ' || club || '?'",
            "game_date": "first_day + 10",
            "game_time": "time '10:00'",
            "players_requested": "4",
            "players_committed": "1",
            "club_id": "club_id",
            "league_id": "league_id",
            "creator_user_id": "user_id",
        },
        {"user_id": "user_id"},
    ),
    Rows(
        "pickup_game_participants",
        "select * from made_pickup_games order by id",
        {"pickup_game_id": "id", "user_id": "user_id"},
    ),
    Rows(
        "rally_sub_finder",
        f"select * from ({_CAPTAINS}) as c order by team_id",
        {"created_by": "user_id", "slots_total": "1", "match_date": "first_day + 14", "type": "'match'"},
        {"user_id": "user_id"},
    ),
    Rows(
        "rally_sub_finder_participants",
        "select * from made_rally_sub_finder order by id",
        {"rally_sub_finder_id": "id", "user_id": "user_id"},
    ),
    Rows(
        "groups",
        f"select * from ({_CAPTAINS}) as c order by team_id",
        {"name": "'Friends of ' || team_name", "creator_user_id": "user_id"},
        {"team": "team_id", "captain": "user_id"},
    ),
    Rows(
        "group_members",
        f"select g.id as group_id, g.captain, m.user_id from made_groups as g join ({_MEMBERS}) as m"
        " on m.team_id = g.team order by 1, 3",
        {"group_id": "group_id", "user_id": "user_id", "added_by_user_id": "captain"},
    ),
    Rows(
        "user_session_refresh_signals",
        f"select * from ({_MEMBERS}) as m where membership = 1 and number % 10 = 1 order by user_id",
        {"user_id": "user_id", "email": "email", "old_league_id": "league_id", "new_league_id": "league_id"},
    ),
    Rows(
        "activity_log",
        f"select m.*, n from ({_MEMBERS}) as m {_TIMES} order by user_id, team_id, n",
        {
            "id": "md5(concat_ws(' ', 'sample', :seed, user_id, team_id, n))::uuid",
            "player_id": "player_id",
            "team_id": "team_id",
            "user_id": "user_id",
            "action_type": "'poll_vote'",
            "action_description": "player_name || ' voted'",
        },
    ),
    Rows(
        "user_activity_logs",
        f"select * from ({_MEMBERS}) as m where membership = 1 order by user_id",
        {"user_email": "email", "activity_type": "'page_visit'", "page": "'my-team'"},
    ),
    Rows(
        "food",
        "select distinct club_id, club, min(first_day) as first_day from side group by 1, 2 order by 1",
        {"food_text": "'Chili at ' || club", "date": "first_day", "club_id": "club_id"},
    ),
    Rows(
        "beer",
        "select distinct club_id, club, min(first_day) as first_day from side group by 1, 2 order by 1",
        {"beer_text": "'Pale ale'", "date": "first_day", "club_id": "club_id"},
    ),
)
"""Rows after those that they point at."""
