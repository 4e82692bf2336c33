"""What a run's standings are beside its lines, kept in the ledger, and as measures for the gate."""

from __future__ import annotations

import json

import sqlalchemy as sa

from rally_etl import standings
from rally_etl.checks.standings import NO_RULE
from rally_etl.checks.suite import find_league_ids, run_facts
from rally_etl.database.engine import read_only
from rally_etl.measures import Measures, counted, measure
from rally_etl.naming import load_leagues
from rally_etl.planning.schema import schemas
from rally_etl.settings import Settings
from rally_etl.standings import Comparison

_KEEP = sa.text(
    """
    insert into etl.standings (run_id, league, counts, teams, computed)
    values (:run, :league, cast(:counts as jsonb), cast(:teams as jsonb), :computed)
    on conflict (run_id, league) do update
    set counts = excluded.counts, teams = excluded.teams, computed = excluded.computed
    """
)
_COMPUTED = sa.text(
    "select league, count(*) as rows, min(reason) as reason from etl.computed_rows"
    " where run_id = :run and table_name = 'series_stats' group by league"
)
_AGREED_BEFORE = sa.text(
    """
    select distinct on (m.league) m.league, m.value
    from etl.metrics as m
    join etl.run_leagues as l using (run_id, league)
    join etl.runs as r using (run_id)
    where m.stage = 'validation' and m.metric = 'standings_agree_share' and l.state in ('published', 'verified')
      and r.operation is null and m.run_id <> :run and l.published_at is not null
    order by m.league, l.published_at desc
    """
)


def compare_standings(engine: sa.Engine, settings: Settings, run_id: str) -> dict[str, Comparison | None]:
    """Compare the standings of every league of the run's candidate, and keep what was found in the ledger.

    None for a league whose rule nobody has written down.
    """
    leagues = load_leagues(settings.params_dir)
    found: dict[str, Comparison | None] = {}
    with read_only(engine, schemas(run_id)[1], "public") as connection:
        facts = run_facts(connection, run_id)
        for league, league_id in find_league_ids(connection, settings, facts.leagues, run_id).items():
            rule = leagues.get(league)
            found[league] = (
                Comparison([]) if league_id is None else standings.compare(connection, rule, league_id, facts.as_of)
            )
        computed = {row.league: row.rows for row in connection.execute(_COMPUTED, {"run": run_id})}
    with engine.begin() as connection:
        connection.execute(sa.text("delete from etl.standings where run_id = :run"), {"run": run_id})
        for league, one in found.items():
            if one is not None:
                differing = [team.as_row() for team in one.teams if team.verdict != "agrees"]
                connection.execute(
                    _KEEP,
                    {
                        "run": run_id,
                        "league": league,
                        "counts": json.dumps(one.counts),
                        "teams": json.dumps(differing),
                        "computed": computed.get(league, 0),
                    },
                )
    return found


def standings_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Measures of the stage validation: how many teams agree, how many fall into each class, how many were computed."""
    found = compare_standings(engine, settings, run_id)
    with read_only(engine, "public") as connection:
        before = dict(connection.execute(_AGREED_BEFORE, {"run": run_id}).all())
        computed = {row.league: row for row in connection.execute(_COMPUTED, {"run": run_id})}
    return {league: league_measures(one, before.get(league), computed.get(league)) for league, one in found.items()}


def league_measures(found: Comparison | None, before: float | None, computed: sa.Row | None) -> dict[str, dict]:
    """Measures of one league.

    Args:
        found: None where nobody knows how it counts.
        before: share of its teams that agreed at the last good load, where there was one.
        computed: ``rows`` and ``reason`` of its computed standings, where there are any.
    """
    rows, reason = (computed.rows, [computed.reason]) if computed else (0, [])
    if found is None:
        found, texts = Comparison([]), [NO_RULE]
    else:
        texts = [f"{count:,} {name}" for name, count in found.counts.most_common()]
    agreeing = found.share("agrees") if found.teams else 1.0
    dropped = max(0.0, before - agreeing) if before is not None and found.teams else 0.0
    printed = 1 - (len(found.of("unprinted")) + rows) / len(found.teams) if found.teams else 1.0
    measures = {
        "standings_agree_share": measure(agreeing, texts),
        "standings_agree_drop": measure(dropped, [_drop(found, before or 0.0, texts)] if dropped else []),
        "standings_printed_share": measure(
            max(0.0, printed), [f"{team.team} has no row" for team in found.of("unprinted")] + reason
        ),
        "standings_computed": measure(rows, reason),
    }
    for name in standings.CLASSES:
        teams = found.of(name) if name != "agrees" else []
        count = found.counts[name]
        measures[f"standings_{name}"] = measure(count, [f"{team.team}: {team.figures or name}" for team in teams])
    return measures


def _drop(found: Comparison, before: float, texts: list[str]) -> str:
    return f"{before:.0%} agreed at the last good load; of {counted(len(found.teams), 'team')} now " + ", ".join(texts)
