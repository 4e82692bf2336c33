"""Two runs beside each other: only what differs, the largest first, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import plotly.graph_objects as go
import sqlalchemy as sa

from rally_etl.errors import EvidenceMissing
from rally_etl.measures import counted
from rally_etl.monitoring.anomaly_words import about, figure
from rally_etl.monitoring.metrics import EVERYWHERE, KINDS, STAGE, STAGE_AFTER
from rally_etl.reporting import charts, recorded
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    from rally_etl.workbook import Book

MOST_ROWS = 40
MOST_BARS = 12
METRICS = {
    "Health": ("health", "health_part"),
    "Volumes": ("rows", "rows_active", "records"),
    "Coverage, freshness and references": (
        "coverage", "days_since_match", "days_behind", "orphans", "kept", "quarantined",
    ),
    "Agreement of sources": ("agreement",),
    "Durations": ("duration",),
}  # fmt: skip
"""Part of a comparison -> its metrics."""
ALIKE = 0.1
"""Durations that differ by less than this share are alike: no two runs take the same time."""
OUTCOMES = ("errored", "failed", "warned", "skipped", "passed")  # the worst first
WORSE, BETTER, NEITHER = charts.COLOURS["failed"], charts.COLOURS["passed"], charts.SERIES[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that two runs tell differently.

    Attributes:
        before, after: what each of them says, in words.
        told: the difference; ``size``: how large it is, comparable within its part; ``change``: with its sign.
        is_worse: None where neither is better.
    """

    league: str
    what: str
    before: str
    after: str
    told: str = ""
    size: float = 0.0
    change: float = 0.0
    is_worse: bool | None = None

    def row(self) -> dict[str, str]:
        """The row of a table."""
        league = "all" if self.league == EVERYWHERE else self.league
        return {
            "league": league, "what": self.what, "before": self.before, "after": self.after, "difference": self.told
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two runs tell differently, part by part; a notebook shows it as tables.

    Attributes:
        runs: the facts of the two, the earlier first; empty when there are no two.
        parts: title -> differences, the largest first.
    """

    runs: list[dict] = field(default_factory=list)
    parts: dict[str, list[Difference]] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        return "".join(shown._repr_html_() for shown in self.shown())

    def __repr__(self) -> str:
        return "\n".join(repr(shown) for shown in self.shown())

    def shown(self) -> list[Table | Note]:
        """The two runs, a table per part that differs, and the parts that do not."""
        if not self.runs:
            return [Note("There are no two runs to compare yet. Run `make etl-run` again, then this notebook.")]
        facts = [
            {
                "": name, "run": run["run_id"], "as of": run["as_of"], "decision": run["decision"] or "none",
                "source": run["source"],
            }
            for name, run in zip(("before", "after"), self.runs, strict=True)
        ]  # fmt: skip
        shown: list[Table | Note] = [Table(facts, title="Two runs")]
        for title, found in self.parts.items():
            left = len(found) - MOST_ROWS
            note = f"And {left:,} more that differ less." if left > 0 else ""
            if found:
                shown.append(Table([each.row() for each in found[:MOST_ROWS]], title=title, note=note))
        alike = [title for title, found in self.parts.items() if not found]
        if alike:
            shown.append(Note(f"The same in both runs: {', '.join(alike).lower()}."))
        return shown

    def health_chart(self) -> go.Figure | Note:
        """How the health of each league and dimension changed."""
        return self._chart("Health", "the health", "Change (points)")

    def volumes_chart(self) -> go.Figure | Note:
        """How the volumes of each league and table changed."""
        return self._chart("Volumes", "the volumes", "Change (percent)")

    def _chart(self, part: str, name: str, axis: str) -> go.Figure | Note:
        found = [each for each in self.parts.get(part, ()) if each.change][:MOST_BARS]
        if not found:
            return Note(f"There is no difference to draw: {name} of both runs are the same, or not measured.")
        first, count = found[0], len(self.parts[part])
        title = f"{_named(first)} went from {first.before} to {first.after}" + (
            f", the largest of {count:,} differences" if count > 1 else ", the only difference"
        )
        rows = [
            {"name": _named(each), "change": each.change, "told": f"{each.before} → {each.after}",
             "colour": NEITHER if each.is_worse is None else WORSE if each.is_worse else BETTER}
            for each in reversed(found)
        ]  # fmt: skip
        return charts.changes(rows, title=title[0].upper() + title[1:], axis=axis)


def compare(book: Book, before: str = "", after: str = "") -> Comparison:
    """Compare two runs.

    Args:
        before, after: run ids in any order; *after* "" is the run of the book, *before* "" the one before that.

    Raises:
        EvidenceMissing: there is no run of this id.
    """
    after = after or book.run_id
    before = before or (book.of_run(_before, after)[0]["run_id"] if after else "")
    if not before or not after:
        return Comparison()
    return book.read(lambda connection: read_comparison(connection, before, after))


def read_comparison(connection: sa.Connection, before: str, after: str) -> Comparison:
    """What the ledger tells differently of two runs, the earlier one first.

    Raises:
        EvidenceMissing: there is no run of this id.
    """
    runs = []
    for run_id in (before, after):
        facts = recorded.run(connection, run_id)
        if facts is None:
            raise EvidenceMissing(
                f"there is no run {run_id} in this database; nothing was compared\nhint: `rally-etl runs` lists them"
            )
        runs.append(facts)
    runs.sort(key=lambda run: run["started_at"])
    ids = runs[0]["run_id"], runs[1]["run_id"]
    leagues = [{row["league"]: row for row in recorded.leagues(connection, run_id)} for run_id in ids]
    both = leagues[0].keys() & leagues[1].keys()
    parts = {"Decisions": list(_decisions(*leagues))}
    numbers = list(_numbers(connection, ids, both))
    for title in ("Health", "Volumes"):
        parts[title] = [each for part, each in numbers if part == title]
    parts["Checks"] = _checks(connection, ids, both)
    parts["Plan"] = _counts(connection, ids, both, _plan_counts)
    parts["Quarantine"] = _counts(connection, ids, both, _quarantine_counts)
    for title in METRICS.keys() - {"Health", "Volumes"}:
        parts[title] = [each for part, each in numbers if part == title]
    parts["Anomalies and predictions"] = list(_anomalies(connection, ids))
    ordered = ("Decisions", "Health", "Volumes", "Checks", "Plan", "Quarantine", *list(METRICS)[2:])
    return Comparison(
        runs=runs,
        parts={
            title: sorted(parts[title], key=lambda each: (-each.size, each.league, each.what))
            for title in (*ordered, "Anomalies and predictions")
        },
    )


def _before(connection: sa.Connection, _: str, run_id: str) -> list[dict]:
    """The run with a scrape before this one; an empty id where there is none."""
    rows = recorded.fetch(
        connection,
        "select b.run_id from etl.runs as a join etl.runs as b on b.started_at < a.started_at and b.operation is null"
        " where a.run_id = :run_id order by b.started_at desc limit 1",
        run_id=run_id,
    )
    return rows or [{"run_id": ""}]


def _decisions(before: dict[str, dict], after: dict[str, dict]) -> Iterable[Difference]:
    for league in sorted(before.keys() | after.keys()):
        told = [
            f"{row['decision'] or 'none'}, {row['state']}" if row else "not in this run"
            for row in (before.get(league), after.get(league))
        ]
        rows = before.get(league), after.get(league)
        rules = [{each["rule"] for each in row["reasons"]} if row else set() for row in rows]
        new, gone = sorted(rules[1] - rules[0]), sorted(rules[0] - rules[1])
        words = [f"new: {', '.join(new)}"] * bool(new) + [f"no more: {', '.join(gone)}"] * bool(gone)
        if told[0] != told[1] or words:
            size = 1.0 if told[0] != told[1] else 0.0
            yield Difference(
                league=league, what="decision and reasons", before=told[0], after=told[1], told="; ".join(words),
                size=size,
            )  # fmt: skip


def _numbers(
    connection: sa.Connection, ids: tuple[str, str], leagues: Iterable[str]
) -> Iterable[tuple[str, Difference]]:
    """Part and difference of every metric that both runs measured, or that one of them did not."""
    part_of = {metric: part for part, metrics in METRICS.items() for metric in metrics}
    binds = {"before": ids[0], "after": ids[1], "leagues": [*leagues, EVERYWHERE], "metrics": list(part_of)}
    for row in connection.execute(_METRICS, binds | {"stages": [STAGE, STAGE_AFTER]}):
        if row.metric in ("rows", "records") and (not row.subject or row.league == EVERYWHERE):
            continue  # sums of what is told
        kind, what = KINDS[row.metric], about(row.metric, row.subject)
        said = [figure(value, row.metric) if value is not None else "not measured" for value in (row.before, row.after)]
        if said[0] == said[1]:
            continue
        part = part_of[row.metric]
        if row.before is None or row.after is None:
            if KINDS[row.metric].absent != "zero":
                yield part, Difference(league=row.league, what=what, before=said[0], after=said[1])
            continue
        change = row.after - row.before
        share = change / max(abs(row.before), abs(row.after))
        if part == "Durations" and abs(share) < ALIKE:
            continue
        is_points = kind.unit in ("points", "share")
        yield part, Difference(
            league=row.league, what=what, before=said[0], after=said[1],
            told=f"{'fell' if change < 0 else 'rose'} by {_amount(change, row.before, row.metric)}",
            size=abs(change) * (100 if kind.unit == "share" else 1) if is_points else abs(share),
            change=change if is_points else 100 * change / abs(row.before) if row.before else 100.0,
            is_worse=None if kind.worse == "both" else (change > 0) == (kind.worse == "up"),
        )  # fmt: skip


def _amount(change: float, before: float, metric: str) -> str:
    """How much it fell or rose: shares in points, counts with their percentage of what there was."""
    unit = KINDS[metric].unit
    if unit == "share":
        return f"{100 * abs(change):.2g} points"
    percent = f" ({100 * abs(change / before):.2g} %)" if before and unit not in ("points", "days") else ""
    return figure(abs(change), metric) + percent


def _checks(connection: sa.Connection, ids: tuple[str, str], leagues: Iterable[str]) -> list[Difference]:
    """Checks that end otherwise, the worst outcome first; then those that end alike with other rows."""
    found = []
    for row in connection.execute(_CHECKS, {"before": ids[0], "after": ids[1], "leagues": list(leagues)}):
        said = [
            "not there" if outcome is None else outcome + (f", {counted(rows, 'row')}" if rows else "")
            for outcome, rows in ((row.before, row.rows_before), (row.after, row.rows_after))
        ]
        change = (row.rows_after or 0) - (row.rows_before or 0)
        turned = row.before != row.after
        worst = min(OUTCOMES.index(each) if each else len(OUTCOMES) for each in (row.before, row.after))
        found.append(
            Difference(
                league=row.league, what=row.check_name, before=said[0], after=said[1],
                told=f"{counted(abs(change), 'row')} {'more' if change > 0 else 'fewer'}" if change else "",
                size=(1e12 * (len(OUTCOMES) - worst) if turned else 0) + abs(change), change=change,
                is_worse=change > 0,
            )
        )  # fmt: skip
    return found


def _plan_counts(connection: sa.Connection, run_id: str) -> dict[tuple[str, str], int]:
    return {
        (row["league"], f"{operation} in {row['table']}"): row[operation]
        for row in recorded.plan_rows(connection, run_id)
        for operation in recorded.CHANGES
    }


def _quarantine_counts(connection: sa.Connection, run_id: str) -> dict[tuple[str, str], int]:
    return {
        (row["league"], f"{row['reason']} in {row['kind']}"): row["records"]
        for row in recorded.quarantine_by_reason(connection, run_id)
    }


def _counts(
    connection: sa.Connection,
    ids: tuple[str, str],
    leagues: Iterable[str],
    read: Callable[[sa.Connection, str], dict[tuple[str, str], int]],
) -> list[Difference]:
    before, after = (read(connection, run_id) for run_id in ids)
    found = []
    for league, what in before.keys() | after.keys():
        first, second = before.get((league, what), 0), after.get((league, what), 0)
        if first != second and league in leagues:
            told = f"{abs(second - first):,} {'more' if second > first else 'fewer'}"
            found.append(
                Difference(
                    league=league, what=what, before=f"{first:,}", after=f"{second:,}", told=told,
                    size=abs(second - first),
                )
            )  # fmt: skip
    return found


def _anomalies(connection: sa.Connection, ids: tuple[str, str]) -> Iterable[Difference]:
    """What one of the runs found unusual, or predicted, and the other did not."""
    for row in connection.execute(_ANOMALIES, {"before": ids[0], "after": ids[1]}):
        sentences: Sequence[str] = (row.before or "", row.after or "")
        yield Difference(
            league=row.league, what=about(row.metric, row.subject), before=sentences[0], after=sentences[1],
            told="new" if not row.before else "no more" if not row.after else "told otherwise",
            size=2.0 if not row.before else 1.0 if not row.after else 0.0,
        )  # fmt: skip


def _named(difference: Difference) -> str:
    return difference.what if difference.league == EVERYWHERE else f"{difference.league}: {difference.what}"


_METRICS = sa.text(
    """
    select league, metric, subject,
        max(value) filter (where run_id = :before) as before, max(value) filter (where run_id = :after) as after
    from etl.metric_history
    where run_id in (:before, :after) and stage = any(:stages) and metric = any(:metrics) and league = any(:leagues)
    group by 1, 2, 3
    having max(value) filter (where run_id = :before) is distinct from max(value) filter (where run_id = :after)
    """
)
_CHECKS = sa.text(
    """
    select coalesce(a.league, b.league) as league, coalesce(a.check_name, b.check_name) as check_name,
        a.outcome as before, b.outcome as after, a.failing_rows as rows_before, b.failing_rows as rows_after
    from (select * from etl.check_results where run_id = :before and league = any(:leagues)) as a
    full join (select * from etl.check_results where run_id = :after and league = any(:leagues)) as b
        on b.league = a.league and b.check_name = a.check_name
    where (a.outcome, coalesce(a.failing_rows, 0)) is distinct from (b.outcome, coalesce(b.failing_rows, 0))
    """
)
_ANOMALIES = sa.text(
    """
    select league, metric, subject,
        max(told) filter (where run_id = :before) as before, max(told) filter (where run_id = :after) as after
    from etl.anomalies
    where run_id in (:before, :after)
    group by league, kind, metric, subject
    having max(told) filter (where run_id = :before) is distinct from max(told) filter (where run_id = :after)
    """
)
