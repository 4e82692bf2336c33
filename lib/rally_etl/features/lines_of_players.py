"""Lines as the pages of a player read them: by the printed ids of four persons, in the season, no line twice.

A league has many more lines than pairs: lines are counted by pair first, side by side, and only pairs are turned into
rows per person.
"""

from __future__ import annotations

from rally_etl.features.words import SEASON_BEGINS

IN_SEASON = (
    f"league_id = :league_id and match_date >= {SEASON_BEGINS}"
    f" and match_date < cast({SEASON_BEGINS} + interval '1 year' as date)"
)
_READ = (
    "match_date, home_team_id, away_team_id, winner, tenniscores_match_id,"
    " home_player_1_id, home_player_2_id, away_player_1_id, away_player_2_id"
)
_HAS_COURT = (
    "strpos(tenniscores_match_id, '_Line') = length(tenniscores_match_id) - 5"
    " and right(tenniscores_match_id, 1) in ('1', '2', '3', '4', '5')"
)
"""The suffix stands there once, at the end."""


def _pairs(side: str) -> str:
    """Lines of one side, counted by its pair."""
    return f"""
        select
            {side}_player_1_id as one,
            {side}_player_2_id as other,
            {side}_team_id as team_id,
            count(*) as lines,
            count(*) filter (where winner = '{side}') as won,
            count(*) filter (where {_HAS_COURT}) as with_court,
            count(tenniscores_match_id) as with_id,
            min(match_date) as first_day,
            max(match_date) as last_day
        from line
        group by {side}_player_1_id, {side}_player_2_id, {side}_team_id"""


PLAYED = f"""
    line as not materialized (
        select {_READ} from match_scores where {IN_SEASON} and tenniscores_match_id is not null
        union all
        -- the page leaves out repeated lines; those with a match id of their own are not repeated to it
        select {_READ}
        from (
            select distinct {_READ}, home_team, away_team, scores
            from match_scores
            where {IN_SEASON} and tenniscores_match_id is null
        ) as once
    ),
    pair as ({_pairs("home")}
        union all{_pairs("away")}
    ),
    played as (
        select s.person, s.partner, p.team_id, p.lines, p.won, p.with_court, p.with_id, p.first_day, p.last_day
        from pair as p
        cross join lateral (values (p.one, p.other), (p.other, p.one)) as s(person, partner)
        where s.person <> ''
    )"""
"""`played`: one row per person, partner and team, with its lines; one without a winner is shown as lost."""
