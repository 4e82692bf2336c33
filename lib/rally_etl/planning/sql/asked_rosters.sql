-- Persons of the teams in doubt, each team by its number: of the scraped rosters, or of the live one.
create temporary table asked_rosters on commit drop as
with asked as (
    select *
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(team integer, printed text, series text, team_id integer)
)

select a.team, s.person_key
from asked as a
join etl.staged_players as s
    on s.league = :league and s.team = a.printed and coalesce(s.series, '') = a.series
where s.person_key is not null
union
select a.team, regexp_replace(p.tenniscores_player_id, :id_prefix, '')
from asked as a
join public.players as p on p.team_id = a.team_id
where p.is_active is not false
