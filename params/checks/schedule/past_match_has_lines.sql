-- title: A match of this season that was due two weeks ago has been reported
-- severity: warn
-- dimension: timeliness
-- owner: league-data
-- why: A match that was played and is not shown is missing from standings and records; many of them are pages that were not scraped.
-- mend: Scrape the matches again; what the league has called off stays without lines.
-- max_failing_share: 0.05
-- share_of: schedule of the last year
with reported as (
    select distinct
        least(home_team_id, away_team_id) as team_id,
        greatest(home_team_id, away_team_id) as other_team_id,
        match_date
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
)

select
    s.id,
    s.match_date,
    s.home_team,
    s.away_team
from schedule as s
where
    s.league_id = :league_id
    and s.match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and s.match_date < cast(:as_of as date) - 14
    and s.home_team_id is not null
    and s.away_team_id is not null
    and exists (select from reported)
    and not exists (
        select from reported as r
        where
            r.team_id = least(s.home_team_id, s.away_team_id)
            and r.other_team_id = greatest(s.home_team_id, s.away_team_id)
            and r.match_date between s.match_date - 14 and s.match_date + 14
    )
