"""Records of one file into staged rows and quarantine; records that the last file also held are not read again."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import sqlalchemy as sa

from rally_etl import logs
from rally_etl.database.catalog import quote
from rally_etl.records import Fault, Quarantined

if TYPE_CHECKING:
    import msgspec

    from rally_etl.records import RecordParser

DIGEST_BYTES = 16  # the first half of a record's SHA-256 names it
MAX_TEXT_CHARS = 255  # what the live varchar columns hold
CHUNK_CHARS = 1 << 16  # what a socket takes at once: the server writes one block while the next is parsed
SPOOL_BYTES = 16 * 1024 * 1024
ANALYSED_SHARE = 0.05  # of the rows; fewer new ones leave the planner's statistics true
REPEATED = Quarantined("duplicate_record", ())


@dataclass(frozen=True, slots=True)
class Staged:
    """What became of a file's records: ``records`` = ``staged`` + ``quarantined``."""

    records: int
    staged: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class FileKey:
    """What a staged file is: the same bytes read by the same rules give the same rows."""

    league: str
    kind: str
    sha256: str
    ruleset: str


def stage(connection: sa.Connection, key: FileKey, records: list[msgspec.Raw], parser: RecordParser) -> Staged:
    """Make the staged rows of this league and kind those of *records*; runs in the caller's transaction.

    Only records whose bytes the last staged file did not hold are parsed and written; rows of records that are gone
    are deleted. Records that do not fit go to ``etl.quarantine`` with all their faults.
    """
    known = _known_hashes(connection, key)
    if not known:
        connection.execute(sa.text(f"delete from {_table(key.kind)} where league = :league"), {"league": key.league})
    reader = _Reader(key.league, records, parser, known)
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as quarantine:
        columns = ("league", "record_hash", "record_no", *parser.columns)
        _copy(connection, _table(key.kind), columns, _Blocks(reader.new_rows(key, quarantine)))
        quarantine.seek(0)
        connection.execute(
            sa.text(
                "delete from etl.quarantine where sha256 = :sha256 and ruleset = :ruleset"
                " and league = :league and kind = :kind"
            ),
            _binds(key),
        )
        names = ("sha256", "ruleset", "league", "kind", "record_no", "reason", "faults", "original")
        _copy(connection, "etl.quarantine", names, quarantine)
    _delete_gone(connection, key, reader.gone)
    for reason, (number, first) in reader.aside.items():
        logs.event("records.quarantined", reason=reason, records=number, record=first)
    count = len(reader.kept) + len(reader.staged)
    staged = Staged(len(records), count, len(records) - count)
    connection.execute(
        sa.text(
            """
            insert into etl.staged_files (league, kind, sha256, ruleset, records, staged, quarantined, record_hashes)
            values (:league, :kind, :sha256, :ruleset, :records, :staged, :quarantined, :hashes)
            on conflict (league, kind) do update set
                sha256 = excluded.sha256, ruleset = excluded.ruleset, records = excluded.records,
                staged = excluded.staged, quarantined = excluded.quarantined, record_hashes = excluded.record_hashes
            """
        ),
        _binds(key)
        | {
            "records": staged.records,
            "staged": staged.staged,
            "quarantined": staged.quarantined,
            "hashes": b"".join((*reader.kept, *reader.staged)),
        },
    )
    if len(reader.staged) + len(reader.gone) > ANALYSED_SHARE * count:
        connection.execute(sa.text(f"analyze {_table(key.kind)}"))
    return staged


class _Reader:
    """Tells the records that are new from those that are known by their digests, and parses the new ones.

    ``known`` are the digests that the staged tables hold; ``kept`` those of them that the file still has; ``staged``
    the digests of new records that became rows.
    """

    def __init__(self, league: str, records: list[msgspec.Raw], parser: RecordParser, known: set[bytes]):
        self.league, self.records, self.parser = league, records, parser
        sha256 = hashlib.sha256
        self.digests = [sha256(record).digest()[:DIGEST_BYTES] for record in records]
        # the first of several records with the same bytes counts
        self.first = dict(zip(reversed(self.digests), range(len(records) - 1, -1, -1), strict=True))
        self.kept = known & self.first.keys()
        self.gone = known - self.kept
        self.staged: list[bytes] = []
        self.aside: dict[str, tuple[int, int]] = {}  # reason -> records, and the first of them

    def new_rows(self, key: FileKey, quarantine: IO[bytes]) -> Iterator[str]:
        """COPY lines of the new staged rows; quarantined records go to *quarantine* as COPY lines."""
        parse, staged, league, kept = self.parser.parse, self.staged.append, self.league, self.kept
        aside: dict[bytes, Quarantined] = {}
        for digest, number in reversed(self.first.items()):
            if digest in kept:
                continue
            try:
                rows = parse(self.records[number])
            except Exception as error:
                with logs.bound(record=number):
                    raise error
            if not isinstance(rows, Quarantined):
                lines, is_too_long = _copy_lines(f"{league}\t{digest.hex()}\t{number}\t", rows)
                if not is_too_long:
                    staged(digest)
                    yield lines
                    continue
                rows = _too_long(self.parser.columns, rows)
            aside[digest] = rows
            self._put_aside(quarantine, key, number, rows)
        if len(self.first) < len(self.digests):
            self._put_repeated_aside(key, quarantine, aside)

    def _put_repeated_aside(self, key: FileKey, quarantine: IO[bytes], aside: dict[bytes, Quarantined]) -> None:
        """Damage that comes 7,537 times is damage each time; anything else the second time is a repetition."""
        for number, digest in enumerate(self.digests):
            if self.first[digest] != number:
                self._put_aside(quarantine, key, number, aside.get(digest, REPEATED))

    def _put_aside(self, quarantine: IO[bytes], key: FileKey, number: int, why: Quarantined) -> None:
        count, first = self.aside.get(why.reason, (0, number))
        self.aside[why.reason] = count + 1, min(first, number)
        _put_aside(quarantine, key, number, why, self.records[number])


def _copy_lines(head: str, rows: list[tuple[str | None, ...]]) -> tuple[str, bool]:
    lines = []
    for row in rows:
        line = "\t".join([value or "" for value in row])
        if len(line) > MAX_TEXT_CHARS and any(value and len(value) > MAX_TEXT_CHARS for value in row):
            return "", True
        lines.append(head + (line.replace("\\", "\\\\") if "\\" in line else line) + "\n")
    return "".join(lines), False


def _too_long(columns: tuple[str, ...], rows: list[tuple[str | None, ...]]) -> Quarantined:
    faults = [
        Fault(
            column, f"{value[:60]}…", f"has {len(value):,} characters, {MAX_TEXT_CHARS} is the most a live column holds"
        )
        for row in rows
        for column, value in zip(columns, row, strict=True)
        if value and len(value) > MAX_TEXT_CHARS
    ]
    return Quarantined("text_too_long", tuple(faults))


def _put_aside(quarantine: IO[bytes], key: FileKey, number: int, why: Quarantined, record: msgspec.Raw) -> None:
    faults = [{"field": fault.field, "value": fault.value, "problem": fault.problem} for fault in why.faults]
    fields = (
        key.sha256,
        key.ruleset,
        key.league,
        key.kind,
        str(number),
        why.reason,
        json.dumps(faults, ensure_ascii=False, default=str).replace("\\u0000", "\\ufffd"),
        bytes(record).decode("utf-8", "replace"),
    )
    line = "\t".join(_escape(text) for text in fields) + "\n"
    quarantine.write(line.encode("utf-8", "replace"))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\x00", "")


class _Blocks:
    """A readable stream over COPY lines, so that the server writes while the next records are parsed."""

    def __init__(self, lines: Iterator[str]):
        self.lines = lines

    def read(self, size: int = -1) -> bytes:  # size is a hint: COPY takes what it gets
        block: list[str] = []
        length = 0
        for line in self.lines:
            block.append(line)
            length += len(line)
            if length >= CHUNK_CHARS:
                break
        return "".join(block).encode("utf-8", "replace")


def _copy(connection: sa.Connection, table: str, columns: tuple[str, ...], stream: IO[bytes] | _Blocks) -> None:
    names = ", ".join(quote(column) for column in columns)
    null = "" if isinstance(stream, _Blocks) else "\\N"
    with connection.connection.cursor() as cursor:
        cursor.copy_expert(f"copy {table} ({names}) from stdin with (null '{null}')", stream, size=CHUNK_CHARS)


def _known_hashes(connection: sa.Connection, key: FileKey) -> set[bytes]:
    hashes = connection.execute(
        sa.text(
            "select record_hashes from etl.staged_files where league = :league and kind = :kind and ruleset = :ruleset"
        ),
        _binds(key),
    ).scalar()
    data = bytes(hashes or b"")
    return {data[at : at + DIGEST_BYTES] for at in range(0, len(data), DIGEST_BYTES)}


def _delete_gone(connection: sa.Connection, key: FileKey, gone: set[bytes]) -> None:
    if gone:
        connection.execute(
            sa.text(
                f"delete from {_table(key.kind)} as s using unnest(cast(:gone as uuid[])) as g(record_hash)"
                " where s.league = :league and s.record_hash = g.record_hash"
            ),
            {"league": key.league, "gone": [digest.hex() for digest in gone]},
        )


def _table(kind: str) -> str:
    return quote("etl", f"staged_{kind}")


def _binds(key: FileKey) -> dict[str, str]:
    return {"league": key.league, "kind": key.kind, "sha256": key.sha256, "ruleset": key.ruleset}
