"""A snapshot that is not what was written is found: by its manifest, its files, or the rows that these hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import first
from forging import forge, forge_rows, table_of
from rally_etl.errors import UsageError
from rally_etl.protection.stored import manifest, retention
from rally_etl.protection.stored.create import create
from rally_etl.protection.stored.verify import verify
from scrapes import fingerprint

LETTERS = 3_000_000  # of one value
TABLE = """
    create type mood as enum ('good', 'bad');
    create table odd (
        id integer primary key, said text, price numeric(8, 2), at timestamptz, mood mood, many text[], raw json,
        twice integer generated always as (id * 2) stored);
    insert into odd values (1, E'tab\\t, line\\n, end \\\\.', 1.50, '2025-10-01 12:00+02', 'good',
                            '{a,null,"b c"}', '{"a":1}'),
        (2, null, null, null, null, null, null), (3, '', 'NaN', 'infinity', 'bad', '{}', 'null'),
        (4, repeat('Ü', 3000000), 0, now(), 'bad', null, null), (5, '\\N', 0, '-infinity', 'bad', null, '[]');
    create table nothing ();
    insert into nothing default values;
    insert into nothing default values;
    create table empty (id integer);
"""


@pytest.fixture(scope="module")
def taken(module_engine, module_settings) -> tuple[Path, str]:
    """Folder and id of a snapshot of odd tables."""
    with module_engine.begin() as connection:
        connection.exec_driver_sql(TABLE)
    found = create(module_engine, module_settings, tables=["odd", "nothing", "empty", "users"])
    return retention.folder_of(module_settings), found.id


@pytest.fixture
def copied(taken, tmp_path) -> tuple[Path, str]:
    """A copy of it that a test may break."""
    folder, key = taken
    shutil.copytree(folder / key, tmp_path / key)
    return tmp_path, key


def faults(engine: sa.Engine, folder: Path, key: str) -> dict[str, str]:
    """Table -> what is wrong with its file."""
    return {each.table: each.fault for each in verify(engine, folder, manifest.read(folder, key)) if each.fault}


def test_whatever_a_table_holds_is_verified(module_engine, taken):
    """Values of every kind, a value of several megabytes, no column, no row, no key; the database stays as it is."""
    before = fingerprint(module_engine)
    found = manifest.read(*taken)

    assert {} == faults(module_engine, *taken)
    assert {"odd": 5, "nothing": 2, "empty": 0, "users": 0} == {table.name: table.rows for table in found.tables}
    assert found.table("odd").bytes < LETTERS < found.table("odd").raw_bytes
    assert before == fingerprint(module_engine)


def _cut(path: Path, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _flip(path: Path, file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    file.write_bytes(data)


def _link(path: Path, file: Path) -> None:
    file.rename(path / "elsewhere")
    file.symlink_to(path / "elsewhere")


def _other_name(document: dict) -> None:
    document["id"] = "20250101T000000-000000"


FILES: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "cut": (_cut, "bytes, not"),
    "flipped": (_flip, "damaged: "),
    "missing": (lambda path, file: file.unlink(), "No such file"),
    "link": (_link, "symbolic link"),
    "folder": (lambda path, file: (file.unlink(), file.mkdir()), "Is a directory"),
}


@pytest.mark.parametrize("case", FILES)
def test_file_that_is_not_as_written_is_named(module_engine, copied, case):
    """The others are still good."""
    folder, key = copied
    stored = manifest.read(folder, key).table("odd")
    FILES[case][0](folder / key, folder / key / stored.file)
    found = faults(module_engine, folder, key)

    assert ["odd"] == list(found)
    assert found["odd"].startswith(f"{stored.file} of the snapshot is damaged: ")
    assert FILES[case][1] in found["odd"]


ROWS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "in the middle of a row": (lambda raw: raw[: raw.index(b"\n2\t") + 3], "a row cannot be read"),
    "a row less": (lambda raw: raw[: raw.rindex(b"\n", 0, -1) + 1], "it holds 4 rows, not 5"),
    "a row twice": (lambda raw: raw + raw[raw.rindex(b"\n", 0, -1) + 1 :], "it holds 6 rows, not 5"),
    "another value": (lambda raw: raw.replace(b"1.50", b"1.51"), "its rows are others"),
    "another encoding": (lambda raw: raw.replace("Ü".encode(), b"\xdc", 1), "invalid byte sequence"),
    "a zero byte": (lambda raw: raw.replace(b"line", b"\x00ine"), "a row cannot be read"),
    "no rows at all": (lambda raw: b"", "it holds 0 rows, not 5"),
    "something else": (lambda raw: b"\x00\xff" * 1000, "a row cannot be read"),
}


@pytest.mark.parametrize("case", first(5, ROWS))
def test_rows_that_are_not_as_copied_are_found(module_engine, copied, case):
    """Even if sizes and hashes were altered with them."""
    folder, key = copied
    forge_rows(folder / key, "odd", ROWS[case][0])

    assert ROWS[case][1] in faults(module_engine, folder, key)["odd"]


@pytest.mark.parametrize(
    "kind",
    first(
        2, ["integer); drop table odd; --", "", "no_such_type", "integer, x integer", "int4 /* */", "integer default 1"]
    ),
)
def test_types_of_a_manifest_are_types_and_nothing_else(module_engine, copied, kind):
    """A manifest that somebody has altered runs no statement."""
    folder, key = copied

    def alter(document: dict) -> None:
        table_of(document, "odd")["columns"][0]["type"] = kind

    forge(folder / key, alter)
    before = fingerprint(module_engine)
    if not kind:
        with pytest.raises(manifest.Damaged, match=r"manifest\.json: key tables.*type"):
            manifest.read(folder, key)
    else:
        assert (
            f"column id of type {kind!r}, which this database does not know"
            in faults(module_engine, folder, key)["odd"]
        )
    assert before == fingerprint(module_engine)


MANIFESTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited": (lambda path: _replace(path, '"seconds"', '"second"'), "it is not as it was written"),
    "a newer version's": (lambda path: forge(path, lambda d: d.update(format=2)), "a newer version wrote it (format 2"),
    "no format": (lambda path: forge(path, lambda d: d.pop("format")), "key format"),
    "another id": (lambda path: forge(path, _other_name), "it is of snapshot 20250101T000000-000000"),
    "a way out": (lambda path: forge(path, lambda d: d["tables"][0].update(file="../../x.copy.gz")), "tables.0.file"),
    "an absolute path": (lambda path: forge(path, lambda d: d["tables"][0].update(file="/x")), "tables.0.file"),
    "a file twice": (
        lambda path: forge(path, lambda d: d["tables"][0].update(file=d["tables"][1]["file"])), "it names a file twice"
    ),
    "negative rows": (lambda path: forge(path, lambda d: d["tables"][0].update(rows=-1)), "key tables.0.rows"),
    "another key": (lambda path: forge(path, lambda d: d["tables"][0].update(more=1)), "key tables.0.more"),
    "no text": (lambda path: (path / manifest.MANIFEST).write_bytes(b"\xff\xfe"), "(UnicodeDecodeError)"),
    "no JSON": (lambda path: (path / manifest.MANIFEST).write_text("{"), "it cannot be read (JSONDecodeError)"),
    "a list": (lambda path: (path / manifest.MANIFEST).write_text("[]"), "it holds no document"),
    "deep": (lambda path: (path / manifest.MANIFEST).write_text("[" * 100_000), "it cannot be read (RecursionError)"),
    "missing": (lambda path: (path / manifest.MANIFEST).unlink(), "it is missing"),
    "a link": (
        lambda path: (shutil.move(path / manifest.MANIFEST, path.parent / "m"),
                      (path / manifest.MANIFEST).symlink_to(path.parent / "m")), "it is no file of its own"
    ),
}  # fmt: skip


def _replace(path: Path, text: str, by: str) -> None:
    file = path / manifest.MANIFEST
    file.write_text(file.read_text(encoding="utf-8").replace(text, by), encoding="utf-8")


@pytest.mark.parametrize("case", MANIFESTS)
def test_manifest_that_is_not_as_written_is_damage(copied, case):
    """It is listed as damaged with the reason, and cannot be used."""
    folder, key = copied
    MANIFESTS[case][0](folder / key)
    (found,) = manifest.listed(folder)

    assert ("damaged", None) == (found.state, found.manifest)
    assert MANIFESTS[case][1] in found.fault
    with pytest.raises(manifest.Damaged, match=f"snapshot {key} is damaged: manifest.json: "):
        manifest.read(folder, key)


def test_linked_snapshot_is_none(taken, tmp_path):
    """A folder of somebody else's under a name of ours."""
    folder, key = taken
    (tmp_path / key).symlink_to(folder / key)

    assert ["damaged"] == [each.state for each in manifest.listed(tmp_path)]
    with pytest.raises(manifest.Damaged, match="it is no folder of its own"):
        manifest.read(tmp_path, key)


@pytest.mark.parametrize("key", ["", "..", "../x", "20250101T000000-00000", "20250101T000000-000000/..", "a\x00b", "*"])
def test_what_is_no_id_is_refused(tmp_path, key):
    """Before any path is made of it."""
    with pytest.raises(UsageError, match="is no id of a snapshot; nothing was done"):
        manifest.read(tmp_path, key)


def test_manifest_tells_what_a_table_was_made_of(taken):
    """Columns with types in full, key, constraints and defaults, for people who have to make a table again."""
    document = json.loads((taken[0] / taken[1] / manifest.MANIFEST).read_text(encoding="utf-8"))
    odd = table_of(document, "odd")
    columns = {column["name"]: column for column in odd["columns"]}

    assert ["id"] == odd["key"]
    assert ("numeric(8,2)", "public.mood", "s") == (
        columns["price"]["type"], columns["mood"]["type"], columns["twice"]["generated"]
    )  # fmt: skip
    assert "PRIMARY KEY (id)" == odd["definition"]["constraints"]["odd_pkey"]["sql"]
