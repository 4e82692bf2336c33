-- One row per person of the match file, whatever the team: does a roster have the id?
select
    'player ' || w.person_key as fact,
    exists (
        select from etl.staged_players as p where p.league = :league and p.person_key = w.person_key
    ) as agrees,
    format('%s lines, and on no roster', sum(w.line_count)) as told,
    sum(w.line_count) as distance
from played as w
group by w.person_key
