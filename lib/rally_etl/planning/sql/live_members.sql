-- Live rows of the league's players with what identifies the person whatever the spelling of the id.
create temporary table live_members on commit drop as
select
    id,
    tenniscores_player_id,
    regexp_replace(tenniscores_player_id, :id_prefix, '') as person_key,
    team_id,
    club_id,
    series_id,
    coalesce(is_active, true) as is_active
from public.players
where league_id = :league_id
