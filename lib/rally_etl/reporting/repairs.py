"""What a run without a scrape found wrong and what it makes of it, for the notebook and the front page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.identity import wording
from rally_etl.measures import counted
from rally_etl.reporting.recorded import exists, fetch
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.workbook import Book

SHOWN = 200
_BECOMES = {"insert": "a row again", "deactivate": "switched off", "delete": "gone", "none": "?"}

# Rows that become the same for the same reason are one line.
_REPAIRS = """
    select table_name || case when column_name = '' then '' else '.' || column_name end as what, kind, action, was,
           becomes, max(name) as name, strategy, min(confidence) as confidence, min(evidence) as evidence, state,
           count(*) as row_count, array_to_string((array_agg(row_key order by number))[1:5], ', ') as rows
    from etl.repairs where run_id = :run_id
    group by table_name, column_name, kind, action, was, becomes, strategy, state,
             case when column_name = '' then '' else evidence end
    order by array_position(array['asked', 'left', 'planned'], state), row_count desc, 1, min(number) limit :shown
    """
_COUNTS = "select state, count(*) as row_count from etl.repairs where run_id = :run_id group by 1"


def rows_of(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    """What the run repairs, asks and leaves, one line for rows that become the same for one reason, questions first."""
    if not exists(connection, "etl.repairs"):
        return []
    return [
        {
            "what": row["what"], "kind": row["kind"], "rows": row["row_count"], "which": _which(row),
            "was": _was(row), "becomes": row["becomes"] or _BECOMES.get(row["action"], "empty"),
            "strategy": row["strategy"] or "not known", "confidence": wording.percent(row["confidence"]),
            "evidence": row["evidence"], "state": row["state"],
        }
        for row in fetch(connection, _REPAIRS, run_id=run_id, shown=SHOWN)
    ]  # fmt: skip


def sentence_of(connection: sa.Connection, run_id: str) -> str:
    """How many rows are repaired, asked about and left; "" for a run that repairs nothing."""
    if not exists(connection, "etl.repairs"):
        return ""
    found = {row["state"]: row["row_count"] for row in fetch(connection, _COUNTS, run_id=run_id)}
    words = {"planned": "repaired", "asked": "asked about", "left": "left as it is"}
    told = ", ".join(f"{found[state]:,} {word}" for state, word in words.items() if state in found)
    return f"{counted(sum(found.values()), 'repair')}: {told}." if found else ""


def repairs(book: Book) -> Table | Note:
    """Repairs of this run, what a person is asked first."""
    note = book.read(sentence_of, book.run_id) if book.run_id else ""
    return Table(book.of_run(rows_of), title="Repairs", empty="This run repairs nothing.", note=note)


def _which(row: dict[str, Any]) -> str:
    more = row["row_count"] - 5
    return row["rows"] + (f" and {more:,} more" if more > 0 else "")


def _was(row: dict[str, Any]) -> str:
    said = "empty" if row["was"] is None else row["was"]
    return f"{said} ({row['name']})" if row["name"] else said
