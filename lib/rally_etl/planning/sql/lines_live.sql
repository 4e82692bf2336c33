-- Live lines between the teams and near the dates of `lines_wanted`, in the same form. Those that the scrape speaks of
-- by their match id are not free, but they are counted: a team match has no more lines than courts.
create temporary table lines_live on commit drop as
with pairs as (
    select low, high, min(match_date) - :days as first_day, max(match_date) + :days as last_day
    from lines_wanted
    group by low, high
),

linked as (
    select
        l.id,
        coalesce(d.normal_id, l.tenniscores_match_id) as match_id,
        l.match_date,
        coalesce(l.home_team_id, h.team_id) as home_team_id,
        coalesce(l.away_team_id, a.team_id) as away_team_id,
        l.scores,
        l.home_player_1_id,
        l.home_player_2_id,
        l.away_player_1_id,
        l.away_player_2_id
    from public.match_scores as l
    left join live_names as h on h.printed = l.home_team and l.home_team_id is null
    left join live_names as a on a.printed = l.away_team and l.away_team_id is null
    left join doubled_ids as d on d.id = l.id
    where l.league_id = :league_id and d.is_line is not false
),

keyed as materialized ( -- or each id would be read once per use
    select
        l.*,
        p.low,
        p.high,
        {home_player_1_id} as home_1,
        {home_player_2_id} as home_2,
        {away_player_1_id} as away_1,
        {away_player_2_id} as away_2
    from linked as l
    join pairs as p
        on p.low = least(l.home_team_id, l.away_team_id) and p.high = greatest(l.home_team_id, l.away_team_id)
    where l.match_date is null or l.match_date between p.first_day and p.last_day
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
    s.id,
    s.match_id,
    cast(substring(s.match_id from '_Line([1-9])$') as integer) as line,
    s.match_date as day,
    s.low,
    s.high,
    s.is_low_home,
    s.scores,
    case when s.is_low_home then s.home else s.away end as low_side,
    case when s.is_low_home then s.away else s.home end as high_side,
    true as is_free
from seated as s
