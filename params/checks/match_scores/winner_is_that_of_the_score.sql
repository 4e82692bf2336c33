-- title: The winner of a match line won more sets than the loser
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: Scores are stored home first; where the winner contradicts them a file was read the wrong way round. CNSWPL prints the home side for lines whose tie-break it lists as a set.
-- mend: Look a few of the lines up on the site; if the scores are the wrong way round, scrape again: the direction of a file is found anew at each import.
-- max_failing_share: 0.01
-- max_failing_share.CNSWPL: 0.05
-- warn_above_rows: 15
-- warn_above_rows.CNSWPL: 100
-- share_of: match_scores of the last year
with printed as (
    select distinct
        scores,
        winner
    from match_scores
    where
        league_id = :league_id
        and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
        and winner is not null
        and scores is not null
),

wrong as materialized (
    select
        p.scores,
        p.winner
    from printed as p
    cross join lateral (
        select sum(sign(cast(pair[1] as integer) - cast(pair[2] as integer))) as home_lead
        from regexp_matches(regexp_replace(p.scores, '\[[^]]*\]', '', 'g'), '(\d{1,3})-(\d{1,3})', 'g') as pair
    ) as sets
    where
        (sets.home_lead > 0 and p.winner <> 'home')
        or (sets.home_lead < 0 and p.winner <> 'away')
)

select
    m.id,
    m.match_date,
    m.home_team,
    m.away_team,
    m.scores,
    m.winner
from match_scores as m
where
    m.league_id = :league_id
    and (m.match_date > cast(:as_of as date) - 365 or m.created_at > cast(:as_of as date) - 365)
    and (m.scores, m.winner) in (select w.scores, w.winner from wrong as w)
