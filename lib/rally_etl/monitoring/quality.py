"""What the health of live, or of the candidate of a run, rests on as metrics: orphans, rates, freshness, scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from rally_etl.checks.results import CheckResult
from rally_etl.monitoring.freshness import Freshness
from rally_etl.monitoring.metrics import EVERYWHERE, Metric
from rally_etl.monitoring.volumes import LeagueIds, Rows
from rally_etl.protection.orphans import Orphan

Health = Mapping[str, tuple[float, Mapping[str, float]]]
"""League key, or `EVERYWHERE` -> health score, and the score of each dimension."""

SAYS_NOTHING = ("errored", "skipped")
"""Outcomes of a check that say nothing of the rows."""


def orphan_metrics(orphans: Iterable[Orphan], leagues: Iterable[str]) -> list[Metric]:
    """`orphans` of each league and of all together: the total, and each reference or table that has any.

    One whose league nobody knows is of `EVERYWHERE` alone.
    """
    orphans = list(orphans)
    found = []
    for league in (EVERYWHERE, *leagues):
        of_league = [each for each in orphans if league in (EVERYWHERE, each.league)]
        counts = Counter(f"{each.table}.{each.column}" if each.column else each.table for each in of_league)
        found.append(Metric(league=league, metric="orphans", value=len(of_league)))
        found += [
            Metric(league=league, metric="orphans", subject=reference, value=count)
            for reference, count in sorted(counts.items())
        ]
    return found


def rate_metrics(results: Iterable[CheckResult], rows: Rows, leagues: Iterable[str]) -> list[Metric]:
    """`check_rate` of each league: of each check that found rows the share of its table; as total the share of checks.

    A check that could not say anything is named in the total, and has no rate.
    """
    results = list(results)
    found = []
    for league in leagues:
        of_league = [each for each in results if each.league == league]
        silent = sorted({each.check for each in of_league if each.outcome in SAYS_NOTHING})
        failing: dict[str, int] = {}
        asked = {each.check for each in of_league} - set(silent)
        for each in of_league:
            if each.check in asked and each.failing_rows:
                failing[each.check] = failing.get(each.check, 0) + each.failing_rows
        if not asked:
            continue
        found.append(Metric(league=league, metric="check_rate", value=len(failing) / len(asked), detail=silent))
        for check, count in sorted(failing.items()):
            table = CheckResult.table_of(check)
            all_rows = rows.get(league, {}).get(table) or rows[EVERYWHERE].get(table, 0)
            share = min(1.0, count / max(1, all_rows))
            found.append(Metric(league=league, metric="check_rate", subject=check, value=share))
    return found


def freshness_metrics(fresh: Mapping[int, Freshness], leagues: LeagueIds) -> list[Metric]:
    """`days_since_match`, `days_since_due` and `days_behind` of each league that has a match, or had one due."""
    found = []
    for league, ids in leagues.items():
        known = [fresh[league_id] for league_id in ids if league_id in fresh]
        played = max((each.newest_match for each in known if each.newest_match), default=None)
        due = max((each.newest_due for each in known if each.newest_due), default=None)
        days: dict[str, int] = {}
        if played:
            days["days_since_match"] = (known[0].as_of - played).days
        if due:
            days["days_since_due"] = (known[0].as_of - due).days
            # where no match is known at all, the schedule is behind since it began to be due
            lag = min(each.lag_days for each in known if each.lag_days is not None)
            days["days_behind"] = round(lag) if math.isfinite(lag) else days["days_since_due"]
        found += [Metric(league=league, metric=name, value=value) for name, value in days.items()]
    return found


def health_metrics(health: Health) -> list[Metric]:
    """`health` and `health_part` of each league and of the whole."""
    found = []
    for league, (score, parts) in health.items():
        found.append(Metric(league=league, metric="health", value=score))
        found += [
            Metric(league=league, metric="health_part", subject=name, value=value) for name, value in parts.items()
        ]
    return found
