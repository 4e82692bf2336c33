"""The operation `constraints`: make what is needed possible, then add it; drop what forbids what is true."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote, read_catalog
from rally_etl.database.locks import run_lock
from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.naming import load_leagues
from rally_etl.planning.operations import Kind, Planned
from rally_etl.protection.automatic.taken_back import key_of, taken_back_constraints
from rally_etl.protection.constraints import ddl, doubles, doubts, folds, twins
from rally_etl.protection.constraints.keys import dangling_rows, wrong_links
from rally_etl.protection.constraints.needed import ConstraintParams, Key, read_constraint_params
from rally_etl.protection.constraints.standing import Standing, read_standing

if TYPE_CHECKING:
    from rally_etl.settings import Settings

ENTITIES = ("leagues", "clubs", "series", "teams", "players")
"""Tables whose rows are made one, never deleted."""

NOT_ADDED = "not added: rows stand in its way"
GIVEN_UP = "not made one: rows of users would meet"

_REPAIRS = sa.text(
    "insert into etl.repairs (run_id, number, kind, action, table_name, row_key, was, becomes, target_table, name,"
    " league, strategy, confidence, evidence, state)"
    " select :run, r.number, 'doubled', r.action, r.table_name, r.row_key, r.was, r.becomes, r.table_name, r.name,"
    " r.league, r.strategy, r.confidence, r.evidence, r.state"
    " from jsonb_to_recordset(cast(:rows as jsonb)) as r(number integer, action text, table_name text, row_key text,"
    " was text, becomes text, name text, league text, strategy text, confidence double precision, evidence text,"
    " state text)"
)


@dataclass(slots=True)
class _Work:
    """What is found and decided while one repair is planned."""

    connection: sa.Connection
    catalog: dict[str, Table]
    params: ConstraintParams
    standing: Standing
    keys: list[str]
    league_of: dict[int, str]
    drops: list[ddl.Change] = field(default_factory=list)
    adds: list[ddl.Change] = field(default_factory=list)
    doubts: list[doubts.Doubt] = field(default_factory=list)
    held: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    repairs: list[dict[str, Any]] = field(default_factory=list)

    def note(self, action: str, table: str, row: object, **said: object) -> None:
        """One row of ``etl.repairs``."""
        given = {"was": None, "becomes": None, "name": "", "league": "*", "confidence": 1.0, "state": "planned"} | said
        self.repairs.append(
            {"number": len(self.repairs) + 1, "action": action, "table_name": table, "row_key": str(row)} | given
        )


def plan_constraints(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> Planned:
    """Plan what stands in the way of needed constraints, and write down which are dropped and added with it.

    Rows that are one with certainty become one; about others a person is asked, and the constraint is not added. Rows
    of users are re-pointed, never folded. An automatic repair plans one of these alone, and not again what somebody has
    taken back. The plan's schema comes first in ``search_path``.
    """
    params = read_constraint_params(settings.params_dir / "constraints.yaml")
    leagues = load_leagues(settings.params_dir)
    rows = connection.execute(sa.text("select id, league_id from public.leagues")).all()
    work = _Work(
        connection,
        catalog,
        params,
        read_standing(connection, params.tables),
        keys,
        {row.id: leagues.canonical(row.league_id) or row.league_id for row in rows},
    )
    problem, taken = operation.get("problem"), taken_back_constraints(connection, operation)
    if problem in (None, "constraints_contradicted"):
        work.drops = [change for change in _drops(work) if key_of(change) not in taken]
    if problem in ("constraints_missing", "constraints_contradicted"):
        if problem == "constraints_missing":
            _plan_what_holds(work, taken)
        ddl.write_changes(connection, run_id, [*work.drops, *work.adds])
        return Planned()
    dropped = {change.name for change in work.drops}
    decided = folds.decide(connection, twins.find_groups(connection, settings, work.standing))
    touched, given_up = folds.plan_folds(connection, catalog, settings, run_id, operation, keys, decided, dropped)
    for name, why in given_up.items():
        work.held["teams", GIVEN_UP, f"{name}: {why}"] += 1
    _note_folds(work, decided)
    _plan_copies(work)
    _plan_keys(work, {**catalog, **touched})
    _plan_links(work)
    work.doubts += doubts.about_groups(decided.doubtful, _leagues_of_clubs(work), keys[0])
    for doubt in work.doubts:
        work.note(
            "none", *_place(doubt), name=doubt.review.name, league=doubt.league, strategy="asked", confidence=0.0,
            evidence=f"{len(doubt.review.candidates)} candidates", state="asked",
        )  # fmt: skip
    doubts.write_doubts(connection, run_id, work.doubts)
    ddl.write_changes(connection, run_id, [*work.drops, *work.adds])
    if work.repairs:
        connection.execute(_REPAIRS, {"run": run_id, "rows": json.dumps(work.repairs)})
    return Planned(touched, work.held)


def _drops(work: _Work) -> Iterable[ddl.Change]:
    """Constraints that forbid what is true, and indexes whose making was broken off."""
    forbidden = {
        (key.table, frozenset(key.columns))
        for key in work.params.forbidden
        if key.is_about(work.standing.columns.get(key.table, frozenset()))
    }
    for indexes in work.standing.indexes.values():
        for index in indexes:
            is_forbidden = (index.table, index.columns) in forbidden and not index.has_expressions
            if index.is_primary or not (is_forbidden or not index.is_valid):
                continue
            definition = index.definition
            if index.is_constraint:
                table = quote("public", index.table)
                definition = f"alter table {table} add constraint {quote(index.name)} {definition}"
            yield ddl.Change(index.table, index.name, "drop", definition)


def _plan_what_holds(work: _Work, taken: Collection[str]) -> None:
    """Add what every row keeps to already; nobody is asked about the rest."""
    names = ddl.Names(work.connection)
    tables = read_catalog(work.connection, tuple({key.table for key in work.params.unique}))
    for key in work.params.unique:
        columns = work.standing.columns.get(key.table)
        if columns is None or not key.is_about(columns) or not set(key.columns) <= columns or _stands(work, key):
            continue
        rows = quote("public", key.table)
        if not doubles.find_copies(work.connection, tables[key.table], key, rows)[0]:
            work.adds.append(ddl.key_to_add(key, names))
    _plan_links(work)
    work.adds = [change for change in work.adds if key_of(change) not in taken]


def _note_folds(work: _Work, decided: folds.Decided) -> None:
    for pair in decided.pairs:
        work.note(
            "merge",
            pair.table,
            pair.loser.id,
            was=str(pair.loser.id),
            becomes=str(pair.winner.id),
            name=pair.winner.name,
            league=pair.league,
            strategy="same letters",
            evidence=pair.evidence,
        )
    known = {(pair.table, pair.loser.id) for pair in decided.pairs}
    rows = work.connection.execute(
        sa.text("select table_name, from_id, into_id from new_redirects order by table_name, from_id")
    )
    for row in rows:
        if (row.table_name, row.from_id) not in known:
            work.note(
                "merge", row.table_name, row.from_id, was=str(row.from_id), becomes=str(row.into_id),
                strategy="same membership", evidence="one person, one team",
            )  # fmt: skip


def _plan_copies(work: _Work) -> None:
    """Delete imported rows that say what another one says under the same key."""
    for key in work.params.unique:
        table = work.catalog.get(key.table)
        if table is None or key.table in ENTITIES or not table.has(*key.columns):
            continue
        if not _stands(work, key):
            for row, kept in doubles.plan_copies(work.connection, table, key, work.keys):
                _note_copy(work, key.table, row, kept, "same row")
    lines = work.catalog["match_scores"]
    if not lines.has("tenniscores_match_id"):
        return
    copies, alone = doubles.plan_lines(work.connection, lines, work.keys)
    for row, kept in copies:
        _note_copy(work, "match_scores", row, kept, "doubled suffix")
    for row in alone:
        work.note(
            "update",
            "match_scores",
            row,
            strategy="doubled suffix",
            evidence="the id repeats its suffix; no copy is there",
        )
    found_lines = doubles.differing_lines(work.connection, lines)
    if _delete_answered(work, lines, found_lines):
        found_lines = doubles.differing_lines(work.connection, lines)
    for found in found_lines:
        work.doubts += doubts.about_copies([found], work.league_of, work.keys[0])
        work.held["match_scores", "says something else under a doubled suffix", found.said] += 1


def _delete_answered(work: _Work, table: Table, copies: Iterable[doubles.Copies]) -> bool:
    """Delete the rows that a person has said to be wrong; whether there are any."""
    wrong = doubts.answered(work.connection, copies)
    doubles.delete(work.connection, table, [row for row, _ in wrong], work.keys)
    for row, right in wrong:
        _note_copy(work, table.name, row, right, "answer")
    return bool(wrong)


def _note_copy(work: _Work, table: str, row: int, kept: int, strategy: str) -> None:
    work.note(
        "delete",
        table,
        row,
        was=str(row),
        becomes=str(kept),
        strategy=strategy,
        evidence=f"a person said that row {kept} is right" if strategy == "answer" else f"row {kept} says the same",
    )


def _plan_keys(work: _Work, planned: Mapping[str, Table]) -> None:
    """Add each key that lacks nothing but itself; where rows stand in its way a person is asked about them."""
    names = ddl.Names(work.connection)
    tables = {**read_catalog(work.connection, tuple({key.table for key in work.params.unique})), **planned}
    for key in work.params.unique:
        columns = work.standing.columns.get(key.table)
        if columns is None or not key.is_about(columns) or not set(key.columns) <= columns or _stands(work, key):
            continue
        table = tables[key.table]
        rows = doubles.as_it_would_be(table) if key.table in planned else quote("public", key.table)
        count, copies = doubles.find_copies(work.connection, table, key, rows)
        if key.table in work.catalog and key.table not in ENTITIES and _delete_answered(work, table, copies):
            count, copies = doubles.find_copies(work.connection, table, key, rows)
        if not count:
            work.adds.append(ddl.key_to_add(key, names))
            continue
        work.held[key.table, NOT_ADDED, f"unique ({', '.join(key.columns)}): {copies[0].said}"] += count
        if key.table == "user_player_associations":
            work.doubts += doubts.about_accounts(work.connection, work.league_of, work.keys[0])
        elif key.table not in ENTITIES:
            work.doubts += doubts.about_copies(copies, work.league_of, work.keys[0])


def _plan_links(work: _Work) -> None:
    names = ddl.Names(work.connection)
    for link, standing in wrong_links(work.connection, work.params, work.standing):
        count, said = dangling_rows(work.connection, link)
        if count:
            work.held[link.table, NOT_ADDED, f"{link.column} to {link.target}: {said}"] += count
        elif standing:
            work.adds.append(ddl.Change(link.table, standing.name, "validate", ""))
        else:
            work.adds.append(ddl.link_to_add(link, names))


def _stands(work: _Work, key: Key) -> bool:
    return any(
        index.columns == set(key.columns) and index.fault(key.rows) is None
        for index in work.standing.indexes.get(key.table, ())
    )


def _leagues_of_clubs(work: _Work) -> dict[int, list[str]]:
    """Club -> keys of the leagues that its teams play in."""
    found: dict[int, list[str]] = defaultdict(list)
    sql = "select distinct club_id, league_id from public.teams order by club_id, league_id"
    for row in work.connection.execute(sa.text(sql)):
        if row.league_id in work.league_of:
            found[row.club_id].append(work.league_of[row.league_id])
    return found


def _place(doubt: doubts.Doubt) -> tuple[str, str]:
    """Table and row that a question is about."""
    review = doubt.review
    if review.entity == "row":
        table, _, row = review.spelling.partition(": ")
        return table, row
    if review.entity == "player":
        return "user_player_associations", review.spelling
    tables = {"team": "teams", "club": "clubs", "series": "series", "league": "leagues"}
    return tables[review.entity], ", ".join(str(each.id) for each in review.candidates)


def _told(_operation: Mapping[str, Any]) -> str:
    return "mend constraints"


def has_leagues(engine: sa.Engine) -> bool:
    """Whether there is a league that a run could be about."""
    with engine.connect() as connection:
        return bool(connection.scalar(sa.text("select exists (select from public.leagues)")))


def mend_empty(engine: sa.Engine, settings: Settings) -> list[str]:
    """Mend the constraints of a database without a league, where no run is possible and no row stands in the way.

    Returns:
        one sentence per constraint that could not be added.

    Raises:
        RunLocked: a run is going on.
        RallyEtlError: a constraint cannot be dropped; nothing was changed.
    """
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-empty"
    with run_lock(engine, what="constraints"):
        with engine.begin() as connection:
            params = read_constraint_params(settings.params_dir / "constraints.yaml")
            work = _Work(connection, {}, params, read_standing(connection, params.tables), [EVERYWHERE], {})
            work.drops = list(_drops(work))
            _plan_keys(work, {})
            _plan_links(work)
            ddl.write_changes(connection, run_id, [*work.drops, *work.adds])
            ddl.drop_planned(connection, run_id)
        return ddl.add_planned(engine, run_id)


def changes_of(engine: sa.Engine, run_id: str) -> list[str]:
    """What a run does, or has done, to constraints, and what it has not; in sentences."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select table_name, name, action, definition, done_at, fault from etl.constraint_changes"
                " where run_id = :run order by action <> 'drop', number"
            ),
            {"run": run_id},
        ).all()
        held = connection.execute(
            sa.text(
                "select kind, reason, name, row_count from etl.held_rows where run_id = :run and reason in (:no, :up)"
                " order by kind, name"
            ),
            {"run": run_id, "no": NOT_ADDED, "up": GIVEN_UP},
        ).all()
    told = []
    for row in rows:
        change = ddl.Change(row.table_name, row.name, row.action, row.definition)
        state = f"could not be done: {row.fault}" if row.fault else "done" if row.done_at else "planned"
        told.append(f"{state:8}{change.told}")
    return told + [f"{row.kind}: {row.reason}: {row.name}" for row in held]


KIND = Kind(_told, lambda _connection, _leagues, _operation: [], plan_constraints)
"""It concerns every league of the database."""
