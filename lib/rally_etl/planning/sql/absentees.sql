-- Active memberships of persons whom no roster of the scrape mentions.
create temporary table absentees on commit drop as
select
    l.team_id,
    l.person_key,
    l.tenniscores_player_id,
    concat_ws(' ', p.first_name, p.last_name) as name
from live_members as l
join public.players as p on p.id = l.id
where
    l.is_active
    and l.team_id is not null
    and not exists (select from members as m where m.person_key = l.person_key)
