"""What notebooks and the front page say of safety and of what users wrote: before, in the candidate, and live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rally_etl.measures import counted
from rally_etl.reporting import recorded
from rally_etl.reporting.pages import label
from rally_etl.reporting.tables import Note, Table, in_words

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.workbook import Book

WORDS = {
    "missing_tables": "Tables of Rally that are missing",
    "missing_keys": "Unique keys that are missing",
    "rows_violating": "Rows that a unique key could not hold",
    "contradicted_keys": "Constraints that refuse what is true",
    "sequences_behind": "Sequences that would give an id twice",
    "keys_doubtful": "Constraints to look at; imports do without",
    "tables_uncovered": "Tables and columns that the reference map leaves out",
    "orphans_open": "Rows of users that have lost what they are about",
    "user_rows_missed": "Rows that were there at the last run; users may have deleted them",
}
SAFE = (
    "Nothing is wrong: every key is there and no row contradicts one, no row of a user has lost what it is about, no"
    " sequence gives an id twice."
)
MEANING = {
    "same": "means the same",
    "renamed": "the same under another name",
    "repointed": "the same under another id",
    "dangling": "pointed nowhere before, too",
    "emptied": "would be empty",
    "lost": "would point nowhere",
    "moved": "would be of something else",
}
"""Fates of a reference, in words; the first three are as they should be."""

COLOURS = {
    "same": "#2f8f6b", "renamed": "#4472c4", "repointed": "#2b9a8b", "dangling": "#98a2ad", "emptied": "#d59a26",
    "lost": "#c8453b", "moved": "#8c2f28",
}  # fmt: skip
_GOOD = ("same", "renamed", "repointed")
_BAR_PX = 26
_LIVE = {"emptied": "is empty", "lost": "points nowhere", "moved": "is of something else"}

_ACCOUNTS = "select * from etl.accounts where run_id = :run_id order by table_name, column_name, moment"
_PRACTICES = """
    select l.league_id as league, t.team_name as team, count(*) as practices, min(s.match_date) as first,
           max(s.match_date) as last
    from public.schedule as s
    left join public.teams as t on t.id = s.home_team_id
    left join public.leagues as l on l.id = s.league_id
    where {practices} group by 1, 2 order by 1 nulls first, 2 nulls first limit :shown
    """
SHOWN = 300


def safety(book: Book) -> Table | Note:
    """What is wrong with the database, before anything is read; an error stops the run here."""
    _take(book)
    if book.document is not None:
        found = [
            {"league": league, "metric": name, **each}
            for league, measures in sorted(book.document["leagues"].items())
            for name, each in measures.items()
        ]
    else:
        found = book.of_run(recorded.metrics, "baseline")
    rows = [
        {"what": words, "league": "" if row["league"] == "*" else row["league"], "count": int(row["value"])}
        | {"named": in_words(row["detail"])}
        for name, words in WORDS.items()
        for row in found
        if row["metric"] == name and row["value"]
    ]
    empty = SAFE if any(row["metric"] in WORDS for row in found) else "Safety is not measured yet."
    return Table(rows, title="What is wrong", empty=empty)


def _take(book: Book) -> None:
    """The measures of a stage that is going on are taken once; the ledger then has the account."""
    if book.active:
        book.measures()


def practices(book: Book) -> Table | Note:
    """Practice times per team: rows of users among the scraped matches of the schedule."""
    rows = book.read(practices_per_team, book.settings)
    note = f"The first {SHOWN} teams." if len(rows) == SHOWN else ""
    return Table(rows, title="Practice times per team", empty="No team has a practice time.", note=note)


def practices_per_team(connection: sa.Connection, settings: Any) -> list[dict[str, Any]]:
    """League, team, its practice rows, and their first and last day."""
    from rally_etl.database.references import read_reference_params

    rule = read_reference_params(settings.params_dir / "references.yaml").practice_rows
    if not recorded.exists(connection, "public.schedule"):
        return []
    return recorded.fetch(connection, _PRACTICES.format(practices=rule), shown=SHOWN)


def before(book: Book) -> Table | Note:
    """What users had written when the run began, kind by kind."""
    _take(book)
    rows = [
        {"a row is a": row["label"], "table": row["table"], "rows": row["before"]}
        | {"references": row["references"]["baseline"], "point at nothing": row["fates"]["baseline"]["dangling"]}
        for row in of_run(book)
    ]
    return Table(rows, title="What users wrote", empty="No user has written anything yet.")


def after(book: Book) -> Table | Note:
    """What users wrote, before and as it would be; in words that a captain understands."""
    _take(book)
    found = of_run(book)
    rows = [
        {
            "a row is a": row["label"], "table": row["table"], "before": row["before"],
            "after": row["after"], "unchanged": row["rows"]["candidate"]["same"],
            "references": row["references"]["candidate"], "means": meaning(row["fates"]["candidate"]),
        }
        for row in found
    ]  # fmt: skip
    return Table(rows, title=sentence(found, "candidate"), empty="No user has written anything yet.")


def chart(book: Book) -> Any:
    """The same as a picture: one bar per kind of row, by what its references mean afterwards."""
    found = of_run(book)
    drawn = [row for row in found if row["references"]["candidate"]]
    return picture(drawn, title=sentence(found, "candidate")) if drawn else Note("No row of a user points at anything.")


def of_run(book: Book) -> list[dict[str, Any]]:
    """The accounts of the run that a notebook shows; nothing without a run."""
    return book.read(rows_of, book.run_id) if book.run_id else []


def rows_of(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    """One entry per table of users that holds rows at any moment of the run, the largest first.

    ``before``, ``after`` and ``live`` are its rows at the three moments (None where there was no account); ``rows``,
    ``references`` and ``fates`` say by moment what became of its rows, how many references they hold, and of these.
    """
    if not recorded.exists(connection, "etl.accounts"):
        return []
    tables: dict[str, dict[str, Any]] = {}
    for row in recorded.fetch(connection, _ACCOUNTS, run_id=run_id):
        one = tables.setdefault(row["table_name"], _empty(row))
        if row["column_name"]:
            one["references"][row["moment"]] += row["row_count"] + row["emptied"]
            for name in MEANING:
                one["fates"][row["moment"]][name] += row[name]
        else:
            one[{"baseline": "before", "candidate": "after", "live": "live"}[row["moment"]]] = row["row_count"]
            one["rows"][row["moment"]] = {name: row[name] for name in ("same", "changed", "added", "gone")}
    filled = [one for one in tables.values() if any(one[name] for name in ("before", "after", "live"))]
    return sorted(filled, key=lambda one: (-(one["before"] or 0), one["table"]))


def _empty(row: Mapping[str, Any]) -> dict[str, Any]:
    moments = ("baseline", "candidate", "live")
    return {
        "table": row["table_name"], "label": row["label"], "before": None, "after": None, "live": None,
        "rows": {moment: dict.fromkeys(("same", "changed", "added", "gone"), 0) for moment in moments},
        "references": dict.fromkeys(moments, 0),
        "fates": {moment: dict.fromkeys(MEANING, 0) for moment in moments},
    }  # fmt: skip


def sentence(found: Sequence[Mapping[str, Any]], moment: str) -> str:
    """All kinds together: `312 rows of users, all unchanged; all 540 references mean the same`."""
    rows = {name: sum(row["rows"][moment][name] for row in found) for name in ("same", "changed", "added", "gone")}
    fates = {name: sum(row["fates"][moment][name] for row in found) for name in MEANING}
    total = rows["same"] + rows["changed"] + rows["added"]
    others = [f"{count:,} {name}" for name, count in rows.items() if count and name != "same"]
    told = f"{counted(total, 'row')} of users, " + (
        f"{rows['same']:,} unchanged, {', '.join(others)}" if others else "all unchanged"
    )
    references = sum(fates.values())
    return f"{told}; {_of_references(references, fates, moment)}" if references else told


def _of_references(total: int, fates: Mapping[str, int], moment: str) -> str:
    if total == fates["same"]:
        return f"all {counted(total, 'reference')} mean the same"
    words = MEANING | (_LIVE if moment == "live" else {})
    others = ", ".join(f"{count:,} {words[name]}" for name, count in fates.items() if count and name != "same")
    return f"of {counted(total, 'reference')} {fates['same']:,} mean the same, {others}"


def meaning(fates: Mapping[str, int], is_live: bool = False) -> str:
    """What the references of one kind of row mean: `means the same`, or counts of everything else."""
    words = MEANING | (_LIVE if is_live else {})
    others = [f"{count:,} {words[name]}" for name, count in fates.items() if count and name != "same"]
    return ", ".join(others) or (MEANING["same"] if fates["same"] else "")


def page_rows(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lines of the front page: before, as planned and live, and what is not as before."""
    lines = []
    for row in found:
        moment = "live" if row["live"] is not None else "candidate"
        rows, fates = row["rows"][moment], row["fates"][moment]
        by = "by users meanwhile" if moment == "live" else "by the plan"
        told = [f"{counted(rows[name], 'row')} {name} {by}" for name in ("changed", "added", "gone") if rows[name]]
        bad = any(fates[name] for name in MEANING if name not in (*_GOOD, "dangling"))
        lines.append(
            {"label": row["label"], "table": row["table"]}
            | {name: row[name] for name in ("before", "after", "live")}
            | {
                "unchanged": rows["same"],
                "means": meaning(fates, moment == "live"),
                "told": "; ".join(told),
                "bad": bad,
            }
        )
    return lines


def page_sentence(found: Sequence[Mapping[str, Any]]) -> str:
    """What the front page says above its table: of live after a publish, else of the candidate; "" without either."""
    for moment, place, told in (("live", "live", "After the publish: "), ("candidate", "after", "As planned: ")):
        if any(row[place] is not None for row in found):
            return f"{told}{sentence(found, moment)}."
    return ""


def picture(rows: Sequence[Mapping[str, Any]], *, title: str) -> Any:
    """Stacked bars, each one hundred percent of the references of one kind of row.

    Args:
        rows: as `rows_of` answers, with references in the candidate.
    """
    import plotly.graph_objects as go

    ordered = list(reversed(rows))
    names = [label(f"{row['label']} ({row['references']['candidate']:,})") for row in ordered]
    figure = go.Figure()
    for fate, words in MEANING.items():
        counts = [row["fates"]["candidate"][fate] for row in ordered]
        if any(counts) or fate == "same":
            shares = [100 * count / row["references"]["candidate"] for count, row in zip(counts, ordered, strict=True)]
            figure.add_bar(
                y=names, x=shares, name=label(words), orientation="h", marker_color=COLOURS[fate], customdata=counts,
                hovertemplate=f"%{{y}}: %{{customdata:,}} {label(words)} (%{{x:.1f}} %)<extra></extra>",
            )  # fmt: skip
    figure.update_layout(
        template="none",
        title={"text": label(title), "x": 0, "xanchor": "left", "font": {"size": 15}},
        barmode="stack",
        bargap=0.3,
        height=110 + _BAR_PX * max(len(rows), 4),
        margin={"l": 8, "r": 20, "t": 60, "b": 44},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        showlegend=True,
    )
    figure.update_xaxes(title="References (percent of each kind)", range=[0, 100], automargin=True, gridcolor="#e6eaef")
    figure.update_yaxes(automargin=True, type="category")
    return figure
