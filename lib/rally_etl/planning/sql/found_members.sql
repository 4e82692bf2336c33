-- A membership keeps the live row of the same person and team, else a row of the same person, club and series that
-- no team holds; one live row serves one membership. Of several rows of a person the one under the known id comes first.
create temporary table found_members on commit drop as
with same_team as (
    select distinct on (m.person_key, m.team_id) m.person_key, m.team_id, l.id
    from members as m
    join live_members as l on l.person_key = m.person_key and l.team_id = m.team_id
    order by m.person_key, m.team_id, l.is_own desc, l.is_active desc, l.id
),

without_team as (
    select distinct on (l.id) m.person_key, m.team_id, l.id
    from members as m
    join live_members as l
        on l.person_key = m.person_key and l.club_id = m.club_id and l.series_id = m.series_id and l.team_id is null
    left join same_team as t on t.person_key = m.person_key and t.team_id = m.team_id
    where t.id is null
    order by l.id, m.team_id
)

select * from same_team
union all
select distinct on (person_key, team_id) * from without_team
