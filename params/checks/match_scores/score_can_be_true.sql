-- title: The score of a match line of this season is one that can be played
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: A set that nobody can play is a tie-break or a date that the scraper took for one; sets and games are counted wrong.
-- mend: Look the lines up on the site, mend the scraper and scrape again: an import writes the score that the site prints.
-- max_failing_share.CNSWPL: 0.01
-- max_failing_share.NSTF: 0.01
-- share_of: match_scores of the last year
with printed as materialized (
    select distinct scores
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
),

impossible as (
    -- Possible are sets of 6-0 to 6-4, 7-5 and 7-6, a tie-break in brackets. The last one may be broken off, or be a match tie-break.
    select scores
    from printed
    where
        (
            scores ~ (
                '^((6-[0-4]|[0-4]-6|7-[56]|[56]-7)( \[\d+-\d+\])?, ){0,2}'
                || '((6-[0-4]|[0-4]-6|7-[56]|[56]-7|[0-6]-[0-6])( \[\d+-\d+\])?|1\d-\d+|\d+-1\d)$'
            )
        ) is not true
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
    and m.match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and coalesce(m.scores, '') in (select coalesce(i.scores, '') from impossible as i)
