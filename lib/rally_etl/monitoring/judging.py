"""What is unusual of a run, or of live at a look: read from the ledger, judged, kept there, and told to the gate."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.measures import Measures, measure
from rally_etl.monitoring.anomalies import Found, Named, Past, find_anomalies, find_forecasts
from rally_etl.monitoring.anomaly_params import Thresholds, Watching, read_watching
from rally_etl.monitoring.anomaly_words import prediction, sentence
from rally_etl.monitoring.calendar import calendar_of
from rally_etl.monitoring.forecast import Coverage, backtest
from rally_etl.monitoring.metrics import EVERYWHERE, KINDS, Point, read_history
from rally_etl.monitoring.usual import comparable, why_silent
from rally_etl.naming import load_leagues
from rally_etl.settings import Settings

AHEAD = (7, 28)
"""Days ahead that forecasts of the past are held against what came."""
TESTED = 60
"""Runs of the past for which that is done, at most."""
MOST_LOOKS = 400
"""So many looks and runs say what is usual of live, at most."""

_OF_FILES = ("records", "records_of_series", "quarantined", "damaged")
_SEASONAL = ("match_scores", "schedules")
_RUN = sa.text(
    "select r.as_of, r.started_at, r.operation is null as is_import,"
    " array(select league from etl.run_leagues as l where l.run_id = r.run_id order by league) as leagues"
    " from etl.runs as r where r.run_id = :run"
)
_LOOKED = sa.text(
    "select l.at, l.as_of, array(select distinct m.league from etl.metrics as m where m.look = l.look"
    " order by m.league) as leagues from etl.looks as l where l.look = :look"
)
_LOADS = sa.text(
    """
    select r.run_id, r.as_of, f.kind, f.sha256, f.season
    from etl.source_files as f
    join etl.runs as r using (run_id)
    join etl.run_leagues as l using (run_id, league)
    where f.league = :league and f.fault is null and r.operation is null and not r.dry_run
        and (l.state in ('published', 'verified') or r.run_id = :run) and r.started_at <= :until
    order by r.started_at, f.kind
    """
)
_FORGET = sa.text("delete from etl.anomalies where run_id = cast(:run as text) or look = cast(:look as bigint)")
_STORE = sa.text(
    "insert into etl.anomalies (run_id, look, league, kind, metric, subject, subjects, value, expected, low, high,"
    " runs, since, threshold, days_left, told)"
    " select cast(:run as text), cast(:look as bigint), r.league, r.kind, r.metric, r.subject,"
    " array(select jsonb_array_elements_text(r.subjects)), r.value, r.expected, r.low, r.high, r.runs, r.since,"
    " r.threshold, r.days_left, r.told from jsonb_to_recordset(cast(:rows as jsonb)) as r(league text, kind text,"
    " metric text, subject text, subjects jsonb, value double precision, expected double precision,"
    " low double precision, high double precision, runs integer, since date, threshold double precision,"
    " days_left integer, told text)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one league has that is unusual or predicted.

    Attributes:
        groups: per cause what changed; the first of each speaks for it.
        runs: good runs that say what is usual; note: why so few of them say nothing, else "".
    """

    groups: list[list[Found]]
    forecasts: list[Found]
    runs: int
    note: str

    def rows(self, named: int) -> list[dict[str, Any]]:
        """One row of ``etl.anomalies`` per sentence."""
        found = [(group[0], group[1:], sentence(group, named)) for group in self.groups]
        found += [(each, [], prediction(each)) for each in self.forecasts]
        return [
            {
                "league": first.league, "kind": first.kind, "metric": first.metric, "subject": first.subject,
                "subjects": [each.subject for each in others], "value": first.value, "expected": first.band.expected,
                "low": first.band.low, "high": first.band.high, "runs": first.band.runs,
                "since": first.since and first.since.isoformat(), "threshold": first.threshold,
                "days_left": first.days_left, "told": told,
            }
            for first, others, told in found
        ]  # fmt: skip


def anomaly_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Per league of the run: how many figures are unusual, how many thresholds are near, and how long the history is.

    What is found is kept in ``etl.anomalies``. The metrics of the run must be stored before. A run without a scrape
    has nothing unusual: a person asked for it.

    Raises:
        UsageError: `params/anomalies.yaml`, or a file that it names, cannot be used.
    """
    watching = read_watching(settings.params_dir)
    thresholds = Thresholds(settings.params_dir, watching)
    leagues = load_leagues(settings.params_dir)
    measures: Measures = {}
    rows: list[dict[str, Any]] = []
    with engine.begin() as connection:
        run = connection.execute(_RUN, {"run": run_id}).one()
        for league in run.leagues:
            told = Told(groups=[], forecasts=[], runs=0, note="")
            if run.is_import:
                points = read_history(connection, league, watching.read(league), runs=watching.runs)
                loads = _Loads(connection, league, run.started_at, run_id)
                now = {key: found for key, each in points.items() if (found := _of_run(each, run_id))}
                before = {key: _before(each, run.started_at) for key, each in points.items()}
                calendar = calendar_of(leagues.get(league), loads.turns)
                past = Past(
                    series=loads.once(before),
                    calendar=calendar,
                    scrapes=loads.scrapes,
                    repeated={key for key, point in now.items() if not loads.is_new(key, point)},
                )
                told = _judge(league, now, past, watching, thresholds, run.as_of)
            found = told.rows(watching.named)
            texts = {kind: [row["told"] for row in found if row["kind"] == kind] for kind in ("anomaly", "forecast")}
            measures[league] = {
                "anomalies": measure(len(texts["anomaly"]), texts["anomaly"]),
                "predicted": measure(len(texts["forecast"]), texts["forecast"]),
                "history_runs": measure(told.runs, [told.note] if told.note else []),
            }
            rows += found
        _store(connection, rows, run_id=run_id)
    return measures


def back_tested(connection: sa.Connection, settings: Settings, run_id: str) -> dict[int, Coverage]:
    """Days ahead -> how often the forecast's band held in the past of the run's leagues, of figures with a threshold.

    Raises:
        UsageError: `params/anomalies.yaml` cannot be used.
    """
    metrics = list(read_watching(settings.params_dir).forecasts.thresholds)
    leagues = load_leagues(settings.params_dir)
    run = connection.execute(_RUN, {"run": run_id}).one()
    inside, asked = dict.fromkeys(AHEAD, 0), dict.fromkeys(AHEAD, 0)
    for league in run.leagues:
        points = read_history(connection, league, metrics, runs=TESTED)
        loads = _Loads(connection, league, run.started_at)
        calendar = calendar_of(leagues.get(league), loads.turns)
        for (metric, _), each in loads.once(points).items():
            for days in AHEAD:
                held = backtest(_before(each, run.started_at), KINDS[metric], calendar, days)
                inside[days] += held.inside
                asked[days] += held.asked
    return {days: Coverage(inside=inside[days], asked=asked[days]) for days in AHEAD}


def live_anomalies(engine: sa.Engine, settings: Settings, look: int) -> dict[str, list[str]]:
    """What is unusual of live, or heads for a threshold, at a look: league (`*`: the database) -> sentences.

    Past looks and runs say what is usual, of each day the last. What is found is kept in ``etl.anomalies``.

    Args:
        look: its number; its metrics are stored.

    Raises:
        UsageError: `params/anomalies.yaml`, or a file that it names, cannot be used.
    """
    watching = read_watching(settings.params_dir)
    thresholds = Thresholds(settings.params_dir, watching)
    known = load_leagues(settings.params_dir)
    found: dict[str, list[dict[str, Any]]] = {}
    with engine.begin() as connection:
        taken = connection.execute(_LOOKED, {"look": look}).one()
        for league in taken.leagues:
            metrics = [name for name in watching.of(league) if name in watching.looks]
            points = read_history(connection, league, metrics, looks=True, runs=MOST_LOOKS)
            now = {key: point for key, each in points.items() for point in each if point.look == look}
            before = {key: _daily(point for point in each if point.at < taken.at) for key, each in points.items()}
            calendar = None
            if league == EVERYWHERE:
                now |= {key: each.pop() for key, each in before.items() if key[0] == "duration" and each}
            else:
                calendar = calendar_of(known.get(league), _Loads(connection, league, taken.at).turns)
            told = _judge(league, now, Past(series=before, calendar=calendar), watching, thresholds, taken.as_of)
            found[league] = told.rows(watching.named)
        _store(connection, [row for rows in found.values() for row in rows], look=look)
    return {league: [row["told"] for row in rows] for league, rows in found.items() if rows}


class _Loads:
    """The good loads of a league up to a moment, and the run under test: which files were new, when a season came."""

    def __init__(self, connection: sa.Connection, league: str, until: dt.datetime, run_id: str | None = None) -> None:
        self.turns: list[dt.date] = []
        self._new: dict[str, set[str]] = {}
        known: dict[str, str] = {}
        kinds: dict[str, set[str]] = {}
        seasons: dict[str, int] = {}
        for row in connection.execute(_LOADS, {"league": league, "until": until, "run": run_id}):
            new = self._new.setdefault(row.run_id, set())
            if row.run_id != run_id:
                kinds.setdefault(row.run_id, set()).add(row.kind)
            if known.get(row.kind) != row.sha256:
                new.add(row.kind)
                known[row.kind] = row.sha256
            if row.kind in _SEASONAL and row.season is not None:
                if row.season > seasons.get(row.kind, row.season) and row.as_of not in self.turns:
                    self.turns.append(row.as_of)
                seasons[row.kind] = max(row.season, seasons.get(row.kind, row.season))
        self.scrapes = list(kinds.values())

    def is_new(self, key: Named, point: Point) -> bool:
        """Does a point tell something that the load before had not told? What counts days always does."""
        if point.run_id not in self._new or KINDS[key[0]].unit == "days":
            return True
        kinds = self._new[point.run_id]
        kind = key[1].partition("/")[0]
        return kind in kinds if key[0] in _OF_FILES and kind else bool(kinds)

    def once(self, series: Mapping[Named, Sequence[Point]]) -> dict[Named, list[Point]]:
        """The points without those of files that were read again."""
        return {key: [point for point in points if self.is_new(key, point)] for key, points in series.items()}


def _judge(
    league: str, now: Mapping[Named, Point], past: Past, watching: Watching, thresholds: Thresholds, day: dt.date
) -> Told:
    groups = find_anomalies(league, now, past, watching)
    forecasts = find_forecasts(league, now, past, watching, thresholds)
    lengths = {
        key: len(comparable(points, day, KINDS[key[0]], past.calendar))
        for key, points in past.series.items()
        if KINDS[key[0]].unit != "days"  # ages are told each time, also when the same files are read again
    }
    longest = max(lengths, key=lengths.__getitem__, default=("rows", ""))
    return Told(
        groups=groups,
        forecasts=forecasts,
        runs=lengths.get(longest, 0),
        note=why_silent(past.series.get(longest, ()), day, KINDS[longest[0]], past.calendar),
    )


def _of_run(points: Sequence[Point], run_id: str) -> Point | None:
    return next((point for point in points if point.run_id == run_id), None)


def _before(points: Sequence[Point], moment: dt.datetime) -> list[Point]:
    return [point for point in points if point.at < moment]


def _daily(points: Iterable[Point]) -> list[Point]:
    """Of each day the last good point: somebody may look every minute."""
    return list({point.as_of: point for point in points if point.is_good}.values())


def _store(
    connection: sa.Connection, rows: Sequence[Mapping[str, Any]], *, run_id: str | None = None, look: int | None = None
) -> None:
    """Keep what was found; a second call for the same run or look replaces the first."""
    key = {"run": run_id, "look": look}
    connection.execute(_FORGET, key)
    connection.execute(_STORE, key | {"rows": json.dumps(list(rows))})
