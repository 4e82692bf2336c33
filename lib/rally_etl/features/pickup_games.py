"""Pickup games: games that a user may join.

The page compares the bounds of each game with the user's PTI, and for games of one club the club. Without a PTI every
game is hidden: rightly from a player whom the league has not rated yet, wrongly from one who has a PTI in live, or in
another team. A game whose club is gone is hidden from everybody.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.landing import LANDED, NEEDS

FEATURE = Feature(
    name="pickup_games",
    title="Pickup games",
    route="/mobile/pickup-games",
    subject="user",
    right="knows the PTI of a user who is rated, and the club of each game that the user offers",
    needs=(*NEEDS, "pickup_games"),
    sql=f"""
    with {LANDED},
    rated as (
        select distinct p.tenniscores_player_id as person
        from players as p
        where p.league_id = :league_id and p.is_active is not false and p.pti is not null
    ),
    rated_before as (
        select p.id from public.players as p where p.league_id = :league_id and p.pti is not null
    ),
    offered as (
        select g.creator_user_id as user_id, count(*) as games
        from pickup_games as g
        left join clubs as c on c.id = g.club_id
        left join leagues as l on l.id = g.league_id
        where (g.club_only or g.club_id is not null) and c.id is null or g.league_id is not null and l.id is null
        group by g.creator_user_id
    ),
    answer as materialized (
        select
            l.user_id,
            l.pti,
            case
                when l.pti is null
                    and (l.person in (select person from rated) or l.id in (select id from rated_before))
                    then 'every game is hidden, although the player is rated'
                when o.games > 0 then o.games || ' offered for a club or league that is not there'
            end as wrong
        from landed as l
        left join offered as o on o.user_id = l.user_id
    )
    select
        user_id as subject_id,
        wrong is null as works,
        concat(coalesce('games for a PTI of ' || pti, 'no PTI'), ': ' || wrong) as shown
    from answer
    """,
)
