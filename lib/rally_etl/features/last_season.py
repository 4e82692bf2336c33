"""Last season: the matches of a player in the season before this one.

The page reads the archive of lines by the printed id of the person and the name of the season ("2024-2025"). No import
writes it: what a player had there before a run is there after it, as long as the player's id is the same.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.phrases import numbered
from rally_etl.features.words import SEASON_BEGINS

LAST = f"to_char({SEASON_BEGINS} - interval '1 year', 'YYYY') || '-' || to_char({SEASON_BEGINS}, 'YYYY')"

FEATURE = Feature(
    name="last_season",
    title="Last season",
    route="/mobile/last-season-stats",
    subject="player",
    right="shows the archived lines of the player, on the days of that season",
    needs=("match_scores_previous_seasons",),
    sql=f"""
    with played as (
        select
            s.person,
            count(*) as lines,
            count(*) filter (where s.is_won) as won,
            count(distinct l.match_date) as days,
            count(*) filter (
                where l.match_date is null or l.match_date >= {SEASON_BEGINS}
                    or l.match_date < {SEASON_BEGINS} - interval '1 year'
            ) as astray
        from match_scores_previous_seasons as l
        cross join lateral (
            values
                (l.home_player_1_id, l.winner = 'home'), (l.home_player_2_id, l.winner = 'home'),
                (l.away_player_1_id, l.winner = 'away'), (l.away_player_2_id, l.winner = 'away')
        ) as s(person, is_won)
        where l.league_id = :league_id and l.season = {LAST} and s.person <> ''
        group by s.person
    ),
    answer as materialized (
        select
            p.id,
            l.lines,
            l.won,
            case
                when l.astray > 0 then l.astray || ' outside that season'
                when l.lines >= 3 and l.days = 1 then 'all on one day'
            end as wrong
        from players as p
        join played as l on l.person = p.tenniscores_player_id
        where p.league_id = :league_id and p.is_active is not false
    )
    select
        id as subject_id,
        wrong is null as works,
        concat({numbered("lines", "match", "matches")}, ', ', won, ' won', ': ' || wrong) as shown
    from answer
    """,
)
