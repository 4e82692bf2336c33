"""The session: the league, club, series and team in which a user lands, before any page is shown.

Where the context points at what is no longer there, or the player's row has vanished, every page of the user is blank.
Where another row than the right one comes first, the user silently sees another team. Who has left all rosters of the
league has no page.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.landing import LANDED, LEAGUE_OF_SERIES, NEEDS

FEATURE = Feature(
    name="session",
    title="Signing in",
    route="/login",
    subject="user",
    right="lands in an active team of the user's league: that of the context, while the user is on its roster",
    needs=NEEDS,
    sql=f"""
    with {LANDED},
    still_theirs as (
        select distinct u.id as user_id
        from asked_user as u
        join user_player_associations as a on a.user_id = u.id
        join players as p on p.tenniscores_player_id = a.tenniscores_player_id and p.team_id = u.context_team_id
        where p.is_active is not false
    ),
    answer as materialized (
        select
            u.id as subject_id,
            t.team_name,
            s.name as series,
            c.name as club,
            case
                when l.user_id is null then 'no team: the person is in no team of the league'
                when t.id is null then 'no team'
                when t.is_active is false then t.team_name || ', which plays no more'
                when t.league_id <> :league_id then t.team_name || ', which is of another league'
                when c.id is null or s.id is null or {LEAGUE_OF_SERIES} <> :league_id
                    then t.team_name || ' without its club or series'
                when u.context_team_id is not null and x.id is null
                    then t.team_name || ', but the team chosen before is not there'
                when l.team_id <> u.context_team_id and u.id in (select user_id from still_theirs)
                    then t.team_name || ', but the team chosen before is another one'
            end as wrong
        from asked_user as u
        left join landed as l on l.user_id = u.id
        left join teams as t on t.id = l.team_id
        left join clubs as c on c.id = l.club_id
        left join series as s on s.id = l.series_id
        left join teams as x on x.id = u.context_team_id
        where l.user_id is not null
            or u.league_context = :league_id
            and u.id in (select user_id from user_player_associations)
            and u.id not in (select user_id from member)
    )
    select subject_id, wrong is null as works, coalesce(wrong, concat(team_name, ' in ', series, ', ', club)) as shown
    from answer
    """,
)
