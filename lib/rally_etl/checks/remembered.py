"""Answers of checks on live, kept in the ledger until a row that they read has changed.

A heap row says in `xmin` which transaction wrote it, and an update writes another row. A table of which no row is of a
transaction that had not ended when it was asked, and that has as many rows, has exactly the rows of then: all of them
were there, and none has gone. That holds whatever was inserted, updated, deleted, truncated or restored meanwhile, and
costs one reading of the table without its values. Whatever leaves a doubt is asked again: a table that is no plain
heap, or whose rows not everybody sees; a query that reads more than tables, or what a clock, dice or a session say.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl.checks.questions import Question
from rally_etl.checks.results import CheckResult, Keys
from rally_etl.checks.running import Task
from rally_etl.database.catalog import quote

ANSWERED = frozenset({"passed", "warned", "failed"})
"""Outcomes that say something of the rows; no other is kept."""

OLDEST = dt.timedelta(days=90)
MOST_TRANSACTIONS = 1 << 30
"""Beyond these an answer is asked anew: a number of a transaction comes back after four times as many."""

UNSURE = re.compile(
    r"(pg|inet|txid|current|dblink)_\w+|has_\w+_privilege|to_?reg\w+|reg(class|proc\w*|oper\w*|type|role|namespace|config|dictionary)"
    r"|\w+_to_xml\w*|ts_stat|(obj|col|shobj)_description|format_type|information_schema|etl|tablesample|ctid|xmin|xmax"
    r"|tableoid|age|now|today|tomorrow|yesterday|localtime\w*|(session_|system_)?user"
)
"""Words in a query that may read what is no row of its tables; functions that the server calls volatile are others."""

_VOLATILE = sa.text(
    "select distinct proname from pg_proc where pronamespace = to_regnamespace('pg_catalog')"
    " and (provolatile = 'v' or provolatile = 's' and pronargs = 0)"
)
# Who asks, where, with which settings that queries can feel, and which functions, operators and casts are not the
# server's own.
_BASIS = sa.text(
    """
    select
        concat_ws(
            ' ', current_user, session_user, version(), c.system_identifier,
            (select oid from pg_database where datname = current_database()),
            (
                select md5(string_agg(name || '=' || setting, ',' order by name)) from pg_settings
                where category in (
                    'Client Connection Defaults / Locale and Formatting', 'Customized Options',
                    'Client Connection Defaults / Statement Behavior',
                    'Version and Platform Compatibility / Previous PostgreSQL Versions',
                    'Version and Platform Compatibility / Other Platforms and Clients'
                ) and name not like '%timeout%'
            ),
            (
                select md5(string_agg(concat_ws(':', o.is_a, o.oid, o.xmin), ',' order by o.is_a, o.oid)) from (
                    select 'function' as is_a, oid, xmin from pg_proc where oid >= 16384
                    union all select 'operator', oid, xmin from pg_operator where oid >= 16384
                    union all select 'cast', oid, xmin from pg_cast where oid >= 16384
                ) as o
            )
        ) as basis,
        statement_timestamp() as at,
        cast(cast(oldest as text) as bigint) as next_xid,
        cast(cast(oldest as text) as bigint) + age(cast(oldest as xid)) as this_xid
    from pg_control_system() as c, pg_snapshot_xmin(pg_current_snapshot()) as oldest
    """
)
# Plain tables of the server's own types; what each is: itself, and its columns with the values that old rows lack.
_TABLES = sa.text(
    """
    select
        c.relname as name,
        concat_ws(
            ' ', c.oid, md5(string_agg(
                concat_ws(
                    ':', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attisdropped, a.attmissingval
                ), ',' order by a.attnum
            ))
        ) as is_a
    from pg_class as c
    join pg_am as m on m.oid = c.relam and m.amname = 'heap'
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
    left join pg_type as t on t.oid = a.atttypid
    where c.relnamespace = to_regnamespace('public') and c.relname = any(:names) and c.relkind = 'r'
        and not c.relrowsecurity and not c.relhassubclass and not c.relhasrules
    group by c.oid, c.relname
    having bool_and(a.attisdropped or t.typnamespace = to_regnamespace('pg_catalog') and a.attgenerated <> 'v')
    """
)
_READ = sa.text("select question, asked, at, next_xid, tables, results from etl.remembered where at > :at")
_KEEP = sa.text(
    "insert into etl.remembered (question, asked, at, next_xid, tables, results)"
    " select question, asked, :at, :next_xid, tables, results"
    " from jsonb_to_recordset(cast(:rows as jsonb)) as r(question text, asked text, tables jsonb, results jsonb)"
    " order by question on conflict (question) do update set asked = excluded.asked, at = excluded.at,"
    " next_xid = excluded.next_xid, tables = excluded.tables, results = excluded.results"
)
_FORGET = sa.text("delete from etl.remembered where at < :at")


@dataclass(frozen=True, slots=True)
class Rows:
    """What a table is, how many rows it has, and the number of the newest transaction that wrote one of them."""

    is_a: str
    count: int
    newest_xid: int


@dataclass(slots=True)
class Memory:
    """Answers of earlier looks at live that count in one snapshot, and those of this look.

    Attributes:
        basis: what decides any answer beside its question and the rows.
        at: the moment of the snapshot.
        next_xid: every transaction with a smaller number has ended in it; `this_xid` is the next to be given out.
        tables: those whose rows can be told to be the same.
        reads: name of each question that can be remembered -> the tables that it reads.
        known: name of a question -> its answer, which is that of now.
    """

    basis: str
    at: dt.datetime
    next_xid: int
    this_xid: int
    tables: Mapping[str, Rows]
    reads: Mapping[str, frozenset[str]]
    known: dict[str, list[CheckResult]] = field(default_factory=dict)
    new: dict[str, tuple[str, list[CheckResult]]] = field(default_factory=dict)

    def task(self, question: Question) -> Task:
        """Answer from memory, or ask and keep the answer in mind."""
        if (known := self.known.get(question.name)) is not None:
            return lambda _connection: known
        if question.name not in self.reads:
            return question.task

        def asked(connection: sa.Connection) -> list[CheckResult]:
            found = question.task(connection)
            self.new[question.name] = self.asked(question), found
            return found

        return asked

    def asked(self, question: Question) -> str:
        """Digest of all that decides a question beside the rows."""
        return hashlib.sha256(f"{self.basis}\n{question.decides}".encode()).hexdigest()

    def told(self, names: Iterable[str]) -> dict[str, list[Any]]:
        """What these tables are, as it is kept."""
        return {name: [self.tables[name].is_a, self.tables[name].count] for name in sorted(names)}


def open_memory(connection: sa.Connection, questions: Sequence[Question], *, fresh: bool = False) -> Memory | None:
    """What is known of these questions in the snapshot of *connection*; None where nothing can be remembered.

    Args:
        fresh: know nothing, and ask everything anew; the answers are kept all the same.
    """
    try:
        with connection.begin_nested():
            return _open(connection, questions, fresh)
    except sa.exc.SQLAlchemyError as error:
        if getattr(error, "connection_invalidated", False):
            raise
        return None  # the role may not look into the ledger, or asks a server that cannot tell: everything is asked


def keep(engine: sa.Engine, memory: Memory | None) -> None:
    """Write the new answers down for later looks; a role or a server that cannot write keeps none.

    The snapshot of the look is still open, and holds its tables as they are. Of one that had become another between
    the snapshot and the first reading, which a snapshot does not show, no answer is kept.
    """
    if memory is None or not memory.new:
        return
    try:
        with engine.begin() as connection:
            plain = connection.execute(_TABLES, {"names": sorted(memory.tables)})
            same = {row.name for row in plain if row.is_a == memory.tables[row.name].is_a}
            rows = [
                {
                    "question": name,
                    "asked": asked,
                    "tables": memory.told(memory.reads[name]),
                    "results": [_as_json(result) for result in results],
                }
                for name, (asked, results) in memory.new.items()
                if results and all(result.outcome in ANSWERED for result in results) and memory.reads[name] <= same
            ]
            connection.execute(_FORGET, {"at": memory.at - OLDEST})
            connection.execute(_KEEP, {"at": memory.at, "next_xid": memory.next_xid, "rows": json.dumps(rows)})
    except sa.exc.DBAPIError:
        return  # it costs the next look its time, and this one was taken


def told_remembered(results: Sequence[CheckResult]) -> str:
    """How many of the answers are of earlier looks, and of when; "" where none is."""
    moments = sorted(result.asked_at for result in results if result.asked_at)
    if not moments:
        return ""
    oldest = dt.datetime.fromisoformat(moments[0]).strftime("%Y-%m-%d %H:%M")
    return (
        f"{len(moments):,} of {len(results):,} checks are remembered, the oldest of {oldest} UTC, as no row that they"
        " read has changed"
    )


def _open(connection: sa.Connection, questions: Sequence[Question], fresh: bool) -> Memory:
    now = connection.execute(_BASIS).one()
    volatile = set(connection.scalars(_VOLATILE))
    lasting = [each for each in questions if each.reads and each.decides and _lasts(each, volatile)]
    names = frozenset().union(*(each.reads for each in lasting))
    plain = connection.execute(_TABLES, {"names": sorted(names)}).all()
    tables = {row.name: _rows(connection, row.name, row.is_a, now.this_xid) for row in plain}
    reads = {each.name: each.reads for each in lasting if each.reads <= tables.keys()}
    memory = Memory(f"{now.basis} {program()}", now.at, now.next_xid, now.this_xid, tables, reads)
    kept = {} if fresh else {row.question: row for row in connection.execute(_READ, {"at": now.at - OLDEST})}
    for question in lasting:
        row = kept.get(question.name)
        if row and question.name in reads and row.asked == memory.asked(question) and _counts(memory, question, row):
            memory.known[question.name] = [_from_json(each, row.at) for each in row.results]
    return memory


def _counts(memory: Memory, question: Question, row: sa.Row) -> bool:
    """Whether every table that a question reads has exactly the rows that it had when *row* was kept."""
    return (
        0 <= memory.this_xid - row.next_xid < MOST_TRANSACTIONS
        and row.tables == memory.told(question.reads)
        and all(memory.tables[name].newest_xid < row.next_xid for name in question.reads)
    )


def _rows(connection: sa.Connection, table: str, is_a: str, this_xid: int) -> Rows:
    # The age of a row that was written half of all numbers ago or earlier is far below zero; a little below is one that
    # came after the snapshot and shows all the same, as those of `copy (freeze)` do.
    newest = f"min(age(xmin)) filter (where age(xmin) > -{MOST_TRANSACTIONS})"
    sql = f"select count(*), {newest} from {quote('public', table)}"
    count, age = connection.execute(sa.text(sql)).one()
    return Rows(is_a, count, -1 if age is None else this_xid - age)


def _lasts(question: Question, volatile: set[str]) -> bool:
    """Whether the answer is the same for as long as the rows are."""
    text = question.query.lower()
    words = set(re.findall(r"\w+", text))
    return not (words & volatile or any(map(UNSURE.fullmatch, words)) or "u&" in text)  # u&: a name in disguise


@cache
def program() -> str:
    """Digest of this program's own files: another version asks everything anew."""
    home = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted([*home.rglob("*.py"), *home.rglob("*.sql")]):
        digest.update(f"{path.relative_to(home)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _as_json(result: CheckResult) -> dict[str, Any]:
    packed = [base64.b64encode(each).decode() for each in result.keys.packed]
    return asdict(result) | {"keys": {"packed": packed, "count": result.keys.count}}


def _from_json(kept: dict[str, Any], at: dt.datetime) -> CheckResult:
    packed = tuple(base64.b64decode(each) for each in kept["keys"]["packed"])
    told = {"keys": Keys(packed, kept["keys"]["count"]), "asked_at": at.astimezone(dt.UTC).isoformat()}
    return CheckResult(**(kept | told))
