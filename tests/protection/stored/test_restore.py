"""Tables go back to a snapshot as a plan: what is gone comes back, what users added since stays, references hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from rally_etl import operations as kinds
from rally_etl import planning
from rally_etl.database.catalog import quote
from rally_etl.errors import UsageError
from rally_etl.planning import operations
from rally_etl.protection import integration_measures, verify_users
from rally_etl.protection.stored import manifest, retention
from rally_etl.protection.stored.create import create
from rally_etl.protection.stored.evidence import compare_live
from rally_etl.protection.stored.manifest import Damaged
from scrapes import APTA, Import, changed, fingerprint, small

ODD = 'Odd "table" %s'
ODD_ROWS = (
    f"""create table {quote(ODD)} (
        "key" uuid primary key default gen_random_uuid(), "per cent %" text, numbers integer[], whole bytea,
        "when" interval, said jsonb, price numeric, ratio double precision, number bigint generated always as identity,
        doubled bigint generated always as (length("per cent %")) stored)""",
    f"""insert into {quote(ODD)} ("per cent %", numbers, whole, "when", said, price, ratio) values
        ('tab\tand\nline \\ back', '{{1,null,3}}', '\\x00ff0a5c', '1 day 02:00', '{{"a": [1, null]}}', 1.10, 0.1),
        ('', '{{}}', '', null, 'null', 'NaN', 'Infinity'), (null, null, null, null, null, null, null)""",
    "create table papers (id integer primary key, raw json)",
    "insert into papers values (1, '{\"a\": 1}')",
    "create table notes (body text)",
    "insert into notes values ('one'), ('one'), (null)",
)


AHEAD = [
    f"select setval('{table}_id_seq', (select greatest(max(id), (select last_value from {table}_id_seq)) from {table}))"
    for table in ("clubs", "teams", "players", "schedule")
]
"""Sequences of imported tables are never behind their rows."""


@dataclass(slots=True)
class Lab:
    """One database with a small league and users' rows, and the steps of a restore without notebooks."""

    importing: Import
    runs: list[str] = field(default_factory=list)

    @property
    def engine(self) -> sa.Engine:
        return self.importing.engine

    def take(self) -> str:
        """Take a snapshot; answer its id."""
        return create(self.engine, self.importing.settings).id

    def write(self, *statements: str) -> None:
        """Run statements with foreign keys and triggers off, as a careless importer does."""
        with self.engine.begin() as connection:
            connection.execute(sa.text("set local session_replication_role = replica"))
            for statement in (*statements, *AHEAD):
                connection.exec_driver_sql(statement.replace("%", "%%"))

    def plan(self, snapshot: str, *tables: str, exact: bool = False) -> str:
        """Begin a run that restores, and plan it; all tables but `notes` if none is named."""
        folder = retention.folder_of(self.importing.settings)
        named = tables or [
            each for each in manifest.names_of(manifest.read(folder, snapshot).tables) if each != "notes"
        ]
        operation = {"kind": "restore", "snapshot": snapshot, "tables": list(named), "exact": exact}
        leagues = manifest.read(folder, snapshot).leagues  # as the command does: live may have lost them
        return self.begin(operation | {"by": "Ann Example", "reason": "a test"}, leagues)

    def begin(self, operation: dict[str, Any], leagues: Sequence[str] = ()) -> str:
        """Begin a run without a scrape and plan it."""
        importing = self.importing
        keys = leagues or operations.leagues_of(self.engine, importing.settings, operation, kinds.KINDS)
        run_id = f"20251002T{next(importing.numbers):06}-test"
        importing.write(
            "insert into etl.runs (run_id, source, as_of, operation) values (:run, 'x', '2025-10-01',"
            " cast(:operation as jsonb))",
            run=run_id,
            operation=json.dumps(operation),
        )
        for league in keys:
            importing.write(
                "insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=league
            )
        planning.make_plan(self.engine, importing.settings, run_id, kinds=kinds.KINDS)
        self.runs.append(run_id)
        return run_id

    def restore(self, snapshot: str, *tables: str, exact: bool = False) -> str:
        """Plan, see that integration finds nothing wrong, publish, and see that it is as planned."""
        run_id = self.plan(snapshot, *tables, exact=exact)
        assert {} == self.wrong(run_id)
        self.importing.publish(run_id)
        assert [] == verify_users(self.engine, self.importing.settings, run_id)
        return run_id

    def wrong(self, run_id: str) -> dict[str, list[str]]:
        """What integration finds lost, moved or changed without a reason."""
        found = integration_measures(self.engine, self.importing.settings, run_id)[APTA]
        return {name: each["detail"] for name, each in found.items() if each["value"] and name != "references_renamed"}

    def undo(self, run_id: str) -> None:
        """Take a run back."""
        self.importing.publish(self.begin({"kind": "undo", "run": run_id, "by": "Ann Example", "reason": "back"}))

    def held(self, run_id: str) -> dict[tuple[str, str], list[str]]:
        """(Table, reason) -> rows that stay although they were added since."""
        found: dict[tuple[str, str], list[str]] = {}
        for table, reason, name in self.importing.held(run_id):
            found.setdefault((table, reason), []).append(name)
        return found

    def compared(self, run_id: str) -> dict[str, tuple[int, bool]]:
        """Table -> rows that stay, and whether the others are as in the snapshot; of tables that had changed."""
        with self.engine.connect() as connection:
            operation = operations.of_run(connection, run_id)
            found = compare_live(connection, self.importing.settings, run_id, operation)
        return {each.table: (each.kept, each.is_as_stored) for each in found if each.was_changed or each.kept}

    def column(self, sql: str) -> list[Any]:
        """First column of a query."""
        return self.importing.column(sql)

    def prints(self) -> dict[str, str]:
        """Fingerprints of all tables."""
        return fingerprint(self.engine)


@pytest.fixture(scope="module")
def lab(module_engine, module_settings) -> Iterator[Lab]:
    """A league, users' rows, and tables as nobody expects them; each test takes its own snapshot."""
    importing = Import(module_engine, module_settings)
    importing.load(small())
    lab = Lab(importing)
    lab.write(
        *ODD_ROWS,
        "insert into users (email, password_hash) values ('ann@example.org', 'x'), ('bob@example.org', 'x')",
        "insert into polls (team_id, created_by, question) select id, 1, team_name from teams order by id",
        "insert into poll_choices (poll_id, choice_text) select id, 'Monday' from polls",
        "insert into poll_responses (poll_id, choice_id, player_id) select c.poll_id, c.id, p.id from poll_choices as c"
        " cross join (select min(id) as id from players) as p",
        "insert into captain_messages (team_id, captain_user_id, message) select min(id), 1, 'Hello' from teams",
        "insert into schedule (league_id, match_date, home_team, home_team_id)"
        " select 1, '2025-10-02', 'Tennaqua Practice - Series 12', min(id) from teams",
    )
    yield lab


def test_restore_of_what_is_the_same_is_an_empty_plan(lab):
    """Nothing differs: no row is planned, and nothing is held."""
    run_id = lab.plan(lab.take())

    assert {} == lab.importing.changes(run_id)
    assert {} == lab.held(run_id)


def test_what_is_gone_or_changed_comes_back_and_undo_takes_it_away_again(lab):
    """Users' rows and imported rows, under their ids; after the undo live is as it was before the restore."""
    snapshot, before = lab.take(), lab.prints()
    lab.write(
        "delete from poll_responses where id < 3",
        "update polls set question = question || '!' where id = 1",
        "delete from captain_messages",
        "update clubs set logo_filename = 'x.png'",
        "delete from match_scores where id = (select min(id) from match_scores)",
        "update players set pti = pti + 1 where id in (select min(id) from players)",
        f"""update {quote(ODD)} set numbers = '{{9}}', whole = null where "per cent %" <> ''""",
        f"""delete from {quote(ODD)} where "per cent %" is null""",
    )
    broken = lab.prints()
    run_id = lab.restore(snapshot)

    assert before == lab.prints()
    assert {
        ODD, "captain_messages", "clubs", "match_scores", "players", "poll_responses", "polls"
    } == lab.compared(run_id).keys()  # fmt: skip
    assert {(0, True)} == set(lab.compared(run_id).values())
    lab.undo(run_id)
    assert broken == lab.prints()
    lab.restore(snapshot)
    assert before == lab.prints()


def test_rows_that_users_added_since_stay_and_are_listed(lab):
    """Also practices, and rows that refer to rows that were added since; the others are as in the snapshot."""
    snapshot = lab.take()
    lab.write(
        "insert into polls (id, team_id, question) select 90, min(id), 'New?' from teams",
        "insert into poll_choices (id, poll_id, choice_text) values (91, 90, 'Friday')",
        "update polls set question = question || '!' where id = 2",
        "insert into schedule (id, league_id, match_date, home_team, home_team_id)"
        " select 900, 1, '2025-10-09', 'Tennaqua Practice - Series 12', min(id) from teams",
    )
    run_id = lab.restore(snapshot)
    reason = "added since the snapshot"

    assert ["New?"] == lab.column("select question from polls where id = 90")
    assert {
        ("polls", reason): ["polls 90"], ("poll_choices", reason): ["poll_choices 91"],
        ("schedule", reason): ["schedule 900"],
    } == lab.held(run_id)  # fmt: skip
    assert {"polls": (1, True), "poll_choices": (1, True), "schedule": (1, True)} == lab.compared(run_id)


def test_exact_takes_away_what_was_added_since_and_undo_brings_it_back(lab):
    """Children before parents; the images are in the plan."""
    before, snapshot = lab.prints(), lab.take()
    lab.write(
        "insert into polls (id, team_id, question) select 190, min(id), 'New?' from teams",
        "insert into poll_choices (id, poll_id, choice_text) values (191, 190, 'Friday')",
        "insert into poll_responses (id, poll_id, choice_id, player_id) select 192, 190, 191, min(id) from players",
    )
    added = lab.prints()
    run_id = lab.restore(snapshot, exact=True)

    assert before == lab.prints()
    assert {} == lab.held(run_id)
    lab.undo(run_id)
    assert added == lab.prints()


@pytest.mark.slow
def test_imported_rows_added_since_keep_their_ids(lab):
    """After an import of a later week: teams and players are switched off, clubs stay, match lines go."""
    snapshot = lab.take()
    first = lab.column("select id from match_scores order by id")
    lab.importing.load(changed())
    (team,) = lab.column("select id from teams where team_name = 'Skokie 12'")
    run_id = lab.restore(snapshot)

    assert [(False,)] == [tuple(row) for row in lab.importing.rows(f"select is_active from teams where id = {team}")]
    assert first == lab.column("select id from match_scores order by id")
    assert {("teams", "added since, switched off"), ("clubs", "added since, it keeps its id")} <= lab.held(
        run_id
    ).keys()
    assert all(is_same for _, is_same in lab.compared(run_id).values())


@pytest.mark.slow
def test_imported_rows_go_exactly_with_all_that_names_them(lab):
    """--exact over all tables: also teams and clubs that came since, and the lines and players of them."""
    before, snapshot = lab.prints(), lab.take()
    lab.write(
        "insert into clubs (id, name) values (800, 'Skokie B')",
        "insert into teams (id, club_id, series_id, league_id, team_name, display_name)"
        " select 801, 800, min(series_id), 1, 'Skokie B 12', 'Skokie B 12' from teams",
        "insert into players (id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)"
        " select 802, 'nndz-x', 'Ann', 'Example', 1, 800, series_id, 801 from teams where id = 801",
        "insert into polls (id, team_id, question) values (803, 801, 'New?')",
    )
    lab.restore(snapshot, exact=True)

    assert before == lab.prints()


def test_rows_that_would_point_at_nothing_are_refused(lab):
    """A table alone whose rows refer to rows that are gone: the tables to add are named, nothing is planned."""
    snapshot, before = lab.take(), lab.prints()
    lab.write("delete from poll_responses where poll_id = 1", "delete from poll_choices where poll_id = 1",
              "delete from polls where id = 1")  # fmt: skip
    with pytest.raises(UsageError) as refused:
        lab.plan(snapshot, "poll_choices")

    assert "poll_choices.poll_id would refer to polls 1 (1 row), which is not there; nothing was planned" in str(
        refused.value
    )
    assert "hint: restore these too: --table polls" in str(refused.value)
    lab.restore(snapshot, "poll_choices", "polls", "poll_responses")
    assert before == lab.prints()


@pytest.mark.slow
def test_rows_that_others_refer_to_are_not_taken_away(lab):
    """--exact of one table, while rows of another one refer to what would go."""
    snapshot = lab.take()
    lab.write(
        "insert into polls (id, team_id, question) select 290, min(id), 'New?' from teams",
        "insert into poll_choices (id, poll_id, choice_text) values (291, 290, 'Friday')",
    )
    before = lab.prints()
    with pytest.raises(UsageError) as refused:
        lab.plan(snapshot, "polls", exact=True)

    assert "poll_choices.poll_id refers to polls 290 (1 row), which would go" in str(refused.value)
    assert "hint: restore these too: --table poll_choices" in str(refused.value)
    assert before == lab.prints()
    lab.restore(snapshot, "polls", "poll_choices", exact=True)


def test_a_name_comes_back_unless_rows_were_written_under_the_other_one(lab):
    """What users wrote before the snapshot means the same again; what they wrote since would mean another team."""
    snapshot, before = lab.take(), lab.prints()
    lab.write("update teams set team_name = 'Onwentsia 3' where team_name = 'Tennaqua 12'")
    lab.restore(snapshot, "teams")
    assert before == lab.prints()
    lab.write(
        "update teams set team_name = 'Onwentsia 3' where team_name = 'Tennaqua 12'",
        "insert into polls (id, team_id, question) select 390, id, 'New?' from teams where team_name = 'Onwentsia 3'",
    )
    with pytest.raises(UsageError) as refused:
        lab.plan(snapshot, "teams")

    assert "polls.team_id: 1 row of 'Onwentsia 3' would be of 'Tennaqua 12'; nothing was planned" in str(refused.value)
    lab.restore(snapshot, "teams", "polls", exact=True)
    assert before == lab.prints()


def test_altered_tables_are_refused_with_what_differs(lab):
    """A column that went, one that came, another type: per table; the others are named ready to be restored."""
    snapshot = lab.take()
    with lab.engine.begin() as connection:
        connection.execute(sa.text("alter table captain_messages add column mood text"))
        connection.execute(sa.text("alter table notes alter column body type varchar(50)"))
    with pytest.raises(UsageError) as refused:
        lab.plan(snapshot, "captain_messages", "notes", "polls")
    with lab.engine.begin() as connection:
        connection.execute(sa.text("alter table captain_messages drop column mood"))
        connection.execute(sa.text("alter table notes alter column body type text"))

    assert (
        "tables are not made as they were: captain_messages: column mood is new; notes: column body: type was text, is"
        f" character varying(50); nothing was planned\nhint: restore the others: rally-etl snapshot restore {snapshot}"
        " --table polls"
    ) == str(refused.value)


def test_table_without_a_key_is_refused_only_when_it_differs(lab):
    """Nothing tells its rows apart, so no plan can name them."""
    snapshot = lab.take()
    assert {} == lab.importing.changes(lab.plan(snapshot, "notes", "polls"))
    lab.write("insert into notes values ('two')")
    with pytest.raises(UsageError, match="nothing tells the rows of notes apart, and they are not as in the snapshot"):
        lab.plan(snapshot, "notes")
    lab.write("delete from notes where body = 'two'")


@pytest.mark.slow
def test_values_that_nothing_can_compare_are_refused_only_when_they_differ(lab):
    """A plan is compared with live before it is written; the table can be left out."""
    snapshot = lab.take()
    assert {} == lab.importing.changes(lab.plan(snapshot, "papers", "polls"))
    lab.write("update papers set raw = '[]'")
    with pytest.raises(UsageError) as refused:
        lab.plan(snapshot, "papers", "polls")
    lab.write("""update papers set raw = '{"a": 1}'""")

    assert "nothing can compare values of papers.raw of type json" in str(refused.value)
    assert f"hint: restore the others: rally-etl snapshot restore {snapshot} --table polls" in str(refused.value)


@pytest.mark.slow
def test_emptied_database_comes_back(lab):
    """Every row is gone, leagues and users too."""
    snapshot, before = lab.take(), lab.prints()
    names = [quote(name) for name in before if name not in ("notes", "papers")]
    lab.write(*(f"delete from {name}" for name in names))
    run_id = lab.restore(snapshot)

    assert before == lab.prints()
    assert {} == lab.held(run_id)


@pytest.mark.slow
def test_rows_that_could_not_stand_beside_each_other_are_refused(lab):
    """A row that comes back under a name that a newer row has."""
    snapshot = lab.take()
    lab.write(
        "update users set email = 'former@example.org' where id = 2",
        "insert into users (id, email, password_hash) values (490, 'bob@example.org', 'x')",
    )
    with pytest.raises(UsageError) as refused:
        lab.plan(snapshot, "users")

    assert "users 2 and 490: both would be email bob@example.org" in str(refused.value)
    assert "hint: --exact takes rows away that were added since" in str(refused.value)
    lab.restore(snapshot, "users", exact=True)


def test_damaged_file_stops_the_restore(lab):
    """One byte of the file of a table that differs: nothing is planned, the file is named."""
    snapshot = lab.take()
    found = manifest.read(retention.folder_of(lab.importing.settings), snapshot).table("polls")
    path = retention.folder_of(lab.importing.settings) / snapshot / found.file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    lab.write("update polls set question = question || '!' where id = 1")
    before = lab.prints()
    with pytest.raises(Damaged, match=f"{found.file} of the snapshot is damaged"):
        lab.plan(snapshot)

    assert before == lab.prints()


def test_evidence_finds_a_plan_that_is_not_the_snapshot(lab):
    """An image altered in the plan, and one more: integration says which tables, the gate stops them."""
    snapshot = lab.take()
    lab.write("delete from poll_responses where id = 3", "update polls set question = question || '!' where id = 1")
    run_id = lab.plan(snapshot)
    plan = planning.schemas(run_id)[0]
    lab.write(f"update \"{plan}\".polls set question = 'forged'", f'delete from "{plan}".poll_responses')

    assert {
        "user_rows_changed": [
            f"poll_responses would not be as in snapshot {snapshot}", f"polls would not be as in snapshot {snapshot}"
        ]
    } == lab.wrong(run_id)  # fmt: skip
    lab.restore(snapshot)


def test_what_users_write_after_the_plan_stays_and_stops_nothing(lab):
    """A row that the plan does not name is written between plan and publish."""
    snapshot = lab.take()
    lab.write("update polls set question = question || '!' where id = 1")
    run_id = lab.plan(snapshot)
    lab.write("insert into polls (id, team_id, question) select 590, min(id), 'Late' from teams")

    assert {} == lab.wrong(run_id)
    lab.importing.publish(run_id)
    assert ["Late"] == lab.column("select question from polls where id = 590")
    assert {"polls": (0, False)} == lab.compared(run_id)
    lab.restore(snapshot, exact=True)


@pytest.mark.slow
def test_sequences_are_ahead_of_what_comes_back(lab):
    """A database made anew would give an id again that a row of the snapshot has."""
    (highest,) = lab.column("select max(id) from poll_choices")
    snapshot = lab.take()
    lab.write("delete from poll_responses", "delete from poll_choices", "select setval('poll_choices_id_seq', 1)")
    lab.restore(snapshot)

    assert highest < lab.column("select nextval('poll_choices_id_seq')")[0]


def test_table_that_the_snapshot_does_not_have_is_refused(lab):
    """With the names of those that it has; and so is a snapshot that does not exist."""
    with pytest.raises(UsageError, match="has no table 'nothing'; nothing was done\nhint: it holds"):
        lab.plan(lab.take(), "nothing")
    with pytest.raises(UsageError, match="there is no snapshot 20250101T000000-000000"):
        lab.plan("20250101T000000-000000", "polls")
