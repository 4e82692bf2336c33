-- title: A match line of this season whose sets decide it has a winner
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: Pages count a line without a winner as lost, for both sides.
-- mend: Scrape the matches again: an import writes the winner that the site prints; a tie stays without one.
with undecided as materialized (
    select
        id,
        match_date,
        home_team,
        away_team,
        scores
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
        and winner is null
)

select
    u.id,
    u.match_date,
    u.home_team,
    u.away_team,
    u.scores
from undecided as u
cross join lateral (
    select sum(sign(cast(pair[1] as integer) - cast(pair[2] as integer))) as home_lead
    from regexp_matches(regexp_replace(u.scores, '\[[^]]*\]', '', 'g'), '(\d{1,3})-(\d{1,3})', 'g') as pair
) as sets
where sets.home_lead <> 0
