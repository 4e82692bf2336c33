"""Food and beer of a club: what its members wrote under the club's id."""

from __future__ import annotations

from rally_etl.features.feature import Feature

FEATURE = Feature(
    name="food_and_beer",
    title="Food and beer",
    route="/food",
    subject="club",
    right="shows the club's own menu: the club is there under its id, by the name that it had",
    needs=("food", "beer"),
    sql="""
    with menu as (
        select club_id, count(*) as rows
        from (select club_id from food union all select club_id from beer) as served
        group by club_id
    ),
    -- clubs of the league as live has them: one that vanishes with its teams is still asked for
    club_of_league as (
        select club_id from teams where league_id = :league_id
        union
        select club_id from public.teams where league_id = :league_id
    )
    select
        m.club_id as subject_id,
        c.id is not null and (l.id is null or regexp_replace(lower(c.name), '[^a-z0-9]', '', 'g')
            = regexp_replace(lower(l.name), '[^a-z0-9]', '', 'g')) as works,
        concat(m.rows, ' menus of ', coalesce(c.name, 'no club')) as shown
    from menu as m
    left join clubs as c on c.id = m.club_id
    left join public.clubs as l on l.id = m.club_id
    where m.club_id in (select club_id from club_of_league)
    """,
)
