"""The page above all runs: what users see of each league and since when, what is open now, and the list of runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import plotly.graph_objects as go
import sqlalchemy as sa

from rally_etl.database.engine import read_only
from rally_etl.measures import counted
from rally_etl.reporting import pages, recorded, trends
from rally_etl.reporting.charts import COLOURS
from rally_etl.reporting.executed import Scrub
from rally_etl.reporting.files import write_text
from rally_etl.reporting.history import STATES
from rally_etl.reporting.persons import Persons
from rally_etl.reporting.strips import day
from rally_etl.reporting.tables import Note
from rally_etl.settings import Settings

RUNS = 40
"""So many of the newest runs are drawn; all are listed."""
LEAGUES = 12
STRIPS, STRIP_PX = 4, 56
INCIDENTS = 10
NAMED_LEAGUES = 8
"""Of a run with more leagues, those that are GO are counted."""
WORDS = {"published": "published", "verified": "published", "held": "waits for approval", "refused": "refused"}
OTHER = "planned, failed or taken back"
LOOKS = {
    "published": COLOURS["GO"], "waits for approval": COLOURS["HOLD"], "refused": COLOURS["NO-GO"],
    OTHER: COLOURS["skipped"],
}  # fmt: skip


class _League(msgspec.Struct):
    decision: str | None
    plan: dict[str, dict[str, int]] = {}


class _Run(msgspec.Struct):
    leagues: dict[str, _League]
    decision: str | None = None
    health_score: float | None = None


class _Manifest(msgspec.Struct):
    started_at: str = ""
    source: str = ""


def write_list(engine: sa.Engine, settings: Settings) -> Path:
    """Write `reports/index.html`; the caller holds the lock of the reports."""
    reports = settings.reports_dir
    pages.write_plotly(reports)
    with read_only(engine, "public") as connection:
        figures = _figures(connection, settings.params_dir)
        has_causes = recorded.exists(connection, "etl.incident_leagues")
        incidents = recorded.fetch(connection, _INCIDENTS) if has_causes else []
    page = pages.render(
        "runs.html.j2",
        rows=_runs(reports),
        figures=[pages.figure_html(figure, f"chart-{number}") for number, figure in enumerate(figures, start=1)],
        incidents=incidents[:INCIDENTS],
        open_sentence=_open_sentence(incidents),
    )
    target = reports / "index.html"
    persons = Persons(engine, "")
    write_text(target, Scrub.of(settings, engine.url, persons).text(page))
    return target


def _open_sentence(incidents: Sequence[dict]) -> str:
    at = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC"
    if not incidents:
        return f"No incident is open, as of {at}."
    left = len(incidents) - INCIDENTS
    more = f" The {INCIDENTS} worst are shown; `rally-etl alerts list` lists all." if left > 0 else ""
    return f"{counted(len(incidents), 'incident is', 'incidents are')} open, as of {at}.{more}"


def _figures(connection: sa.Connection, params_dir: Path) -> list[go.Figure]:
    """What each run published of each league, and the health; a chart that would be empty is left out."""
    if not recorded.exists(connection, "etl.metric_history"):
        return []
    health = trends.trend(connection, params_dir, "health", most=STRIPS, strip_px=STRIP_PX, runs=2 * RUNS)
    found = [_published(connection), health]
    return [figure for figure in found if not isinstance(figure, Note)]


def _published(connection: sa.Connection) -> go.Figure | Note:
    """One mark per run and league: what became of it."""
    rows = recorded.fetch(connection, _OUTCOMES, runs=RUNS)
    if not rows:
        return Note("No run has decided anything yet.")
    by_league: dict[str, list[dict]] = {}
    for row in rows:
        by_league.setdefault(row["league"], []).append(row | {"word": WORDS.get(row["state"], OTHER)})
    shown = sorted(by_league, key=lambda league: (by_league[league][-1]["word"] == "published", league))[:LEAGUES]
    runs = {row["run_id"]: row["as_of"] for row in rows}
    place = {run_id: n for n, run_id in enumerate(runs)}
    marks = [row for league in shown for row in by_league[league]]
    size = 15 if len(runs) <= 12 else 11 if len(runs) <= 25 else 7
    data = [
        {"type": "scatter", "mode": "markers", "name": word, "x": [place[row["run_id"]] for row in of_word],
         "y": [pages.label(row["league"]) for row in of_word], "hoverinfo": "text",
         "hovertext": [_hover(row) for row in of_word],
         "marker": {"symbol": "square", "size": size, "color": colour}}
        for word, colour in LOOKS.items()
        if (of_word := [row for row in marks if row["word"] == word])
    ]  # fmt: skip
    step = max(1, len(runs) // 5)
    ticks = list(place.values())[::-step][::-1]
    days = list(runs.values())
    layout = {
        "title": {"text": pages.label(_sentence(by_league, len(shown)))}, "height": 96 + 24 * len(shown),
        "margin": {"l": 8, "r": 12, "t": 8, "b": 72}, "hovermode": "closest", "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": -36 / (16 + 24 * len(shown)), "yanchor": "top",
                   "font": {"size": 11}},
        "xaxis": {"tickvals": ticks, "ticktext": [f"{day(days[n])}<br>{days[n].year}" for n in ticks],
                  "zeroline": False, "showgrid": False, "range": [-0.7, len(runs) - 0.3]},
        "yaxis": {"type": "category", "categoryorder": "array", "automargin": True, "showgrid": False,
                  "categoryarray": [pages.label(name) for name in shown[::-1]], "range": [-0.6, len(shown) - 0.4]},
    }  # fmt: skip
    return go.Figure({"data": data, "layout": layout})


def _sentence(by_league: dict[str, list[dict]], shown: int) -> str:
    """Of which day each league is that users see."""
    live: dict[str, list[str]] = {}
    for league, rows in by_league.items():
        days = [row["as_of"] for row in rows if row["word"] == "published"]
        live.setdefault(f"as of {day(days[-1])}" if days else "not published by any of these runs", []).append(league)
    parts = sorted(live.items(), key=lambda each: len(each[1]))
    told = [
        f"{', '.join(sorted(names)) if len(names) <= 3 else counted(len(names), 'league')}"
        f" {'is' if len(names) == 1 else 'are'} {when}"
        for when, names in parts
    ]
    left = len(by_league) - shown
    more = f" ({shown} of {len(by_league)} leagues are drawn, the worst first)" if left > 0 else ""
    return f"What users see: {'; '.join(told)}{more}"


def _hover(row: dict[str, Any]) -> str:
    changes = f"{counted(row['changes'], 'change')} planned" if row["changes"] else "nothing to change"
    outcome = STATES.get(row["state"], row["state"])
    return "<br>".join(
        (f"<b>{pages.label(row['league'])}</b>", f"{day(row['as_of'])} {row['as_of'].year}: {outcome}, {changes}",
         f"run {row['run_id']}")
    )  # fmt: skip


def _runs(reports: Path) -> list[dict]:
    """One row per run folder, newest first; a folder without a readable report is left out."""
    rows = []
    for path in reports.glob("*/run.json"):
        try:
            run = msgspec.json.decode(path.read_bytes(), type=_Run)
            manifest = msgspec.json.decode(path.with_name("manifest.json").read_bytes(), type=_Manifest)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            continue
        named = sorted(run.leagues)
        if len(named) > NAMED_LEAGUES:
            named = [name for name in named if run.leagues[name].decision != "GO"]
        rows.append(
            {
                "run_id": path.parent.name,
                "link": f"{path.parent.name}/index.html",
                "started": manifest.started_at,
                "decision": run.decision,
                "changes": _changes(run.leagues.values()),
                "leagues": [{"name": name, "decision": run.leagues[name].decision} for name in named],
                "others": len(run.leagues) - len(named),
                "source": manifest.source,
                "health_score": run.health_score,
            }
        )
    return sorted(rows, key=lambda row: (row["started"], row["run_id"]), reverse=True)


def _changes(leagues: Iterable[_League]) -> int:
    """Planned changes of all leagues of a run, published or not."""
    counts = (found for league in leagues for found in league.plan.values())
    return sum(number for found in counts for operation, number in found.items() if operation != "unchanged")


_OUTCOMES = """
    select r.run_id, r.as_of, l.league, l.state, coalesce(p.changes, 0) as changes
    from (
        select run_id, started_at, as_of from etl.runs
        where operation is null and not dry_run and status <> 'running' order by started_at desc limit :runs) as r
    join etl.run_leagues as l on l.run_id = r.run_id
    left join lateral (
        select cast(sum(cast(c.value as bigint)) as bigint) as changes
        from jsonb_each(l.plan_counts) as t, jsonb_each_text(t.value) as c where c.key <> 'unchanged') as p on true
    order by r.started_at, l.league
"""
_INCIDENTS = """
    select i.number, i.severity, i.state, i.opened_at, coalesce(nullif(i.todo, ''), i.done) as todo,
        case when i.cause is null then replace(i.rule, '_', ' ') else i.what end as what, -- the other may show rows
        case when i.cause is null then i.league else
            (select string_agg(l.league, ', ' order by l.league) from etl.incident_leagues as l
             where l.incident = i.number) end as leagues
    from etl.incidents as i
    where i.state <> 'resolved'
    order by array_position(array['error', 'warn', 'info'], i.severity), i.number desc
"""
