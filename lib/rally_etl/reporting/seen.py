"""What users would see: every page of the application before and after, as notebook and front page show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rally_etl.features.pages import FEATURES
from rally_etl.features.wording import PLURALS, example_in_words
from rally_etl.measures import counted
from rally_etl.reporting import recorded
from rally_etl.reporting.pages import label
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import sqlalchemy as sa

    from rally_etl.workbook import Book

STATES = {
    "would break": "#c8453b", "not asked": "#8250a8", "works for some": "#e6b84f", "works": "#6fb99b",
    "nobody has it": "#dde2e8",
}  # fmt: skip
"""What a page is in a league, in the order of the table -> its colour."""

EMPTY = "No page was asked yet."
_ENOUGH = 0.95  # of the pages; below that a cell of the matrix is yellow, whatever the bounds of params say
_PAGES = {feature.name: feature for feature in FEATURES}
_ANSWERS = "select * from etl.feature_results where run_id = :run_id"


def rows_of(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    """Answers of the run, the worst first, then as the pages stand.

    Each has ``title``, ``subject``, ``whose`` (its plural) and ``state`` (one of `STATES`) beside the ledger's columns.
    """
    if not recorded.exists(connection, "etl.feature_results"):
        return []
    places = {name: place for place, name in enumerate(_PAGES)}
    found = [row | _described(row) for row in recorded.fetch(connection, _ANSWERS, run_id=run_id)]
    states = list(STATES)
    return sorted(
        found,
        key=lambda row: (
            states.index(row["state"]),
            -row["users_affected"],
            row["league"],
            places.get(row["feature"], len(places)),
            row["feature"],
        ),
    )


def table(book: Book) -> Table | Note:
    """Every page of every league: whose it is, for how many it works before and after, and the worst examples."""
    found = _of_run(book)
    nobody = sorted({f"{row['title']} ({row['league']})" for row in found if row["state"] == "nobody has it"})
    rows = [
        {
            "page": row["title"],
            "league": row["league"],
            "before": _share(row, "before"),
            "would work": row["error"] or row["skipped"] or _after(row),
            "users affected": row["users_affected"],
            "worst": "; ".join(_examples(row)),
        }
        for row in found
        if row["state"] != "nobody has it"
    ]
    note = f"Nobody has: {', '.join(nobody)}." if nobody else ""
    return Table(rows, title=sentence(found), empty="Nobody has any page." if found else EMPTY, note=note)


def chart(book: Book) -> Any:
    """The same as a matrix of leagues and pages."""
    found = _of_run(book)
    return matrix(found, title=sentence(found)) if found else Note(EMPTY)


def page_rows(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lines of the front page: pages that do not work for everybody, with their examples in words."""
    return [
        {
            "title": row["title"],
            "league": row["league"],
            "before": _share(row, "before"),
            "after": row["error"] or _share(row, "after"),
            "users": row["users_affected"],
            "bad": row["state"] in ("would break", "not asked"),
            "examples": _examples(row),
        }
        for row in found
        if row["error"] or row["broken"] or row["works_after"] < row["after"]
    ]


def sentence(found: Sequence[Mapping[str, Any]]) -> str:
    """All pages together: `5,210 pages of 14 kinds: none that works now would break`."""
    asked = [row for row in found if not row["error"] and not row["skipped"]]
    kinds = len({row["feature"] for row in asked})
    told = f"{counted(sum(row['after'] for row in asked), 'page')} of {counted(kinds, 'kind')}: "
    broken = sum(row["broken"] for row in asked)
    told += f"{broken:,} that work now would break" if broken else "none that works now would break"
    if mended := sum(row["mended"] for row in asked):
        told += f", {mended:,} would begin to work"
    if unasked := sum(row["error"] is not None for row in found):
        told += f"; {unasked:,} could not be asked"
    return told


def matrix(found: Sequence[Mapping[str, Any]], *, title: str) -> go.Figure:
    """A field per league and page, coloured by what the page is there, with the words in it.

    Args:
        found: as `rows_of` answers.
    """
    import plotly.graph_objects as go

    leagues = sorted({row["league"] for row in found})
    places = {name: place for place, name in enumerate(_PAGES)}
    names = sorted({row["feature"] for row in found}, key=lambda name: (-places.get(name, len(places)), name))
    cells = {(row["feature"], row["league"]): row for row in found}
    states = list(STATES)
    rows = [[cells.get((name, league)) for league in leagues] for name in names]
    last = len(states) - 1
    figure = go.Figure(
        go.Heatmap(
            x=[label(league) for league in leagues],
            y=[label(_title(name)) for name in names],
            z=[[states.index(cell["state"]) if cell else None for cell in row] for row in rows],
            text=[[_cell(cell) if cell else "" for cell in row] for row in rows],
            customdata=[[label("; ".join(_examples(cell)[:1])) if cell else "" for cell in row] for row in rows],
            texttemplate="%{text}",
            hovertemplate="%{y}, %{x}: %{text}<br>%{customdata}<extra></extra>",
            zmin=0,
            zmax=last,
            colorscale=[[place / last, STATES[state]] for place, state in enumerate(states)],
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_layout(
        template="none",
        title={"text": label(title), "x": 0, "xanchor": "left", "font": {"size": 15}},
        height=130 + 26 * len(names),
        margin={"l": 8, "r": 20, "t": 70, "b": 20},
    )
    figure.update_xaxes(side="top", type="category", automargin=True, showgrid=False)
    figure.update_yaxes(type="category", automargin=True, showgrid=False)
    return figure


def _of_run(book: Book) -> list[dict[str, Any]]:
    if book.active:
        book.measures()  # they are taken once; the ledger then has the answers
    return book.read(rows_of, book.run_id) if book.run_id else []


def _described(row: Mapping[str, Any]) -> dict[str, str]:
    page = _PAGES.get(row["feature"])
    subject = page.subject if page else "page"
    if row["error"]:
        state = "not asked"
    elif row["broken"]:
        state = "would break"
    elif row["skipped"] or not row["after"]:
        state = "nobody has it"
    else:
        state = "works" if row["works_after"] >= _ENOUGH * row["after"] else "works for some"
    return {
        "title": _title(row["feature"]),
        "subject": subject,
        "whose": PLURALS.get(subject, "pages"),
        "state": state,
    }


def _title(name: str) -> str:
    return _PAGES[name].title if name in _PAGES else name.replace("_", " ")


def _share(row: Mapping[str, Any], moment: str) -> str:
    """Words for how many of the subjects the page works for: `all 34 teams`, `17 of 34 teams`."""
    works, total = row[f"works_{moment}"], row[moment]
    if not total:
        return "nobody has it"
    whole = counted(total, row["subject"], row["whose"])
    if works == total:
        return f"all {whole}" if total > 1 else f"the {whole}"
    return f"{works:,} of {whole}"


def _after(row: Mapping[str, Any]) -> str:
    return _share(row, "after") + (f", {row['broken']:,} would break" if row["broken"] else "")


def _cell(row: Mapping[str, Any]) -> str:
    if row["state"] == "not asked":
        return "not asked"
    if row["state"] == "nobody has it":
        return "not in this database" if row["skipped"] else "nobody has it"
    if row["broken"]:
        return f"{row['broken']:,} would break"
    return _share(row, "after")


def _examples(row: Mapping[str, Any]) -> list[str]:
    return [example_in_words(example) for example in row["examples"]]
