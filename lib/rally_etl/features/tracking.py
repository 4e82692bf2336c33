"""Track byes and courts: how often a player of the team sat out.

The page reads the counters of the team by the printed ids of its roster. Counters under another team, or under an id
that no player of the team has or had, start again from nothing.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.phrases import numbered

FEATURE = Feature(
    name="tracking",
    title="Byes and courts",
    route="/mobile/track-byes-courts",
    subject="team",
    right="shows each counter of the team under a player who is or was on its roster",
    needs=("player_season_tracking",),
    sql=f"""
    with memberships as (
        select tenniscores_player_id as person, team_id, bool_or(is_active is not false) as is_active
        from players
        where league_id = :league_id
        group by tenniscores_player_id, team_id
    ),
    counted as (
        select
            k.team_id,
            count(*) as counters,
            count(*) filter (where m.is_active) as of_roster,
            count(*) filter (where m.person is null) as of_nobody,
            bool_or(t.id is null) as has_no_team
        from player_season_tracking as k
        left join teams as t on t.id = k.team_id
        left join memberships as m on m.person = k.player_id and m.team_id = k.team_id
        where coalesce(t.league_id, k.league_id) = :league_id
        group by k.team_id
    )
    select
        team_id as subject_id,
        not has_no_team and of_nobody = 0 as works,
        concat(
            {numbered("counters", "counter")}, ', ', of_roster, ' of the roster',
            case when has_no_team then ': the team is not there'
                when of_nobody > 0 then ': ' || of_nobody || ' of nobody who was in the team' end
        ) as shown
    from counted
    """,
)
