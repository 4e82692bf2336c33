"""Find subs: players of the same club who could fill in.

The page reads the active players of the club and takes the number or letter of a series out of its name, to offer those
who play in a series as strong as the player's own or a weaker one. A series whose name has neither ("Series SW") gives
nothing to compare, and nobody is found.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.phrases import numbered

NUMBER = r"(^|\s)(\d+(\.\d+)?[A-Za-z]?|[A-Za-z]|SN)(\s|\(|$)"
"""A number, a letter or SN that stands by itself."""

FEATURE = Feature(
    name="find_subs",
    title="Find subs",
    route="/mobile/find-subs",
    subject="player",
    right="compares the player's series with those of the other players of the club",
    sql=f"""
    with known_series as (
        select id, name, name ~ '{NUMBER}' as is_read from series
    ),
    at_club as (
        select
            p.club_id, p.series_id, count(*) as players, s.name, coalesce(s.is_read, false) as is_read,
            sum(count(*)) over (partition by p.club_id) as of_club,
            count(*) over (partition by p.club_id) as series
        from players as p
        left join known_series as s on s.id = p.series_id
        where p.league_id = :league_id and p.is_active is not false
        group by p.club_id, p.series_id, s.name, s.is_read
    ),
    unread as (
        select club_id, min(coalesce(name, 'no series')) as name from at_club where not is_read group by club_id
    )
    select
        p.id as subject_id,
        u.club_id is null as works,
        concat(
            {numbered("c.of_club - c.players", "player")}, ' of the club in ', c.series - 1, ' other series',
            ': nothing to compare ' || u.name || ' by'
        ) as shown
    from players as p
    join at_club as c on c.club_id = p.club_id and c.series_id = p.series_id
    left join unread as u on u.club_id = p.club_id
    where p.league_id = :league_id and p.is_active is not false
    """,
)
