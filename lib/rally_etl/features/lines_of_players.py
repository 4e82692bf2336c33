"""Lines as the pages of a player read them: by the printed ids of four persons, in the season, no line twice."""

from __future__ import annotations

from rally_etl.features.words import SEASON_BEGINS

_COLUMNS = (
    "match_date, home_team_id, away_team_id, winner, tenniscores_match_id,"
    " home_player_1_id, home_player_2_id, away_player_1_id, away_player_2_id"
)
_IN_SEASON = (
    f"league_id = :league_id and match_date >= {SEASON_BEGINS} and match_date < {SEASON_BEGINS} + interval '1 year'"
)

PLAYED = f"""
    line as (
        select {_COLUMNS} from match_scores where {_IN_SEASON} and tenniscores_match_id is not null
        union all
        -- the page leaves out repeated lines; those with a match id of their own are not repeated to it
        select {_COLUMNS}
        from (
            select distinct {_COLUMNS}, home_team, away_team, scores
            from match_scores
            where {_IN_SEASON} and tenniscores_match_id is null
        ) as once
    ),
    played as (
        select s.person, s.partner, s.team_id, s.is_won, l.match_date, l.tenniscores_match_id
        from line as l
        cross join lateral (
            values
                (l.home_player_1_id, l.home_player_2_id, l.home_team_id, l.winner = 'home'),
                (l.home_player_2_id, l.home_player_1_id, l.home_team_id, l.winner = 'home'),
                (l.away_player_1_id, l.away_player_2_id, l.away_team_id, l.winner = 'away'),
                (l.away_player_2_id, l.away_player_1_id, l.away_team_id, l.winner = 'away')
        ) as s(person, partner, team_id, is_won)
        where s.person <> ''
    )"""
"""`played`: one row per line and person; a line without a winner is shown as lost."""
