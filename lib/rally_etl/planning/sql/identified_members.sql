-- How each live row of the rosters was found, and why each new one is made.
insert into identified
select
    :league,
    'players',
    coalesce(m.live_id, m.new_id),
    case
        when m.live_id is null then 'new'
        when m.spelling is not null then coalesce(a.strategy, 'alias')
        when m.live_player_id = m.player_id then 'id'
        else 'id respelled'
    end,
    case when m.live_id is null then 1 else coalesce(a.confidence, 1) end,
    case
        when m.live_id is null and e.person_key is null then 'not seen before'
        when m.live_id is null then
            'joined ' || t.team_name
            || coalesce(' from ' || e.teams_left, ' beside ' || e.teams_kept, ' after a time in no team')
        when m.spelling is not null then coalesce(a.evidence, 'a recorded alias')
        when m.live_player_id = m.player_id then 'the same player id'
        else m.player_id || ' is ' || m.live_player_id || ' under another prefix'
    end
from placed_members as m
left join person_aliases as a on a.spelling = m.spelling
left join earlier_teams as e on e.person_key = m.person_key
left join (
    select distinct on (n.team_id) n.team_id, n.team_name
    from names as n
    where n.league = :league and n.kind = 'players' and n.team_id is not null
    order by n.team_id
) as t on t.team_id = m.team_id
