"""Registration: how a person who signs up is found among the players.

The page looks for first and last name, club and series, as the person chooses or types them. Two persons of one name in
one series of a club cannot be told apart; a name with blanks too many or with a remark in it is never typed.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.landing import LEAGUE_OF_SERIES

FEATURE = Feature(
    name="registration",
    title="Signing up",
    route="/register",
    subject="player",
    right="finds the player, and nobody else, by first and last name, club and series",
    sql=f"""
    with listed as (
        select
            p.id,
            p.first_name,
            p.last_name,
            p.first_name || ' ' || p.last_name as player_name,
            c.name as club,
            s.name as series,
            min(p.tenniscores_player_id) over same <> max(p.tenniscores_player_id) over same as are_several
        from players as p
        left join clubs as c on c.id = p.club_id
        left join series as s on s.id = p.series_id and {LEAGUE_OF_SERIES} = :league_id
        where p.league_id = :league_id and p.is_active is not false
        window same as (partition by lower(p.last_name), lower(p.first_name), c.name, s.name)
    ),
    answer as materialized (
        select
            id,
            concat_ws(', ', player_name, coalesce(club, 'no club'), coalesce(series, 'no series')) as found,
            case
                when club is null or series is null then 'in no club or series that one may choose'
                when first_name <> btrim(first_name) or last_name <> btrim(last_name) or '' in (first_name, last_name)
                    or strpos(player_name, '  ') > 0 or strpos(player_name, '(') > 0
                    then 'under a name that nobody types'
                when are_several then 'several of this name'
            end as wrong
        from listed
    )
    select id as subject_id, wrong is null as works, concat(found, ': ' || wrong) as shown from answer
    """,
)
