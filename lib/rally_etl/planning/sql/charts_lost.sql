-- Persons of the rosters whose rating chart live has and the file of charts does not.
select count(distinct s.person_key) as lost
from etl.staged_players as s
join public.players as l
    on l.league_id = :league_id and regexp_replace(l.tenniscores_player_id, :id_prefix, '') = s.person_key
where
    s.league = :league
    and exists (select from public.player_history as h where h.player_id = l.id)
    and not exists (
        select from etl.staged_player_history as c where c.league = :league and c.person_key = s.person_key
    )
    and exists (
        select from etl.source_files as f
        where f.run_id = :run and f.league = :league and f.kind = 'player_history' and f.fault is null and f.staged > 0
    )
