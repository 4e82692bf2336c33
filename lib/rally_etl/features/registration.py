"""Registration: how a person who signs up is found among the players.

The page looks for first and last name, club and series, as the person chooses or types them. Two persons of one name in
one series of a club cannot be told apart; a name with blanks too many or with a remark in it is never typed.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature

UNTYPED = r"^\s|\s\||\|\s|\s$|\s\s|[()]|^\||\|$"
"""First and last name with a bar between: blanks too many, a remark in brackets, nothing."""

FEATURE = Feature(
    name="registration",
    title="Signing up",
    route="/register",
    subject="player",
    right="finds the player, and nobody else, by first and last name, club and series",
    sql=f"""
    with listed as (
        select
            p.id, p.tenniscores_player_id as person, p.first_name, p.last_name, c.name as club, s.name as series
        from players as p
        left join clubs as c on c.id = p.club_id
        left join series as s on s.id = p.series_id and s.league_id = :league_id
        where p.league_id = :league_id and p.is_active is not false
    ),
    found as (
        select lower(first_name) as first_name, lower(last_name) as last_name, club, series,
            min(person) <> max(person) as are_several
        from listed
        group by 1, 2, 3, 4
    ),
    answer as (
        select
            l.*,
            case
                when l.club is null or l.series is null then 'in no club or series that one may choose'
                when l.first_name || '|' || l.last_name ~ '{UNTYPED}'
                    then 'under a name that nobody types'
                when f.are_several then 'several of this name'
            end as wrong
        from listed as l
        join found as f on f.first_name = lower(l.first_name) and f.last_name = lower(l.last_name)
            and f.club is not distinct from l.club and f.series is not distinct from l.series
    )
    select
        id as subject_id,
        wrong is null as works,
        concat(first_name, ' ', last_name, ', ', coalesce(club, 'no club'), ', ', coalesce(series, 'no series'),
            ': ' || wrong) as shown
    from answer
    """,
)
