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
    met as materialized (
        select home_team_id, away_team_id, home_team, away_team, match_date, count(*) as lines
        from match_scores where league_id = :league_id and match_date >= {SEASON_BEGINS}
        group by 1, 2, 3, 4, 5
    ),
    played as (
        select home_team_id as team_id, away_team as opponent, match_date, lines from met
        union all
        select away_team_id, home_team, match_date, lines from met
    ),
    of_team as (
        select
            team_id,
            sum(lines) as lines,
            max(match_date) as newest,
            sum(lines) filter (where match_date > cast(:as_of as date) + {DRIFT_DAYS}) as future,
            sum(lines) filter (where coalesce(opponent, '') = '') as unopposed
        from played group by team_id
    ),
    live as (
        select distinct unnest(array[home_team_id, away_team_id]) as team_id
        from (
            select home_team_id, away_team_id
            from public.match_scores where league_id = :league_id and match_date >= {SEASON_BEGINS}
            group by 1, 2
        ) as met_in_live
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
