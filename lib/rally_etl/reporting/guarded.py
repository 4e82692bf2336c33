"""What a run's page says of a guarded command: how it ended, what it did to ids, what was taken over and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.measures import counted
from rally_etl.reporting import charts, recorded

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import sqlalchemy as sa

METHODS = {
    "nothing": "Nothing had to be taken over",
    "direct": "The command's ids stay, and rows of users follow them",
    "old_ids": "The old ids stay, and what the command brought comes under them",
    "snapshot": "The database went back to its snapshot",
}
LISTED = 50  # things that are named

_GUARD = "select * from etl.guards where run_id = :run"
_REPAIRED = """
    select table_name as "table", action, strategy, count(distinct row_key) as rows, count(*) as columns
    from etl.repairs where run_id = :run and state = 'planned' group by 1, 2, 3 order by 1, 2, 3
    """
_ASIDE = """
    select table_name as "table", why, count(*) as rows from etl.guard_rows where run_id = :run
    group by 1, 2 order by 1, 2
    """


def guard(connection: sa.Connection, run_id: str) -> dict[str, Any] | None:
    """What the page shows; None where the run guards nothing."""
    found = recorded.fetch(connection, _GUARD, run=run_id) if recorded.exists(connection, "etl.guards") else []
    if not found:
        return None
    row = found[0]
    details = row["details"]
    rate = f" ({row['preserved'] / row['entities']:.1%})" if row["entities"] else ""
    kept = (
        f"{row['preserved']:,} of {counted(row['entities'], 'id')} still mean the same{rate}"
        if row["entities"] is not None
        else "not compared"
    )
    return {
        "facts": [
            (name, value)
            for name, value in (
                ("Command", row["command"]),
                ("It", _ending(row, details)),
                ("Guarded", _guarded(details)),
                ("Ids", kept),
                ("Taken over", METHODS.get(row["method"], "")),
                ("Why", row["why"] or ""),
                ("Database", _restored(row)),
            )
            if value
        ],
        "output": row["output"],
        "tail": details.get("tail", []),
        "counts": details.get("counts", []),
        "differences": details.get("differences", []),
        "repaired": recorded.fetch(connection, _REPAIRED, run=run_id),
        "aside": recorded.fetch(connection, _ASIDE, run=run_id),
        "lost": [
            {"table": table, "what": word, "names": names[:LISTED], "more": max(0, len(names) - LISTED)}
            for word, key in (("may be several", "unsure"), ("is not there any more", "dropped"))
            for table, names in details.get(key, {}).items()
        ],
        "notes": [*details.get("command_notes", []), *details.get("restored", {}).get("notes", [])],
    }


def preserved_chart(connection: sa.Connection, run_id: str) -> go.Figure | None:
    """Ids of each table that were kept, issued anew, dropped or unsure; None where nothing was compared."""
    found = guard(connection, run_id)
    if not found or not found["counts"]:
        return None
    rows = [
        {
            "table": row["table"],
            "kept": row["kept"],
            "reissued": row["reissued"],
            "gone": row["unsure"] + row["dropped"],
        }
        for row in found["counts"]
        if row["entities"]
    ]
    kept, entities = sum(row["kept"] for row in rows), sum(row["entities"] for row in found["counts"])
    title = f"{kept:,} of {entities:,} ids still mean the same"
    parts = {part: charts.COLOURS[part] for part in ("kept", "reissued", "gone")}
    return charts.shares(rows[::-1], "table", parts, title=title, axis="Ids (percent)")


def _guarded(details: dict[str, Any]) -> str:
    return f"{counted(details['tables'], 'table')}, {counted(details['rows'], 'row')}" if "tables" in details else ""


def _ending(row: dict[str, Any], details: dict[str, Any]) -> str:
    took = f" after {details['command_seconds']:,.1f} s" if "command_seconds" in details else ""
    if row["ending"] is None:
        return "did not end"
    code = f" with exit code {row['command_exit']}" if row["command_exit"] is not None else ""
    return f"{row['ending'].replace('_', ' ')}{code}{took}"


def _restored(row: dict[str, Any]) -> str:
    if row["restored"] is None:
        return ""
    equal = "equal" if row["restored"] == row["fingerprint"] else "not equal"
    return f"was put back to the snapshot; fingerprints before and after are {equal}"
