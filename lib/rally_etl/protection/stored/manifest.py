"""What a snapshot says of itself: `manifest.json`, written last; and which snapshots a folder holds."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from rally_etl.errors import RallyEtlError, UsageError

FORMAT = 1
MANIFEST, DUMP = "manifest.json", "dump.custom"
PARTIAL, REMOVED, LOCK = ".partial", ".removed", ".lock"
MOST_BYTES = 64 * 1024**2  # of a manifest; one of 10,000 tables is smaller

_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")
_NAMES = re.compile(rf"({_ID.pattern})({PARTIAL}|{REMOVED})?")
_HASH = Field(pattern=r"^[0-9a-f]{64}$")
_COUNT = Field(ge=0, strict=True)


class Damaged(UsageError):
    """A snapshot, or a file of it, is not what was written."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoredColumn(_Model):
    """One column as it stood; ``generated`` is empty but for those that PostgreSQL computes, which are not copied."""

    name: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    not_null: bool
    default: str | None
    identity: str
    generated: str
    collation: str | None


class StoredTable(_Model):
    """One table of schema ``public`` and the file with its rows.

    Attributes:
        file: name within the snapshot; COPY's text format, compressed by gzip.
        bytes, sha256: of the file as it lies there. raw_bytes: of what it holds, uncompressed.
        fingerprint: of its rows (`protection.snapshots.fingerprints`), computed columns left out.
        columns: in the order of the table.
        key: primary key; empty where it has none.
        definition: constraints, indexes, unique keys and sequences, for people.
    """

    name: Annotated[str, Field(min_length=1)]
    file: Annotated[str, Field(pattern=r"^\d{4,}-[a-z0-9_]{0,40}\.copy\.gz$")]
    rows: Annotated[int, _COUNT]
    bytes: Annotated[int, _COUNT]
    raw_bytes: Annotated[int, _COUNT]
    sha256: Annotated[str, _HASH]
    fingerprint: Annotated[str, Field(pattern=r"^\d+:-?\d+:-?\d+$")]
    columns: tuple[StoredColumn, ...]
    key: tuple[str, ...]
    definition: dict[str, Any]

    @property
    def copied(self) -> tuple[StoredColumn, ...]:
        """Columns that the file holds, in its order."""
        return tuple(column for column in self.columns if not column.generated)


class StoredDump(_Model):
    """A dump of the whole database by pg_dump, of the same moment."""

    file: Literal["dump.custom"]
    bytes: Annotated[int, _COUNT]
    sha256: Annotated[str, _HASH]
    program: str


class Manifest(_Model):
    """One snapshot; ``taken_at`` is the moment that it shows, ``leagues`` the keys of the leagues in it."""

    format: Literal[1]
    id: Annotated[str, Field(pattern=rf"^{_ID.pattern}$")]
    name: str
    taken_at: AwareDatetime
    database: str
    server_version: str
    product_version: str
    leagues: tuple[str, ...]
    tables: tuple[StoredTable, ...]
    dump: StoredDump | None = None
    seconds: float

    @model_validator(mode="after")
    def _is_consistent(self) -> Manifest:
        for what, names in (("table", [each.name for each in self.tables]), ("file", [e.file for e in self.tables])):
            if len(set(names)) < len(names):
                raise ValueError(f"it names a {what} twice")
        for table in self.tables:
            columns = {column.name for column in table.columns}
            if len(columns) < len(table.columns) or not set(table.key) <= columns:
                raise ValueError(f"the columns of table {table.name} do not agree")
            if int(table.fingerprint.split(":")[0]) != table.rows:
                raise ValueError(f"the rows of table {table.name} do not agree with its fingerprint")
        return self

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.tables) + (self.dump.bytes if self.dump else 0)

    def table(self, name: str) -> StoredTable:
        """One table by its name.

        Raises:
            UsageError: the snapshot has no such table.
        """
        for table in self.tables:
            if table.name == name:
                return table
        names = ", ".join(table.name for table in self.tables)
        raise UsageError(f"snapshot {self.id} has no table {name!r}; nothing was done\nhint: it holds {names}")


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of the folder; ``state`` is complete, writing, partial (left over) or damaged, with ``fault``."""

    id: str
    path: Path
    state: str
    manifest: Manifest | None = None
    fault: str = ""


def new_id(now: datetime | None = None) -> str:
    """An id that sorts by time and that no other process gives at once."""
    return f"{(now or datetime.now(UTC)).astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def dumped(manifest: Manifest) -> bytes:
    """The manifest as bytes, with a digest over itself."""
    document = manifest.model_dump(mode="json")
    return json.dumps(document | {"digest": _digest(document)}, indent=1, ensure_ascii=False).encode()


def read(folder: Path, snapshot_id: str) -> Manifest:
    """Read the manifest of a complete snapshot.

    Raises:
        UsageError: no id, no such snapshot, or one that is still partial.
        Damaged: the manifest is not what was written, or a newer version wrote it.
    """
    if not _ID.fullmatch(snapshot_id):
        raise UsageError(
            f"{snapshot_id!r} is no id of a snapshot; nothing was done\nhint: `rally-etl snapshot list` shows the ids"
        )
    path = folder / snapshot_id
    if not path.is_dir() and not path.is_symlink():
        partial = f", only a partial one: {path.name}{PARTIAL}" if path.with_name(path.name + PARTIAL).exists() else ""
        raise UsageError(
            f"there is no snapshot {snapshot_id} in {folder}{partial}; nothing was done\n"
            "hint: `rally-etl snapshot list` shows those that there are"
        )
    try:
        return _parsed(path)
    except ValueError as error:
        raise Damaged(
            f"snapshot {snapshot_id} is damaged: {MANIFEST}: {error}; nothing was done\n"
            "hint: use another one, `rally-etl snapshot list` shows them"
        ) from None


def listed(folder: Path, is_writing: frozenset[str] = frozenset()) -> list[Found]:
    """What the folder holds, oldest first; anything that is not named like a snapshot is not looked at.

    Args:
        is_writing: ids whose partial snapshot is being written by a living process.

    Raises:
        RallyEtlError: the folder cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RallyEtlError(f"{folder} cannot be read: {error.strerror}\nhint: check its permissions") from None
    found = []
    for name in names:
        if not (match := _NAMES.fullmatch(name)):
            continue
        path = folder / name
        if match[2]:
            state = "writing" if match[2] == PARTIAL and match[1] in is_writing else "partial"
            found.append(Found(match[1], path, state))
            continue
        try:
            found.append(Found(name, path, "complete", _parsed(path)))
        except ValueError as error:
            found.append(Found(name, path, "damaged", fault=str(error)))
    return found


def _parsed(path: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        ValueError: it is not usable; the text says why.
    """
    file = path / MANIFEST
    try:
        if path.is_symlink() or not path.is_dir():
            raise ValueError("it is no folder of its own")
        if file.is_symlink() or not file.is_file():
            raise ValueError("it is no file of its own" if os.path.lexists(file) else "it is missing")
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        document = json.loads(file.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"it cannot be read ({type(error).__name__})") from None
    if not isinstance(document, dict):
        raise ValueError("it holds no document")
    if isinstance(document.get("format"), int) and document["format"] > FORMAT:
        raise ValueError(f"a newer version wrote it (format {document['format']}, this one reads {FORMAT})")
    digest = document.pop("digest", None)
    if digest != _digest(document):
        raise ValueError("it is not as it was written")
    try:
        manifest = Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"key {'.'.join(map(str, first['loc'])) or 'format'}: {first['msg']}") from None
    if manifest.id != path.name:
        raise ValueError(f"it is of snapshot {manifest.id}")
    return manifest


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def names_of(tables: Iterable[StoredTable]) -> list[str]:
    """Names of tables."""
    return [table.name for table in tables]
