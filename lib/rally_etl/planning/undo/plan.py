"""Plan the way back of a published run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.database.references import find_references, read_reference_params
from rally_etl.errors import UsageError
from rally_etl.planning import folding
from rally_etl.planning.schema import add_tables, read_planned, schemas
from rally_etl.planning.undo import inserted, returned, scope
from rally_etl.planning.undo.later import Later, read_later, refuse_gone, refuse_overtaken
from rally_etl.planning.undo.pointing import find_pointing, keep_pointing
from rally_etl.planning.undo.undone import Undone

if TYPE_CHECKING:
    from rally_etl.settings import Settings

LISTED_ROWS = 200  # per table and reason

Held = Counter[tuple[str, str, str]]

_CONSTRAINTS = sa.text(
    """
    insert into etl.constraint_changes (run_id, number, table_name, name, action, definition)
    select :run, row_number() over (order by number desc), table_name, name,
           case action when 'add' then 'drop' else 'add' end, definition
    from etl.constraint_changes
    where run_id = :undone and action <> 'validate' and done_at is not null and undone_at is null
    """
)
"""What the undone run has added is dropped, before rows come back; what it has dropped is made again, after them."""
_DROPPED = sa.text("select name from etl.constraint_changes where run_id = :run and action = 'drop'")


def plan_undo(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> tuple[dict[str, Table], Held]:
    """Plan the way back of these leagues of a run; the plan's schema comes first in ``search_path``.

    A column that still is as published returns to what it was, ``updated_at`` too; one that was changed since stays and
    is listed, and so does one that pointed at nothing where a foreign key forbids that. Deleted rows come back under
    their ids. Inserted rows go where nothing that stays refers to them, by id or by name; the others stay, switched off
    where the table can say so, and are listed with what refers to them. What another league of the run needs, which
    stays published, is left alone. Nothing but the connection is used, and no row of the ledger about *run_id*.

    Returns:
        the user tables that the run had re-pointed; and (table, reason, row) -> rows that stay as they are.

    Raises:
        UsageError: the plan is no longer kept, a later run has changed the same columns or refers to what would go, or
            a row that comes back could not stand beside one that is there.
    """
    undone = operation["run"]
    planned = read_planned(connection, undone)
    if not planned:
        raise UsageError(
            f"the plan of run {undone} is no longer kept, so its rows are not known; nothing was planned\n"
            "hint: import the scrape before it again"
        )
    params = read_reference_params(settings.params_dir / "references.yaml")
    keyed = [each for each in find_references(connection, params, with_imported=True) if each.is_hard]
    binds = {"leagues": list(keys), "needed": scope.needed_by(connection, undone, keys)}
    written = {
        name: table
        for name, table in planned.items()
        if connection.scalar(sa.text(f"select exists (select from {quote(schemas(undone)[0], name)})"))
    }
    touched = {name: table for name, table in written.items() if name not in catalog}
    add_tables(connection, run_id, touched)
    here = {**catalog, **touched}
    parts = {
        name: Undone(table, schemas(undone)[0], tuple(each for each in keyed if each.table == name), here.keys(), binds)
        for name, table in written.items()
    }
    later = read_later(connection, undone, keys)
    held: Held = Counter()
    connection.execute(sa.text(returned.MAKE_CHANGED))
    for name, part in parts.items():
        part.check_columns(connection, undone)
        _list(held, name, "changed since", returned.note_changed(connection, part))
        refuse_overtaken(connection, part, undone, later)
    for name, part in parts.items():
        refuse_gone(connection, part, undone, later)
        _list(held, name, "what it points at is gone", returned.plan_deleted(connection, part))
    for name, part in parts.items():
        _list(held, name, "it pointed at nothing", returned.plan_returns(connection, part))
    pointing = find_pointing(connection, params, {name: part.table for name, part in parts.items()}, here)
    for name, reasons in inserted.plan_inserted(connection, parts, pointing, params, undone, later).items():
        for reason, rows in reasons.items():
            _list(held, name, reason, rows)
    connection.execute(_CONSTRAINTS, {"run": run_id, "undone": undone})
    _refuse_collisions(connection, here, run_id, undone, later)
    keep_pointing(connection, pointing)
    return touched, held


def _list(held: Held, table: str, reason: str, rows: Mapping[str, str]) -> None:
    """List rows that stay, with a count of those beyond the first."""
    held.update({(table, reason, f"{row}: {what}"): 1 for row, what in list(rows.items())[:LISTED_ROWS]})
    if len(rows) > LISTED_ROWS:
        held[table, reason, f"and {len(rows) - LISTED_ROWS:,} more"] = len(rows) - LISTED_ROWS


def _refuse_collisions(
    connection: sa.Connection, here: Mapping[str, Table], run_id: str, undone: str, later: list[Later]
) -> None:
    """What comes back must find its place free: another row may have taken the name or the key since."""
    dropped = set(connection.scalars(_DROPPED, {"run": run_id}))
    if found := folding.collisions(connection, here, dropped):
        hint = f"undo {later[0].run_id} first" if later else "let the owner of the other row remove it, then undo again"
        raise UsageError(
            f"undo of run {undone}: {len(found)} rows could not stand beside others: {'; '.join(found)}; nothing was"
            f" planned\nhint: {hint}"
        )
