"""Home page of a team: its place in the series, its next match, the captain's latest message."""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import COMING_WANTED, IS_MATCH, PLAYING, STANDINGS_WANTED

FEATURE = Feature(
    name="notifications",
    title="Home page of the team",
    route="/mobile",
    subject="team",
    right="shows one place in the team's own series, the next match, and the captain's message where there is one",
    needs=("captain_messages",),
    sql=f"""
    with {PLAYING}, {COMING_WANTED}, {STANDINGS_WANTED},
    standing as (
        select
            s.team_id, s.series_id,
            rank() over (partition by s.series_id order by s.points desc nulls last) as place
        from series_stats as s
        where s.league_id = :league_id
    ),
    place as (
        select p.id as team_id, count(*) as rows, min(s.place) as place
        from playing as p join standing as s on s.team_id = p.id and s.series_id = p.series_id
        group by p.id
    ),
    next_match as (
        select team_id, min(match_date) as day
        from (
            select unnest(array[home_team_id, away_team_id]) as team_id, match_date
            from schedule
            where league_id = :league_id and match_date >= :as_of and {IS_MATCH}
        ) as coming
        group by team_id
    ),
    message as (select team_id, max(id) as newest from captain_messages group by team_id),
    written as (select team_id, max(id) as newest from public.captain_messages group by team_id)
    select
        p.id as subject_id,
        (not s.is_wanted or c.rows = 1) is true
            and (not w.is_wanted or n.day is not null)
            and coalesce(m.newest, 0) >= coalesce(r.newest, 0) as works,
        concat(
            case when c.rows is null then 'no place in the series' when c.rows > 1 then 'several places in the series'
                else concat('place ', c.place) end,
            case when n.day is null then ', no next match' else concat(', next match on ', n.day) end,
            case when coalesce(m.newest, 0) < coalesce(r.newest, 0) then ', the captain''s message is gone'
                when m.newest is not null then ', a message of the captain' end
        ) as shown
    from playing as p
    cross join coming_wanted as w
    cross join standings_wanted as s
    left join place as c on c.team_id = p.id
    left join next_match as n on n.team_id = p.id
    left join message as m on m.team_id = p.id
    left join written as r on r.team_id = p.id
    """,
)
