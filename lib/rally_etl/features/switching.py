"""Switching teams and leagues: the teams that a user may choose among.

The page reads the user's associations, the active rows of those persons and their teams, and writes the choice to
the context. An association whose person is nowhere, or a row without a team, is a choice that is not offered; a context
that points at nothing cannot be left.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.landing import MEMBERS, NEEDS
from rally_etl.features.phrases import numbered

FEATURE = Feature(
    name="switching",
    title="Switch team",
    route="/api/switch-team-in-league",
    subject="user",
    right="offers an active team for each roster that the user is on, and begins with a choice that is there",
    needs=NEEDS,
    sql=f"""
    with {MEMBERS},
    choice as (
        select
            m.user_id,
            count(*) filter (where t.id is null) as without_team,
            count(distinct t.id) as teams,
            string_agg(distinct t.team_name, ', ' order by t.team_name) as names
        from member as m
        left join teams as t on t.id = m.team_id and t.league_id = :league_id and t.is_active is not false
        where m.is_active
        group by m.user_id
    ),
    nobody as (
        select u.id as user_id, count(*) as persons
        from asked_user as u
        join user_player_associations as a on a.user_id = u.id
        left join players as p on p.tenniscores_player_id = a.tenniscores_player_id
        where u.league_context = :league_id and p.id is null
        group by u.id
    ),
    answer as materialized (
        select
            u.id as subject_id,
            h.names,
            case
                when n.persons > 0 then {numbered("n.persons", "player")} || ' of the user not found'
                when h.without_team > 0 then {numbered("h.without_team", "roster")} || ' without a team'
                when u.context_team_id is not null and t.id is null then 'the team chosen before is not there'
                when u.context_league_id is not null and g.id is null then 'the league chosen before is not there'
                when u.context_series_id is not null and s.id is null then 'the series chosen before is not there'
            end as wrong
        from asked_user as u
        left join choice as h on h.user_id = u.id
        left join nobody as n on n.user_id = u.id
        left join teams as t on t.id = u.context_team_id
        left join leagues as g on g.id = u.context_league_id
        left join series as s on s.id = u.context_series_id
        where h.user_id is not null or n.user_id is not null
    )
    select subject_id, wrong is null as works, concat(wrong || ', ', 'offers ', coalesce(names, 'nothing')) as shown
    from answer
    """,
)
