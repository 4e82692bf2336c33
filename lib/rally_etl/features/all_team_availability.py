"""All-team availability: what captains see of the days on which a user said who plays.

The page takes the roster of a team and looks each player's answer up by the ids of the row: player and series. Where
those were given anew, everybody is "not set". An answer of somebody who has left the team is shown to nobody, and
rightly; the series matters for days to come only. Where the table has no column for the user, as production once had
none, there is nobody to ask.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.phrases import numbered

FEATURE = Feature(
    name="all_team_availability",
    title="Availability of the team",
    route="/mobile/all-team-availability",
    subject="user",
    right="shows each answer of the user under the user's own name, and those to come in the series of the player",
    needs=("users", "user_player_associations", "player_availability"),
    sql=f"""
    with answered as (
        select
            u.id as user_id,
            v.match_date >= cast(:as_of as date) as is_to_come,
            case
                when p.id is null then 'for a player who is not there'
                when a.user_id is null and lower(p.first_name || ' ' || p.last_name) <> lower(v.player_name)
                    then 'under the name of ' || p.first_name || ' ' || p.last_name
                when v.match_date >= cast(:as_of as date) and p.is_active is not false and v.series_id <> p.series_id
                    then 'under another series'
            end as wrong
        from (select cast(null as integer) as user_id) as where_there_is_no_such_column
        cross join lateral (
            select player_id, player_name, match_date, series_id, user_id from player_availability
        ) as v
        join users as u on u.id = v.user_id
        left join players as p on p.id = v.player_id
        left join series as s on s.id = v.series_id
        left join user_player_associations as a
            on a.user_id = u.id and a.tenniscores_player_id = p.tenniscores_player_id
        where coalesce(cast(to_jsonb(s) ->> 'league_id' as integer), p.league_id, u.league_context) = :league_id
    )
    select
        user_id as subject_id,
        count(wrong) = 0 as works,
        concat(
            {numbered("count(*)", "answer")}, ', ', count(*) filter (where is_to_come), ' of them to come',
            ': ' || nullif(count(wrong), 0) || ' ' || min(wrong)
        ) as shown
    from answered
    group by user_id
    """,
)
