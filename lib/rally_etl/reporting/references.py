"""What the notebooks show of references: the map as a table and as a picture, and the columns kept by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rally_etl.measures import counted
from rally_etl.reporting import recorded
from rally_etl.reporting.pages import label
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.protection.map import Counted
    from rally_etl.settings import Settings
    from rally_etl.workbook import Book

COLOURS = {"key": "#2f8f6b", "id": "#d98032", "name": "#4472c4", "names": "#4472c4"}
LEGEND = {"key": "foreign key", "id": "id without a key", "name": "name"}
BACKDROP = "#3d4a5a"
ROW_PX = 34  # height of one table on the left
HEAD_PX = 100
PAD_PX = 17


def references(book: Book) -> Table | Note:
    """Every reference with its rows, users' first; what is not covered is said below."""
    found, uncovered = book.read(_counted, book.settings)
    rows = [
        {
            "whose": "users" if each.reference.is_users else "imports", "column": each.reference.name,
            "a row is a": each.reference.label, "points at": f"{each.reference.target}.{each.reference.target_column}",
            "by": each.reference.by, "fixed": "yes" if each.reference.is_fixed else "",
            "required": "yes" if each.reference.is_required else "", "rows": each.filled, "empty": each.empty,
        }
        for each in found
        if each.rows
    ]  # fmt: skip
    bare = len(found) - len(rows)
    note = f"{counted(bare, 'reference is', 'references are')} left out, whose tables are empty. " if bare else ""
    note += f"Not covered: {'; '.join(uncovered)}." if uncovered else "Every table is covered."
    return Table(rows, title="References to imported rows", empty="No row points at an imported row yet.", note=note)


def references_chart(book: Book) -> Any:
    """The references that hold rows, from the tables that hold them to the tables they point at."""
    found, uncovered = book.read(_counted, book.settings)
    drawn = [each for each in found if each.filled]
    if not drawn:
        return Note("No row points at an imported row yet; there is nothing to draw.")
    bare = len(found) - len(drawn)
    note = f"Width: rows, in a scale of each half. Not drawn: {counted(bare, 'reference')} without rows."
    return picture(drawn, title=sentence(found, uncovered), note=note)


def sentence(found: Sequence[Counted], uncovered: Sequence[str]) -> str:
    """What the picture shows: `84 references of 30 tables point at imported rows; 2 tables are not covered`."""
    tables = len({each.reference.table for each in found})
    told = f"{counted(len(found), 'reference')} of {counted(tables, 'table')} point at imported rows"
    left = len(uncovered)
    return f"{told}; {counted(left, 'table or column is', 'tables or columns are')} not covered" if left else (
        f"{told}; nothing is left uncovered"
    )  # fmt: skip


def picture(drawn: Sequence[Counted], *, title: str, note: str) -> Any:
    """Flows from tables on the left to the tables they point at; users' above, imported ones below.

    Args:
        drawn: references with rows; the width of a flow is its number of rows, in a scale of each half.
        note: what the picture does not show.
    """
    import plotly.graph_objects as go

    halves = [
        (name, part)
        for name, is_users in (("Rows of users", True), ("Imported rows", False))
        if (part := [each for each in drawn if each.reference.is_users == is_users])
    ]
    heights = [ROW_PX * max(len({_source(each) for each in part}), 6) for _, part in halves]
    figure = go.Figure()
    top, whole = 1.0, sum(heights)
    for (name, part), height in zip(halves, heights, strict=True):
        share = height / whole
        figure.add_trace(_flows(part, (top - share + 20 / whole, top - 30 / whole), height - 50))
        figure.add_annotation(
            text=f"<b>{name}</b>", x=0, y=top, xref="paper", yref="paper", showarrow=False, xanchor="left",
            yanchor="top", font={"size": 13},
        )  # fmt: skip
        top -= share
    figure.add_annotation(
        text=label(note), x=1, y=1, xref="paper", yref="paper", showarrow=False, xanchor="right", yanchor="bottom",
        yshift=8, font={"size": 11, "color": "#6b7683"},
    )  # fmt: skip
    for by, meaning in LEGEND.items():
        count = sum(each.reference.by.startswith(by) for each in drawn)
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=f"{meaning} ({count})", marker={"size": 11, "color": COLOURS[by]}
        )
    figure.update_layout(
        template="none",
        title={"text": label(title), "x": 0, "xanchor": "left", "font": {"size": 15}},
        height=HEAD_PX + whole,
        margin={"l": 8, "r": 8, "t": 76, "b": 16},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        showlegend=True,
        xaxis={"visible": False},
        yaxis={"visible": False},
    )
    return figure


def _flows(part: Sequence[Counted], domain: tuple[float, float], height: int) -> Any:
    """One half; *height* in pixels."""
    import plotly.graph_objects as go

    sources = list(dict.fromkeys(_source(each) for each in part))
    targets = list(dict.fromkeys(each.reference.target for each in part))
    rows = {source: max(each.filled for each in part if _source(each) == source) for source in sources}
    total, most = sum(each.filled for each in part), max(len(sources), len(targets))
    px_per_row = (height - PAD_PX * (most - 1)) / total
    out = [px_per_row * sum(each.filled for each in part if _source(each) == source) for source in sources]
    into = [px_per_row * sum(each.filled for each in part if each.reference.target == target) for target in targets]
    names = [f"{source} ({rows[source]:,})" for source in sources] + targets
    return go.Sankey(
        domain={"x": [0, 1], "y": list(domain)},
        arrangement="snap",
        node={
            "label": [label(name) for name in names], "pad": PAD_PX, "thickness": 12, "color": BACKDROP,
            "x": [0.001] * len(sources) + [0.999] * len(targets), "hovertemplate": "%{label}<extra></extra>",
            "y": [*_places(out, height), *_places(into, height)],
        },
        link={
            "source": [sources.index(_source(each)) for each in part],
            "target": [len(sources) + targets.index(each.reference.target) for each in part],
            "value": [each.filled for each in part],
            "color": [_faint(COLOURS[each.reference.by]) for each in part],
            "label": [label(each.reference.name) for each in part],
            "hovertemplate": "%{label}: %{value:,} rows<extra></extra>",
        },
    )  # fmt: skip


def _source(counted_rows: Counted) -> str:
    """Name of the left side; practice times stand beside the matches of their table."""
    reference = counted_rows.reference
    if reference.is_users and reference.rows:
        return f"{reference.label}s in {reference.table}"
    return reference.table


def _places(sizes: Sequence[float], height: int) -> list[float]:
    """Middles of nodes of these sizes (pixels), from above, as shares of the height; they keep their order."""
    gap = (height - sum(sizes)) / max(len(sizes) - 1, 1)
    middles, top = [], 0.0
    for size in sizes:
        middles.append(min(max((top + size / 2) / height, 0.001), 0.999))
        top += size + gap
    return middles


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.45)"


def _counted(connection: sa.Connection, settings: Settings) -> tuple[list[Counted], list[str]]:
    from rally_etl.database.references import find_map, read_reference_params
    from rally_etl.protection.map import count_rows, uncovered_texts

    params = read_reference_params(settings.params_dir / "references.yaml")
    return count_rows(connection, find_map(connection, params).references), uncovered_texts(connection, params)


def hand_kept(book: Book) -> Table | Note:
    """How many values people keep in which columns, and how many the plan would change."""
    told = {
        text
        for row in book.of_run(recorded.metrics, "integration")
        if row["metric"] == "hand_kept_changed"
        for text in row["detail"]
    }
    rows = [
        dict(zip(("column", "what the plan does"), text.split(": ", 1), strict=True))
        for text in sorted(told)
        if ": " in text
    ]
    rows += [{"column": text, "what the plan does": "would change"} for text in sorted(told) if ": " not in text]
    return Table(rows, title="Columns that people keep by hand", empty="Columns kept by hand were not compared yet.")
