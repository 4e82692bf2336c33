-- title: A match id that names a line ends with _Line1 to _Line5, once
-- severity: error
-- dimension: validity
-- owner: league-data
-- why: The application takes the court from the suffix; a doubled one shows court 1 (incident 15: 13,840 rows).
-- mend: `rally-etl constraints --repair` finds the lines that a doubled suffix split; for a new file mend the scraper and scrape again.
-- max_failing_share: 0.01
-- warn_above_rows: 0
-- share_of: match_scores
select
    id,
    tenniscores_match_id,
    match_date,
    home_team,
    away_team
from match_scores
where
    league_id = :league_id
    and tenniscores_match_id like '%\_Line%'
    and (
        tenniscores_match_id like '%\_Line%\_Line%'
        or right(tenniscores_match_id, 6) not in ('_Line1', '_Line2', '_Line3', '_Line4', '_Line5')
    )
