-- Members whose person is in the same team under the known key, or under another alias of it: one of them counts.
delete from members as m
using (
    select
        s.person_key,
        s.team_id,
        row_number() over (
            partition by coalesce(a.target, s.person_key), s.team_id
            order by a.target is not null, s.person_key
        ) as place
    from members as s
    left join person_aliases as a on a.spelling = s.person_key
    where
        s.person_key in (select spelling from person_aliases)
        or s.person_key in (select target from person_aliases)
) as each
where each.place > 1 and m.person_key = each.person_key and m.team_id = each.team_id
