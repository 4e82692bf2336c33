-- Live lines that the scrape speaks of by their match id, also those whose record waits for something else.
update lines_live as l set is_free = false
from (
    select s.id
    from lines_live as s join changed_lines as c on c.live_id = s.id
    union
    select s.id
    from lines_live as s join tied as t on t.id = s.id
    union
    select s.id
    from lines_live as s join etl.staged_match_scores as m on m.league = :league and m.match_id = s.match_id
) as claimed
where claimed.id = l.id
