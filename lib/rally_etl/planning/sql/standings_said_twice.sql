-- Standings that a merge would leave beside another row of the same team, planned or live. The row of the team's own
-- series stays, of two such the one with more matches, of equal ones that of the team that stays.
with candidate as (
    select id, team_id, series_id, matches_won, matches_lost, matches_tied, true as is_planned
    from series_stats
    union all
    select id, team_id, series_id, matches_won, matches_lost, matches_tied, false
    from public.series_stats as l
    where team_id in (select team_id from series_stats) and not exists (select from series_stats as p where p.id = l.id)
),

numbered as (
    select
        c.id,
        row_number() over (
            partition by c.team_id
            order by
                coalesce(c.series_id = coalesce(r.into_id, t.series_id), false) desc,
                coalesce(c.matches_won, 0) + coalesce(c.matches_lost, 0) + coalesce(c.matches_tied, 0) desc,
                c.is_planned,
                c.id
        ) as place
    from candidate as c
    join public.teams as t on t.id = c.team_id
    left join new_redirects as r on r.table_name = 'series' and r.from_id = t.series_id
)

select id
from numbered
where place > 1
