"""Player search: finding a player of the league by name, PTI or series.

The page lists the active rows of the league. A substitute's row ("(S)"), a placeholder of a scraper or a second row of
the same person in the same team appear as players of their own.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature

SUBSTITUTE = "strpos(player_name, '(') > 0 and player_name ~* '\\((S|S ?↑|Default|Forfeit)\\)'"
NO_PERSON = (
    "lower(player_name) in ('', 'team', 'player', 'bye', 'sub', 'n/a') or player_name ~ '[0-9]'"
    " or lower(player_name) like any (array['%unknown%', '%no player%', '%algo description%'])"
)

FEATURE = Feature(
    name="player_search",
    title="Player search",
    route="/mobile/player-search",
    subject="player",
    right="lists each player of a team once, under the name of a person",
    sql=f"""
    with listed as (
        select
            p.id,
            btrim(concat_ws(' ', p.first_name, p.last_name)) as player_name,
            count(*) over (partition by p.tenniscores_player_id, p.team_id) as times,
            t.id is not null and t.is_active is not false as has_team,
            t.team_name
        from players as p
        left join teams as t on t.id = p.team_id
        where p.league_id = :league_id and p.is_active is not false
    ),
    answer as materialized (
        select
            *,
            case
                when {SUBSTITUTE} then 'a substitute''s row'
                when {NO_PERSON} then 'no person'
                when times > 1 then 'listed ' || times || ' times'
                when not has_team then 'in no team that plays'
            end as wrong
        from listed
    )
    select id as subject_id, wrong is null as works, concat(player_name, ', ' || team_name, ': ' || wrong) as shown
    from answer
    """,
)
