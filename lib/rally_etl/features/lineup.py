"""Line-up: who plays on which court.

The page offers the roster of the team, finds players by name, and opens line-ups that users saved: texts that hold
names. A name that no player of the team has or had cannot be opened; who has left the team may be replaced, and who
goes by a name that shares a word with the one in live is recognised. A roster that is short is the league's own affair.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.phrases import numbered
from rally_etl.features.words import PLAYING

NAME = r'"([^"\\]+ [^"\\]+)"\s*[],}]'
"""A text of two words that is a value, not a key, of what a user saved; what is no JSON is read as well."""

FEATURE = Feature(
    name="lineup",
    title="Line-up",
    route="/mobile/lineup",
    subject="team",
    right="offers the roster, each player under a name of its own, and finds whom a saved line-up names",
    needs=("saved_lineups", "lineup_escrow"),
    sql=f"""
    with {PLAYING},
    roster as (
        select
            team_id,
            first_name || ' ' || last_name as player_name,
            count(*) filter (where is_active is not false) as players
        from players
        where league_id = :league_id and team_id is not null
        group by 1, 2
    ),
    former as (
        select distinct p.team_id, b.first_name || ' ' || b.last_name as player_name
        from public.players as b
        join players as p on p.id = b.id and (p.first_name, p.last_name) <> (b.first_name, b.last_name)
        where b.league_id = :league_id
            and string_to_array(p.first_name || ' ' || p.last_name, ' ')
            && string_to_array(b.first_name || ' ' || b.last_name, ' ')
    ),
    offered as (
        select team_id, sum(players) as players, max(players) as namesakes
        from roster
        group by team_id
    ),
    saved as (
        select l.id, l.team_id, n.name[1] as player_name
        from saved_lineups as l
        left join lateral regexp_matches(l.lineup_data, '{NAME}', 'g') as n(name) on true
        where l.is_active is not false and l.team_id in (select id from playing)
    ),
    swapped as (
        select e.initiator_team_id as team_id, count(*) as lineups
        from lineup_escrow as e
        left join teams as t on t.id = e.recipient_team_id
        where e.recipient_team_id is not null and t.id is null
        group by e.initiator_team_id
    ),
    opened as (
        select
            s.team_id,
            count(distinct s.id) as lineups,
            count(distinct s.player_name) filter (where f.team_id is not null) as former,
            count(distinct s.player_name) filter (
                where s.player_name is not null and r.team_id is null and f.team_id is null
            ) as unknown
        from saved as s
        left join roster as r on r.team_id = s.team_id and r.player_name = s.player_name
        left join former as f on f.team_id = s.team_id and f.player_name = s.player_name
        group by s.team_id
    ),
    answer as materialized (
        select
            t.id,
            coalesce(o.players, 0) as players,
            coalesce(s.lineups, 0) as lineups,
            s.former,
            case
                when o.players is null then 'nobody to choose from'
                when o.namesakes > 1 then 'two players of one name'
                when w.lineups > 0 then w.lineups || ' offered to a team that is not there'
                when s.unknown > 0 then s.unknown || ' saved for a name that the team never had'
            end as wrong
        from playing as t
        left join offered as o on o.team_id = t.id
        left join opened as s on s.team_id = t.id
        left join swapped as w on w.team_id = t.id
        -- a team whose players have all left is closed, one that never had any is a stray
        where o.players > 0 or o.team_id is null
    )
    select
        id as subject_id,
        wrong is null as works,
        concat(
            {numbered("players", "player")}, ', ', {numbered("lineups", "saved line-up")},
            ', ' || nullif(former, 0) || ' under a former name', ': ' || wrong
        ) as shown
    from answer
    """,
)
