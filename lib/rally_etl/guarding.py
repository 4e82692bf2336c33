"""Somebody else's importer under protection: snapshot, command, comparison, and a run over what it made of live."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from rally_etl import ledger, recovery, runs
from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import connect
from rally_etl.database.locks import run_lock
from rally_etl.database.references import ReferenceParams, read_reference_params
from rally_etl.database.schema import init
from rally_etl.errors import UsageError
from rally_etl.leftovers import tidy
from rally_etl.measures import counted
from rally_etl.operations import KINDS
from rally_etl.planning import operations
from rally_etl.protection.guard import unfinished
from rally_etl.protection.guard.choice import DIRECT, OLD_IDS, GuardParams, choose, load_guard_params
from rally_etl.protection.guard.command import Ended, check_command, masked, run_command
from rally_etl.protection.memory import note_users
from rally_etl.protection.snapshots import snapshot
from rally_etl.protection.snapshots.definitions import base_tables
from rally_etl.protection.snapshots.difference import TableDifference, differences
from rally_etl.protection.snapshots.restore import Restored, restore
from rally_etl.reporting.executed import Scrub
from rally_etl.reporting.persons import Persons
from rally_etl.settings import Settings

KIND = "guard"
OUTPUT = "command.log"  # in the logs of the run's folder
SHOWN = 10  # tables that a sentence names


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator asked for; without *tables* every table is guarded, without *timeout_s* the params' limit holds.

    *old_ids*: what the command brought comes under the old ids, whatever is preserved. *dry_run*: the command runs, and
    whatever it did, the database goes back. *wait_s*: seconds to wait for a run that is going on.
    """

    command: tuple[str, ...]
    tables: tuple[str, ...] = ()
    timeout_s: float | None = None
    old_ids: bool = False
    dry_run: bool = False
    wait_s: float = 0
    by: str
    reason: str


def guard(
    settings: Settings,
    order: Order,
    tell: runs.Tell = lambda label, text: None,
    as_of: date | None = None,
) -> dict[str, Any]:
    """Run a command on the database, and take over what it did or put the database back.

    Returns:
        the document of ``run --json``, with ``guard`` beside it: what the ledger says of the command.

    Raises:
        UsageError: the command cannot be started, or a table does not exist; nothing was begun.
        RunLocked: another run works on this database.
        RallyEtlError: the database could not be put back; the snapshot is kept, and the next start tries again.
    """
    params = load_guard_params(settings.params_dir)
    check_command(order.command)
    engine = connect(settings)
    init(engine)
    operation = {
        "kind": KIND, "command": masked(order.command), "tables": list(order.tables), "by": order.by,
        "reason": order.reason,
    }  # fmt: skip
    with run_lock(engine, order.wait_s, KIND) as lock:
        tidy(engine, settings, tell)
        keys = operations.leagues_of(engine, settings, operation, KINDS)
        _check_tables(engine, order.tables)
        day = as_of or datetime.now(UTC).date()
        run_id = ledger.start_run(engine, KINDS[KIND].told(operation), day, order.dry_run, keys, operation)
        lock.name(f"{KIND} {run_id}")
        tell("run", f"{run_id}  {KINDS[KIND].told(operation)}")
        with recovery.closed_whatever_happens(engine, settings, run_id):
            return _Guard(engine, settings, run_id, order, params, keys, tell).go()


@dataclass(slots=True)
class _Guard:
    """One guarded command from its snapshot to its report."""

    engine: sa.Engine
    settings: Settings
    run_id: str
    order: Order
    params: GuardParams
    keys: list[str]
    tell: runs.Tell
    taken: snapshot.Snapshot | None = None
    method: str = ""

    def go(self) -> dict[str, Any]:
        """Snapshot, command, comparison; then the notebooks, or the way back."""
        with self.engine.begin() as connection:
            connection.execute(
                sa.text("insert into etl.guards (run_id, command) values (:run, :command)"),
                {"run": self.run_id, "command": masked(self.order.command)},
            )
        self._take()
        is_back = False
        try:
            ended = self._command()
            if failure := self._compare(ended):
                self._back(failure)
                is_back = True
                return self._finish_unread(failure)
            is_back = self.method != DIRECT
            document = runs.go_through(
                self.engine, self.settings, self.run_id, self.order.dry_run, self.tell, self._conclude
            )
            is_back = True
            return document | {"guard": self._recorded()}
        except BaseException:
            if not is_back and not self._is_published():
                self._back("the guard was stopped")
            raise
        finally:
            self._end()

    def _take(self) -> None:
        self.tell("snapshot", "…")
        references = self._references()
        with self.engine.begin() as connection:
            note_users(connection, references)
        self.taken = snapshot.take(self.engine, self.run_id, self.order.tables or None, references)
        rows = sum(self.taken.rows.values())
        self._note(fingerprint=self.taken.fingerprint)
        self._detail(snapshot=self.taken.schema, tables=len(self.taken.tables), rows=rows)
        told = f"{counted(len(self.taken.tables), 'table')}, {counted(rows, 'row')} copied"
        self.tell("snapshot", f"{told}  {self.taken.seconds:.1f} s")

    def _references(self) -> ReferenceParams:
        return read_reference_params(self.settings.params_dir / "references.yaml")

    def _command(self) -> Ended:
        self.tell("command", "…")
        self._detail(command_started=datetime.now(UTC).isoformat(timespec="seconds"))
        path = self.settings.reports_dir / self.run_id / "logs" / OUTPUT
        path.parent.mkdir(parents=True, exist_ok=True)
        timeout_s = self.order.timeout_s or self.params.timeout_s
        ended = run_command(self.engine, self.settings, self.order.command, path, timeout_s)
        scrub = Scrub.of(self.settings, self.engine.url, Persons(self.engine, self.run_id))
        scrub.file(path)
        self._note(command_exit=ended.exit_code, ending=ended.ending, output=f"logs/{OUTPUT}")
        notes = [f"{counted(ended.left, 'process', 'processes')} that it had left were ended"] if ended.left else []
        notes += [f"{name} still writes; it was let be" for name in ended.writing]
        tail = scrub.text(ended.tail).splitlines()
        self._detail(command_seconds=round(ended.seconds, 2), tail=tail, command_notes=notes)
        self.tell("command", f"{ended.told}, its output is in {self._output}  {ended.seconds:.1f} s")
        for note in notes:
            self.tell("command", note)
        return ended

    @property
    def _output(self) -> str:
        return f"reports/{self.run_id}/logs/{OUTPUT}"

    def _compare(self, ended: Ended) -> str | None:
        """What the command did; a sentence where nothing of it can be taken over, else the method is chosen."""
        started = time.monotonic()
        with self.engine.connect() as connection:
            found = differences(connection, self.taken)
        self._detail(differences=[asdict(each) for each in found])
        if not ended.is_well:
            return f"the command {ended.told}; its output is in {self._output}"
        if broken := [each for each in found if each.state in ("missing", "structure")]:
            return f"the command altered guarded tables: {_altered(broken)}"
        if not [each for each in found if each.state == "rows"]:
            self._choose("nothing", "the command has changed no guarded row")
            return None
        self.tell("comparison", "…")
        with self.engine.connect() as connection, connection.begin() as transaction:
            choice = choose(connection, self.settings, self.taken.schema, self.params, is_old_ids=self.order.old_ids)
            transaction.rollback()
        self._note(preserved=choice.preserved, entities=choice.entities)
        self._detail(**{name: value for name, value in asdict(choice).items() if name not in ("method", "why")})
        if choice.method == OLD_IDS:
            self._set_aside()
        self._choose(choice.method, choice.why)
        self.tell("comparison", f"{_METHODS[choice.method]}: {choice.why}  {time.monotonic() - started:.1f} s")
        return None

    def _choose(self, method: str, why: str) -> None:
        self.method = method
        after = unfinished.after_schema(self.run_id) if method == OLD_IDS else "public"
        self._note(method=method, why=why)
        self._detail(after=after)

    def _set_aside(self) -> None:
        """Copy what the command made of imported tables, and put the database back at once."""
        schema = unfinished.after_schema(self.run_id)
        with self.engine.begin() as connection:
            connection.execute(sa.text(f"create schema {quote(schema)}"))
            for table in self.taken.tables:
                if table in IMPORTED:
                    copy = quote(schema, table)
                    connection.execute(sa.text(f"create table {copy} as select * from {quote('public', table)}"))
                    connection.execute(sa.text(f"analyze {copy}"))
        self._back("")

    def _back(self, why: str) -> None:
        """Put the database back; it is verified by fingerprint before it is committed.

        Raises:
            LockLost: another run has begun, which has put it back already.
        """
        recovery.still_ours(self.engine, self.run_id)
        restored = restore(self.engine, self.taken)
        unfinished.note_restored(self.engine, self.run_id, restored.fingerprint)
        self._detail(restored=_told_restored(restored))
        if why:
            self._note(method="snapshot", why=why)
            self.method = "snapshot"
        self.tell("snapshot", f"the database is back at it, the fingerprints are equal  {restored.seconds:.1f} s")

    def _conclude(self, outcomes: Mapping[str, runs.Outcome]) -> None:
        """Where the command's own rows are live, they stay only if they were published."""
        if self.method != DIRECT:
            return
        if any(outcome.is_published for outcome in outcomes.values()):
            with self.engine.begin() as connection:
                note_users(connection, self._references(), self.run_id)
            return
        held = [league for league, outcome in outcomes.items() if outcome.decision == "HOLD"]
        self._back("")
        if self.order.dry_run:
            return
        for outcome in outcomes.values():
            if held:
                message = (
                    "a guarded command whose own rows stay cannot wait for an approval: the database went back to its"
                    " snapshot. Guard it again with --old-ids: then what it brought can wait"
                )
                outcome.decision = "NO-GO"
                outcome.reasons.insert(0, runs.no_go("nothing_is_left_pending", "gate", message))

    def _finish_unread(self, failure: str) -> dict[str, Any]:
        """Close a run whose command can be given no trust: nothing of it was read."""
        message = (
            f"{failure}; the database is back at its snapshot, which is verified. Mend the command, guard it again"
        )
        outcomes = {
            league: runs.Outcome("NO-GO", [runs.no_go("command_ended_well", "command", message)])
            for league in self.keys
        }
        for league in outcomes:
            self.tell(league, "NO-GO, nothing of the command is kept")
        document = runs.finish(self.engine, self.settings, self.run_id, outcomes, self.order.dry_run)
        return document | {"guard": self._recorded()}

    def _end(self) -> None:
        """Drop what was copied, unless it still has to come back."""
        with self.engine.connect() as connection:
            needs = connection.scalar(
                sa.text(
                    "select restored is null and method is distinct from 'nothing' from etl.guards where run_id = :run"
                ),
                {"run": self.run_id},
            )
        if needs and not self._is_published():
            return
        self._note(finished_at=datetime.now(UTC))
        unfinished.forget(self.engine, self.run_id)

    def _is_published(self) -> bool:
        sql = "select exists (select from etl.run_leagues where run_id = :run and state in ('published', 'verified'))"
        with self.engine.connect() as connection:
            return bool(connection.scalar(sa.text(sql), {"run": self.run_id}))

    def _note(self, **columns: Any) -> None:
        sets = ", ".join(f"{name} = :{name}" for name in columns)
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(f"update etl.guards set {sets} where run_id = :run"), {"run": self.run_id} | columns
            )

    def _detail(self, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                sa.text("update etl.guards set details = details || cast(:values as jsonb) where run_id = :run"),
                {"run": self.run_id, "values": json.dumps(values, default=str)},
            )

    def _recorded(self) -> dict[str, Any]:
        sql = (
            "select command, command_exit, ending, output, method, why, preserved, entities,"
            " restored = fingerprint as is_restored from etl.guards where run_id = :run"
        )
        with self.engine.connect() as connection:
            return dict(connection.execute(sa.text(sql), {"run": self.run_id}).mappings().one())


def _check_tables(engine: sa.Engine, tables: tuple[str, ...]) -> None:
    with engine.connect() as connection:
        found = base_tables(connection)
    if unknown := sorted(set(tables) - set(found)):
        raise UsageError(
            f"there is no table {unknown[0]!r}; the command was not started\nhint: one of {', '.join(sorted(found))}"
        )


_METHODS = {
    DIRECT: "the command's ids stay, rows of users follow them",
    OLD_IDS: "the old ids stay, what the command brought comes under them",
}


def _altered(found: list[TableDifference]) -> str:
    found = sorted(found, key=lambda each: (each.state != "missing", each.table))
    told = [
        f"{each.table} is gone" if each.state == "missing" else f"{each.table} ({'; '.join(each.structure)})"
        for each in found
    ]
    return ", ".join(told[:SHOWN]) + (f" and {len(told) - SHOWN} more" if len(told) > SHOWN else "")


def _told_restored(restored: Restored) -> dict[str, Any]:
    return {
        "tables": [asdict(table) for table in restored.tables],
        "set_aside": restored.set_aside_rows,
        "notes": list(restored.notes),
        "seconds": round(restored.seconds, 2),
    }
