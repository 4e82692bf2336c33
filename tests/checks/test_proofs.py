"""Proofs: what they find wrong with a check, and how a new check and its proof come about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl.checks import proofs, read_check
from rally_etl.checks.drafting import draft
from rally_etl.checks.files import Check
from rally_etl.database.catalog import IMPORTED
from rally_etl.errors import UsageError
from rally_etl.settings import Settings

CHECK = Check(
    table="teams",
    statement="team_is_named",
    title="A team is named",
    severity="error",
    dimension="completeness",
    owner="league-data",
    why="It shows as a blank line.",
    mend="Name it.",
    sql="select id from teams where league_id = :league_id and (team_name <> '') is not true",
)
PROOF = {"failing": [{"id": 1, "team_name": ""}, {"id": 2}], "passing": [{"id": 3, "team_name": "Lakeside 1"}]}


@pytest.fixture(scope="module")
def stage(module_engine: sa.Engine) -> Iterator[sa.Connection]:
    """Empty copies of the imported tables."""
    with proofs.stage(module_engine) as connection:
        yield connection


def test_right_check_is_proved(stage):
    """A check that finds each failing row and no passing one has no fault."""
    assert [] == proofs.prove(stage, CHECK, PROOF)


def test_case_has_rows_and_a_day_of_its_own(stage):
    """What is wrong in the database of one case is not laid out in another's."""
    check = replace(CHECK, sql=CHECK.sql + " and exists (select from clubs) and cast(:as_of as date) > '2026-01-01'")
    case = PROOF | {"given": {"clubs": [{"id": 1}]}, "as_of": "2026-02-01"}

    assert [] == proofs.prove(stage, check, {"passing": PROOF["failing"], "cases": [case]})


@pytest.mark.parametrize(
    ("sql", "proof", "says"),
    [
        (CHECK.sql.replace("is not true", "is false"), PROOF, "it finds 1 and not 2 of the failing rows (found: 1)"),
        (CHECK.sql.replace("<> ''", "= ''"), PROOF, "it finds 1 and not 0 of the passing rows (found: 3)"),
        (CHECK.sql.replace(":league_id", "league_id"), PROOF, "another league"),
        (CHECK.sql.replace("team_name", "teamname"), PROOF, 'column "teamname" does not exist'),
        (CHECK.sql, PROOF | {"failing": [{"id": 1, "teamname": ""}]}, "failing says teamname: no column of teams"),
        (CHECK.sql, PROOF | {"given": {"courts": [{}]}}, "given.courts names a table that the database does not have"),
        (CHECK.sql, PROOF | {"given": {"users": [{"id": 1}]}}, "the failing rows cannot be laid out: null value"),
        (CHECK.sql, PROOF | {"failing_rows": 0, "failing": PROOF["passing"]}, "wants no failing row"),
        (CHECK.sql, PROOF | {"cases": [{"failing": PROOF["passing"]}]}, "case 2: it finds 0 and not 1"),
        (CHECK.sql, PROOF | {"cases": [{"passing": PROOF["failing"]}]}, "case 2: it finds 2 and not 0"),
        (CHECK.sql, PROOF | {"cases": [{"passing": [{"named": 1}]}]}, "passing says named: no column of teams"),
    ],
)
def test_fault_is_told(stage, sql, proof, says):
    """A check that misses a row, finds a right one, or another league's, and a proof that says nothing are told."""
    faults = proofs.prove(stage, replace(CHECK, sql=sql), proof)

    assert [] != [fault for fault in faults if says in fault]


def test_rows_of_a_proof_do_not_stay(stage):
    """After a proof the stage is empty, and so are the tables of users."""
    user = {"id": 1, "email": "a@example.com", "password_hash": "x", "first_name": "A", "last_name": "B"}
    given = {"users": [user | {"is_admin": False}]}

    assert [] == proofs.prove(stage, CHECK, PROOF | {"given": given})
    assert (0, 0) == (
        stage.scalar(sa.text("select count(*) from teams")),
        stage.scalar(sa.text("select count(*) from users")),
    )


@pytest.mark.parametrize("table", IMPORTED)
def test_draft_runs_and_is_not_proved(stage, settings_of_nothing, table):
    """A new check of any table runs as it is written; it is proved when its words and its rows are there."""
    path, proof = draft(settings_of_nothing, table, "is_there")
    check = read_check(path)
    with pytest.raises(UsageError, match="`failing` is missing or empty") as refused:
        proofs.read_proof(proofs.proofs_dir(settings_of_nothing.root), check.name)

    assert str(proof) in str(refused.value)
    assert ["the header's why and mend is still that of the template"] == proofs.prove(stage, check, PROOF)
    said = replace(check, why="w", mend="m")
    assert [] == [
        fault for fault in proofs.prove(stage, said, {"failing": [{}], "passing": [{}]}) if "not run" in fault
    ]


@pytest.fixture
def settings_of_nothing(tmp_path: Path) -> Settings:
    """A project folder without params."""
    return Settings(root=tmp_path)


@pytest.mark.parametrize(
    ("table", "name", "says"),
    [
        ("team", "x", "is teams meant"),
        ("polls", "x", "there are leagues"),
        ("teams", "../x", "no name"),
        ("teams", "X", "no name"),
    ],
)
def test_wrong_draft_is_refused(settings_of_nothing, table, name, says):
    """A table that is not imported, and a name that leads elsewhere, write nothing."""
    with pytest.raises(UsageError, match=says):
        draft(settings_of_nothing, table, name)

    assert [] == list(settings_of_nothing.root.iterdir())


def test_draft_overwrites_nothing(settings_of_nothing):
    """What is there stays, also when only one of the two files is."""
    query, proof = draft(settings_of_nothing, "teams", "is_there")
    query.unlink()
    proof.write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        draft(settings_of_nothing, "teams", "is_there")

    assert ("mine", False) == (proof.read_text(), query.exists())
