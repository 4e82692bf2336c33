"""Update availability: saying whether one plays.

The page sends the name of the player and the name of the series. The series is looked up by its name alone, whatever
the league, and the first one is taken (here that of the lowest id); the player by name within it. Where another league
has an older series of the same name, the answer is saved there, and the captain never sees it.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.landing import LANDED, NEEDS

FEATURE = Feature(
    name="update_availability",
    title="Say whether I play",
    route="/api/update-availability",
    subject="user",
    right="finds the user's own series by its name, and in it nobody else of the user's name at the club",
    needs=NEEDS,
    sql=f"""
    with {LANDED},
    first_of_name as (
        select distinct on (name) name, id, league_id from series order by name, id
    ),
    named as (
        select p.series_id, p.club_id, p.first_name || ' ' || p.last_name as player_name,
            count(distinct p.tenniscores_player_id) as persons
        from players as p
        where p.league_id = :league_id and p.is_active is not false
            and p.first_name || ' ' || p.last_name in (select player_name from landed)
        group by 1, 2, 3
    ),
    answer as (
        select
            l.user_id,
            concat(l.player_name, ' in ', coalesce(s.name, 'no series')) as found,
            case
                when s.id is null then 'the series is not there'
                when f.id <> s.id then 'saved in ' || f.name || ' of another league'
                when n.persons > 1 then 'the club has ' || n.persons || ' players of this name there'
                when n.persons is null then 'nobody of this name'
            end as wrong
        from landed as l
        left join series as s on s.id = l.series_id
        left join first_of_name as f on f.name = s.name
        left join named as n on n.series_id = l.series_id and n.club_id = l.club_id
            and n.player_name = l.player_name
    )
    select user_id as subject_id, wrong is null as works, concat(found, '; ' || wrong) as shown from answer
    """,
)
