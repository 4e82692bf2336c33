-- Where persons with a new membership play in live: teams they left, teams they stay in.
create temporary table earlier_teams on commit drop as
select
    l.person_key,
    string_agg(distinct t.team_name, ', ') filter (where g.id is not null) as teams_left,
    string_agg(distinct t.team_name, ', ') filter (where l.is_active and g.id is null) as teams_kept
from live_members as l
join (select distinct person_key from placed_members where live_id is null) as n on n.person_key = l.person_key
left join gone_members as g on g.id = l.id
left join public.teams as t on t.id = l.team_id
group by l.person_key
