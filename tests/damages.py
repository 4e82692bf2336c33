"""Damages that pages must notice: page -> what is damaged -> SQL on a copy of every table; at least one for each page.

The damage is done to APTA_CHICAGO in the sample season of week 1, 3 October 2025. Bare names are the copies, `public.`
is live as it was.
"""

from __future__ import annotations

LEAGUE = "(select id from leagues where league_id = 'APTA_CHICAGO')"
TEAM = f"(select id from teams where team_name = 'Tennaqua 12' and league_id = {LEAGUE})"
CLUB = (
    f"(select min(club_id) from public.teams where league_id = {LEAGUE}"
    f" and club_id not in (select club_id from public.teams where league_id <> {LEAGUE}))"
)
CLUB_NAME = f"(select name from public.clubs where id = {CLUB})"
PRACTICES = f"home_team ilike '%practice%' and league_id = {LEAGUE}"

DAMAGES: dict[str, dict[str, str]] = {
    "notifications": {
        "a team twice in its series": f"""
            insert into series_stats (id, league_id, series, team, series_id, team_id, points)
            select -1, league_id, series, team || ' ', series_id, team_id, 0 from series_stats where team_id = {TEAM}
        """,
        "standings without the id of the series": f"update series_stats set series_id = null where team_id = {TEAM}",
        "no coming match": f"delete from schedule where {TEAM} in (home_team_id, away_team_id)",
        "no message of the captain": f"delete from captain_messages where team_id = {TEAM}",
    },
    "my_team": {
        "standings of no team": f"update series_stats set team_id = null where team_id = {TEAM}",
        "standings under another name": f"update series_stats set team = 'Tennaqua - 12' where team_id = {TEAM}",
        "lines under another name": f"update match_scores set home_team = 'Tennaqua' where home_team_id = {TEAM}",
        "lines of no team": f"update match_scores set away_team_id = null where away_team_id = {TEAM}",
        "a new name of the team alone": f"update teams set team_name = 'Tennaqua - 12' where id = {TEAM}",
        "no standings of the league at all": f"delete from series_stats where league_id = {LEAGUE}",
    },
    "my_series": {
        "a row of the standings gone": f"delete from series_stats where team_id = {TEAM}",
        "a name that no team has": f"update series_stats set team = 'Tennaqua' where team_id = {TEAM}",
        "standings in another series": f"""
            update series_stats set series_id = (
                select min(id) from series where league_id = {LEAGUE} and id <> series_stats.series_id
            ) where team_id = {TEAM}
        """,
    },
    "strength_of_schedule": {
        "a suffix that is lost": f"""
            update match_scores set home_team = replace(home_team, ' SW', '')
            where league_id = {LEAGUE} and home_team like '% SW'
        """,
        "schedule under another name": f"update schedule set away_team = 'Tennaqua' where away_team_id = {TEAM}",
        "lines under the name of another team": f"""
            update match_scores set home_team = 'Tennaqua 12' where home_team_id = (
                select min(id) from teams where league_id = {LEAGUE} and team_name = 'Skokie 12'
            )
        """,
        "an opponent whose standings have another name": f"""
            update series_stats set team = 'Tennaqua - 12' where team_id = {TEAM}
        """,
    },
    "availability": {
        "no schedule": f"delete from schedule where {TEAM} in (home_team_id, away_team_id)",
        "no schedule of the league at all": f"delete from schedule where league_id = {LEAGUE}",
        "schedule without ids of teams": f"update schedule set home_team_id = null, away_team_id = null"
        f" where league_id = {LEAGUE}",
        "practices without end": f"""
            insert into schedule (id, league_id, match_date, match_time, home_team, home_team_id)
            select -n, {LEAGUE}, date '2025-10-03' - n, '19:00', 'Tennaqua Practice - Series 12', {TEAM}
            from generate_series(1, 120) as n
        """,
        "matches twice": f"""
            insert into schedule (id, league_id, match_date, match_time, home_team, away_team, home_team_id,
                away_team_id, location)
            select -id, league_id, match_date, match_time, home_team, away_team, home_team_id, away_team_id, location
            from schedule where league_id = {LEAGUE} and home_team not ilike '%practice%'
        """,
        "a place in another spelling": (
            f"update schedule set location = location || ' Club' where location = {CLUB_NAME}"
        ),
        "a club in another spelling": f"update clubs set name = name || ' Club' where id = {CLUB}",
    },
    "schedule_grid": {
        "one team without matches": f"delete from schedule where {TEAM} in (home_team_id, away_team_id)",
        "matches on days gone by": f"update schedule set match_date = match_date - 365 where league_id = {LEAGUE}",
    },
    "practice_times": {
        "a practice gone": f"""
            delete from schedule where id = (
                select min(id) from schedule where {PRACTICES}
            )
        """,
        "all practices gone": f"delete from schedule where {PRACTICES}",
        "practices twice": f"""
            insert into schedule (id, league_id, match_date, match_time, home_team, home_team_id)
            select -id, league_id, match_date, match_time, home_team, home_team_id
            from schedule where {PRACTICES}
        """,
        "practices of no team": f"update schedule set home_team_id = null where {PRACTICES}",
    },
    "last_matches": {
        "all lines gone": f"delete from match_scores where league_id = {LEAGUE}",
        "lines of no team": f"""
            update match_scores set home_team_id = null, away_team_id = null where league_id = {LEAGUE}
        """,
        "lines of next month": f"update match_scores set match_date = '2025-11-03' where home_team_id = {TEAM}",
        "no opponent": f"update match_scores set away_team = null where home_team_id = {TEAM}",
    },
    "teams_and_players": {
        "no players": f"update players set is_active = false where team_id = {TEAM}",
        "players of no team": f"update players set team_id = null where team_id = {TEAM}",
        "two teams of one name": f"""
            update teams set team_name = 'Tennaqua 12'
            where league_id = {LEAGUE} and team_name = 'Skokie 12'
        """,
        "no club": f"update teams set club_id = -1 where id = {TEAM}",
        "a series of another league": f"""
            update teams set series_id = (select min(id) from series where league_id <> {LEAGUE}) where id = {TEAM}
        """,
    },
    "simulator": {
        "no ratings": f"update players set pti = null where team_id = {TEAM}",
        "no ratings at all": f"update players set pti = null where league_id = {LEAGUE}",
        "ratings that are no number": f"update players set pti = 'NaN' where team_id = {TEAM}",
    },
    "club_standings": {
        "a club in two spellings": f"""
            update clubs set name = 'Hinsdale Pc' where id = {CLUB};
            update clubs set name = 'Hinsdale PC' where id = (
                select max(club_id) from teams where league_id = {LEAGUE} and club_id <> {CLUB}
            )
        """,
        "standings of no team": f"update series_stats set team_id = null where team_id = {TEAM}",
        "a club gone": f"delete from clubs where id = {CLUB}",
    },
    "food_and_beer": {
        "a club gone": f"delete from clubs where id = {CLUB}",
        "another club under the id": f"update clubs set name = 'Another' where id = {CLUB}",
    },
}
