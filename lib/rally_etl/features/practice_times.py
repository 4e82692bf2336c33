"""Practice times of a team: rows that a captain wrote among the matches of the schedule, by the team's id."""

from __future__ import annotations

from rally_etl.features.feature import Feature

FEATURE = Feature(
    name="practice_times",
    title="Practice times",
    route="/mobile/practice-times",
    subject="team",
    right="lists every practice that the captain set, each day once",
    sql="""
    with practice as (
        select home_team_id as team_id, count(*) as rows, count(distinct match_date) as days, max(match_date) as last
        from schedule where league_id = :league_id and home_team ilike '%practice%' group by home_team_id
    ),
    live as (
        select home_team_id as team_id, count(distinct match_date) as days
        from public.schedule where league_id = :league_id and home_team ilike '%practice%' group by home_team_id
    )
    select
        t.id as subject_id,
        (p.rows = p.days and p.days >= coalesce(l.days, 0)) is true as works,
        case when p.rows is null then 'no practice' else concat(
            p.rows, ' practices, the last on ', p.last,
            case when p.rows > p.days then concat(', ', p.rows - p.days, ' of them doubled') end
        ) end as shown
    from teams as t
    left join practice as p on p.team_id = t.id
    left join live as l on l.team_id = t.id
    where t.league_id = :league_id and t.is_active is not false and (p.rows > 0 or l.days > 0)
    """,
)
