"""What past runs and looks at live have measured, as series to draw, with what happened on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import sqlalchemy as sa

from rally_etl.monitoring.metrics import EVERYWHERE, STAGE, STAGE_AFTER, Point
from rally_etl.reporting.recorded import exists

RUNS = 200
"""So many of the newest runs are drawn, and so many days of looks at live."""
LOOKED = "a look at live"
STATES = {
    "": "not decided", "planned": "not published", "audited": "not published", "held": "waits for approval",
    "refused": "refused", "approved": "not published yet", "published": "published", "verified": "published",
    "undone": "taken back", "failed": "the run failed",
}  # fmt: skip
"""What became of the rows of a league in a run, as hover and titles say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusual:
    """What the monitoring found unusual of a point: the band of what is usual, and the sentence that tells it."""

    low: float
    high: float
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one league and subject over the runs that measured it.

    Attributes:
        points: the oldest first; `outcomes`: per point what became of it, in words; `places`: per point where it stands
            on the axis of days (its day, and within a day the order of the runs).
        unusual: number of a point -> what was unusual of it.
    """

    league: str
    metric: str
    subject: str
    points: list[Point] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    places: list[dt.datetime] = field(default_factory=list)
    unusual: dict[int, Unusual] = field(default_factory=dict)

    @property
    def last(self) -> Point:
        """The newest point."""
        return self.points[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened: a new season, an incident that opened or was resolved.

    Attributes:
        leagues: the leagues it touches; none where it touches all.
        number: of an incident.
    """

    place: dt.datetime
    kind: Literal["season", "opened", "resolved"]
    told: str
    leagues: frozenset[str] = frozenset()
    number: int = 0

    def touches(self, league: str) -> bool:
        """Does the mark belong to the line of this league?"""
        return league == EVERYWHERE or not self.leagues or league in self.leagues


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The newest runs that brought a scrape, and looks at live: the last one of each day.

    Attributes:
        moments: rows of run_id or look, at, as_of; the oldest first. `places`: run or look -> its place on the axis.
        turns: league -> days on which a published run first brought a new season.
    """

    moments: Sequence[sa.Row]
    places: dict[str | int, dt.datetime]
    marks: list[Mark]
    turns: dict[str, list[dt.date]]


Key = tuple[str, str, str]
"""League, metric and subject of a series."""


def read_past(connection: sa.Connection, *, until: dt.datetime | None = None, runs: int = RUNS) -> Past:
    """What there is to draw.

    Args:
        until: runs and looks that began later are left out.
        runs: so many of the newest, and so many days of looks.
    """
    if not exists(connection, "etl.metric_history"):
        return Past(moments=[], places={}, marks=[], turns={})
    moments = connection.execute(_MOMENTS, {"until": until, "runs": runs}).all()
    places = _places(moments)
    turns, marks = _turns(connection, [row.run_id for row in moments if row.run_id])
    return Past(moments=moments, places=places, marks=marks + _incidents(connection, moments, places), turns=turns)


def read_latest(
    connection: sa.Connection, past: Past, metrics: Sequence[str], leagues: Sequence[str] = ()
) -> list[Series]:
    """Of every series of these metrics the newest point, and those that were unusual: enough to choose by.

    Args:
        leagues: only these; empty means all.
    """
    binds = _binds(past, metrics=list(metrics), leagues=list(leagues) or None)
    return _series(connection.execute(_LATEST, binds), past)


def read_series(connection: sa.Connection, past: Past, keys: Sequence[Key]) -> list[Series]:
    """The whole of some series, in the order of their keys."""
    names = [list(names) for names in zip(*keys, strict=True)] if keys else [[], [], []]
    binds = dict(zip(("leagues", "metrics", "subjects"), names, strict=True))
    found = {
        (each.league, each.metric, each.subject): each
        for each in _series(connection.execute(_WHOLE, _binds(past, **binds)), past)
    }
    return [found[key] for key in keys if key in found]


def _binds(past: Past, **binds: list[str] | None) -> dict[str, list | None]:
    keys = list(past.places)
    return binds | {
        "run_ids": [key for key in keys if isinstance(key, str)],
        "looks": [key for key in keys if isinstance(key, int)],
        "stages": [STAGE, STAGE_AFTER],
    }


def _series(rows: Iterable[sa.Row], past: Past) -> list[Series]:
    found: dict[Key, Series] = {}
    for row in rows:
        key = row.league, row.metric, row.subject
        one = found.get(key) or found.setdefault(key, Series(league=key[0], metric=key[1], subject=key[2]))
        if row.told is not None:
            one.unusual[len(one.points)] = Unusual(low=row.low, high=row.high, told=row.told)
        one.points.append(
            Point(at=row.at, as_of=row.as_of, value=row.value, is_good=row.is_good, run_id=row.run_id, look=row.look)
        )  # fmt: skip
        one.outcomes.append(_outcome(row))
        one.places.append(past.places[row.run_id or row.look])
    return list(found.values())


def _places(moments: Sequence[sa.Row]) -> dict[str | int, dt.datetime]:
    """Run or look -> where it stands on the axis: its day at noon, several of one day spread over it in their order."""
    days: dict[dt.date, list[str | int]] = {}
    for row in moments:
        days.setdefault(row.as_of, []).append(row.run_id or row.look)
    return {
        key: dt.datetime.combine(day, dt.time()) + dt.timedelta(days=(place + 1) / (len(keys) + 1))
        for day, keys in days.items()
        for place, key in enumerate(keys)
    }


def _outcome(row: sa.Row) -> str:
    if row.look is not None:
        return LOOKED
    if row.status == "running":
        return "not decided yet"
    if row.dry_run:
        return "a dry run"
    if row.league == EVERYWHERE:
        return "" if row.is_good else "not all of it published"
    return STATES.get(row.state or "", row.state)


def _turns(connection: sa.Connection, run_ids: Sequence[str]) -> tuple[dict[str, list[dt.date]], list[Mark]]:
    """League -> days of the published runs whose matches or schedules were the first of a season; a mark per season."""
    turns: dict[str, list[dt.date]] = {}
    marks: dict[tuple[str, int], Mark] = {}
    for row in connection.execute(_TURNS, {"run_ids": list(run_ids)}):
        turns.setdefault(row.league, []).append(row.as_of)
        marks.setdefault(
            (row.league, row.season),
            Mark(
                place=dt.datetime.combine(row.as_of, dt.time(12)), kind="season",
                told=f"the first scrape of season {row.season - 1}-{row.season}", leagues=frozenset([row.league]),
            ),
        )  # fmt: skip
    return turns, list(marks.values())


def _incidents(
    connection: sa.Connection, moments: Sequence[sa.Row], places: dict[str | int, dt.datetime]
) -> list[Mark]:
    """Marks of the incidents that were opened or resolved since the first of the moments, errors alone."""
    if not moments:
        return []
    found = []
    for row in connection.execute(_INCIDENTS, {"since": moments[0].at}):
        facts = {
            "told": f"incident {row.number}: {row.what}", "leagues": frozenset(row.leagues) - {EVERYWHERE},
            "number": row.number,
        }  # fmt: skip
        for kind, at in (("opened", row.opened_at), ("resolved", row.resolved_at)):
            if at is not None and at >= moments[0].at:
                found.append(Mark(place=_place_of(at, moments, places), kind=kind, **facts))
    return found


def _place_of(at: dt.datetime, moments: Sequence[sa.Row], places: dict[str | int, dt.datetime]) -> dt.datetime:
    """Where a moment stands on the axis: at its own day, or at that of the run before, if runs replay a past."""
    before = [row for row in moments if row.at <= at][-1]
    day = at.astimezone(dt.UTC).replace(tzinfo=None)
    replayed = abs((before.as_of - before.at.astimezone(dt.UTC).date()).days) > 1
    return places[before.run_id or before.look] if replayed else day


_MOMENTS = sa.text(
    """
    select * from (
        (select run_id, cast(null as bigint) as look, started_at as at, as_of from etl.runs
         where operation is null and started_at <= coalesce(cast(:until as timestamptz), 'infinity')
         order by started_at desc limit :runs)
        union all
        (select distinct on (as_of) null, look, at, as_of from etl.looks
         where at <= coalesce(cast(:until as timestamptz), 'infinity') order by as_of desc, at desc limit :runs)
    ) as moments
    order by at
    """
)
_COLUMNS = """
    select h.league, h.metric, h.subject, h.at, h.as_of, h.value, h.is_good, h.run_id, h.look,
        r.dry_run, r.status, l.state, a.low, a.high, a.told
"""
_FACTS = """
    left join etl.runs as r on r.run_id = h.run_id
    left join etl.run_leagues as l on l.run_id = h.run_id and l.league = h.league
    left join etl.anomalies as a
        on a.kind = 'anomaly' and a.league = h.league and a.metric = h.metric and a.subject = h.subject
        and (a.run_id = h.run_id or a.look = h.look)
"""
_ORDER = "order by h.league, h.metric, h.subject, h.at"
_WHOLE = sa.text(
    f"""
    {_COLUMNS}
    from unnest(cast(:leagues as text[]), cast(:metrics as text[]), cast(:subjects as text[]))
        as k(league, metric, subject)
    join etl.metric_history as h on h.league = k.league and h.metric = k.metric and h.subject = k.subject
    {_FACTS}
    where h.stage = any(:stages) and (h.run_id = any(:run_ids) or h.look = any(cast(:looks as bigint[])))
    {_ORDER}
    """
)
_LATEST = sa.text(
    f"""
    with newest as ( -- of each league the newest three: what is known when a run has ended is not there at first
        select league, run_id from (
            select m.league, r.run_id, row_number() over (partition by m.league order by r.started_at desc) as place
            from etl.runs as r
            join (select run_id, league from etl.run_leagues union all select run_id, '*' from etl.runs) as m
                on m.run_id = r.run_id
            where r.run_id = any(:run_ids) and (m.league = any(:leagues) or cast(:leagues as text[]) is null)
        ) as numbered
        where place <= 3
    ), found as (
        select distinct on (h.league, h.metric, h.subject) h.* from etl.metric_history as h
        where h.metric = any(:metrics) and h.stage = any(:stages) and (h.league, h.run_id) in (select * from newest)
        order by h.league, h.metric, h.subject, h.at desc
    ), of_looks as (
        select distinct on (h.league, h.metric, h.subject) h.* from etl.metric_history as h
        where h.metric = any(:metrics) and h.stage = any(:stages)
            and (h.league = any(:leagues) or cast(:leagues as text[]) is null)
            and h.look in (
                select look from etl.looks where look = any(cast(:looks as bigint[])) order by at desc limit 3)
        order by h.league, h.metric, h.subject, h.at desc
    ), odd as (
        select h.* from etl.anomalies as a
        join etl.metric_history as h on h.league = a.league and h.metric = a.metric and h.subject = a.subject
            and (h.run_id = a.run_id or h.look = a.look)
        where a.kind = 'anomaly' and a.metric = any(:metrics) and h.stage = any(:stages)
            and (a.league = any(:leagues) or cast(:leagues as text[]) is null)
            and (a.run_id = any(:run_ids) or a.look = any(cast(:looks as bigint[])))
    )
    {_COLUMNS}
    from (select * from found union select * from of_looks union select * from odd) as h
    {_FACTS}
    {_ORDER}
    """
)
_TURNS = sa.text(
    """
    select distinct on (league, kind, season) league, season, as_of from (
        select f.league, f.kind, f.season, r.as_of, r.started_at,
            max(f.season) over (partition by f.league, f.kind order by r.started_at
                rows between unbounded preceding and 1 preceding) as before
        from etl.source_files as f
        join etl.runs as r on r.run_id = f.run_id
        join etl.run_leagues as l on l.run_id = f.run_id and l.league = f.league
        where r.run_id = any(:run_ids) and l.state in ('published', 'verified') and not r.dry_run
            and f.kind in ('match_scores', 'schedules') and f.season is not null
    ) as seasons
    where season > before
    order by league, kind, season, started_at
    """
)
_INCIDENTS = sa.text(
    """
    select i.number, i.opened_at, i.resolved_at,
        case when i.cause is null then replace(i.rule, '_', ' ') else i.what end as what, -- the other may show rows
        case when i.cause is null then array[i.league] else array(
            select league from etl.incident_leagues as l where l.incident = i.number
            union select unnest(t.leagues) from etl.alert_told as t where t.incident = i.number) end as leagues
    from etl.incidents as i
    where i.severity = 'error' and coalesce(i.resolved_at, 'infinity') >= :since
    order by i.number desc limit 40
    """
)
