"""Words that the queries of several pages share: the season, matches of the league, teams that play.

A word is a piece of SQL that stands in the query of a page. What is right is relative to what the league has: a league
that never had standings does not miss them. That they are wanted is seen in live too (`public.`), so that a scrape
which loses all of them does not lower what is expected.
"""

from __future__ import annotations

SEASON_BEGINS = (
    "make_date(extract(year from cast(:as_of as date))::integer"
    " - (extract(month from cast(:as_of as date)) < 8)::integer, 8, 1)"
)
"""The first of August before the day of the scrape."""

IS_MATCH = "coalesce(away_team, '') <> '' and home_team not like '%ractice%'"
"""A row of the schedule is a match of the league, not a practice of a team, with a great or a small P."""

PLAYING = f"""
    playing as (
        select t.id, t.team_name, t.series_id, t.club_id
        from teams as t
        where t.league_id = :league_id and t.is_active is not false
            and t.id in (
                select team_id from players
                where league_id = :league_id and is_active is not false and team_id is not null
                union all
                select unnest(array[home_team_id, away_team_id]) from schedule
                where league_id = :league_id and match_date >= {SEASON_BEGINS} and {IS_MATCH}
            )
    )"""
"""Active teams with players or matches: who is in the standings alone has left, and nobody has its pages."""

COMING_WANTED = f"""
    coming_wanted as (
        select exists (
            select from schedule where league_id = :league_id and match_date >= :as_of and {IS_MATCH}
        ) or exists (
            select from public.schedule where league_id = :league_id and match_date >= :as_of and {IS_MATCH}
        ) as is_wanted
    )"""
"""One row: whether matches are still to come in this league."""

STANDINGS_WANTED = """
    standings_wanted as (
        select exists (select from series_stats where league_id = :league_id)
            or exists (select from public.series_stats where league_id = :league_id) as is_wanted
    )"""
"""One row: whether this league has standings."""

LINES_OF_SEASON = f"""
    -- counted before both sides are looked at: a million lines are a few thousand meetings
    met as materialized (
        select home_team_id, away_team_id, home_team, away_team, count(*) as lines
        from match_scores where league_id = :league_id and match_date >= {SEASON_BEGINS}
        group by 1, 2, 3, 4
    ),
    side as (
        select home_team_id as team_id, home_team as team, away_team as opponent, lines from met
        union all
        select away_team_id, away_team, home_team, lines from met
    )"""
"""Lines of this season, counted per team, its printed name and its opponent."""
