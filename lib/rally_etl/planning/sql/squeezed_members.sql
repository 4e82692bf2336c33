-- Memberships that a unique key without team_id has no room for: another row of the person holds this club and series.
with placed as (
    select
        m.person_key,
        m.team_id,
        m.live_id,
        row_number() over (
            partition by m.person_key, m.club_id, m.series_id order by m.live_id is null, m.live_id, m.team_id
        ) as place,
        exists (
            select from live_members as l
            where l.person_key = m.person_key and l.club_id = m.club_id and l.series_id = m.series_id
        ) as is_taken
    from placed_members as m
)

delete from placed_members as m using placed as p
where p.person_key = m.person_key and p.team_id = m.team_id and m.live_id is null and (p.place > 1 or p.is_taken)
returning m.player_id
