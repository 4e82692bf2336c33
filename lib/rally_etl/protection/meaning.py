"""Whether what a user's row points at is the same thing as before: by its name, or because that was decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.naming import Leagues, is_one_name
from rally_etl.planning.merge import own_name
from rally_etl.planning.operations import of_run
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.protection.identity import is_same_thing

NAMES = {
    "leagues": ("league_id",), "teams": ("team_name",), "series": ("name",), "clubs": ("name",),
    "players": ("first_name", "last_name"),
}  # fmt: skip
"""Columns that are the name of an imported row."""

_DECIDED = ("roster", "alias", "name", "snapshot")
"""Strategies of identity that have found a live row under another name: by its players, or by what a person said. A
restore gives a row the name back that it had."""


@dataclass(slots=True)
class Meaning:
    """What is known about names and decisions, to judge pairs of names with.

    Attributes:
        keys: id of a live league -> its key.
        renamed: (table, id) -> why its new name is its own.
        redirects: (table, from id) -> id that a merge has decided on.
        is_operation: what points at another id was planned by a run without a scrape, which accounts for it row by row.
    """

    leagues: Leagues
    series_words: Collection[str]
    keys: dict[int, str]
    renamed: dict[tuple[str, int], str] = field(default_factory=dict)
    redirects: dict[tuple[str, int], int] = field(default_factory=dict)
    is_operation: bool = False

    def is_same(self, target: str, league_id: int | None, before: str | None, after: str | None) -> bool:
        """Whether two names of one row are one name in two spellings."""
        one, other = own_name(before), own_name(after)
        if is_same_thing(target, one, other, self.series_words):
            return True
        key = self.keys.get(league_id)
        return target in ("teams", "series") and key is not None and is_one_name(self.leagues.get(key), one, other)

    def why_renamed(self, target: str, ids: Iterable[int]) -> str | None:
        """Why the row of one of these ids has its new name; None where nobody decided it."""
        return next((self.renamed[target, each] for each in ids if (target, each) in self.renamed), None)

    def is_redirected(self, target: str, before: Collection[int], after: Collection[int]) -> bool:
        """Whether a merge has decided that the rows of before are the rows of after."""
        return any(self.redirects.get((target, each)) in after for each in before)


def read_meaning(
    connection: sa.Connection, leagues: Leagues, series_words: Collection[str], run_id: str | None = None
) -> Meaning:
    """Read what is decided: the merges in force, and of a run what its plan decides, as long as that is kept.

    Leagues are those that the search path shows: a candidate may have new ones.
    """
    rows = connection.execute(sa.text("select id, league_id from leagues")).all()
    found = Meaning(leagues, series_words, {row.id: leagues.canonical(row.league_id) or row.league_id for row in rows})
    sql = "select table_name, from_id, into_id from etl.redirects where ended_at is null"
    if run_id:
        found.is_operation = bool(of_run(connection, run_id))
        plan = schemas(run_id)[0]
        if _is_there(connection, quote(plan, "identified")):
            decided = f"select table_name, id, evidence from {quote(plan, 'identified')} where strategy = any(:decided)"
            rows = connection.execute(sa.text(decided), {"decided": list(_DECIDED)})
            found.renamed = {(row.table_name, row.id): row.evidence for row in rows}
        if (doing := of_run(connection, run_id)) and doing["kind"] == "undo":
            found.renamed |= _named_back(connection, run_id, doing["run"])
        if _is_there(connection, quote(plan, "new_redirects")):
            sql += f" union all select table_name, from_id, into_id from {quote(plan, 'new_redirects')}"
    found.redirects = {(row.table_name, row.from_id): row.into_id for row in connection.execute(sa.text(sql))}
    return found


def _named_back(connection: sa.Connection, run_id: str, undone: str) -> dict[tuple[str, int], str]:
    """What an undo calls again as it was called before the run that it takes back."""
    found: dict[tuple[str, int], str] = {}
    then, now = read_planned(connection, undone), read_planned(connection, run_id)
    for table, columns in NAMES.items():
        if table not in then or table not in now:
            continue
        name, before = (", ".join(f"{alias}.{quote(column)}" for column in columns) for alias in ("p", "w"))
        rows = connection.scalars(
            sa.text(
                f"select p.id from {quote(schemas(run_id)[0], table)} as p"
                f" join {quote(schemas(undone)[0], f'{table}_before')} as w using (id)"
                f" where p._op <> 'delete' and row({name}) is not distinct from row({before})"
            )
        )
        found |= {(table, row): f"its name before run {undone}" for row in rows}
    return found


def _is_there(connection: sa.Connection, name: str) -> bool:
    return connection.scalar(sa.text("select to_regclass(:name) is not null"), {"name": name})
