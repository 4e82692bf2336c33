-- One row per printed name, its series and its opponent ('' where the file has none), with what it was found to mean.
insert into names
select
    :league,
    kind,
    printed,
    series,
    opponent,
    row_count,
    strategy,
    confidence,
    evidence,
    candidates,
    team_id,
    team_name,
    series_id,
    series_name,
    club_id
from jsonb_to_recordset(cast(:rows as jsonb)) as r(
    kind text, printed text, series text, opponent text, row_count bigint, strategy text, confidence double precision,
    evidence text, candidates text[], team_id integer, team_name text, series_id integer, series_name text,
    club_id integer
)
