-- Head of a query, `with` already said: what the lines of a league's season come to, one row per team in `recomputed`.
-- Binds: :league_id, :as_of, the rule's (`rules.binds`). Reads match_scores and series_stats by bare name.
-- The season of the newest match. Where the table says nothing yet, a new one has begun: that of today.
reached as materialized (
    select
        case
            when (
                select sum(matches_won + matches_lost) = 0
                from series_stats
                where league_id = :league_id
            ) then cast(:as_of as date)
            else coalesce(
                (
                    select max(match_date)
                    from match_scores
                    where league_id = :league_id and match_date <= cast(:as_of as date) + 30
                ), cast(:as_of as date)
            )
        end as today
),

begun as materialized (
    select cast(case when d.begins <= r.today then d.begins else d.begins - interval '1 year' end as date) as begins
    from reached as r
    cross join lateral (select to_date(extract(year from r.today) || '-' || :begins, 'YYYY-MM-DD') as begins) as d
),

season as materialized (
    select
        b.begins,
        cast(case when d.ends >= b.begins then d.ends else d.ends + interval '1 year' end as date) as ends
    from begun as b
    cross join lateral (select to_date(extract(year from b.begins) || '-' || :ends, 'YYYY-MM-DD') as ends) as d
),

of_season as materialized (
    select
        home_team_id,
        away_team_id,
        match_date,
        scores,
        winner,
        split_part(tenniscores_match_id, '_Line', 1) as meeting
    from match_scores
    where
        league_id = :league_id
        and match_date between (select begins from season) and (select ends from season)
        and home_team_id is not null
        and away_team_id is not null
),

-- Older files have no numbers: their lines join those of a newer file that has numbered the same team match.
numbered as (
    select
        home_team_id,
        away_team_id,
        match_date,
        max(meeting) as meeting
    from of_season
    where meeting is not null and exists (select from of_season where meeting is null)
    group by home_team_id, away_team_id, match_date
),

sets as (
    select
        p.scores,
        p.winner,
        pair.place,
        cast(pair.games[1] as integer) as home,
        cast(pair.games[2] as integer) as away,
        greatest(cast(pair.games[1] as integer), cast(pair.games[2] as integer)) as most,
        least(cast(pair.games[1] as integer), cast(pair.games[2] as integer)) as fewest
    from (select distinct scores, winner from of_season) as p
    cross join lateral regexp_matches(
        regexp_replace(p.scores, '\[[^]]*\]', '', 'g'), '(\d{1,3})-(\d{1,3})', 'g'
    ) with ordinality as pair (games, place)
),

-- One row per score: what it counts for, and whether it may be counted in another way.
read_scores as (
    select
        scores,
        winner,
        cast(count(*) as integer) as set_count,
        cast(count(*) filter (where home > away) as integer) as home_sets,
        cast(count(*) filter (where away > home) as integer) as away_sets,
        cast(sum(home) as integer) as home_games,
        cast(sum(away) as integer) as away_games,
        count(*) filter (where most = 7 and fewest = 6 and home > away) as home_tie_breaks,
        count(*) filter (where most = 7 and fewest = 6 and away > home) as away_tie_breaks,
        -- a line that was given up is its winner's, whatever stood then
        case
            when winner is not null and (sum(sign(home - away)) = 0 or not bool_and(most >= 6 and most > fewest))
                then case winner when 'home' then 1 else -1 end
            else cast(sign(sum(sign(home - away))) as integer)
        end as lead,
        count(*) not in (2, 3)
        or not bool_and((most = 6 and fewest <= 4) or (most = 7 and fewest >= 5 and fewest < most))
        or sum(sign(home - away)) = 0
        or (count(*) = 3 and abs(sum(sign(home - away)) filter (where place <= 2)) = 2) as is_odd
    from sets
    group by scores, winner
),

scored as materialized (
    select
        r.*,
        cast(case when lead > 0 then :line_won else of_loser.home end as double precision) as home_points,
        cast(case when lead < 0 then :line_won else of_loser.away end as double precision) as away_points
    from read_scores as r
    cross join lateral (
        select
            :three_sets * cast(set_count = 3 as integer) + :set_won * home_sets
            + :tie_break_lost * away_tie_breaks as home,
            :three_sets * cast(set_count = 3 as integer) + :set_won * away_sets
            + :tie_break_lost * home_tie_breaks as away
    ) as of_loser
),

-- One row per team match: the site's own number of it where the lines have one, else day and teams.
meetings as (
    select
        o.home_team_id,
        o.away_team_id,
        count(*) as lines,
        count(*) filter (where s.is_odd is not false) as odd,
        coalesce(sum(s.home_sets), 0) as home_sets,
        coalesce(sum(s.away_sets), 0) as away_sets,
        coalesce(sum(s.home_games), 0) as home_games,
        coalesce(sum(s.away_games), 0) as away_games,
        count(*) filter (where s.lead > 0) as home_lines,
        count(*) filter (where s.lead < 0) as away_lines,
        coalesce(sum(s.home_points), 0) as home_points,
        coalesce(sum(s.away_points), 0) as away_points
    from of_season as o
    left join scored as s on s.scores = o.scores and s.winner is not distinct from o.winner
    left join numbered as n
        on
            o.meeting is null
            and n.home_team_id = o.home_team_id
            and n.away_team_id = o.away_team_id
            and n.match_date = o.match_date
    group by o.home_team_id, o.away_team_id, coalesce(o.meeting, n.meeting, cast(o.match_date as text))
),

decided as (
    select
        m.*,
        case
            when :by_points then sign(home_points - away_points)
            else
                coalesce(
                    nullif(sign(home_lines - away_lines), 0),
                    nullif(sign(home_sets - away_sets), 0),
                    sign(home_games - away_games)
                )
        end as lead
    from meetings as m
),

sides as (
    select
        home_team_id as team_id, lead, home_points as points, lines, odd, home_lines as lines_won,
        away_lines as lines_lost, home_sets as sets_won, away_sets as sets_lost, home_games as games_won,
        away_games as games_lost
    from decided
    union all
    select
        away_team_id, -lead, away_points, lines, odd, away_lines, home_lines, away_sets, home_sets, away_games,
        home_games
    from decided
),

recomputed as (
    select
        team_id,
        count(*) as meetings,
        sum(points) as points,
        count(*) filter (where lead > 0) as matches_won,
        count(*) filter (where lead < 0) as matches_lost,
        count(*) filter (where lead = 0) as matches_tied,
        sum(lines_won) as lines_won,
        sum(lines_lost) as lines_lost,
        sum(sets_won) as sets_won,
        sum(sets_lost) as sets_lost,
        sum(games_won) as games_won,
        sum(games_lost) as games_lost,
        sum(greatest(:lines - lines, 0)) as lines_short,
        sum(greatest(lines - :lines, 0)) as lines_over,
        sum(odd) as lines_odd,
        count(*) filter (where lines < :lines or odd > 0) as in_doubt
    from sides
    group by team_id
)
