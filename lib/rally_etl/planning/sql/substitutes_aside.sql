-- A substitute is no member where the person has a membership, under this id or (made-up ids) under the name; of several
-- memberships as a substitute alone one counts: the one that live has, else the first.
with ranked as (
    select
        s.person_key,
        s.team_id,
        row_number() over (
            partition by s.person_key
            order by
                (
                    select count(*) from live_members as l
                    where l.person_key = s.person_key and l.team_id = s.team_id and l.is_active
                ) desc,
                s.team_id
        ) as place,
        exists (
            select from members as m
            where
                m.person_key = s.person_key
                and not exists (
                    select from substitutes as o where o.person_key = m.person_key and o.team_id = m.team_id
                )
        ) as is_member
    from substitutes as s
)

delete from members as m
using ranked as r
where
    r.person_key = m.person_key and r.team_id = m.team_id
    and (r.is_member or r.place > 1 or r.person_key = any(cast(:namesakes as text[])))
