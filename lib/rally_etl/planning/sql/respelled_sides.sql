-- One row per row of {table} of which a side is another spelling of its team's own name. {own}: which rows are scraped.
create temporary table respelled_{table} on commit drop as
select l.id, coalesce(h.name, l.home_team) as home_team, coalesce(a.name, l.away_team) as away_team
from public.{table} as l
left join team_spellings as h on h.printed = l.home_team and h.team_id = l.home_team_id
left join team_spellings as a on a.printed = l.away_team and a.team_id = l.away_team_id
where l.league_id = :league_id and (h.name is not null or a.name is not null) and {own}
