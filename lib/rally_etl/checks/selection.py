"""Which checks are asked: by name, by league, or only those that a change of rows can have changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.checks.files import LAST_YEAR, Check
from rally_etl.database.catalog import quote
from rally_etl.database.references import find_references, read_reference_params
from rally_etl.errors import UsageError
from rally_etl.planning.schema import planned_names, schemas
from rally_etl.settings import Settings

RUN_A_TEXT = re.compile(r"ts_stat|\w+_to_xml\w*|dblink\w*|pg_read_\w+")
"""Functions of the server that run a query made at run time, or read what is no table."""

_RELATIONS = sa.text(
    """
    with own as (
        select oid, nullif(nspname, 'public') as nspname
        from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
    )
    select c.relname as name, c.relkind in ('r', 'p') as is_table from pg_class as c
    where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    union all select proname, false from pg_proc join own on own.oid = pronamespace
    union all select typname, false from pg_type join own on own.oid = typnamespace
    where typtype = 'd'
    union all select nspname, false from own where nspname is not null
    """
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which checks are asked; the others are skipped, with the reason.

    Attributes:
        leagues, checks: keys and names; empty means all.
        touched: tables whose rows a run changes, and those that refer to them; None means that any may have changed.
        run_id: the run of `touched`.
    """

    leagues: frozenset[str] = frozenset()
    checks: frozenset[str] = frozenset()
    touched: frozenset[str] | None = None
    run_id: str = ""

    def why_not(self, check: str, league: str, reads: frozenset[str]) -> str:
        """Why a check is not asked for a league; "" when it is.

        Args:
            reads: tables whose rows decide it; empty stands for every table.
        """
        if self.leagues and league not in self.leagues:
            return "another league was asked for"
        if self.checks and check not in self.checks:
            return "another check was asked for"
        if self.touched is not None and reads and not reads & self.touched:
            return f"run {self.run_id} changes nothing that it reads ({', '.join(sorted(reads))})"
        return ""

    def require(self, checks: Iterable[str], leagues: Iterable[str]) -> None:
        """Refuse names that are none of these.

        Raises:
            UsageError: with the nearest name there is.
        """
        for what, wanted, known in (("check", self.checks, list(checks)), ("league", self.leagues, list(leagues))):
            for name in sorted(wanted - set(known)):
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
                hint = f"is {near[0]} meant?" if near else f"there are {', '.join(sorted(set(known))) or 'none'}"
                raise UsageError(f"there is no {what} {name} here; nothing was checked\nhint: {hint}")


EVERYTHING = Selection()


def touched_by(connection: sa.Connection, settings: Settings, run_id: str) -> frozenset[str]:
    """Tables that the plan of a run has rows for, and tables whose rows refer to rows of these.

    Raises:
        UsageError: the plan is no longer kept.
    """
    plan = schemas(run_id)[0]
    planned = planned_names(connection, run_id)
    if not planned:
        raise UsageError(
            f"the plan of run {run_id} is no longer kept, so nobody knows what it changed; nothing was checked\n"
            "hint: `rally-etl check` without --changed asks everything"
        )
    changed = {
        name for name in planned if connection.scalar(sa.text(f"select exists (select from {quote(plan, name)})"))
    }
    params = read_reference_params(settings.params_dir / "references.yaml")
    references = find_references(connection, params, with_imported=True)
    return frozenset(changed | {each.table for each in references if each.target in changed})


class Reach:
    """What the queries of checks can read in one database."""

    def __init__(self, connection: sa.Connection) -> None:
        self._tables: set[str] = set()
        self._opaque: set[str] = set()
        for row in connection.execute(_RELATIONS):
            words = re.findall(r"\w+", row.name.lower())
            is_plain = row.is_table and words == [row.name]
            (self._tables if is_plain else self._opaque).update(words)

    def reads(self, check: Check) -> frozenset[str]:
        """Tables that a check may read: every one whose name stands anywhere in it; empty stands for every table.

        That is so where the text does not tell: it calls a function of this database or one that runs a query made at
        run time, uses one of its domains, names another schema, a view, a sequence or a table with a name in quotes, or
        asks for the run.
        """
        words = set(re.findall(r"\w+", check.sql.lower()))
        if words & self._opaque or "run_id" in check.binds or any(map(RUN_A_TEXT.fullmatch, words)):
            return frozenset()
        base = {check.share_of.removesuffix(LAST_YEAR)} if check.share_of else set()
        return frozenset((words & self._tables) | base | {check.table})
