"""Polls: the questions of a user's team, and the user's own vote.

The page reads the polls of the session's team, their choices, and who voted by the id of the player's row. The user
votes as the first player of theirs, whichever that is. A poll whose team is gone is seen by nobody, not even by who
asked; a vote whose player is gone has no name.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.landing import LANDED, NEEDS
from rally_etl.features.phrases import numbered

FEATURE = Feature(
    name="polls",
    title="Polls",
    route="/mobile/polls",
    subject="user",
    right="shows the polls of the user's team with their choices, every vote under the name of somebody of the team",
    needs=(*NEEDS, "polls", "poll_choices", "poll_responses"),
    sql=f"""
    with {LANDED},
    choices as (
        select poll_id, count(*) as choices from poll_choices group by poll_id
    ),
    -- what the user who asked has offered: a poll that never had a choice is not broken by a run
    offered as (
        select poll_id, count(*) as choices from public.poll_choices group by poll_id
    ),
    memberships as (
        select distinct tenniscores_player_id as person, team_id from players where league_id = :league_id
    ),
    votes as (
        select
            r.poll_id,
            count(*) as votes,
            count(*) filter (where v.id is null) as nameless,
            count(*) filter (where v.id is not null and w.person is null) as strangers,
            count(*) filter (where r.choice_id is not null and c.id is null) as lost
        from poll_responses as r
        join polls as p on p.id = r.poll_id
        left join players as v on v.id = r.player_id
        left join memberships as w on w.person = v.tenniscores_player_id and w.team_id = p.team_id
        left join poll_choices as c on c.id = r.choice_id and c.poll_id = r.poll_id
        group by r.poll_id
    ),
    asked as (
        select
            p.team_id,
            count(*) as polls,
            sum(v.votes) as votes,
            sum(v.nameless) as nameless,
            sum(v.strangers) as strangers,
            sum(v.lost) as lost,
            count(*) filter (where coalesce(c.choices, 0) < o.choices) as without_choice
        from polls as p
        join teams as t on t.id = p.team_id and t.league_id = :league_id
        left join choices as c on c.poll_id = p.id
        left join offered as o on o.poll_id = p.id
        left join votes as v on v.poll_id = p.id
        group by p.team_id
    ),
    unseen as (
        select p.created_by as user_id, count(*) as polls
        from polls as p
        left join teams as t on t.id = p.team_id
        where t.id is null
        group by p.created_by
    ),
    voter as (
        select a.user_id, count(*) as persons, count(m.user_id) as of_team
        from landed as l
        join user_player_associations as a on a.user_id = l.user_id
        left join (select distinct user_id, person, team_id from member where is_active) as m
            on m.user_id = a.user_id and m.person = a.tenniscores_player_id and m.team_id = l.team_id
        group by a.user_id
    ),
    answer as materialized (
        select
            l.user_id,
            l.player_name,
            t.team_name,
            coalesce(a.polls, 0) as polls,
            coalesce(a.votes, 0) as votes,
            case
                when t.id is null then 'the team is not there'
                when u.polls > 0 then u.polls || ' that the user asked for no team'
                when a.without_choice > 0 then a.without_choice || ' without the choices that were offered'
                when a.nameless > 0 then {numbered("a.nameless", "vote")} || ' without a voter'
                when a.strangers > 0 then {numbered("a.strangers", "vote")} || ' of somebody who never was in the team'
                when a.lost > 0 then {numbered("a.lost", "vote")} || ' for what the poll does not offer'
                when v.of_team < v.persons then 'may vote as another player of theirs'
            end as wrong
        from landed as l
        left join teams as t on t.id = l.team_id
        left join asked as a on a.team_id = l.team_id
        left join unseen as u on u.user_id = l.user_id
        left join voter as v on v.user_id = l.user_id
    )
    select
        user_id as subject_id,
        wrong is null as works,
        concat(
            {numbered("polls", "poll")}, ' of ', coalesce(team_name, 'no team'), ', ',
            {numbered("votes", "vote")}, ', votes as ', player_name, ': ' || wrong
        ) as shown
    from answer
    """,
)
