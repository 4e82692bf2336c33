"""Teams and players: the drop-down of a league's teams, and the players of the one that is chosen."""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.landing import LEAGUE_OF_SERIES
from rally_etl.features.words import PLAYING

FEATURE = Feature(
    name="teams_and_players",
    title="Teams and players",
    route="/mobile/teams-players",
    subject="team",
    right="lists the team once, in a series and a club that are there, with its players",
    sql=f"""
    with {PLAYING},
    roster as (
        select team_id, count(*) as players
        from players where league_id = :league_id and is_active is not false group by team_id
    ),
    listed as (select team_name, count(*) as times from playing group by team_name)
    select
        p.id as subject_id,
        coalesce(r.players, 0) > 0 and l.times = 1 and s.id is not null and c.id is not null as works,
        concat(
            coalesce(r.players, 0), ' players',
            case when l.times > 1 then concat(', listed ', l.times, ' times') end,
            case when s.id is null then ', in no series of the league' end,
            case when c.id is null then ', of no club' end
        ) as shown
    from playing as p
    join listed as l on l.team_name = p.team_name
    left join roster as r on r.team_id = p.id
    left join series as s on s.id = p.series_id and {LEAGUE_OF_SERIES} = :league_id
    left join clubs as c on c.id = p.club_id
    """,
)
