"""Figures of notebooks and reports; each is titled with the sentence it supports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from rally_etl.measures import counted
from rally_etl.reporting.pages import label

COLOURS = {
    "passed": "#2f8f6b", "warned": "#d59a26", "failed": "#c8453b", "errored": "#8250a8", "skipped": "#98a2ad",
    "insert": "#2b9a8b", "update": "#4472c4", "deactivate": "#d98032", "delete": "#8c4a2f", "unchanged": "#c3ccd6",
    "before": "#a9b6c6", "after": "#4472c4",
    "GO": "#2f8f6b", "HOLD": "#d59a26", "NO-GO": "#c8453b",
    "fault": "#c8453b", "junk": "#98a2ad", "duplicate": "#d59a26",
}  # fmt: skip
BY_NAME = ("exact", "canonical", "id", "match_id")  # strategies of identity that nobody doubts
NOT_FOUND = ("not found", "waits", "none", "ambiguous")
COLOURS |= {"kept": "#2f8f6b", "reissued": "#d59a26", "gone": "#c8453b"}
COLOURS |= {"exact": "#2f8f6b", "canonical": "#6fb99b", "new": "#2b9a8b", "alias": "#4472c4"}
COLOURS |= dict.fromkeys(NOT_FOUND, "#c8453b")
SERIES = ("#4472c4", "#d98032", "#2b9a8b", "#8250a8", "#c8453b", "#98a2ad", "#d59a26", "#5b7a2f")
BAR_PX = 26  # height of one bar of a horizontal chart


def rows_before_after(rows: Sequence[Mapping[str, Any]], *, title: str) -> go.Figure:
    """Two bars per table on a logarithmic axis, so that 4 leagues can be seen beside 18,000 match lines.

    Args:
        rows: one per table; ``table``, ``before`` and ``after`` (counts of live rows).
    """
    figure = go.Figure()
    tables = [label(row["table"]) for row in rows]
    for moment in ("after", "before"):
        counts = [row[moment] for row in rows]
        figure.add_bar(
            y=tables, x=[count or None for count in counts], name=moment, orientation="h",
            marker_color=COLOURS[moment], text=[f"{count:,}" for count in counts], textposition="outside",
            cliponaxis=False, hovertemplate=f"%{{y}}: %{{text}} rows {moment}<extra></extra>",
        )  # fmt: skip
    _lay_out(figure, title, rows=2 * len(rows), bars=True, reversed_legend=True)
    figure.update_xaxes(title="Rows (logarithmic)", type="log", dtick=1, range=[0, _log_top(rows)])
    return figure


def plan_by_table(rows: Sequence[Mapping[str, Any]], *, title: str) -> go.Figure:
    """Stacked bars of planned changes.

    Args:
        rows: one per table; ``table``, ``insert``, ``update``, ``deactivate``, ``delete`` (counts of planned rows).
    """
    figure = go.Figure()
    for operation in ("insert", "update", "deactivate", "delete"):
        if operation == "delete" and not any(row.get(operation) for row in rows):
            continue  # only runs without a scrape delete rows, those that another one says already
        figure.add_bar(
            y=[label(row["table"]) for row in rows], x=[row.get(operation, 0) for row in rows], name=operation,
            orientation="h", marker_color=COLOURS[operation],
            hovertemplate=f"%{{y}}: %{{x:,}} {operation}<extra></extra>",
        )  # fmt: skip
    _lay_out(figure, title, rows=len(rows), bars=True)
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="Planned changes (rows)", rangemode="tozero")
    return figure


def check_outcomes(rows: Sequence[Mapping[str, Any]], *, title: str) -> go.Figure:
    """Stacked bars of how checks ended.

    Args:
        rows: one per league and outcome; ``league``, ``outcome``, ``checks`` (count).
    """
    figure = go.Figure()
    leagues = sorted({row["league"] for row in rows}, reverse=True)
    for outcome in ("passed", "warned", "failed", "errored", "skipped"):
        counts = {row["league"]: row["checks"] for row in rows if row["outcome"] == outcome}
        if counts:
            figure.add_bar(
                y=[label(league) for league in leagues], x=[counts.get(league, 0) for league in leagues], name=outcome,
                orientation="h", marker_color=COLOURS[outcome],
                hovertemplate=f"%{{y}}: %{{x:,}} {outcome}<extra></extra>",
            )  # fmt: skip
    _lay_out(figure, title, rows=len(leagues), bars=True)
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="Checks", rangemode="tozero")
    return figure


def strategies(rows: Sequence[Mapping[str, Any]], *, title: str) -> go.Figure:
    """Stacked bars of how things were found, each bar one hundred percent of its kind.

    Args:
        rows: one per kind of thing and strategy; ``what``, ``strategy``, ``found`` (count).
    """
    figure = go.Figure()
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["what"]] = totals.get(row["what"], 0) + row["found"]
    kinds = sorted(totals, key=lambda what: totals[what])
    names = {what: label(f"{what.replace('_', ' ')} ({totals[what]:,})") for what in kinds}
    for number, strategy in enumerate(_strategies_in_order(rows)):
        counts = {row["what"]: row["found"] for row in rows if row["strategy"] == strategy}
        colour = COLOURS.get(strategy) or SERIES[number % len(SERIES)]
        figure.add_bar(
            y=[names[what] for what in kinds], x=[100 * counts.get(what, 0) / totals[what] for what in kinds],
            name=label(strategy), orientation="h", marker_color=colour,
            customdata=[counts.get(what, 0) for what in kinds],
            hovertemplate=f"%{{y}}: %{{customdata:,}} {label(label(strategy))} (%{{x:.1f}} %)<extra></extra>",
        )  # fmt: skip
    _lay_out(figure, title, rows=len(kinds), bars=True)
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="Share (percent)", range=[0, 100])
    return figure


def strategies_title(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the chart of strategies shows, in a sentence."""
    total = sum(row["found"] for row in rows)
    by_name = sum(row["found"] for row in rows if row["strategy"] in BY_NAME)
    lost = sum(row["found"] for row in rows if row["strategy"] in NOT_FOUND)
    share = f"{100 * by_name / total:.1f}" if total else "0"
    rest = f", {lost:,} wait" if lost else ", nothing waits"
    return f"{share} % of {counted(total, 'thing')} were found by their very name or id{rest}"


def _strategies_in_order(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """By name first, what was not found last, between them the most frequent first."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["strategy"]] = totals.get(row["strategy"], 0) + row["found"]
    return sorted(totals, key=lambda name: (name in NOT_FOUND, name not in BY_NAME, -totals[name], name))


def bars(
    rows: Sequence[Mapping[str, Any]], name: str, value: str, *, title: str, axis: str, kind: str = ""
) -> go.Figure:
    """Horizontal bars, the longest on top.

    Args:
        rows: one per bar; *name* is its label, *value* its length, *kind* (if given) what its colour says.
        axis: title of the value axis, with its unit.
    """
    ordered = sorted(rows, key=lambda row: row[value])
    figure = go.Figure(
        go.Bar(
            y=[label(row[name]) for row in ordered], x=[row[value] for row in ordered], orientation="h",
            marker_color=[COLOURS.get(str(row.get(kind)), SERIES[0]) for row in ordered],
            text=[f"{row[value]:,}" for row in ordered], textposition="outside", cliponaxis=False,
            hovertemplate="%{y}: %{x:,}<extra></extra>",
        )
    )  # fmt: skip
    _lay_out(figure, title, rows=len(rows), bars=True)
    figure.update_xaxes(title=axis, rangemode="tozero")
    return figure


def shares(
    rows: Sequence[Mapping[str, Any]], name: str, parts: Mapping[str, str], *, title: str, axis: str
) -> go.Figure:
    """Stacked bars of equal length: which part of each row's whole is what.

    Args:
        rows: one per bar; *name* is its label.
        parts: column of counts -> colour, from left to right.
    """
    figure = go.Figure()
    for part, colour in parts.items():
        counts = [row[part] for row in rows]
        figure.add_bar(
            y=[label(row[name]) for row in rows], x=counts, name=part.replace("_", " "), orientation="h",
            marker_color=colour, customdata=counts, hovertemplate=f"%{{y}}: %{{customdata:,}} {part}<extra></extra>",
        )  # fmt: skip
    _lay_out(figure, title, rows=len(rows), bars=True)
    figure.update_layout(barmode="stack", barnorm="percent")
    figure.update_xaxes(title=axis, range=[0, 100])
    return figure


def changes(rows: Sequence[Mapping[str, Any]], *, title: str, axis: str) -> go.Figure:
    """Horizontal bars to both sides of zero: how much each thing fell or rose.

    Args:
        rows: from the bottom to the top; ``name``, ``change`` (signed), ``told`` (in words), ``colour``.
    """
    figure = go.Figure(
        go.Bar(
            y=[label(row["name"]) for row in rows], x=[row["change"] for row in rows], orientation="h",
            marker_color=[row["colour"] for row in rows], customdata=[label(row["told"]) for row in rows],
            text=[label(row["told"]) for row in rows], textposition="auto", cliponaxis=False,
            hovertemplate="%{y}: %{customdata}<extra></extra>",
        )
    )  # fmt: skip
    _lay_out(figure, title, rows=len(rows), bars=True)
    figure.update_xaxes(title=axis, zeroline=True)
    return figure


def _lay_out(figure: go.Figure, title: str, *, rows: int, bars: bool = False, reversed_legend: bool = False) -> None:
    figure.update_layout(
        template="none",
        title={"text": label(title), "x": 0, "xanchor": "left", "font": {"size": 15}},
        height=max(220, 110 + BAR_PX * rows),
        margin={"l": 8, "r": 60, "t": 44, "b": 44},
        legend={
            "orientation": "h",
            "y": 1.0,
            "yanchor": "bottom",
            "x": 0,
            "traceorder": "reversed" if reversed_legend else "normal",
        },
        bargap=0.3,
        showlegend=len(figure.data) > 1,
    )
    figure.update_xaxes(automargin=True, gridcolor="#e6eaef", zeroline=False)
    figure.update_yaxes(automargin=True, gridcolor="#e6eaef", zeroline=False)
    if bars:
        figure.update_yaxes(type="category")


def _log_top(rows: Sequence[Mapping[str, Any]]) -> float:
    """Upper end of a logarithmic axis, with room for the number behind the longest bar."""
    largest = max((max(row["before"], row["after"]) for row in rows), default=1)
    return len(str(max(largest, 1))) + 0.4
