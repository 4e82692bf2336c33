"""Statements that make a table what it was: columns, sequences, constraints, indexes, triggers, grants, views."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.protection.snapshots.definitions import Definition, run

_TRIGGER_STATES = {"O": "enable", "D": "disable", "R": "enable replica", "A": "enable always"}
_FIXED = ("name", "type", "identity", "generated", "collation")
"""What of a column cannot be altered where it stands."""


def stands(was: Definition, now: Definition) -> bool:
    """Whether a table has the columns and the key that it had, so that it can be mended where it stands."""

    def shape(definition: Definition) -> list[list[Any]]:
        return [
            [column[what] for what in _FIXED] + [column["default"] if column["generated"] else None]
            for column in definition["columns"]
        ]

    def key(definition: Definition) -> list[Any]:
        return [(name, each) for name, each in definition["constraints"].items() if each["type"] == "p"]

    return shape(was) == shape(now) and key(was) == key(now)


def create(connection: sa.Connection, table: str, was: Definition) -> None:
    """Make a table with its columns and sequences; everything else comes when its rows are there."""
    for sequence in was["sequences"]:
        if sequence["owned"] != "i":
            _make_sequence(connection, sequence)
    columns = ", ".join(_column(column, was) for column in was["columns"])
    run(connection, f"create table {quote('public', table)} ({columns})")


def loosen(connection: sa.Connection, table: str, was: Definition, now: Definition) -> None:
    """Take off what a table had not, and what could refuse the rows that it had."""
    name = quote("public", table)
    for kind, each in _unwanted(was["constraints"], now["constraints"]):
        if each["type"] != "f":
            run(connection, f"alter table {name} drop constraint {quote(kind)}")
    for index, _ in _unwanted(was["indexes"], now["indexes"]):
        run(connection, f"drop index {quote('public', index)}")
    for trigger, _ in _unwanted(was["triggers"], now["triggers"]):
        run(connection, f"drop trigger {quote(trigger)} on {name}")
    for column, other in zip(was["columns"], now["columns"], strict=True):
        altered = f"alter table {name} alter column {quote(column['name'])}"
        if other["not_null"] and not column["not_null"]:
            run(connection, f"{altered} drop not null")
        if column["default"] != other["default"] and not column["generated"]:
            for sequence in was["sequences"]:
                _make_sequence(connection, sequence)
            run(
                connection,
                f"{altered} " + (f"set default {column['default']}" if column["default"] else "drop default"),
            )


def quiet(connection: sa.Connection, table: str, now: Definition) -> None:
    """Have no trigger of the application run while rows come back; `tighten` has them run again."""
    if now["triggers"]:
        run(connection, f"alter table {quote('public', table)} disable trigger user")


def tighten(connection: sa.Connection, table: str, was: Definition, now: Definition) -> None:
    """Put on what a table lacks, but for its foreign keys.

    Args:
        now: what it is made of at this moment.
    """
    name = quote("public", table)
    for kind, each in was["constraints"].items():
        if each["type"] != "f" and kind not in now["constraints"]:
            run(connection, f"alter table {name} add constraint {quote(kind)} {each['sql']}")
    for index, sql in was["indexes"].items():
        if index not in now["indexes"]:
            run(connection, sql)
    for column, other in zip(was["columns"], now["columns"], strict=True):
        if column["not_null"] and not other["not_null"]:
            run(connection, f"alter table {name} alter column {quote(column['name'])} set not null")
    for trigger, each in was["triggers"].items():
        if trigger not in now["triggers"]:
            if not connection.scalar(sa.text("select to_regprocedure(:name)"), {"name": each["function"]}):
                run(connection, each["function_sql"])
            run(connection, each["sql"])
        run(connection, f"alter table {name} {_TRIGGER_STATES[each['enabled']]} trigger {quote(trigger)}")
    _tighten_sequences(connection, table, was, now)
    if now["owner"] != was["owner"]:
        run(connection, f"alter table {name} owner to {quote(was['owner'])}")
    grant(connection, f"table {name}", was["grants"], now["grants"])


def raise_sequence(connection: sa.Connection, sequence: Definition, least: int | None) -> None:
    """Move a sequence on, so that it gives no id that it, or anybody, has given already; never back."""
    name = quote(sequence["schema"], sequence["name"])
    last, called = run(connection, f"select last_value, is_called from {name}").one()
    further = max if sequence["increment"] > 0 else min
    wanted = further(value for value in (last, sequence["last"], least) if value is not None)
    is_called = wanted == least or any(used for value, used in (
        (last, called), (sequence["last"], sequence["is_called"])) if value == wanted)  # fmt: skip
    if (wanted, is_called) != (last, called):
        run(connection, f"select setval('{name.replace(chr(39), 2 * chr(39))}', {wanted}, {str(is_called).lower()})")


def grant(connection: sa.Connection, what: str, was: list[list[Any]], now: list[list[Any]]) -> None:
    """Give everybody the privileges that they had on a table, sequence or view, and no others."""
    if was == now:
        return
    for role in {each[0] for each in now}:
        run(connection, f"revoke all on {what} from {_role(role)}")
    for role, privilege, is_grantable, column in was:
        on = f" ({quote(column)})" if column else ""
        further = " with grant option" if is_grantable and role else ""
        run(connection, f"grant {privilege}{on} on {what} to {_role(role)}{further}")


def make_view(connection: sa.Connection, view: Definition) -> None:
    """Make a view, with its indexes if it is a stored one; its rows are then those of now."""
    name = quote(view["schema"], view["name"])
    kind = "materialized view" if view["is_stored"] else "view"
    run(connection, f"create {kind} {name} as {view['sql'].rstrip().removesuffix(';')}")
    for index in view["indexes"]:
        run(connection, index)
    run(connection, f"alter {kind} {name} owner to {quote(view['owner'])}")
    grant(connection, f"table {name}", view["grants"], [[view["owner"], "ALL", False, None]])


def _unwanted(was: dict[str, Any], now: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return [(name, each) for name, each in now.items() if was.get(name) != each]


def _column(column: Definition, was: Definition) -> str:
    parts = [quote(column["name"]), column["type"]]
    if column["collation"]:
        parts.append(f"collate {column['collation']}")
    if column["generated"]:
        parts.append(
            f"generated always as ({column['default']}) {'stored' if column['generated'] == 's' else 'virtual'}"
        )
    elif column["identity"]:
        how = "always" if column["identity"] == "a" else "by default"
        (sequence,) = (each for each in was["sequences"] if each["column_name"] == column["name"])
        named = f"sequence name {quote(sequence['schema'], sequence['name'])}"
        parts.append(f"generated {how} as identity ({named} {_steps(sequence)})")
    elif column["default"]:
        parts.append(f"default {column['default']}")
    if column["not_null"]:
        parts.append("not null")
    return " ".join(parts)


def _steps(sequence: Definition) -> str:
    cycle = "cycle" if sequence["cycle"] else "no cycle"
    return (
        f"start {sequence['start']} increment {sequence['increment']} minvalue {sequence['min']}"
        f" maxvalue {sequence['max']} cache {sequence['cache']} {cycle}"
    )


def _make_sequence(connection: sa.Connection, sequence: Definition) -> None:
    name = quote(sequence["schema"], sequence["name"])
    run(connection, f"create sequence if not exists {name} as {sequence['type']} {_steps(sequence)}")


def _tighten_sequences(connection: sa.Connection, table: str, was: Definition, now: Definition) -> None:
    found = {(each["schema"], each["name"]): each for each in now["sequences"]}
    for sequence in was["sequences"]:
        name = quote(sequence["schema"], sequence["name"])
        other = found.pop((sequence["schema"], sequence["name"]), {})
        if {**sequence, "last": 0, "is_called": 0, "grants": 0} != {**other, "last": 0, "is_called": 0, "grants": 0}:
            _make_sequence(connection, sequence)
            run(connection, f"alter sequence {name} as {sequence['type']} {_steps(sequence)}")
            if sequence["owned"] == "a":
                run(
                    connection,
                    f"alter sequence {name} owned by {quote('public', table)}.{quote(sequence['column_name'])}",
                )
        default = [[was["owner"], "ALL", False, None]]
        grant(connection, f"sequence {name}", sequence["grants"], other.get("grants", default))
    for (schema, name), sequence in found.items():
        if sequence["owned"] == "a":
            run(connection, f"drop sequence if exists {quote(schema, name)}")


def _role(role: str | None) -> str:
    return quote(role) if role else "public"
