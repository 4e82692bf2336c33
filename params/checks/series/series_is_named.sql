-- title: A series with active teams has a name that is no placeholder
-- severity: error
-- dimension: completeness
-- owner: league-data
-- why: The application sorts and groups by the name; a placeholder is a scraper that lost its place (incident 24).
-- mend: Find the series of its teams on the site and `rally-etl merge series <id> into <id>`; then mend the scraper.
select distinct
    s.id,
    s.name
from series as s
inner join teams as t on t.series_id = s.id
where
    t.league_id = :league_id
    and t.is_active is not false
    and (btrim(s.name) <> '' and s.name !~* '^(unknown|series|division|none|null|nan|n/a)( .*unknown)?$') is not true
