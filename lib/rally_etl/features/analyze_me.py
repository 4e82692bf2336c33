"""Analyze me: the matches of a player in this season, and how many of them were won.

The page reads the lines that name the person, in the league and the season, leaves repeated ones out, and keeps those
that were played for a team of the club. A line without a winner is shown as lost. The record beside it is the one that
the league prints for the player in this team.

Both come from files of different days, so two lines or a fifth of the record may be missing or ahead, but not all of
them, nor may they stand there twice. What is missing explains the difference: nobody has won more and lost less than
the record says. Before the first match of a season the record is still that of the season before, and says nothing.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.lines_of_players import IN_SEASON, PLAYED
from rally_etl.features.phrases import numbered

BEHIND = 2
"""Lines that files of different days may differ by."""
SHARE = 0.2
SAME_DAY = 3
"""From so many lines on they are not all of one day."""

FEATURE = Feature(
    name="analyze_me",
    title="Analyze me",
    route="/mobile/analyze-me",
    subject="player",
    right="shows the lines that name the player, as many won and lost as the league's record says",
    sql=f"""
    with {PLAYED},
    for_team as (
        select
            person, team_id, sum(lines) as lines, sum(won) as won,
            min(first_day) as first_day, max(last_day) as last_day
        from played
        group by person, team_id
    ),
    for_club as (
        select
            o.person, t.club_id, sum(o.lines) as lines, sum(o.won) as won,
            min(o.first_day) as first_day, max(o.last_day) as last_day
        from for_team as o
        join teams as t on t.id = o.team_id
        group by o.person, t.club_id
    ),
    for_nobody as (
        select o.person, sum(o.lines) as lines
        from for_team as o
        left join teams as t on t.id = o.team_id
        where t.id is null
        group by o.person
    ),
    record as materialized (
        select exists (
            select from players where league_id = :league_id and is_active is not false and wins + losses > 0
        ) and (
            exists (select from match_scores where {IN_SEASON})
            or exists (select from public.match_scores where {IN_SEASON})
        ) as is_kept
    ),
    page as materialized (
        select
            p.id as subject_id,
            coalesce(c.lines, 0) as shown_lines,
            coalesce(c.won, 0) as shown_won,
            c.first_day,
            c.first_day = c.last_day as is_one_day,
            coalesce(n.lines, 0) as hidden,
            coalesce(o.lines, 0) as lines,
            coalesce(o.won, 0) as won,
            case when r.is_kept then coalesce(p.wins, 0) else coalesce(o.won, 0) end as wins,
            case when r.is_kept then coalesce(p.losses, 0) else coalesce(o.lines - o.won, 0) end as losses
        from players as p
        cross join record as r
        left join for_team as o on o.person = p.tenniscores_player_id and o.team_id = p.team_id
        left join for_club as c on c.person = p.tenniscores_player_id and c.club_id = p.club_id
        left join for_nobody as n on n.person = p.tenniscores_player_id
        where p.league_id = :league_id and p.is_active is not false
    ),
    answer as materialized (
        select
            *,
            case
                when hidden > {BEHIND} or hidden > 0 and hidden >= lines
                    then hidden || ' more name the player, but no team'
                when abs(lines - wins - losses) > greatest({BEHIND}, {SHARE} * (wins + losses))
                    or wins + losses >= {BEHIND} and (lines = 0 or lines >= 2 * (wins + losses))
                    or (won - wins) * (lines - won - losses) < 0
                    then 'the record says ' || wins || ' won and ' || losses || ' lost, the lines for the team '
                        || won || ' and ' || lines - won
                when shown_lines >= {SAME_DAY} and is_one_day then 'all on ' || first_day
            end as wrong
        from page
    )
    select
        subject_id,
        wrong is null as works,
        concat(
            case shown_lines when 0 then 'no matches'
                else {numbered("shown_lines", "match", "matches")} || ', ' || shown_won || ' won' end,
            ': ' || wrong
        ) as shown
    from answer
    """,
)
