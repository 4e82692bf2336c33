"""Schedule of all teams: a grid of the coming matches of the teams of a series, by the teams' ids."""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import COMING_WANTED, IS_MATCH, PLAYING

FEATURE = Feature(
    name="schedule_grid",
    title="Schedule of all teams",
    route="/mobile/all-teams-schedule",
    subject="series",
    right="has a coming match for each team of the series",
    sql=f"""
    with {PLAYING}, {COMING_WANTED},
    coming as (
        select distinct unnest(array[home_team_id, away_team_id]) as team_id
        from schedule
        where league_id = :league_id and match_date >= :as_of and {IS_MATCH}
    )
    select
        p.series_id as subject_id,
        not bool_or(w.is_wanted) or count(c.team_id) = count(*) as works,
        concat(
            count(c.team_id), ' of ', count(*), ' teams have coming matches',
            case when count(c.team_id) < count(*)
                then concat(', not ', min(p.team_name) filter (where c.team_id is null)) end
        ) as shown
    from playing as p
    cross join coming_wanted as w
    left join coming as c on c.team_id = p.id
    group by p.series_id
    """,
)
