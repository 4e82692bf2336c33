-- title: A series with active teams has a name in the form of its league
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: Find-subs and sorting read the number or the letter of the name; "Series SW" has neither (incidents 17, 19 and 24).
-- mend: `rally-etl names normalise <league>` for another spelling; else find the series of its teams on the site and `rally-etl merge series <id> into <id>`.
-- leagues: APTA_CHICAGO, CNSWPL, NSTF
select distinct
    e.id,
    e.name
from series as e
inner join teams as t on t.series_id = e.id
inner join leagues as l on l.id = t.league_id
where
    t.league_id = :league_id
    and t.is_active is not false
    and e.name !~ case
        when l.league_id ~* 'apta' then '^Series \d{1,2}( SW)?$'
        when l.league_id ~* 'cns' then '^Series (\d{1,2}|[A-K]|SN)$'
        else '^Series (\d[A-Z]?|[A-F])$'
    end
