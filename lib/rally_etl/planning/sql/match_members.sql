-- A membership keeps the live row of the same person and team, else a row of the same person, club and series that
-- no team holds; one live row serves one membership. A person known in the league keeps the id users refer to.
with same_team as (
    select distinct on (m.person_key, m.team_id) m.person_key, m.team_id, l.id
    from members as m
    join live_members as l on l.person_key = m.person_key and l.team_id = m.team_id
    order by m.person_key, m.team_id, l.is_active desc, l.id
),

without_team as (
    select distinct on (l.id) m.person_key, m.team_id, l.id
    from members as m
    join live_members as l
        on l.person_key = m.person_key and l.club_id = m.club_id and l.series_id = m.series_id and l.team_id is null
    where not exists (select from same_team as t where t.person_key = m.person_key and t.team_id = m.team_id)
    order by l.id, m.team_id
),

found as (
    select * from same_team
    union all
    select distinct on (person_key, team_id) * from without_team
),

known as (
    select distinct on (person_key) person_key, tenniscores_player_id
    from live_members order by person_key, is_active desc, id
)

update members as m
set live_id = f.id, live_player_id = k.tenniscores_player_id
from members as each
left join found as f on f.person_key = each.person_key and f.team_id = each.team_id
left join known as k on k.person_key = each.person_key
where m.person_key = each.person_key and m.team_id = each.team_id
