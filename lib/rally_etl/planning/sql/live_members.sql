-- Live rows of the league's players with what identifies the person whatever the spelling of the id: the id without its
-- prefix, or whom an alias says it to be (`is_own`: no alias). A row that was merged into another one is none any more.
create temporary table live_members on commit drop as
select
    p.id,
    p.tenniscores_player_id,
    coalesce(a.target, p.own_key) as person_key,
    a.target is null as is_own,
    p.team_id,
    p.club_id,
    p.series_id,
    p.is_active
from (
    select
        id,
        tenniscores_player_id,
        regexp_replace(tenniscores_player_id, :id_prefix, '') as own_key,
        team_id,
        club_id,
        series_id,
        coalesce(is_active, true) as is_active
    from public.players
    where league_id = :league_id
    offset 0 -- or the expression would be worked out once per use
) as p
left join person_aliases as a on a.spelling = p.own_key
where
    not exists (
        select from etl.redirects as r
        where r.table_name = 'players' and r.from_id = p.id and r.ended_at is null
    )
