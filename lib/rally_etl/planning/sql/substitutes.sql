-- Memberships of which every record carries the mark of a substitute.
create temporary table substitutes on commit drop as
select
    coalesce(a.target, s.person_key) as person_key,
    n.team_id,
    min(concat_ws(' ', s.first_name, s.last_name)) as name
from etl.staged_players as s
join names as n
    on n.league = :league and n.kind = 'players' and n.printed = s.team and n.series = coalesce(s.series, '')
left join person_aliases as a on a.spelling = s.person_key
where
    s.league = :league
    and n.team_id is not null
    and exists (select from etl.staged_players as o where o.league = :league and o.is_substitute)
group by 1, 2
having bool_and(s.is_substitute)
