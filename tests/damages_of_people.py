"""Damages that the pages of players and users must notice; what they mean stands in `damages.py`."""

from __future__ import annotations

from damages import CLUB, LEAGUE, TEAM

ROSTER = f"(select tenniscores_player_id from public.players where team_id = {TEAM})"
PERSON = (
    f"(select min(tenniscores_player_id) from public.user_player_associations where tenniscores_player_id in {ROSTER})"
)
USER = f"(select user_id from public.user_player_associations where tenniscores_player_id = {PERSON})"
STRANGER = f"(select min(id) from public.players where league_id = {LEAGUE} and team_id <> {TEAM})"
OTHER = f"(select min(id) from public.players where league_id <> {LEAGUE})"

PEOPLE_DAMAGES: dict[str, dict[str, str]] = {
    "session": {
        "the player's row gone": f"delete from players where tenniscores_player_id = {PERSON}",
        "another spelling of the person's id": f"""
            update players set tenniscores_player_id = 'apta_' || tenniscores_player_id where team_id = {TEAM}
        """,
        "a row of no team": f"update players set team_id = null where team_id = {TEAM}",
        "ids of teams given anew": f"update teams set id = -id where id = {TEAM}",
        "a team that plays no more": f"update teams set is_active = false where id = {TEAM}",
        "a team of another league": f"""
            update teams set league_id = (select min(id) from leagues where id <> {LEAGUE}) where id = {TEAM}
        """,
        "a context that points at nothing": f"update user_contexts set team_id = -1 where user_id = {USER}",
        "no club": f"delete from clubs where id = {CLUB}",
    },
    "switching": {
        "a player of the user who is nowhere": f"""
            update user_player_associations set tenniscores_player_id = 'nowhere' where user_id = {USER}
        """,
        "a roster without a team": f"update players set team_id = null where team_id = {TEAM}",
        "a league that is not there": f"update user_contexts set league_id = -1 where user_id = {USER}",
        "a series that is not there": f"update user_contexts set series_id = -1 where user_id = {USER}",
        "ids of teams given anew": f"update teams set id = -id where id = {TEAM}",
    },
    "analyze_me": {
        "every line twice": f"""
            insert into match_scores (id, league_id, match_date, home_team, away_team, home_team_id, away_team_id,
                home_player_1_id, home_player_2_id, away_player_1_id, away_player_2_id, scores, winner,
                tenniscores_match_id)
            select -id, league_id, match_date, home_team, away_team, home_team_id, away_team_id, home_player_1_id,
                home_player_2_id, away_player_1_id, away_player_2_id, scores, winner, tenniscores_match_id || '_Line1'
            from match_scores where {TEAM} in (home_team_id, away_team_id)
        """,
        "every winner the loser": f"""
            update match_scores set winner = case winner when 'home' then 'away' else 'home' end
            where {TEAM} in (home_team_id, away_team_id)
        """,
        "no winner": f"update match_scores set winner = null where {TEAM} in (home_team_id, away_team_id)",
        "lines of no team": f"update match_scores set home_team_id = null where home_team_id = {TEAM}",
        "another spelling of the person's id": f"""
            update players set tenniscores_player_id = 'apta_' || tenniscores_player_id where team_id = {TEAM}
        """,
        "lines of another season": f"""
            update match_scores set match_date = match_date - 365 where {TEAM} in (home_team_id, away_team_id)
        """,
        "the sides exchanged": f"""
            update match_scores set home_player_1_id = away_player_1_id, away_player_1_id = home_player_1_id
            where {TEAM} in (home_team_id, away_team_id)
        """,
    },
    "courts_and_partners": {
        "a suffix twice": f"""
            update match_scores set tenniscores_match_id = tenniscores_match_id || '_Line4' where home_team_id = {TEAM}
        """,
        "no suffix": f"""
            update match_scores set tenniscores_match_id = split_part(tenniscores_match_id, '_', 1) || id
            where home_team_id = {TEAM}
        """,
        "a court that no club has": f"""
            update match_scores set tenniscores_match_id = split_part(tenniscores_match_id, '_', 1) || '_Line7'
            where home_team_id = {TEAM}
        """,
        "no id of the match": f"update match_scores set tenniscores_match_id = null where home_team_id = {TEAM}",
        "a partner whom nobody knows": f"update match_scores set home_player_2_id = 'x' where home_team_id = {TEAM}",
        "no partner": f"update match_scores set home_player_2_id = '' where league_id = {LEAGUE}",
    },
    "pti_chart": {
        "a history of nobody": f"""
            update player_history set player_id = null
            where player_id in (select id from players where team_id = {TEAM})
        """,
        "a history gone": f"""
            delete from player_history where player_id in (select id from players where team_id = {TEAM})
        """,
    },
    "all_team_availability": {
        "answers of nobody": f"update player_availability set player_id = -1 where user_id = {USER}",
        "answers of somebody else": f"update player_availability set player_id = {STRANGER} where user_id = {USER}",
        "ids of players given anew": f"update players set id = -id where team_id = {TEAM}",
        "answers in another series": f"""
            update player_availability set series_id = (
                select min(id) from series where id <> player_availability.series_id
            ) where user_id = {USER}
        """,
    },
    "update_availability": {
        "an older series of the name": f"""
            insert into series (id, name, display_name, league_id)
            select -1, name, name, (select min(id) from leagues where id <> {LEAGUE}) from series
            where id = (select series_id from teams where id = {TEAM})
        """,
    },
    "player_search": {
        "a substitute's row": f"update players set last_name = last_name || ' (S)' where team_id = {TEAM}",
        "a person twice": f"""
            insert into players (id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id,
                team_id, is_active)
            select -id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id, true
            from players where team_id = {TEAM}
        """,
        "no person": f"update players set first_name = 'Court 5', last_name = 'No Player 1' where team_id = {TEAM}",
        "no name": f"update players set first_name = '', last_name = '' where team_id = {TEAM}",
        "no team": f"update players set team_id = null where team_id = {TEAM}",
    },
    "find_subs": {
        "a series without a number": f"""
            update series set name = 'Series SW' where id = (select series_id from teams where id = {TEAM})
        """,
        "a series gone": f"delete from series where id = (select series_id from teams where id = {TEAM})",
    },
    "lineup": {
        "names that nobody has": f"update players set first_name = 'X.', last_name = 'Y.' || id where team_id = {TEAM}",
        "nobody on the roster": f"delete from players where team_id = {TEAM}",
        "two players of one name": f"""
            update players set (first_name, last_name) = (
                select first_name, last_name from public.players where team_id = {TEAM} order by id limit 1
            ) where team_id = {TEAM}
        """,
        "a line-up for a team that is not there": f"""
            update lineup_escrow set recipient_team_id = -1 where initiator_team_id = {TEAM}
        """,
    },
    "polls": {
        "polls of no team": f"update polls set team_id = null where team_id = {TEAM}",
        "polls of a team that is not there": f"update teams set id = -id where id = {TEAM}",
        "no choices": f"delete from poll_choices where poll_id in (select id from polls where team_id = {TEAM})",
        "votes without a voter": f"""
            update poll_responses set player_id = -player_id
            where poll_id in (select id from polls where team_id = {TEAM})
        """,
        "votes of somebody else": f"""
            update poll_responses set player_id = {STRANGER} where id = (
                select min(r.id) from poll_responses as r join polls as p on p.id = r.poll_id where p.team_id = {TEAM}
            )
        """,
        "votes for another poll's choice": f"""
            update poll_responses set choice_id = (
                select min(c.id) from poll_choices as c join polls as p on p.id = c.poll_id where p.team_id <> {TEAM}
            ) where poll_id in (select id from polls where team_id = {TEAM})
        """,
        "a user of two players": f"""
            insert into user_player_associations (user_id, tenniscores_player_id)
            select {USER}, tenniscores_player_id from players where id = {OTHER}
        """,
    },
    "tracking": {
        "counters of nobody": f"""
            update player_season_tracking set player_id = 'apta_' || player_id where team_id = {TEAM}
        """,
        "counters of a team that is not there": f"update teams set id = -id where id = {TEAM}",
        "counters under another team": f"""
            update player_season_tracking set team_id = (
                select min(id) from teams where league_id = {LEAGUE} and id <> {TEAM}
            ) where team_id = {TEAM}
        """,
        "a roster made anew": f"delete from players where team_id = {TEAM}",
    },
    "pairing": {
        "users who are nobody": f"""
            update user_player_associations set tenniscores_player_id = 'nowhere' || user_id
            where tenniscores_player_id in {ROSTER}
        """,
        "pairs of another team": f"""
            update pairing_preferences set team_id = (
                select min(team_id) from public.pairing_preferences as o join public.teams as t on t.id = o.team_id
                where t.league_id = {LEAGUE} and t.id <> {TEAM}
            ) where team_id = {TEAM}
        """,
        "a roster made anew": f"update players set team_id = null where team_id = {TEAM}",
    },
    "pickup_games": {
        "no PTI": f"update players set pti = null where team_id = {TEAM}",
        "a club that is not there": f"update pickup_games set club_id = -1 where league_id = {LEAGUE}",
    },
    "registration": {
        "a remark in the name": f"update players set last_name = last_name || ' (Club)' where team_id = {TEAM}",
        "a blank too many": f"update players set first_name = first_name || ' ' where team_id = {TEAM}",
        "two persons of one name": f"""
            insert into players (id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id,
                team_id, is_active)
            select -id, 'x' || id, first_name, last_name, league_id, club_id, series_id, team_id, true
            from players where team_id = {TEAM}
        """,
        "a club gone": f"delete from clubs where id = {CLUB}",
    },
    "last_season": {
        "days of this season": f"""
            update match_scores_previous_seasons set match_date = match_date + 365 where league_id = {LEAGUE}
        """,
        "one day for all": f"""
            update match_scores_previous_seasons set match_date = '2025-01-14' where league_id = {LEAGUE}
        """,
    },
}
