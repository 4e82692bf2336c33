"""Strength of schedule: how strong the opponents of a team are. All of it is read by printed names.

The page finds lines, coming matches and the standings of each opponent by the team's name, so one spelling more is one
opponent less. Right is what the ids say.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import IS_MATCH, LINES_OF_SEASON, PLAYING, SEASON_BEGINS

FEATURE = Feature(
    name="strength_of_schedule",
    title="Strength of schedule",
    route="/mobile/my-series",
    subject="team",
    right="finds under the team's name every match that is the team's by id, and the standings of every opponent",
    sql=f"""
    with {PLAYING}, {LINES_OF_SEASON},
    meeting as (
        select team_id, team, opponent, lines from side
        union all
        select home_team_id, home_team, away_team, 1 from schedule
        where league_id = :league_id and match_date >= {SEASON_BEGINS} and {IS_MATCH}
        union all
        select away_team_id, away_team, home_team, 1 from schedule
        where league_id = :league_id and match_date >= {SEASON_BEGINS} and {IS_MATCH}
    ),
    counted as (
        select m.team_id, m.team, m.opponent, sum(m.lines) as meetings from meeting as m group by 1, 2, 3
    ),
    ranked as (select distinct team from series_stats where league_id = :league_id),
    -- an opponent whose standings the page should find: its id has some, under whatever name
    strong as (
        select t.team_name, r.team is not null as is_found
        from series_stats as s
        join teams as t on t.id = s.team_id
        left join ranked as r on r.team = t.team_name
        where s.league_id = :league_id
    ),
    by_id as (
        select
            c.team_id,
            sum(c.meetings) as meetings,
            sum(c.meetings) filter (where c.team is distinct from p.team_name) as misnamed,
            count(distinct c.opponent) filter (where o.is_found is false) as unranked
        from counted as c
        join playing as p on p.id = c.team_id
        left join strong as o on o.team_name = c.opponent
        group by c.team_id
    ),
    by_name as (
        select p.id as team_id, sum(c.meetings) filter (where c.team_id is distinct from p.id) as foreign_meetings
        from playing as p join counted as c on c.team = p.team_name
        group by p.id
    )
    select
        p.id as subject_id,
        coalesce(i.misnamed, 0) = 0 and coalesce(i.unranked, 0) = 0 and coalesce(n.foreign_meetings, 0) = 0 as works,
        concat(
            coalesce(i.meetings, 0), ' lines and matches',
            case when i.misnamed > 0 then concat(', ', i.misnamed, ' under another name') end,
            case when i.unranked > 0 then concat(', ', i.unranked, ' opponents without standings') end,
            case when n.foreign_meetings > 0 then concat(', ', n.foreign_meetings, ' of another team') end
        ) as shown
    from playing as p
    left join by_id as i on i.team_id = p.id
    left join by_name as n on n.team_id = p.id
    """,
)
