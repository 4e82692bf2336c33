-- New memberships in teams that somebody is gone from. `is_known`: live knows the person, in another team.
create temporary table newcomers on commit drop as
select
    m.team_id,
    m.person_key,
    m.player_id,
    concat_ws(' ', m.first_name, m.last_name) as name,
    k.person_key is not null as is_known
from members as m
join (select distinct team_id from absentees) as a on a.team_id = m.team_id
left join (select distinct person_key from live_members) as k on k.person_key = m.person_key
left join (select distinct person_key, team_id from live_members) as l
    on l.person_key = m.person_key and l.team_id = m.team_id
where l.person_key is null
