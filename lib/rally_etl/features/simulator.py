"""Match-up simulator: two players of a team against two of another, by PTI and by what they played.

A player without a PTI is counted with as nothing; where a league rates nobody, nobody expects more.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import PLAYING

PAIR = 2
"""Players of a team who play together."""

FEATURE = Feature(
    name="simulator",
    title="Match-up simulator",
    route="/mobile/matchup-simulator",
    subject="team",
    right="offers a pair of the team whose PTI is known, where the league has ratings",
    sql=f"""
    with {PLAYING},
    ratings as (
        select exists (select from players where league_id = :league_id and pti is not null)
            or exists (select from public.players where league_id = :league_id and pti is not null) as are_wanted
    ),
    roster as (
        select team_id, count(*) as players, count(pti) filter (where pti <> 'NaN') as rated
        from players where league_id = :league_id and is_active is not false group by team_id
    )
    select
        p.id as subject_id,
        (r.players >= {PAIR} and (not w.are_wanted or r.rated >= {PAIR})) is true as works,
        concat(coalesce(r.players, 0), ' players', case when w.are_wanted
            then concat(', ', coalesce(r.rated, 0), ' with a PTI') end) as shown
    from playing as p
    cross join ratings as w
    left join roster as r on r.team_id = p.id
    """,
)
