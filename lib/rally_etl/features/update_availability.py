"""Update availability: saying whether one plays.

The page sends the name of the player's series, which is looked up by that name alone, whatever the league, and the
first one is taken (here that of the lowest id). Where another league has an older series of the same name, the answer
is saved there, and the captain never sees it.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature

FEATURE = Feature(
    name="update_availability",
    title="Say whether I play",
    route="/api/update-availability",
    subject="series",
    right="is found by its name alone, before a series of that name of another league",
    sql="""
    with first_of_name as (
        select distinct on (s.name) s.name, s.id, l.league_id as league
        from series as s
        left join leagues as l on l.id = cast(to_jsonb(s) ->> 'league_id' as integer)
        order by s.name, s.id
    )
    select
        s.id as subject_id,
        f.id = s.id as works,
        case when f.id = s.id then 'saved in ' || s.name
            else concat('saved in ', s.name, ' of ', coalesce(f.league, 'no league')) end as shown
    from series as s
    join first_of_name as f on f.name = s.name
    where s.id in (select series_id from players where league_id = :league_id and is_active is not false)
    """,
)
