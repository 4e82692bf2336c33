"""Answers of earlier looks at live: they are taken only as long as they are what asking anew would say."""

from __future__ import annotations

import datetime as dt
import io
import random
import shutil

import pytest
import sqlalchemy as sa

from conftest import first
from rally_etl.checks import CheckResult, RunFacts, blocking_on_live, check_live, remembered
from rally_etl.checks.questions import Suite
from rally_etl.checks.remembered import told_remembered
from rally_etl.checks.running import open_sessions
from rally_etl.database.catalog import IMPORTED
from scrapes import APTA, Import, small

AS_OF = dt.date(2025, 10, 1)
READS_LINES = "match_scores/team_exists"
LINES_TWICE = "match_scores/match_id_is_unique"
LOOK_INTO_THE_CATALOGUE = {"clubs/club_has_teams", "series/series_has_teams", "teams/active_team_is_spoken_of"}
STEPS = 8
TABLES = tuple(name for name in IMPORTED if name != "player_history")


def ask(importing: Import, *, as_of: dt.date = AS_OF, **how: bool) -> list[CheckResult]:
    """One look at live."""
    return check_live(importing.engine, importing.settings, as_of, **({"remember": True} | how))


def said(results: list[CheckResult]) -> list[tuple]:
    """What each check says of each league, whatever the order in which rows were found."""
    return sorted(
        (one.league, one.check, one.outcome, one.failing_rows, one.threshold, one.error, sorted(map(str, keys)))
        for one, keys in ((each, each.keys.all()) for each in results)
        if one.outcome != "skipped"
    )


def old(results: list[CheckResult]) -> set[str]:
    """Checks whose answer is of an earlier look."""
    return {each.check for each in results if each.asked_at}


def write(importing: Import, *statements: str) -> None:
    """Write as somebody who is held by no foreign key."""
    with importing.engine.begin() as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        for statement in statements:
            connection.exec_driver_sql(statement)


def apart(importing: Import, *statements: str) -> None:
    """Write outside any transaction."""
    with importing.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_second_look_takes_the_answers_of_the_first(loaded: Import):
    """Nothing was written: nearly everything is remembered, says the same, and is told with its moment."""
    before, after = ask(loaded), ask(loaded)

    assert set() == old(before)
    assert said(before) == said(after)
    assert said(check_live(loaded.engine, loaded.settings, AS_OF)) == said(after)
    assert {each.check for each in after if each.outcome != "skipped"} - old(after) == LOOK_INTO_THE_CATALOGUE
    assert told_remembered(before) == ""
    known = [each for each in after if each.asked_at]
    assert told_remembered(after).startswith(f"{len(known)} of {len(after)} checks are remembered")


def test_failing_rows_are_remembered_whole(loaded: Import):
    """Number, sample and keys of what fails come back as they were."""
    write(loaded, "update match_scores set away_team_id = 999999")
    before, after = ask(loaded), ask(loaded)
    first_time, second = ({each.check: each for each in found}[READS_LINES] for found in (before, after))

    assert ("failed", 4) == (first_time.outcome, first_time.failing_rows)
    assert READS_LINES in old(after)
    assert (first_time.sample, first_time.keys.all()) == (second.sample, second.keys.all())


def test_fresh_asks_everything(loaded: Import):
    """Whoever wants it fresh gets nothing that is remembered; the next look may take it."""
    ask(loaded)

    assert set() == old(ask(loaded, fresh=True))
    assert READS_LINES in old(ask(loaded))


SAME_COUNT = (
    "create temp table kept on commit drop as select * from match_scores",
    "delete from match_scores where id = (select min(id) from match_scores)",
    "insert into match_scores (id, league_id, home_team_id) select min(id), min(league_id), 999999 from kept",
)
TRUNCATED = (
    "create temp table kept on commit drop as select * from match_scores",
    "truncate match_scores",
    "insert into match_scores select * from kept",
)
REPLACED = (
    "create table other (like match_scores including all)",
    "insert into other select * from match_scores",
    "alter table match_scores rename to gone",
    "alter table other rename to match_scores",
)
CHANGES = {
    "one row is inserted": ("insert into match_scores (league_id) select min(id) from leagues",),
    "one row is updated": ("update match_scores set home_team_id = 999 where id = (select max(id) from match_scores)",),
    "one row is deleted": ("delete from match_scores where id = (select min(id) from match_scores)",),
    "one row gives way to another": SAME_COUNT,
    "the table is emptied and filled again": TRUNCATED,
    "another table takes its name": REPLACED,
    "two columns change names": (
        "alter table match_scores rename home_team_id to x",
        "alter table match_scores rename away_team_id to home_team_id",
        "alter table match_scores rename x to away_team_id",
    ),
    "old rows get a value without being written": (
        "alter table match_scores drop column tenniscores_match_id cascade",
        "alter table match_scores add column tenniscores_match_id text default 'one'",
    ),
    "another type": (
        "drop schema candidate_20251001t000001_test cascade",
        "alter table match_scores alter column home_team_id type bigint",
    ),
    "not everybody sees the rows": ("alter table match_scores enable row level security",),
    "rows of another table show too": ("create table more () inherits (match_scores)",),
}


@pytest.mark.parametrize("change", first(3, CHANGES))
def test_changed_table_is_asked_again(loaded: Import, change: str):
    """Whatever happens to the match lines, no check that reads them is remembered, and what is said is of now."""
    ask(loaded)
    write(loaded, *CHANGES[change])
    found = ask(loaded)

    assert old(found).isdisjoint({READS_LINES, LINES_TWICE})
    assert old(found)
    assert said(check_live(loaded.engine, loaded.settings, AS_OF)) == said(found)


def test_what_changes_no_row_costs_nothing(loaded: Import):
    """A table that is written anew row by row, cleaned or analysed has the same rows; so has one after a rollback."""
    ask(loaded)
    apart(loaded, "vacuum full match_scores", "vacuum freeze match_scores", "analyze match_scores")
    with loaded.engine.connect() as connection:
        connection.exec_driver_sql("delete from match_scores")
        connection.rollback()

    assert READS_LINES in old(ask(loaded))


def test_what_others_have_not_committed_is_not_there(loaded: Import):
    """Rows of an open transaction count for nothing; once it is committed the check is asked again."""
    ask(loaded)
    with loaded.engine.connect() as other:
        other.exec_driver_sql("update match_scores set winner = null where id = (select min(id) from match_scores)")
        during = ask(loaded)
        other.commit()
    after = ask(loaded)

    assert READS_LINES in old(during)
    assert READS_LINES not in old(after)


def test_rows_beside_an_open_transaction_are_in_doubt(loaded: Import):
    """A look while an older transaction is still writing cannot know what it will leave: nothing of it is taken."""
    with loaded.engine.connect() as other:
        other.exec_driver_sql("update match_scores set winner = null where id = (select min(id) from match_scores)")
        write(loaded, "update match_scores set winner = null where id = (select max(id) from match_scores)")
        ask(loaded)
        other.commit()

    assert READS_LINES not in old(ask(loaded))
    assert READS_LINES in old(ask(loaded))


def test_another_day_asks_what_depends_on_it(loaded: Import):
    """Of another day only answers that know no day are remembered."""
    ask(loaded)
    found = old(ask(loaded, as_of=AS_OF + dt.timedelta(1)))

    assert READS_LINES in found
    assert "match_scores/date_is_not_in_the_future" not in found


def test_another_query_program_role_or_setting_asks_again(loaded: Import, monkeypatch: pytest.MonkeyPatch):
    """An answer belongs to what was asked, by which program, as whom and with which settings."""
    ask(loaded)
    changed = loaded.settings.root / "own"
    changed.mkdir()
    params = (loaded.settings.root / "params").resolve()
    for each in params.iterdir():
        (changed / each.name).symlink_to(each)
    (changed / "checks").unlink()
    shutil.copytree(params / "checks", changed / "checks")
    query = changed / "checks" / f"{READS_LINES}.sql"
    query.write_text(query.read_text(encoding="utf-8") + "\n    and m.id > 0\n", encoding="utf-8")
    (loaded.settings.root / "params").unlink()
    changed.rename(loaded.settings.root / "params")
    found = old(ask(loaded))

    assert READS_LINES not in found
    assert LINES_TWICE in found

    name = sa.make_url(loaded.settings.database_url).database
    apart(loaded, f'alter database "{name}" set datestyle to "SQL, DMY"')
    loaded.engine.dispose()
    assert set() == old(ask(loaded))

    monkeypatch.setattr(remembered, "program", lambda: "another version")
    assert set() == old(ask(loaded))


def test_reader_without_rights_asks_everything(loaded: Import):
    """A role that may only read gets every answer, none of somebody else's look, and leaves none."""
    expected = said(ask(loaded))
    name = f"reader_{sa.make_url(loaded.settings.database_url).database}"
    grants = [f"grant usage on schema {schema} to {name}" for schema in ("public", "etl")]
    grants += [f"grant select on all tables in schema {schema} to {name}" for schema in ("public", "etl")]
    apart(loaded, f"create role {name}", *grants)
    reader = sa.create_engine(loaded.engine.url, connect_args={"options": f"-c role={name}"})
    try:
        looks = [check_live(reader, loaded.settings, AS_OF, remember=True) for _ in range(2)]
    finally:
        reader.dispose()
        apart(loaded, f"drop owned by {name}", f"drop role {name}")

    assert [expected, expected] == [said(found) for found in looks]
    assert [set(), set()] == [old(found) for found in looks]


def test_answer_that_says_nothing_is_never_kept(loaded: Import):
    """A check that could not run is asked again, until it can."""
    write(loaded, "alter table match_scores rename winner to won")
    before, after = ask(loaded), ask(loaded)
    errored = {each.check for each in before if each.outcome == "errored"}

    assert "match_scores/decided_line_has_a_winner" in errored
    assert old(after).isdisjoint(errored)


@pytest.mark.parametrize("seed", first(1, range(12)))
def test_remembering_never_changes_what_is_said(loaded: Import, seed: int):
    """Any sequence of writes and of changes of tables: after each, a look with memory says what one without says."""
    dice = random.Random(seed)
    taken = 0
    for step in range(STEPS):
        told = _change(loaded, dice)
        found = ask(loaded)
        taken += len(old(found))

        assert said(check_live(loaded.engine, loaded.settings, AS_OF)) == said(found), (seed, step, told)
    assert taken > 0


def _change(importing: Import, dice: random.Random) -> str:
    """Do something at random to a live table; answer what."""
    table = dice.choice(TABLES)
    with importing.engine.connect() as connection:
        columns = [each["name"] for each in sa.inspect(connection).get_columns(table) if each["name"] != "id"]
        text = [
            each["name"]
            for each in sa.inspect(connection).get_columns(table)
            if isinstance(each["type"], sa.String) and each["name"] not in ("league_id", "name")
        ]
        ids = list(connection.scalars(sa.text(f"select id from {table} order by id")))
    row, column = dice.choice(ids or [0]), dice.choice(columns)
    copied = ", ".join(columns)
    clone = f"insert into {table} ({copied}) select {copied} from {table} where id = {row}"
    delete = f"delete from {table} where id = {row}"
    unkeyed = _without_keys(importing, table)
    changes: list[tuple[str, ...]] = [
        (f"update {table} set {column} = {column} where id = {row}",),
        (f"update {table} set is_active = not is_active where id = {row}",)
        if column == "is_active"
        else (*unkeyed, f"update {table} set {column} = (select min({column}) from {table}) where id = {row}"),
        (delete,),
        (*unkeyed, clone),
        (*unkeyed, clone, delete),
        (f"create temp table kept on commit drop as select * from {table}", f"truncate {table} cascade"),
        (
            f"create temp table kept on commit drop as select * from {table}",
            f"delete from {table}",
            f"insert into {table} select * from kept",
        ),
        (f"alter table {table} add column spare_{dice.randrange(10**6)} text default 'spare'",),
        (f"alter table {table} {dice.choice(('enable', 'disable'))} row level security",),
        (f"create index on {table} ({column})",),
    ]
    if len(text) > 1:
        a, b = dice.sample(text, 2)
        swap = [f"alter table {table} rename {x} to {y}" for x, y in ((a, "swapped"), (b, a), ("swapped", b))]
        changes.append(tuple(swap))
    chosen = dice.choice(changes)
    write(importing, *chosen)
    if dice.random() < 0.2:
        apart(importing, f"vacuum {dice.choice(('', 'full ', 'freeze '))}{table}")
    return "; ".join(chosen)


def _without_keys(importing: Import, table: str) -> tuple[str, ...]:
    """Statements after which a row may stand twice."""
    with importing.engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select c.relname, k.conname from pg_index as x join pg_class as c on c.oid = x.indexrelid"
                " left join pg_constraint as k on k.conindid = c.oid and k.contype = 'u'"
                " where x.indrelid = to_regclass(:name) and x.indisunique and not x.indisprimary"
            ),
            {"name": table},
        ).all()
    return tuple(
        f"alter table {table} drop constraint {row.conname}" if row.conname else f"drop index {row.relname}"
        for row in found
    )


def test_look_after_a_publish_leaves_its_answers(loaded: Import):
    """What a run asks of live when it has published is never from memory, and is remembered for the next look."""
    run_id = loaded.load(small())
    with loaded.engine.begin() as connection:
        connection.execute(sa.text("update etl.runs set as_of = :as_of"), {"as_of": AS_OF})
    assert [] == blocking_on_live(loaded.engine, loaded.settings, run_id, [APTA])
    found = ask(loaded)
    assert said(check_live(loaded.engine, loaded.settings, AS_OF)) == said(found)
    assert {each.check for each in found if each.outcome != "skipped"} - old(found) == LOOK_INTO_THE_CATALOGUE

    write(loaded, "update match_scores set away_team_id = 999999")
    wrong = {each.check for each in blocking_on_live(loaded.engine, loaded.settings, run_id, [APTA])}
    assert READS_LINES in wrong
    assert not any(check.startswith("constraint/") for check in wrong)
    assert {each.check: each.outcome for each in ask(loaded)}[READS_LINES] == "failed"


def test_table_that_changes_after_the_snapshot_leaves_no_answer(loaded: Import):
    """A look reads a table as it is named now, its catalogue as it was: what comes of both is not kept."""
    swap = CHANGES["two columns change names"]
    with open_sessions(loaded.engine, loaded.settings, "public") as sessions:
        suite = Suite.read(loaded.settings)
        write(loaded, *swap)
        facts = RunFacts("live", AS_OF, (APTA,))
        league_id = sessions.first.scalar(sa.text("select id from leagues"))
        questions = suite.questions(sessions.first, [(APTA, league_id)], facts)
        memory = remembered.open_memory(sessions.first, questions)
        assert memory is not None
        sessions.run([memory.task(each) for each in questions])
        remembered.keep(loaded.engine, memory)
    write(loaded, *swap)

    assert old(ask(loaded)).isdisjoint({READS_LINES, LINES_TWICE})


def test_rows_that_came_after_the_snapshot_and_show_all_the_same_are_asked(
    loaded: Import, monkeypatch: pytest.MonkeyPatch
):
    """`copy (freeze)` shows its rows to older snapshots, too: a table that it fills within a look is another one."""
    ask(loaded)
    count_rows = remembered._rows

    def after_a_copy(connection: sa.Connection, table: str, *facts: object) -> remembered.Rows:
        if table == "match_scores":
            write(loaded, f"create table copied as select * from {table}", "update copied set away_team_id = 999999")
            _copy_frozen(loaded, "copied", table)
        return count_rows(connection, table, *facts)

    monkeypatch.setattr(remembered, "_rows", after_a_copy)
    found = ask(loaded)

    assert old(found).isdisjoint({READS_LINES, LINES_TWICE})
    assert "failed" == {each.check: each.outcome for each in found}[READS_LINES]


def _copy_frozen(importing: Import, source: str, target: str) -> None:
    """Empty a table and fill it with rows that everybody sees at once."""
    with importing.engine.begin() as connection, connection.connection.cursor() as cursor:
        cursor.copy_expert(f"copy {source} to stdout", rows := io.StringIO())
        rows.seek(0)
        cursor.execute(f"set local session_replication_role = replica; truncate {target}")
        cursor.copy_expert(f"copy {target} from stdin (freeze)", rows)
