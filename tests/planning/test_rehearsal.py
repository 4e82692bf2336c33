"""Before a publish its plan is written and taken back without a trace, and what would not come back is named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, MakeDatabase, first, project
from rally_etl import gate, planning
from rally_etl.database.catalog import quote
from rally_etl.database.engine import connect
from rally_etl.errors import UsageError
from rally_etl.planning import rehearsal
from rally_etl.planning.rehearsal import Rehearsal, load_undo_params, rehearse_undo
from rally_etl.planning.rehearsed import sentence, undo_measures
from rally_etl.protection import check_params
from scrapes import APTA, Import, changed, fingerprint, line, player, small, stats, write

NSTF = "NSTF"
LINES = 400  # match lines of a plan that is worth a sample
STRONG = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")


@pytest.fixture(scope="module")
def live(
    make_database: MakeDatabase, small_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Import]:
    """A database with the small scrape for all tests of this module: a rehearsal leaves nothing."""
    with make_database(small_database) as url:
        settings = project(tmp_path_factory.mktemp("rehearsal"), url)
        engine = connect(settings, application_name="rally-etl tests")
        yield Import(engine, settings, count(1000))
        engine.dispose()


@pytest.fixture(scope="module")
def run_id(live: Import) -> str:
    """A run whose plan inserts, updates and switches off rows."""
    return live.plan(changed())


def told(importing: Import, folder: Path, **params: Any) -> Import:
    """The same database under params of a test's own; locks are waited for a moment only."""
    shutil.copytree(REPOSITORY / "params", folder / "params")
    values = {"rehearse": "always", "sampled_above_rows": 10_000}
    values |= {"lock_timeout_ms": 50, "attempts": 1, "longest_s": 60}
    (folder / "params" / "undo.yaml").write_text(json.dumps(values | params), encoding="utf-8")
    return replace(importing, settings=replace(importing.settings, root=folder))


def rehearsed(importing: Import, run_id: str) -> Rehearsal:
    """The one rehearsal of a run."""
    found = rehearse_undo(importing.engine, importing.settings, run_id)
    assert 1 == len(found), found
    return found[0]


@contextmanager
def standing(importing: Import, *statements: str) -> Iterator[None]:
    """Let a trigger function `planted` stand in the database for a while; *statements* follow it."""
    for statement in statements:
        importing.write(statement)
    try:
        yield
    finally:
        importing.write("drop function planted() cascade")


def planted(body: str, when: str) -> tuple[str, str]:
    """A trigger function and its trigger."""
    return (
        f"create function planted() returns trigger language plpgsql as $$ begin {body} return new; end $$",
        f"create trigger planted {when} for each row execute function planted()",
    )


def everything(importing: Import) -> dict[str, Any]:
    """Digest of all rows of live and ledger, all schemas, and where the live sequences stand."""
    ledger = importing.column("select tablename from pg_tables where schemaname = 'etl' order by 1")
    digest = "select md5(coalesce(string_agg(r, chr(10) order by r), '')) from (select t::text as r from {} as t) as x"
    return {
        "live": fingerprint(importing.engine),
        "ledger": {name: importing.column(digest.format(quote("etl", name)))[0] for name in ledger},
        "schemas": importing.column("select nspname from pg_namespace where nspname not like 'pg_toast%' order by 1"),
        "sequences": importing.rows(
            "select sequencename, last_value from pg_sequences where schemaname = 'public' order by 1"
        ),
        "statistics": importing.rows(
            "select relname, reltuples from pg_class where relnamespace = 'public'::regnamespace order by 1"
        ),
    }


def test_rehearsal_leaves_everything_as_it_was(live, run_id):
    """All planned rows are written and taken back; live, ledger, sequences and schemas are as before, no lock stays."""
    before = everything(live)
    found = rehearsed(live, run_id)

    assert found.planned == found.rows > 10
    assert (1.0, 0, "", "", "") == (found.share, found.differs, found.refused, found.missing, found.off), found
    assert before == everything(live)
    assert [] == live.column("select 1 from pg_locks where pid <> pg_backend_pid() and locktype = 'transactionid'")
    assert re.fullmatch(
        rf"the undo was rehearsed: {found.rows} rows written and taken back, 0 differ, \d\.\d s", sentence(found)
    )


def test_readers_never_wait_for_a_rehearsal(live, run_id):
    """At no statement is a lock held on a live table that a reader would wait for, nor one that a writer would."""
    seen = set()
    watcher = connect(live.settings, application_name="rally-etl tests, watching")

    @sa.event.listens_for(live.engine, "after_cursor_execute")
    def look(*_: Any) -> None:
        with watcher.connect() as connection:
            seen.update(
                connection.execute(
                    sa.text(
                        "select c.relname, l.mode from pg_locks as l join pg_class as c on c.oid = l.relation"
                        " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
                    )
                ).all()
            )

    try:
        found = rehearsed(live, run_id)
    finally:
        sa.event.remove(live.engine, "after_cursor_execute", look)
        watcher.dispose()

    assert 0 == found.differs
    assert ("players", "RowExclusiveLock") in seen
    assert [] == [(table, mode) for table, mode in seen if mode in STRONG]


FAULTS = {
    "a trigger that counts on": (
        planted("new.points := old.points + 1;", "before update on series_stats"),
        {"differs": 1, "named": r"series_stats \d+: points"},
    ),
    "a trigger that keeps what was written": (
        planted("new.match_time := greatest(new.match_time, old.match_time);", "before update on schedule"),
        {"differs": 1, "named": r"schedule \d+: match_time"},
    ),
    "a trigger that keeps new rows": (
        planted("if tg_op = 'DELETE' then raise exception 'players stay'; end if;", "before delete on players"),
        {"differs": 11, "named": "the run could not be undone: players stay"},
    ),
    "a trigger that writes elsewhere": (
        planted("insert into clubs (id, name) values (-1, new.first_name);", "after insert on players"),
        {"refused": "a trigger or a foreign key would insert 1 row of clubs"},
    ),
    "a trigger that refuses": (
        planted("raise exception 'no new players today';", "before insert on players"),
        {"refused": "no new players today"},
    ),
}


@pytest.mark.parametrize("fault", first(3, FAULTS))
def test_planted_fault_is_found(live, run_id, fault):
    """What would not come back is named with table, key and column; a plan not taken, in the database's words."""
    statements, expected = FAULTS[fault]
    before = everything(live)
    with standing(live, *statements):
        found = rehearsed(live, run_id)

    assert expected.get("differs", 0) == found.differs, found
    if "named" in expected:
        assert re.fullmatch(expected["named"], found.named[0]), found
    assert expected.get("refused", "") in found.refused
    assert bool(found.refused) == ("refused" in expected), found
    assert before == everything(live)


def test_tampered_before_image_is_found(live, run_id):
    """An image before that live never had refuses the plan: it names the row and both values."""
    images = quote(planning.schemas(run_id)[0], "players_before")
    live.write(f"update {images} set pti = pti + 1")
    try:
        found = rehearsed(live, run_id)
    finally:
        live.write(f"update {images} set pti = pti - 1")

    assert re.search(r"players row \d+ has changed: pti was 41\.5, is 40\.5", found.refused), found
    assert 0 == found.rows == found.differs


@pytest.mark.parametrize(
    ("lock", "where"),
    first(
        1,
        [
            (
                "select 1 from players where tenniscores_player_id = 'nndz-Tennaqua121' for update",
                " on a row of players",
            ),
            ("lock table series_stats in share mode", ""),
        ],
    ),
)
def test_rehearsal_without_its_locks_is_missing(live, run_id, tmp_path, lock, where):
    """Another session holds a row or a table: the evidence says that there was no rehearsal, and the gate holds."""
    impatient = told(live, tmp_path)
    with live.engine.begin() as connection:
        connection.execute(sa.text(lock))
        found = rehearsed(impatient, run_id)
        measures = undo_measures(impatient.engine, impatient.settings, run_id)[APTA]

    assert f"canceling statement due to lock timeout{where} (tried 1 time)" == found.missing
    assert (0.0, 0) == (found.share, found.differs)
    assert ("HOLD", ["undo_is_rehearsed"]) == decided(measures)
    assert rehearsed(impatient, run_id).is_good, "no lock of the refused one stays"


def test_lock_that_is_let_go_is_waited_for(live, run_id, tmp_path):
    """A rehearsal that is refused tries again, with a wait; when the other session has gone on it is through."""
    patient = told(live, tmp_path, attempts=5)
    with live.engine.connect() as connection:
        connection.execute(sa.text("select 1 from players for update"))
        sa.event.listen(live.engine, "handle_error", lambda _: connection.rollback(), once=True)
        found = rehearsed(patient, run_id)

    assert found.is_good, found
    assert 2 == found.attempts


@pytest.mark.slow
def test_rehearsal_that_takes_too_long_is_missing(live, run_id, tmp_path):
    """Row locks do not stay for ever: what takes longer than params allow is given up and said."""
    impatient = told(live, tmp_path, longest_s=1)
    with standing(live, *planted("perform pg_sleep(5);", "before update on series_stats")):
        found = rehearsed(impatient, run_id)

    assert "canceling statement due to statement timeout (tried 1 time)" == found.missing


def many_lines() -> dict[str, list[dict[str, Any]]]:
    """The small scrape with a team more, and many lines."""
    scrape = changed()
    scrape["match_scores"] += [
        line(f"nndz-many{n}_Line1", "Tennaqua 12", "Winnetka 12", Date="30-Sep-25") for n in range(LINES)
    ]
    return scrape


def test_large_leaf_tables_are_sampled(live, tmp_path):
    """Of lines, which nothing points at, a part is enough, and it is said; what rows point at is rehearsed whole."""
    sampled = told(live, tmp_path, rehearse="sampled", sampled_above_rows=100)
    run_id = live.plan(many_lines())
    before = everything(live)
    found = rehearsed(sampled, run_id)
    lines = found.rows - (found.planned - LINES - 2)  # a line more and a line changed are in the small scrape

    assert LINES + 11 == found.planned
    assert found.is_sample
    assert found.is_good, found
    assert 60 < lines < 140, "about a hundred"
    assert f"{found.rows} rows of {found.planned} planned written and taken back" in sentence(found)
    assert (
        found.rows / found.planned
        == undo_measures(live.engine, sampled.settings, run_id)[APTA]["undo_rehearsed_share"]["value"]
    )
    assert before == everything(live)

    with standing(live, *planted("new.scores := 'x';", "before insert on match_scores")):
        found = rehearsed(sampled, run_id)
    assert LINES < found.differs, "a sample that does not come back is rehearsed whole"
    assert found.rows == found.planned


@pytest.mark.parametrize("grows", [False, True])
def test_tables_that_grow_much_are_not_joined_in_loops(live, run_id, monkeypatch, grows):
    """Statistics know nothing of the rows of a first load, nor does autovacuum; of a small plan they say the truth."""
    monkeypatch.setattr(rehearsal, "FEW_ROWS", 0 if grows else 1000)
    statements = []

    @sa.event.listens_for(live.engine, "after_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    try:
        assert rehearsed(live, run_id).is_good
    finally:
        sa.event.remove(live.engine, "after_cursor_execute", note)
    assert grows == ("set local enable_nestloop = off" in statements)


def test_never_is_said(live, run_id, tmp_path):
    """Params that want no rehearsal get none; the gate lets the run go and says so."""
    never = told(live, tmp_path, rehearse="never")
    found = rehearsed(never, run_id)
    measures = undo_measures(never.engine, never.settings, run_id)[APTA]

    assert ("params/undo.yaml says never", 0, 0.0) == (found.off, found.rows, found.share)
    assert ("GO", ["undo_is_to_be_rehearsed"]) == decided(measures)
    assert ["the undo was not rehearsed: params/undo.yaml says never"] == measures["undo_rehearsed_share"]["detail"]


def test_empty_plan_needs_no_rehearsal(live):
    """Nothing planned is nothing to take back: the whole of it is rehearsed."""
    found = rehearsed(live, live.plan(small()))

    assert (0, 0, 1.0) == (found.planned, found.rows, found.share)
    assert ("GO", []) == decided(
        undo_measures(live.engine, live.settings, live.column("select max(run_id) from etl.runs")[0])[APTA]
    )


def test_fault_of_one_league_is_its_own(live, tmp_path):
    """Leagues are rehearsed together; where something is wrong, each by itself."""
    folder = write(tmp_path, changed())
    others = {
        "players": [player("west", "Hillcrest 2B", Series="S2B", League=NSTF)],
        "series_stats": [stats("Hillcrest S2B", series="S2B", league_id=NSTF)],
    }
    run_id = live.plan(write(folder, others, NSTF))
    together = rehearsed(live, run_id)
    refusing = planted("if new.email is null and new.pti <> 40.5 then raise exception 'no'; end if;",
                       "before insert or update on players")  # fmt: skip
    with standing(live, *refusing):
        apart = {one.leagues: one.refused for one in rehearse_undo(live.engine, live.settings, run_id)}

    assert (APTA, NSTF) == together.leagues
    assert together.is_good, together
    assert {(APTA,): "no", (NSTF,): ""} == apart


def operation(importing: Import, doing: dict[str, Any]) -> str:
    """Begin a run without a scrape and plan it."""
    run_id = f"20251002T{next(importing.numbers):06}-test"
    importing.write(
        "insert into etl.runs (run_id, source, as_of, operation)"
        " values (:run, 'x', '2025-10-01', cast(:operation as jsonb))",
        run=run_id,
        operation=json.dumps(doing),
    )
    importing.write("insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=APTA)
    planning.make_plan(importing.engine, importing.settings, run_id)
    return run_id


def test_runs_without_a_scrape_are_rehearsed(loaded):
    """A merge and an undo are taken back like an import; what they count as unchanged is never less than nothing."""
    loaded.write(
        "insert into teams (club_id, series_id, league_id, team_name, display_name)"
        " select club_id, series_id, league_id, 'Twin 12', 'Twin 12' from teams where team_name = 'Tennaqua 12'"
    )
    loaded.write(
        "insert into schedule (league_id, match_date, home_team, home_team_id)"
        " select 1, day, 'Twin 12 Practice', (select id from teams where team_name = 'Twin 12')"
        " from generate_series(date '2025-10-01', '2025-10-20', '1 day') as day"
    )
    twin, team = (
        loaded.column("select id from teams where team_name = :name", name=name)[0]
        for name in ("Twin 12", "Tennaqua 12")
    )
    merge = {"kind": "merge", "table": "teams", "from": twin, "into": team, "by": "Ann Example", "reason": "one team"}
    merged = operation(loaded, merge)
    found = rehearsed(loaded, merged)
    counts = loaded.column("select plan_counts from etl.run_leagues where run_id = :run", run=merged)[0]

    assert found.is_good, found
    assert found.rows == found.planned > 20
    assert (20, 3) == (counts["schedule"]["update"], counts["schedule"]["unchanged"])
    assert [] == [(table, count) for table, count in counts.items() if min(count.values()) < 0]

    loaded.publish(merged)
    undone = operation(loaded, {"kind": "undo", "run": merged, "by": "Ann Example", "reason": "two teams"})
    found = rehearsed(loaded, undone)
    assert found.is_good, found
    assert found.rows > 20


@pytest.mark.parametrize(
    ("statement", "telling"),
    [
        (
            "insert into etl.constraint_changes (run_id, number, table_name, name, action, definition)"
            " values (:run, 1, 'players', 'players_key', 'drop', 'x')",
            "the run drops constraints, which would lock readers out",
        ),
        (
            "insert into etl.guards (run_id, command, method) values (:run, 'x', 'direct')",
            "what a guarded command wrote itself is no plan",
        ),
    ],
)
def test_operation_that_cannot_be_rehearsed_says_why(live, statement, telling):
    """Dropping a constraint would stop readers, and a command's own rows have no undo: neither is passed in silence."""
    run_id = operation(live, {"kind": "normalise", "league": APTA})
    live.write(statement, run=run_id)
    found = rehearsed(live, run_id)

    assert telling in found.off
    assert 0 == found.rows


def decided(measures: dict[str, Any], *, is_import: bool = True) -> tuple[str, list[str]]:
    """What the gate's rules about the undo say of one league, and which of them do not hold."""
    rules = gate.read_rules(REPOSITORY / "params" / "gate.yaml")
    rules = [rule for rule in gate.due(rules, is_import) if rule.measure in measures]
    evidence = {stage: {"stage": stage, "run_id": "r", "leagues": {"*": {}, APTA: {}}} for stage in gate.STAGES}
    evidence["integration"]["leagues"][APTA] = measures
    statuses = dict.fromkeys(gate.STAGES, "completed")
    found = gate.judge(rules, evidence, [APTA], run_id="r", statuses=statuses)[APTA]
    return found["decision"], [reason["rule"] for reason in found["reasons"]]


@pytest.mark.parametrize(
    ("measure", "of_import", "of_repair"),
    [
        ("", ("GO", []), ("GO", [])),
        ("undo_differs", ("NO-GO", ["undo_brings_back"]), ("HOLD", ["undo_of_repair_brings_back"])),
        ("plan_refused", ("NO-GO", ["plan_can_be_written"]), ("NO-GO", ["plan_can_be_written"])),
        ("undo_unrehearsed", ("HOLD", ["undo_is_rehearsed"]), ("HOLD", ["undo_is_rehearsed"])),
        ("undo_off", ("GO", ["undo_is_to_be_rehearsed"]), ("GO", ["undo_is_to_be_rehearsed"])),
    ],
)
def test_gate_decides_on_the_rehearsal(measure, of_import, of_repair):
    """Rows that would not come back stop an import and hold a repair; a missing rehearsal holds."""
    measures = {name: {"value": int(name == measure), "detail": ["x"]} for name in
                ("undo_differs", "plan_refused", "undo_unrehearsed", "undo_off")}  # fmt: skip

    assert of_import == decided(measures)
    assert of_repair == decided(measures, is_import=False)


@pytest.mark.parametrize(
    ("params", "telling"),
    [
        ({"rehearse": "sometimes"}, "key `rehearse`: .* not 'sometimes'"),
        ({"sampled_above_rows": 0}, "key `sampled_above_rows`: .* not 0"),
        ({"attempts": 0}, "key `attempts`: .* not 0"),
        ({"lock_timeout": 1}, "key `lock_timeout`: .* not 1"),
        ({"longest_s": None}, "key `longest_s`: .* not None"),
    ],
)
def test_wrong_params_are_refused_before_a_run(live, tmp_path, params, telling):
    """File, key and value are named; a run does not begin with them."""
    wrong = told(live, tmp_path, **params).settings.params_dir
    with pytest.raises(UsageError, match=rf"undo\.yaml: {telling}; nothing was read\nhint: "):
        check_params(wrong)


def test_own_params_can_be_read():
    """The project's file is as the loader wants it, and a lock is waited for less than a deadlock takes to be seen."""
    params = load_undo_params(REPOSITORY / "params")

    assert "sampled" == params.rehearse
    assert params.lock_timeout_ms < 1000
