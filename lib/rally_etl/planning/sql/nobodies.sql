-- Members under an id that is none, whom neither the id nor the name says to be a known person: they wait.
delete from members as m
where
    m.person_key ~* :no_id
    and not exists (select from live_members as l where l.person_key = m.person_key)
returning concat_ws(' ', m.first_name, m.last_name) as name
