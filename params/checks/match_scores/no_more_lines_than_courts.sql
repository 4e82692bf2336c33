-- title: A team match has at most as many lines as the league plays: four in APTA Chicago and CNSWPL, else five
-- severity: error
-- dimension: validity
-- owner: league-data
-- why: More lines than courts mean that two meetings were merged or one was imported twice.
-- mend: Compare the match ids: `rally-etl constraints --repair` folds lines that stand twice; two meetings on one date need their date from the site.
-- max_failing_share: 0.001
-- warn_above_rows: 0
-- share_of: match_scores of the last year
with courts as materialized (
    select case when league_id in ('APTA_CHICAGO', 'CNSWPL') then 4 else 5 end as court_count
    from leagues
    where id = :league_id
)

select
    min(id) as first_id,
    match_date,
    min(home_team) as home_team,
    min(away_team) as away_team,
    count(*) as line_count
from match_scores
where
    league_id = :league_id
    and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
group by
    match_date,
    least(home_team_id, away_team_id),
    greatest(home_team_id, away_team_id),
    -- Two meetings may carry one date while the scraper stamps the newest date on both, but their ids differ.
    -- A number per id is cheaper to group by than the id.
    case
        when tenniscores_match_id like '%\_Line%'
            then hashtextextended(split_part(tenniscores_match_id, '_Line', 1), 0)
    end
having count(*) > (select c.court_count from courts as c)
