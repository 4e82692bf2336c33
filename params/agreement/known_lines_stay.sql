-- One row per live line of the match file's season: does the file still hold it? Match files only grow.
select
    format('%s v %s on %s', l.home_team, l.away_team, l.match_date) as fact,
    k.id is not null as agrees,
    'no longer in the file' as told,
    0 as distance
from public.match_scores as l
join etl.source_files as f on f.run_id = :run_id and f.league = :league and f.kind = 'match_scores'
left join known_lines as k on k.id = l.id
where l.league_id = :league_id and extract(year from l.match_date + interval '5 months') = f.season
