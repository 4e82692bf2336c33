-- Tail of a query after recomputed.sql: one row per active team; `figures` says what differs, as printed and as
-- recomputed. Explained is what missing or short team matches, or lines that can be counted in more than one way, may
-- come to at the most; what is beyond that is unexplained.
,

-- Some leagues print no points at times: 0 throughout. Of others that would be a loss.
prints_points as (
    select :prints_points or coalesce(bool_or(points <> 0), false) as answer
    from series_stats
    where league_id = :league_id
),

one_row as (
    select distinct on (team_id) *
    from series_stats
    where league_id = :league_id and team_id is not null
    order by team_id, coalesce(matches_won, 0) + coalesce(matches_lost, 0) desc, id
),

beside as (
    select
        t.id,
        t.team_name,
        p.team_id is not null as is_printed,
        r.team_id is not null as is_played,
        case when a.answer then coalesce(p.points, 0) end as points,
        floor(coalesce(r.points, 0)) as our_points,
        coalesce(p.matches_won, 0) as won,
        coalesce(r.matches_won, 0) as our_won,
        coalesce(p.matches_lost, 0) as lost,
        coalesce(r.matches_lost, 0) as our_lost,
        coalesce(p.matches_tied, 0) as tied,
        coalesce(r.matches_tied, 0) as our_tied,
        coalesce(p.lines_won, 0) as lines_won,
        coalesce(r.lines_won, 0) as our_lines_won,
        coalesce(p.lines_lost, 0) as lines_lost,
        coalesce(r.lines_lost, 0) as our_lines_lost,
        coalesce(p.lines_for, 0) + coalesce(p.lines_ret, 0) as lines_given,
        coalesce(p.sets_won, 0) as sets_won,
        coalesce(r.sets_won, 0) as our_sets_won,
        coalesce(p.sets_lost, 0) as sets_lost,
        coalesce(r.sets_lost, 0) as our_sets_lost,
        coalesce(p.games_won, 0) as games_won,
        coalesce(r.games_won, 0) as our_games_won,
        coalesce(p.games_lost, 0) as games_lost,
        coalesce(r.games_lost, 0) as our_games_lost,
        coalesce(r.lines_short, 0) as short,
        coalesce(r.meetings, 0) * :lines as lines,
        coalesce(r.lines_over, 0) as over,
        coalesce(r.lines_odd, 0) as odd,
        coalesce(r.in_doubt, 0) as in_doubt
    from teams as t
    cross join prints_points as a
    left join one_row as p on p.team_id = t.id
    left join recomputed as r on r.team_id = t.id
    where t.league_id = :league_id and t.is_active is not false
),

differing as (
    select
        b.*,
        won - our_won as d_won,
        lost - our_lost as d_lost,
        lines_won - our_lines_won as d_lines_won,
        lines_lost - our_lines_lost as d_lines_lost,
        sets_won - our_sets_won as d_sets_won,
        sets_lost - our_sets_lost as d_sets_lost,
        games_won - our_games_won as d_games_won,
        games_lost - our_games_lost as d_games_lost,
        points - our_points - :line_won * (lines_won - our_lines_won) as d_points_of_losers,
        (points = our_points) is not false and won = our_won and lost = our_lost
        and lines_won = our_lines_won and lines_lost = our_lines_lost and sets_won = our_sets_won
        and sets_lost = our_sets_lost and games_won = our_games_won and games_lost = our_games_lost as is_equal
    from beside as b
),

-- What may be behind a difference, the simplest first: nothing but lines that are short or odd; team matches that only
-- the site has (a tie on the site may be one that is due and not reported); some that only the lines have, or a part
-- of one.
supposed as (
    select
        d.*,
        h.place,
        h.class,
        h.matches_more,
        h.matches_fewer,
        short + :lines * h.matches_more as more,
        :lines * greatest(h.matches_fewer, cast(h.class = 'ahead' as integer)) as fewer
    from differing as d
    cross join lateral (
        select
            won - our_won + lost - our_lost as decided,
            tied - our_tied as even,
            d_lines_won + d_lines_lost + lines_given as lines
    ) as net
    cross join lateral (
        values
        (1, case when short > 0 then 'forfeit' else 'irregular' end, 0, 0, true),
        (2, 'missing', greatest(net.decided + net.even, net.decided), 0, net.lines > 0),
        (3, 'ahead', 0, greatest(-net.decided, -net.decided - net.even, 0), net.lines < 0)
    ) as h (place, class, matches_more, matches_fewer, is_possible)
    where h.is_possible and not d.is_equal
),

explained as (
    select distinct on (id)
        id,
        class
    from supposed
    where
        over = 0
        and d_won between -matches_fewer - in_doubt and matches_more + in_doubt
        and d_lost between -matches_fewer - in_doubt and matches_more + in_doubt
        and d_lines_won between -fewer - odd and more + odd
        and d_lines_lost + lines_given between -fewer - odd and more + odd
        and d_lines_won + d_lines_lost + lines_given between -fewer - odd and more
        and d_sets_won between -2 * (fewer + odd) and 2 * (more + odd)
        and d_sets_lost between -2 * (fewer + odd) and 2 * (more + odd)
        and d_games_won between -:games * (fewer + odd) - :slip and :games * (more + odd) + :slip
        and d_games_lost between -:games * (fewer + odd) - :slip and :games * (more + odd) + :slip
        and (
            d_points_of_losers between -:loser_most * (fewer + odd) - :rounding
            and :loser_most * (more + odd) + :rounding
        ) is not false
    order by id, place
)

select
    d.id,
    d.team_name as team,
    case
        when is_equal and not is_played then 'idle'
        when is_played and not is_printed then 'unprinted'
        when is_equal then 'agrees'
        else coalesce(e.class, 'unexplained')
    end as class,
    array_to_string(array[
        case when (points = our_points) is false then format('points %s:%s', points, our_points) end,
        case when won <> our_won then format('won %s:%s', won, our_won) end,
        case when lost <> our_lost then format('lost %s:%s', lost, our_lost) end,
        case when lines_won <> our_lines_won then format('lines won %s:%s', lines_won, our_lines_won) end,
        case when lines_lost <> our_lines_lost then format('lines lost %s:%s', lines_lost, our_lines_lost) end,
        case when sets_won <> our_sets_won then format('sets won %s:%s', sets_won, our_sets_won) end,
        case when sets_lost <> our_sets_lost then format('sets lost %s:%s', sets_lost, our_sets_lost) end,
        case when games_won <> our_games_won then format('games won %s:%s', games_won, our_games_won) end,
        case when games_lost <> our_games_lost then format('games lost %s:%s', games_lost, our_games_lost) end
    ], ', ') as figures,
    d.short,
    d.lines
from differing as d
left join explained as e on e.id = d.id
order by team_name, id
