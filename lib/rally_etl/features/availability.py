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
    row_of_team as materialized (
        select
            unnest(array[home_team_id, away_team_id]) as team_id,
            match_date, match_time, home_team, away_team, location, {IS_MATCH} as is_match
        from schedule where league_id = :league_id
    ),
    crowded as (select team_id from row_of_team group by team_id having count(*) > {LIMIT}),
    placed as (
        select r.team_id, r.is_match, r.match_date,
            row_number() over (partition by r.team_id order by r.match_date, r.match_time, r.is_match) as place
        from (select distinct * from row_of_team where team_id in (select team_id from crowded)) as r
    ),
    beyond as (
        select team_id, count(*) as matches
        from placed where is_match and match_date >= :as_of and place > {LIMIT} group by team_id
    ),
    coming as (
        select
            r.team_id,
            count(*) as matches,
            count(*) filter (where r.times > 1) as doubled,
            count(*) filter (where r.location is not null and c.id is null) as nowhere
        from (
            select team_id, match_date, home_team, away_team, min(location) as location, count(*) as times
            from row_of_team where is_match and match_date >= :as_of group by 1, 2, 3, 4
        ) as r
        left join clubs as c on c.name = r.location
        group by r.team_id
    )
    select
        p.id as subject_id,
        not w.is_wanted or (c.matches > 0 and b.team_id is null and c.doubled = 0 and c.nowhere = 0) is true as works,
        concat(
            case when c.matches is null then 'No schedule data' else concat(c.matches, ' coming matches') end,
            case when b.matches > 0 then concat(', ', b.matches, ' of them beyond the first {LIMIT} rows') end,
            case when c.doubled > 0 then concat(', ', c.doubled, ' doubled') end,
            case when c.nowhere > 0 then concat(', ', c.nowhere, ' at no known club') end
        ) as shown
    from playing as p
    cross join coming_wanted as w
    left join coming as c on c.team_id = p.id
    left join beyond as b on b.team_id = p.id
    """,
)
