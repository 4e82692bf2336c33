"""Last three matches of a team, newest first by day, by the team's id."""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import PLAYING, SEASON_BEGINS

DRIFT_DAYS = 14
"""The scraper stamps a match with the newest day of its page, one or two weeks late; that is no other match."""

FEATURE = Feature(
    name="last_matches",
    title="Last three matches",
    route="/api/team-last-3-matches-by-id",
    subject="team",
    right="shows matches of the team, each with an opponent, none of the future, as long as the team has played",
    sql=f"""
    with {PLAYING},
    played as (
        select e.team_id, m.match_date, e.opponent
        from match_scores as m
        cross join lateral (
            values (m.home_team_id, m.away_team), (m.away_team_id, m.home_team)
        ) as e(team_id, opponent)
        where m.league_id = :league_id and m.match_date >= {SEASON_BEGINS}
    ),
    of_team as (
        select
            team_id,
            count(*) as lines,
            count(distinct match_date) as days,
            max(match_date) as newest,
            count(*) filter (where match_date > cast(:as_of as date) + {DRIFT_DAYS}) as future,
            count(*) filter (where coalesce(opponent, '') = '') as unopposed
        from played group by team_id
    ),
    live as (
        select distinct unnest(array[home_team_id, away_team_id]) as team_id
        from public.match_scores where league_id = :league_id and match_date >= {SEASON_BEGINS}
    )
    select
        p.id as subject_id,
        (o.team_id is not null or l.team_id is null)
            and coalesce(o.future, 0) = 0 and coalesce(o.unopposed, 0) = 0 as works,
        case when o.team_id is null then 'no match yet' else concat(
            o.lines, ' lines, the newest on ', o.newest,
            case when o.future > 0 then concat(', ', o.future, ' in the future') end,
            case when o.unopposed > 0 then concat(', ', o.unopposed, ' without an opponent') end
        ) end as shown
    from playing as p
    left join of_team as o on o.team_id = p.id
    left join live as l on l.team_id = p.id
    """,
)
