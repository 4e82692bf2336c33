-- Scraped lines that no match id ties to a live row, in a form that can be compared with live ones: the teams as a pair
-- in no order, the players of each by person, the score from either side. `day` is the date on which live may have the
-- team match: the printed one, until it is found to have been moved.
create temporary table lines_wanted on commit drop as
with keyed as materialized ( -- or each id would be read once per use
    select
        w.record_hash,
        w.tenniscores_match_id as match_id,
        s.line,
        w.match_date,
        w.home_team_id,
        w.away_team_id,
        w.home_team || ' v ' || w.away_team as name,
        w.scores,
        case when s.scores = w.scores then s.scores_swapped else s.scores end as swapped,
        {home_player_1_id} as home_1,
        {home_player_2_id} as home_2,
        {away_player_1_id} as away_1,
        {away_player_2_id} as away_2
    from changed_lines as w
    join etl.staged_match_scores as s on s.league = :league and s.record_hash = w.record_hash
    where w.live_id is null and not exists (select from tied as t where t.record_hash = w.record_hash)
),

seated as materialized (
    select
        *,
        home_team_id < away_team_id as is_low_home,
        concat_ws(' ', least(home_1, home_2), case when home_1 <> home_2 then greatest(home_1, home_2) end) as home,
        concat_ws(' ', least(away_1, away_2), case when away_1 <> away_2 then greatest(away_1, away_2) end) as away
    from keyed
)

select
    record_hash,
    match_id,
    line,
    match_date,
    match_date as day,
    least(home_team_id, away_team_id) as low,
    greatest(home_team_id, away_team_id) as high,
    is_low_home,
    name,
    scores,
    swapped,
    case when is_low_home then home else away end as low_side,
    case when is_low_home then away else home end as high_side
from seated
