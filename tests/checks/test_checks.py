"""Every check finds the rows of its proof that are wrong, and no others."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl.checks import RunFacts, proofs, read_check, read_checks, require_proofs, run_check
from rally_etl.errors import UsageError
from rally_etl.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PROOFS = Path(__file__).parent
CHECKS = {check.name: check for check in read_checks(REPOSITORY / "params")}
FACTS = RunFacts("test", dt.date(2025, 10, 15), ("SAMPLE",))
HEADER = """-- title: A team is named
-- severity: error
-- dimension: completeness
-- owner: league-data
-- why: It shows as a blank line.
-- mend: Name it.
"""


@pytest.fixture(scope="module")
def module_stage(module_engine: sa.Engine) -> Iterator[sa.Connection]:
    """Empty copies of the imported tables."""
    with proofs.stage(module_engine) as connection:
        yield connection


@pytest.fixture
def stage(module_stage: sa.Connection) -> Iterator[sa.Connection]:
    """The same; what a test lays out there is taken back."""
    with proofs.laid_out(module_stage, {}):
        yield module_stage


def test_every_check_has_a_proof():
    """There is one proof per check, and none without a check."""
    require_proofs(CHECKS.values(), PROOFS)


@pytest.mark.parametrize("name", CHECKS)
def test_check_is_proved(stage, name):
    """A check counts the rows of its proof that are wrong, none that is right, and none of another league."""
    assert [] == proofs.prove(stage, CHECKS[name], proofs.read_proof(PROOFS, name))


def write_check(folder: Path, text: str, table: str = "teams") -> Path:
    """A check file in a params folder of its own."""
    path = folder / "checks" / table / "team_is_named.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEADER + "select 1; select 2", "line 7: the query holds a `;`"),
        (HEADER + "select id\nfrom teams\nwhere created_at > :since", "line 9: `:since` is no bind"),
        (HEADER + "-- note: x\nselect 1", "line 7: the header key `note` is unknown"),
        (HEADER + "-- max_failing_row: 3\nselect 1", "is `max_failing_rows` meant?"),
        (HEADER + "-- title: again\nselect 1", "line 7: the header says `title` twice, in line 1 too"),
        (HEADER + "-- leagues:\nselect 1", "line 7: the header's `leagues` is empty"),
        (HEADER.replace("error", "critical") + "select 1", "line 2: severity is `critical`"),
        (HEADER.replace("completeness", "beauty") + "select 1", "line 3: dimension is `beauty`"),
        (HEADER.replace("-- owner: league-data\n", "") + "select 1", "says no owner"),
        (HEADER.replace("-- mend: Name it.\n", "") + "select 1", "says no mend"),
        (HEADER + "-- max_failing_rows: some\nselect 1", "not a whole number"),
        (HEADER + "-- warn_above_rows.NSTF: -1\nselect 1", "line 7: warn_above_rows.NSTF is `-1`, not a whole number"),
        (HEADER + "-- max_failing_share: 1.5\n-- share_of: teams\nselect 1", "not a share"),
        (HEADER + "-- max_failing_share: nan\n-- share_of: teams\nselect 1", "not a share"),
        (HEADER + "-- max_failing_share: 0.5\nselect 1", "stand together"),
        (HEADER + "-- share_of: teams\nselect 1", "stand together"),
        (HEADER + "-- max_failing_share: 0.5\n-- share_of: users\nselect 1", "line 8: share_of is `users`"),
        (HEADER + "-- key: id, max(x)\nselect 1", "line 7: key names `max(x)`"),
        (HEADER, "no query"),
    ],
)
def test_wrong_check_file_is_refused(tmp_path, text, says):
    """A file that is not as the README says is refused with its name, the fault and a hint."""
    path = write_check(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        read_checks(tmp_path)

    assert says in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\nhint: " in str(refused.value)


def test_all_wrong_files_are_named_at_once(tmp_path):
    """Two wrong files are two lines of one message."""
    write_check(tmp_path, "select 1")
    write_check(tmp_path, "select 1", table="users")
    with pytest.raises(UsageError) as refused:
        read_checks(tmp_path)

    assert "checks/teams/team_is_named.sql" in str(refused.value)
    assert "the folder `users` is no imported table" in str(refused.value)


def test_folder_without_checks_is_refused(tmp_path):
    """No check at all is an error: nothing checked is not the same as nothing wrong."""
    with pytest.raises(UsageError, match="nothing was checked"):
        read_checks(tmp_path)


def test_missing_proof_is_named(tmp_path):
    """A check without a proof is refused with the file that is missing."""
    check = read_check(write_check(tmp_path, HEADER + "select 1"))
    with pytest.raises(UsageError, match=r"teams/team_is_named.yaml is missing"):
        require_proofs([check], tmp_path)


def test_semicolon_in_a_text_or_a_comment_is_none(tmp_path):
    """Only a mark that ends the query is refused; with it, the line is that of the mark."""
    sql = "select id -- first; then\nfrom teams /* a; b */\nwhere team_name <> 'it''s; a'"
    write_check(tmp_path, HEADER + sql)

    assert 1 == len(read_checks(tmp_path))
    write_check(tmp_path, HEADER + sql + ";")
    with pytest.raises(UsageError, match="line 9: the query holds a `;`"):
        read_checks(tmp_path)


def test_limits_differ_by_league(tmp_path):
    """A limit with a league's key holds for this league and the plain one for all others."""
    header = HEADER + "-- max_failing_rows: 2\n-- max_failing_rows.NSTF: 5\n-- leagues: NSTF, CITA\n"
    check = read_check(write_check(tmp_path, header + "select 1"))

    assert (5, 2) == (check.rows_limit("NSTF"), check.rows_limit("CITA"))
    assert (True, False) == (check.is_for("CITA"), check.is_for("APTA_CHICAGO"))


@pytest.mark.parametrize(("failing", "outcome"), [(0, "passed"), (1, "passed"), (2, "failed")])
def test_share_decides_the_outcome(stage, tmp_path, failing, outcome):
    """A share is taken of the rows of the league: 1 of 10 is tolerated, 2 are not."""
    header = HEADER + "-- max_failing_share: 0.1\n-- share_of: teams\n"
    sql = "select id from teams where league_id = :league_id and (team_name <> '') is not true"
    check = read_check(write_check(tmp_path, header + sql))
    proofs.put(stage, "teams", [{"id": n, "team_name": "" if n < failing else "x"} for n in range(10)])
    proofs.put(stage, "teams", [{"id": 10 + n, "team_name": "x", "league_id": 2} for n in range(90)])

    assert outcome == run_check(stage, check, 1, league="SAMPLE", facts=FACTS).outcome


def test_query_that_cannot_run_is_errored(stage, tmp_path):
    """A query with a fault is `errored` with the server's words, and the connection goes on."""
    broken = read_check(write_check(tmp_path, HEADER + "select no_such_column from teams"))
    result = run_check(stage, broken, 1, league="SAMPLE", facts=FACTS)

    assert ("errored", None) == (result.outcome, result.failing_rows)
    assert 'column "no_such_column" does not exist' in result.error
    assert result.blocks
    assert 1 == stage.scalar(sa.text("select 1"))


def test_unknown_league_is_errored(stage):
    """A league that the candidate does not hold cannot pass a check."""
    result = run_check(stage, CHECKS["teams/name_is_unique"], None, league="NOWHERE", facts=FACTS)

    assert "errored" == result.outcome
    assert "NOWHERE" in result.error


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("selct id\nfrom teams", 7),
        ("select id\nfrom teams\nwhere nobody = 1", 9),
        ("select id\nfrom teams\nwhere (", 9),
    ],
    ids=["the first line", "a column", "the end"],
)
def test_query_that_cannot_run_names_file_and_line(stage, tmp_path, sql, line):
    """What the server says of a query stands with the file and its line, also when it breaks the query around it."""
    result = run_check(stage, read_check(write_check(tmp_path, HEADER + sql)), 1, league="SAMPLE", facts=FACTS)

    assert "errored" == result.outcome
    assert result.error.endswith(f"checks/teams/team_is_named.sql line {line})")


@pytest.mark.parametrize(
    ("header", "sql", "keys"),
    [
        ("", "select id, team_name from teams where league_id = :league_id", ["7", "8"]),
        ("", "select team_name from teams where league_id = :league_id", ["x", None]),
        ("-- key: team_name\n", "select id, team_name from teams where league_id = :league_id", ["x", None]),
        ("-- key: id, team_name\n", "select team_name, id from teams where league_id = :league_id", ["(7,x)", "(8,)"]),
        ("", "select id from teams where league_id = 3", []),
    ],
    ids=["first column", "a column that is NULL", "named column", "two columns", "none"],
)
def test_keys_name_every_failing_row(stage, tmp_path, header, sql, keys):
    """The keys of failing rows are the first column, or the columns that the header names."""
    check = read_check(write_check(tmp_path, HEADER + header + sql))
    proofs.put(stage, "teams", [{"id": 7, "team_name": "x"}, {"id": 8}])
    result = run_check(stage, check, 1, league="SAMPLE", facts=FACTS)

    assert (None, keys) == (result.error, result.keys.all())
    assert len(keys) == result.keys.count == result.failing_rows


def test_key_that_the_query_does_not_have_is_errored(stage, tmp_path):
    """A key column that is none of the query's is an error of the check, not a check without keys."""
    check = read_check(write_check(tmp_path, HEADER + "-- key: nr\nselect id from teams"))

    assert "nr" in run_check(stage, check, 1, league="SAMPLE", facts=FACTS).error


def test_a_million_keys_stay_small(stage, tmp_path):
    """Keys are kept packed: 200,000 of them take less than a megabyte here, and all are there."""
    check = read_check(write_check(tmp_path, HEADER + "select n, 'x' as y from generate_series(1, 200000) as n"))
    result = run_check(stage, check, 1, league="SAMPLE", facts=FACTS)

    assert 1_000_000 > sum(map(len, result.keys.packed))
    assert (200_000, "1", "200000") == (result.keys.count, result.keys.all()[0], result.keys.all()[-1])


@pytest.mark.parametrize(("failing", "outcome"), [(1, "passed"), (2, "warned"), (4, "warned"), (5, "failed")])
def test_what_is_tolerated_may_be_a_warning(stage, tmp_path, failing, outcome):
    """Up to `warn_above_rows` a check passes in silence, up to its limit it warns, beyond it fails."""
    header = HEADER + "-- max_failing_rows: 4\n-- warn_above_rows: 0\n-- warn_above_rows.SAMPLE: 1\n"
    check = read_check(write_check(tmp_path, header + "select id from teams where league_id = :league_id"))
    proofs.put(stage, "teams", [{"id": n} for n in range(failing)])

    assert outcome == run_check(stage, check, 1, league="SAMPLE", facts=FACTS).outcome


def test_sample_holds_the_first_hundred_rows(stage, tmp_path):
    """All failing rows are counted; a hundred are kept, as JSON can hold them."""
    sql = "select id, created_at from teams where league_id = :league_id"
    check = read_check(write_check(tmp_path, HEADER + sql))
    proofs.put(stage, "teams", [{"id": n, "created_at": "2025-10-01T12:00:00Z"} for n in range(150)])
    result = run_check(stage, check, 1, league="SAMPLE", facts=FACTS)

    assert 150 == result.failing_rows
    assert 100 == len(json.loads(json.dumps(result.sample)))


def test_template_is_a_valid_check(settings: Settings):
    """The file that analysts copy is itself read without a fault, once it lies in a table's folder."""
    text = (settings.params_dir / "checks" / "_template.sql").read_text(encoding="utf-8")
    path = settings.root / "teams" / "copy.sql"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")

    assert "warn" == read_check(path).severity
