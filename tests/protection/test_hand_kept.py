"""Columns that people keep by hand: no import writes them, every run says so, and a plan that would is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl import gate, planning
from rally_etl.database.catalog import read_catalog
from rally_etl.database.ownership import read_ownership
from rally_etl.errors import UsageError
from rally_etl.planning import operations
from rally_etl.protection import integration_measures
from scrapes import APTA, Import, changed, small

PARAMS = Path(__file__).resolve().parents[2] / "params"
KEPT = {each.name: each for each in read_ownership(PARAMS)}
SAYS = {
    "clubs.club_address": "'1 Example Road'",
    "clubs.logo_filename": "name || '.png'",
    "players.email": "tenniscores_player_id || '@example.org'",
    "players.starting_pti": "33",
    "teams.external_team_id": "'x' || id",
    "leagues.league_url": "'https://example.org'",
}


@pytest.fixture
def kept(engine: sa.Engine, settings) -> Import:
    """The small scrape, published, with a value of somebody's in every column kept by hand."""
    importing = Import(engine, settings)
    importing.load(small())
    for name, value in SAYS.items():
        table, _, column = name.partition(".")
        importing.write(f"update {table} set {column} = {value}")
    return importing


def measured(importing: Import, run_id: str) -> dict:
    """Measures of the stage integration."""
    return integration_measures(importing.engine, importing.settings, run_id)[APTA]


def plant(importing: Import, run_id: str, sql: str) -> None:
    """Change the plan of a run behind its back."""
    with importing.engine.begin() as connection:
        connection.exec_driver_sql(sql.format(plan=planning.schemas(run_id)[0]))


def plan_operation(importing: Import, operation: dict) -> str:
    """Begin a run without a scrape and plan it."""
    run_id = f"20251002T{next(importing.numbers):06}-test"
    importing.write(
        "insert into etl.runs (run_id, source, as_of, operation)"
        " values (:run, 'x', '2025-10-01', cast(:operation as jsonb))",
        run=run_id,
        operation=json.dumps(operation),
    )
    for league in operations.leagues_of(importing.engine, importing.settings, operation, operations.KINDS):
        importing.write(
            "insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=league
        )
    planning.make_plan(importing.engine, importing.settings, run_id)
    return run_id


UPDATE_CLUB = (
    "insert into {plan}.clubs_before select * from public.clubs where name = 'Tennaqua';"
    " insert into {plan}.clubs select c.*, 'update', array['APTA_CHICAGO'] from public.clubs as c"
    " where name = 'Tennaqua'; update {plan}.clubs set logo_filename = 'other.png' where name = 'Tennaqua'"
)


def test_every_column_is_tried():
    """The values of this module are of the columns in the file, and the file names columns of the schema."""
    assert KEPT.keys() == SAYS.keys()


def test_file_names_live_columns(engine):
    """Each column that the file names is in the schema."""
    with engine.connect() as connection:
        catalog = read_catalog(connection)

    assert all(catalog[each.table].has(each.column) for each in KEPT.values())


def test_import_does_not_even_name_them(kept):
    """A week's changes are published without one column kept by hand in a statement, and each is told with its values.

    A trigger on a column fires when an update names it, whatever the value.
    """
    kept.write("create function refuse() returns trigger language plpgsql as $$ begin raise 'written'; end $$")
    for place, each in enumerate(KEPT.values()):
        kept.write(
            f"create trigger refuse_{place} before update of {each.column} on {each.table}"
            " for each row execute function refuse()"
        )
    run_id = kept.plan(changed())
    found = measured(kept, run_id)["hand_kept_changed"]
    kept.publish(run_id)

    assert kept.changes(run_id)["players"][1]
    assert 0 == found["value"]
    assert [
        "clubs.club_address: 3 values, 0 would change",
        "clubs.logo_filename: 3 values, 0 would change",
        "leagues.league_url: 1 value, 0 would change",
        "players.email: 16 values, 0 would change",
        "players.starting_pti: 16 values, 0 would change",
        "teams.external_team_id: 4 values, 0 would change",
    ] == found["detail"]


def test_planted_write_is_no_go(kept):
    """A plan that writes a logo is counted with its club, and the gate refuses it."""
    run_id = kept.plan(changed())
    plant(kept, run_id, UPDATE_CLUB)
    found = measured(kept, run_id)
    evidence = {stage: {"stage": stage, "run_id": run_id, "leagues": {"*": {}, APTA: {}}} for stage in gate.STAGES}
    evidence["integration"]["leagues"][APTA] = found
    rules = [rule for rule in gate.read_rules(PARAMS / "gate.yaml") if rule.stage == "integration"]
    statuses = dict.fromkeys(gate.STAGES, "completed")
    rules = [rule for rule in rules if rule.measure in found]
    decided = gate.judge(rules, evidence, [APTA], run_id=run_id, statuses=statuses)[APTA]

    assert 1 == found["hand_kept_changed"]["value"]
    assert "clubs.logo_filename of Tennaqua" in found["hand_kept_changed"]["detail"]
    assert "clubs.logo_filename: 3 values, 1 would change" in found["hand_kept_changed"]["detail"]
    assert gate.NO_GO == decided["decision"]
    assert ["user_rows_stay"] == [reason["rule"] for reason in decided["reasons"] if reason["severity"] == "error"]


@pytest.mark.parametrize(
    ("sql", "demand", "count"),
    [
        ("update {plan}.players set email = 'new@example.org' where _op = 'insert'", "", 1),
        ("update {plan}.teams set external_team_id = 'x' where _op = 'insert'", "", 1),
        (
            "update {plan}.players set email = 'new@example.org' where _op = 'insert'",
            "alter table players alter column email set not null",
            0,
        ),
        (
            "update {plan}.players set email = 'none@example.org' where _op = 'insert'",
            "alter table players alter column email set default 'none@example.org'",
            0,
        ),
    ],
)
def test_new_row_leaves_them_to_people(kept, sql, demand, count):
    """A new row brings no value of its own, unless the database demands one or gives it by default."""
    run_id = kept.plan(changed())
    plant(kept, run_id, sql)
    if demand:
        kept.write(demand)

    assert count == measured(kept, run_id)["hand_kept_changed"]["value"]


def test_new_league_brings_its_link(engine, settings):
    """The link of a league that is new comes from params; afterwards it is people's."""
    importing = Import(engine, settings)
    run_id = importing.plan(small())
    plant(importing, run_id, "update {plan}.leagues set league_url = 'https://example.org'")

    assert 0 == measured(importing, run_id)["hand_kept_changed"]["value"]


def test_undo_brings_back_what_its_run_replaced(kept):
    """An undo returns the logo that a run had written, and may write no other one."""
    run_id = kept.plan(changed())
    plant(kept, run_id, UPDATE_CLUB)
    kept.write(
        "update etl.run_leagues set plan_hash = :hash where run_id = :run", run=run_id, hash=new_hash(kept, run_id)
    )
    kept.publish(run_id)
    assert ["other.png"] == kept.column("select logo_filename from clubs where name = 'Tennaqua'")

    undo = plan_operation(kept, {"kind": "undo", "run": run_id})
    assert 0 == measured(kept, undo)["hand_kept_changed"]["value"]
    plant(kept, undo, "update {plan}.clubs set logo_filename = 'third.png'")
    assert 1 == measured(kept, undo)["hand_kept_changed"]["value"]


def new_hash(importing: Import, run_id: str) -> str:
    """Hash of a plan that was changed."""
    from rally_etl.planning.recording import plan_hash
    from rally_etl.planning.schema import read_planned

    with importing.engine.connect() as connection:
        return plan_hash(connection, run_id, read_planned(connection, run_id), APTA)


def test_value_of_a_deleted_row_is_missed(kept):
    """A run without a scrape that deletes the only row with a logo loses it; where another row has it, it stays."""
    run_id = plan_operation(kept, {"kind": "normalise", "league": APTA})
    delete = (
        "insert into {plan}.clubs_before select * from public.clubs where name = 'Tennaqua';"
        " insert into {plan}.clubs select c.*, 'delete', array['APTA_CHICAGO'] from public.clubs as c"
        " where name = 'Tennaqua'"
    )
    plant(kept, run_id, delete)
    lost = measured(kept, run_id)["hand_kept_changed"]
    kept.write("update clubs set logo_filename = 'Tennaqua.png' where name = 'Winnetka'")
    twin = measured(kept, run_id)["hand_kept_changed"]

    assert (1, 0) == (lost["value"], twin["value"])


def test_column_that_is_not_there_is_left_out(kept):
    """A database without a column has no line for it."""
    kept.forget("20251001T000001-test")
    kept.write("alter table players drop column starting_pti")
    found = measured(kept, kept.plan(changed()))["hand_kept_changed"]["detail"]

    assert not any(text.startswith("players.starting_pti") for text in found)
    assert 5 == len(found)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("column: clubs.club_address", "columns: clubs.club_address", "unknown key columns"),
        ("column: clubs.club_address", "column: club.club_address", "club.club_address is no column"),
        ("column: clubs.club_address", "column: clubs.id", "clubs.id is no column"),
        ("column: clubs.club_address", "column: users.email", "users.email is no column"),
        ("column: clubs.club_address", "column: clubs.logo_filename", "clubs.logo_filename is listed twice"),
        ("initial: true", "initial: often", "initial must be true or false"),
        ("hand_kept:", "kept:", "unknown key kept"),
        ("hand_kept:", "hand_kept: [", "not valid YAML"),
    ],
)
def test_wrong_entry_is_named(tmp_path, old, new, says):
    """A fault of the file is said with its entry."""
    text = (PARAMS / "ownership.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "ownership.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        read_ownership(tmp_path)

    assert says in str(refused.value)
    assert "\nhint: " in str(refused.value)
