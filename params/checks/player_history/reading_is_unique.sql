-- title: A reading of the rating chart stands once
-- severity: warn
-- dimension: uniqueness
-- owner: league-data
-- why: The table has no key of its own; a second import doubles every chart.
-- mend: `rally-etl undo <run>` of the import that doubled them; rows of before are deleted by hand, the oldest stays.
select
    player_id,
    date,
    end_pti,
    series,
    count(*) as reading_count,
    min(id) as first_id,
    max(id) as last_id
from player_history
where league_id = :league_id
group by
    player_id,
    date,
    end_pti,
    series
having count(*) > 1
