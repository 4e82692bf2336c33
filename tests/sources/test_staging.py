"""Records become staged rows or quarantine, none is lost, and what was read before is not read again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import REPOSITORY
from rally_etl.naming import load_leagues
from rally_etl.records import KINDS, RecordParser, parser
from rally_etl.sources.reading import FileFault, split_records
from rally_etl.sources.staging import FileKey, Staged, stage
from scrapes import APTA, line, meeting, player, small, stats

LEAGUES = load_leagues(REPOSITORY / "params")
HISTORY = {
    "league_id": APTA,
    "player_id": "nndz-a",
    "name": "A",
    "matches": [{"date": "09/23/2025", "end_pti": 40.5, "series": "Series 12"}],
}
PATTERNS = {
    "players": player("a", "Tennaqua 12"),
    "match_scores": line("nndz-m1_Line1", "Tennaqua 12", "Winnetka 12"),
    "series_stats": stats("Tennaqua 12"),
    "schedules": meeting("09/23/2025", "Tennaqua 12", "Winnetka 12"),
    "player_history": HISTORY,
}


@pytest.fixture
def connection(module_engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that is rolled back."""
    with module_engine.connect() as connection:
        yield connection


def key(data: bytes, kind: str = "players", ruleset: str = "r1", league: str = APTA) -> FileKey:
    """The key of a file with these bytes."""
    from rally_etl.sources.archive import sha256_of

    return FileKey(league, kind, sha256_of(data), ruleset)


def staged(connection: sa.Connection, records: list[Any], kind: str = "players", **changes: str) -> Staged:
    """Stage a file that holds *records*."""
    data = json.dumps(records).encode()
    found = key(data, kind, **changes)
    return stage(connection, found, split_records(data), parser(kind, LEAGUES.get(found.league), LEAGUES))


def reasons(connection: sa.Connection) -> list[tuple[int, str]]:
    """Position and reason of what is in quarantine, for all files."""
    rows = connection.execute(sa.text("select record_no, reason from etl.quarantine order by 1, 2"))
    return [(row.record_no, row.reason) for row in rows]


def names(connection: sa.Connection) -> list[str]:
    """First names of the staged players."""
    return list(connection.execute(sa.text("select first_name from etl.staged_players order by 1")).scalars())


def test_same_bytes_a_second_time_are_one_record(connection):
    """The first of several equal records is staged, the others are quarantined; equal damage is damage each time."""
    good, bad = player("a", "Tennaqua 12"), player("b", "Tennaqua 12", Wins="many")

    assert Staged(records=6, staged=1, quarantined=5) == staged(connection, [good, bad, good, good, bad, "x"])
    assert [
        (1, "bad_number"),
        (2, "duplicate_record"),
        (3, "duplicate_record"),
        (4, "bad_number"),
        (5, "not_an_object"),
    ] == reasons(connection)


def test_only_new_records_are_parsed(connection):
    """Of a file that changed one record in a hundred one is parsed, and rows of records that are gone are deleted."""
    records = [player(f"p{number:03}", "Tennaqua 12") for number in range(100)]
    staged(connection, records)
    changed = [*records[:99], player("new", "Tennaqua 12"), records[0]]
    seen = []
    real = parser("players", LEAGUES.get(APTA), LEAGUES)

    def parse(raw: Any) -> Any:
        seen.append(bytes(raw))
        return real.parse(raw)

    data = json.dumps(changed).encode()
    outcome = stage(connection, key(data), split_records(data), RecordParser("players", real.columns, parse))

    assert [json.dumps(changed[99]).encode()] == seen
    assert Staged(records=101, staged=100, quarantined=1) == outcome
    assert [*(f"p{number:03}" for number in range(99)), "new"] == sorted(
        names(connection), key=lambda name: (name == "new", name)
    )


def test_other_rules_read_everything_again(connection):
    """Rows that other rules made are replaced as a whole."""
    records = [player("a", "Tennaqua 12"), player("b", "Tennaqua 12")]
    staged(connection, records)
    connection.execute(sa.text("update etl.staged_players set first_name = 'as the old rules read it'"))

    staged(connection, records[:1], ruleset="r2")

    assert ["a"] == names(connection)


def test_files_of_two_leagues_and_kinds_do_not_meet(connection):
    """Staging one file leaves the rows of the others."""
    staged(connection, [player("a", "Tennaqua 12")])
    staged(connection, [{**player("b", "Tennaqua S1"), "League": "NSTF"}], league="NSTF")
    staged(connection, [meeting("09/23/2025", "Tennaqua 12", "Winnetka 12")], "schedules")

    staged(connection, [player("c", "Tennaqua 12")])

    assert ["b", "c"] == names(connection)
    assert 1 == connection.execute(sa.text("select count(*) from etl.staged_schedules")).scalar()


def test_a_file_that_was_replaced_meanwhile_is_staged_again(connection):
    """The first file after the second has the outcome it had before."""
    first, second = [player("a", "Tennaqua 12"), "x"], [player("b", "Tennaqua 12")]
    outcome = staged(connection, first)

    staged(connection, second)
    assert outcome == staged(connection, first)
    assert [(1, "not_an_object")] == reasons(connection)


def test_a_run_lists_every_file_and_reads_equal_bytes_once(settings, module_engine, monkeypatch):
    """A run's ledger has a row per file, faults included; the next run with the same bytes parses nothing."""
    from dataclasses import replace

    from rally_etl.sources import load
    from scrapes import Import, write

    settings = replace(settings, database_url=module_engine.url.render_as_string(hide_password=False))
    importing = Import(module_engine, settings)
    folder = write(settings.root / "scrape", small())
    (folder / APTA / "player_history.json").symlink_to(folder / "gone")
    (folder / APTA / "match_history.json").write_text("[]")
    facts = (
        "select kind, fault is null as usable, records, staged, quarantined, orientation, season"
        " from etl.source_files where run_id = :run order by 1"
    )
    expected = [
        ("match_scores", False, 0, 0, 0, None, None),
        ("player_history", False, 0, 0, 0, None, None),
        ("players", True, 16, 16, 0, None, None),
        ("schedules", True, 3, 3, 0, None, 2026),
        ("series_stats", True, 4, 4, 0, None, None),
    ]

    assert expected == importing.rows(facts, run=importing.stage(folder))
    monkeypatch.setattr(load.staging, "stage", None)
    assert expected == importing.rows(facts, run=importing.stage(folder))


def test_hard_texts_reach_the_tables_as_printed(connection):
    """Tabs and line ends become blanks, backslashes and quotes stay, NUL goes; 256 letters are too many."""
    hard = {
        "tab": "a\tb\r\nc",
        "backslash": "\\N \\. \\t",
        "quote": "'\"%:x$$",
        "nul": "a\u0000b",
        "markup": "<b>&amp;",
        "wide": "é" * 255,
    }
    records = [player(name, "Tennaqua 12", **{"Last Name": text}) for name, text in hard.items()]
    records.append(player("long", "Tennaqua 12", **{"Last Name": "é" * 256}))

    assert Staged(records=7, staged=6, quarantined=1) == staged(connection, records)
    rows = connection.execute(sa.text("select first_name, last_name from etl.staged_players")).all()
    assert hard | {"tab": "a b c", "nul": "ab"} == dict(rows)
    reason, faults, original = connection.execute(sa.text("select reason, faults, original from etl.quarantine")).one()
    assert "text_too_long" == reason
    assert ["last_name"] == [fault["field"] for fault in faults]
    assert records[-1] == json.loads(original)


@pytest.mark.parametrize(
    "record",
    [b'{"Wins": 1e999}', b'{"Wins": ' + b"9" * 5000 + b"}", b'{"First Name": "' + b"x" * 100_000 + b'"}',
     b"[" * 900 + b"]" * 900,
     b'{"First Name": "\\u0000\\u0000", "Last Name": "\\\\u0000"}',
     b'{"Player ID": {"a": [1, {"b": null}]}, "Team": false}', b"null", b"-0.0"],
    ids=["infinite", "5,000 digits", "100,000 letters", "deep", "only NUL", "nested", "null", "zero"],
)  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
def test_odd_record_is_kept_aside_with_its_original(connection, kind, record):
    """Whatever stands where a record belongs goes to quarantine as printed; a good record beside it is staged."""
    data = b"[" + record + b"," + json.dumps(PATTERNS[kind]).encode() + b"]"

    outcome = stage(connection, key(data, kind), split_records(data), parser(kind, LEAGUES.get(APTA), LEAGUES))

    assert Staged(records=2, staged=1, quarantined=1) == outcome
    assert record.decode() == connection.execute(sa.text("select original from etl.quarantine")).scalar_one()


TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(categories=["Cc", "Cs", "Zl", "Zs", "Po"]), max_size=8),
    st.sampled_from(
        [
            "Tennaqua 12",
            "BYE - 9",
            "6-2, 4-6",
            "23-Sep-25",
            "home",
            "nndz-a",
            "sharing",
            "\\N",
            "12",
            "-3.5",
            "N/A",
            "0001-01-01",
        ]
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def files(draw: st.DrawFn, kind: str) -> bytes:
    """An array of good records, of good ones with fields replaced or left out, and of anything."""
    records: list[Any] = []
    for _ in range(draw(st.integers(1, 6))):
        record = dict(PATTERNS[kind])
        for name in draw(st.sets(st.sampled_from(sorted(record)), max_size=3)):
            if draw(st.booleans()):
                record[name] = draw(VALUES)
            else:
                del record[name]
        records.append(draw(st.sampled_from([record, record, *records, None])) or draw(VALUES))
    return json.dumps(records, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace")


@pytest.mark.parametrize("kind", KINDS)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.data())
def test_records_read_are_staged_or_quarantined(connection, kind, drawn):
    """Rule 6: read = staged + quarantined for any array, as counted and as stored, and twice gives the same."""
    data = drawn.draw(files(kind))
    try:
        records = split_records(data)
    except FileFault:
        return  # halves of characters are no JSON: the file as a whole is the fault
    with connection.begin_nested() as savepoint:
        outcome = stage(connection, key(data, kind), records, parser(kind, LEAGUES.get(APTA), LEAGUES))
        originals = connection.execute(sa.text("select record_no, original from etl.quarantine")).all()
        digests = connection.execute(sa.text(f"select count(distinct record_hash) from etl.staged_{kind}")).scalar_one()
        again = stage(connection, key(data, kind), records, parser(kind, LEAGUES.get(APTA), LEAGUES))
        savepoint.rollback()

    assert len(records) == outcome.records == outcome.staged + outcome.quarantined
    assert {(number, bytes(records[number]).decode()) for number, _ in originals} == set(map(tuple, originals))
    assert outcome.quarantined == len(originals)
    assert digests <= outcome.staged if kind == "player_history" else digests == outcome.staged
    assert outcome == again
