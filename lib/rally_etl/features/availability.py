"""Availability and schedule of a team: its matches and practices by id, the first hundred by day.

The place of a match is found among the clubs by its exact name; it is at home where that is the team's own club. What
is doubled, practices above all, pushes coming matches beyond the hundredth row.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import COMING_WANTED, IS_MATCH, PLAYING

LIMIT = 100
"""Rows that the page reads."""

FEATURE = Feature(
    name="availability",
    title="Availability and schedule",
    route="/mobile/availability",
    subject="team",
    right="shows every coming match of the team among the first hundred rows, once, at a place that is a known club",
    sql=f"""
    with {PLAYING}, {COMING_WANTED},
    row_of_team as (
        select
            e.team_id, s.match_date, s.match_time, s.home_team, s.away_team, s.location,
            {IS_MATCH} as is_match, count(*) as times
        from schedule as s
        cross join lateral (
            select s.home_team_id as team_id
            union all
            select s.away_team_id where s.away_team_id is distinct from s.home_team_id
        ) as e
        where s.league_id = :league_id and e.team_id is not null
        group by 1, 2, 3, 4, 5, 6, 7
    ),
    placed as (
        select *, row_number() over (partition by team_id order by match_date, match_time, is_match) as place
        from row_of_team
    ),
    coming as (
        select
            r.team_id,
            count(*) as matches,
            count(*) filter (where r.place > {LIMIT}) as hidden,
            count(*) filter (where r.times > 1) as doubled,
            count(*) filter (where r.location is not null and c.id is null) as nowhere
        from placed as r
        left join clubs as c on c.name = r.location
        where r.is_match and r.match_date >= :as_of
        group by r.team_id
    )
    select
        p.id as subject_id,
        not w.is_wanted or (c.matches > 0 and c.hidden = 0 and c.doubled = 0 and c.nowhere = 0) is true as works,
        concat(
            case when c.matches is null then 'No schedule data' else concat(c.matches, ' coming matches') end,
            case when c.hidden > 0 then concat(', ', c.hidden, ' of them beyond the first {LIMIT} rows') end,
            case when c.doubled > 0 then concat(', ', c.doubled, ' doubled') end,
            case when c.nowhere > 0 then concat(', ', c.nowhere, ' at no known club') end
        ) as shown
    from playing as p
    cross join coming_wanted as w
    left join coming as c on c.team_id = p.id
    """,
)
