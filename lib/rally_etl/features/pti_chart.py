"""PTI chart: the rating of a player over time.

The page reads the history by the id of the player's row, not by the printed id of the person: a person whose row is
made anew, or who plays on under another row than the one that has the history, has no chart. Few leagues publish
histories, so a player has the page who has points here or in live, under any row of the person; where most rated
players have points, each of them has it.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.phrases import numbered

FEATURE = Feature(
    name="pti_chart",
    title="PTI chart",
    route="/api/player-history-chart",
    subject="player",
    right="draws the points of the player's own row, for each rated player whose history the league has",
    sql=f"""
    with points as (
        select h.player_id, count(*) as points, max(h.date) as last_day
        from player_history as h
        group by h.player_id
    ),
    points_of_person as (
        select tenniscores_player_id as person, max(points) as points
        from (
            select p.tenniscores_player_id, h.points
            from points as h
            join players as p on p.id = h.player_id
            where p.league_id = :league_id
            union all
            select p.tenniscores_player_id, count(*)
            from public.player_history as h
            join public.players as p on p.id = h.player_id
            where p.league_id = :league_id
            group by p.tenniscores_player_id
        ) as each_row
        group by tenniscores_player_id
    ),
    page as (
        select p.id, p.pti, h.points, h.last_day, o.points as elsewhere,
            2 * count(h.points) over () >= count(*) over () as is_usual
        from players as p
        left join points as h on h.player_id = p.id
        left join points_of_person as o on o.person = p.tenniscores_player_id
        where p.league_id = :league_id and p.is_active is not false and (p.pti is not null or h.points > 0)
    )
    select
        id as subject_id,
        coalesce(points, 0) > 0 as works,
        case
            when points > 0 then {numbered("points", "point")} || coalesce(', the last of ' || last_day, '')
            when elsewhere > 0 then 'no history, although the person has ' || {numbered("elsewhere", "point")}
            else 'no history'
        end as shown
    from page
    where points > 0 or elsewhere > 0 or is_usual
    """,
)
