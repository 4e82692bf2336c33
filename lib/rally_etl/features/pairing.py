"""Pairing analysis: who of the team may play with whom.

The page reads what the captain said of pairs of users, and finds the player of each user through the associations. A
user who is or was in the team has a row and a column of the matrix; where none is found, the matrix is empty.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.phrases import numbered

FEATURE = Feature(
    name="pairing",
    title="Pairings",
    route="/mobile/pairing-analysis",
    subject="team",
    right="finds both players of each pair on the roster, now or before",
    needs=("pairing_preferences", "user_player_associations"),
    sql=f"""
    with memberships as (
        select distinct a.user_id, p.team_id
        from players as p
        join user_player_associations as a on a.tenniscores_player_id = p.tenniscores_player_id
        where p.league_id = :league_id
    ),
    paired as (
        select
            k.team_id,
            count(*) as pairs,
            count(*) filter (where one.user_id is null or other.user_id is null) as incomplete
        from pairing_preferences as k
        join teams as t on t.id = k.team_id
        left join memberships as one on one.user_id = k.player1_user_id and one.team_id = k.team_id
        left join memberships as other on other.user_id = k.player2_user_id and other.team_id = k.team_id
        where t.league_id = :league_id
        group by k.team_id
    )
    select
        team_id as subject_id,
        incomplete = 0 as works,
        concat(
            {numbered("pairs", "pair")},
            ': ' || nullif(incomplete, 0) || ' with somebody who never was in the team'
        ) as shown
    from paired
    """,
)
