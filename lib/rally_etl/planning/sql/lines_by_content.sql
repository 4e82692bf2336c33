-- Lines that no match id ties to a live row, tied by what they say: the date, the two teams in either order and the
-- players; then, for what is left, the date, the teams and the score. Several lines that say the same are tied in order.
-- Only where one of the two has no match id: two different match ids are two lines.
with wanted as (
    select
        w.ctid as place, w.tenniscores_match_id as match_id, w.match_date,
        least(w.home_team_id, w.away_team_id) as low, greatest(w.home_team_id, w.away_team_id) as high,
        w.home_team_id <= w.away_team_id as is_low_home, w.scores,
        concat_ws('+', least(w.home_player_1_id, w.home_player_2_id), greatest(w.home_player_1_id, w.home_player_2_id)) as home,
        concat_ws('+', least(w.away_player_1_id, w.away_player_2_id), greatest(w.away_player_1_id, w.away_player_2_id)) as away
    from changed_lines as w
    where w.live_id is null
),

linked as (
    select l.*, coalesce(l.home_team_id, h.team_id) as home_id, coalesce(l.away_team_id, a.team_id) as away_id
    from public.match_scores as l
    left join live_names as h on h.printed = l.home_team and l.home_team_id is null
    left join live_names as a on a.printed = l.away_team and l.away_team_id is null
    where l.league_id = :league_id
),

live as (
    select
        l.id, l.tenniscores_match_id as match_id, l.match_date,
        least(l.home_id, l.away_id) as low, greatest(l.home_id, l.away_id) as high,
        l.home_id <= l.away_id as is_low_home, l.scores,
        concat_ws('+', least(l.home_player_1_id, l.home_player_2_id), greatest(l.home_player_1_id, l.home_player_2_id)) as home,
        concat_ws('+', least(l.away_player_1_id, l.away_player_2_id), greatest(l.away_player_1_id, l.away_player_2_id)) as away
    from linked as l
    where
        not exists (select from changed_lines as c where c.live_id = l.id)
        -- a live line whose match id the scrape still has is spoken for
        and not exists (
            select from etl.staged_match_scores as s where s.league = :league and s.match_id = l.tenniscores_match_id
        )
        and (l.tenniscores_match_id is null or exists (select from wanted where match_id is null))
        and (l.match_date, least(l.home_id, l.away_id), greatest(l.home_id, l.away_id)) in (
            select match_date, low, high from wanted
        )
),

wanted_players as (
    select *, case when is_low_home then home || ' v ' || away else away || ' v ' || home end as content from wanted
),

live_players as (
    select *, case when is_low_home then home || ' v ' || away else away || ' v ' || home end as content from live
),

wanted_numbered as (
    select *, row_number() over (
        partition by match_date, low, high, content order by is_low_home, scores, match_id, place
    ) as number
    from wanted_players where content <> ' v '
),

live_numbered as (
    select *, row_number() over (
        partition by match_date, low, high, content order by is_low_home, scores, match_id, id
    ) as number
    from live_players where content <> ' v '
),

by_players as (
    select w.place, l.id
    from wanted_numbered as w
    join live_numbered as l using (match_date, low, high, content, number)
    where w.match_id is null or l.match_id is null
),

wanted_left as (
    select *, row_number() over (partition by match_date, low, high, is_low_home, scores order by match_id, place) as number
    from wanted where place not in (select place from by_players)
),

live_left as (
    select *, row_number() over (partition by match_date, low, high, is_low_home, scores order by match_id, id) as number
    from live where id not in (select id from by_players)
),

by_score as (
    select w.place, l.id
    from wanted_left as w
    join live_left as l using (match_date, low, high, is_low_home, scores, number)
    where w.match_id is null or l.match_id is null
)

update changed_lines as c set live_id = f.id
from (select * from by_players union all select * from by_score) as f
where c.ctid = f.place
