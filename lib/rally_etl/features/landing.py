"""Where users land: pieces of SQL that the pages of users share, from the session down to the row of the player.

Every page of a user begins with the session. It takes the user's associations (by the printed id of the person), the
active rows of those persons, and of several rows the one of the context's team, then one that has a team, then the one
with the highest id; the league is that of the user's context.
"""

from __future__ import annotations

LEAGUE_OF_SERIES = "coalesce(cast(to_jsonb(s) ->> 'league_id' as integer), :league_id)"
"""The league of the series `s`; of one that several leagues share, where the table has no such column, this one."""

NEEDS = ("users", "user_contexts", "user_player_associations")

MEMBERS = """
    asked_user as (
        select distinct on (u.id)
            u.id,
            u.league_context,
            c.league_id as context_league_id,
            c.team_id as context_team_id,
            c.series_id as context_series_id
        from users as u
        left join user_contexts as c on c.user_id = u.id
        where u.league_context = :league_id
            or u.league_context is null
            or u.league_context not in (select id from leagues)
        order by u.id, c.team_id desc nulls last
    ),
    member as (
        select
            u.id as user_id,
            u.context_team_id,
            p.id,
            p.tenniscores_player_id as person,
            p.first_name || ' ' || p.last_name as player_name,
            p.team_id,
            p.club_id,
            p.series_id,
            p.pti,
            p.is_active is not false as is_active
        from asked_user as u
        join user_player_associations as a on a.user_id = u.id
        join players as p on p.tenniscores_player_id = a.tenniscores_player_id
        where p.league_id = :league_id
    )"""
"""`asked_user`: users of the league, or of none. `member`: their rows in this league, active and not."""

LANDED = f"""{MEMBERS},
    landed as (
        select distinct on (user_id) *
        from member
        where is_active
        order by user_id, team_id = context_team_id desc nulls last, team_id is not null desc, id desc
    )"""
"""`landed`: one row per user with an active row. Who has rows and none of them active has left: no page is theirs."""
