-- Persons whom the scrape prints in a team of which nobody knows yet which one it is.
create temporary table waiting_persons on commit drop as
select distinct coalesce(a.target, s.person_key) as person_key
from etl.staged_players as s
join names as n
    on n.league = :league and n.kind = 'players' and n.printed = s.team and n.series = coalesce(s.series, '')
left join person_aliases as a on a.spelling = s.person_key
where :is_waiting and s.league = :league and n.team_id is null
