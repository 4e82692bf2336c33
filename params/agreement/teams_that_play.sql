-- One row per team of the match file: does the other file name it too?
select
    min(coalesce(m.team_name, m.printed)) as fact,
    bool_or(o.printed is not null) as agrees,
    'plays, and is not in ' || :other as told,
    sum(m.row_count) as distance
from names as m
left join names as o on o.league = :league and o.kind = :other and o.team_id = m.team_id
where m.league = :league and m.kind = 'match_scores'
group by coalesce(cast(m.team_id as text), m.printed)
