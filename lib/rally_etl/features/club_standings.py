"""My club and its standings: the teams of a club, by the club's id and by the beginning of their names."""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import PLAYING, STANDINGS_WANTED

FEATURE = Feature(
    name="club_standings",
    title="My club",
    route="/mobile/my-club",
    subject="club",
    right="shows the standings of each team of the club by the club's id, and no other club is the same in another"
    " spelling",
    sql=f"""
    with {PLAYING}, {STANDINGS_WANTED},
    spelling as (
        select c.id, c.name, regexp_replace(lower(c.name), '[^a-z0-9]', '', 'g') as spelled
        from clubs as c where c.id in (select club_id from playing)
    ),
    split as (select spelled, count(*) as clubs from spelling group by spelled),
    standing as (select distinct team_id, team from series_stats where league_id = :league_id),
    shown as (
        select
            p.club_id,
            count(*) as teams,
            count(s.team_id) as by_id,
            count(*) filter (where s.team ilike replace(replace(c.name, '\\', '\\\\'), '%', '\\%') || '%') as by_name
        from playing as p
        left join clubs as c on c.id = p.club_id
        left join standing as s on s.team_id = p.id
        group by p.club_id
    )
    select
        s.club_id as subject_id,
        c.id is not null and d.clubs = 1 and (not w.is_wanted or s.by_id = s.teams) as works,
        case when c.id is null then 'no such club' else concat(
            s.by_id, ' of ', s.teams, ' teams in the standings, ', s.by_name, ' by name',
            case when d.clubs > 1 then concat(', the club stands there in ', d.clubs, ' spellings') end
        ) end as shown
    from shown as s
    cross join standings_wanted as w
    left join spelling as c on c.id = s.club_id
    left join split as d on d.spelled = c.spelled
    """,
)
