"""A check that is weakened fails its proof: each comparison, condition and number of its query is changed in turn.

`make test` tries a few mutants of each check, `make test-all` every one. A mutant that counts in every reading of the
proof what the check counts makes no difference on any database, and stands with its reason in `equivalent.yaml`; or the
proof lacks a row, and the test fails until somebody adds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from proving import Reading, counting, failing_rows, readings
from rally_etl.checks import Check, read_checks
from rally_etl.checks.proofs import laid_out, read_proof, stage
from weakening import Mutant, mutants

REPOSITORY = Path(__file__).resolve().parents[2]
PROOFS = Path(__file__).parent
CHECKS = read_checks(REPOSITORY / "params")
KNOWN = yaml.safe_load((PROOFS / "equivalent.yaml").read_text(encoding="utf-8"))
TRIED_EACH_TIME = 8
all_mutants = cache(mutants)
STRANGE = (
    "create schema archive create table remarks (id integer, club_id integer, series_id integer, team_id integer)",
    "create schema zone create table remarks (id integer, club_id integer, series_id integer, team_id integer)",
    "create table public.badges (id integer, club_id text, series_id text, team_id text)",
)
"""Tables that a look at the catalogue must pass by: of schemas before and after ours, and with ids that are texts."""


@pytest.fixture(scope="module")
def connection(module_engine: sa.Engine) -> Iterator[sa.Connection]:
    """Empty tables for all proofs of the module, and tables that are none of the application's."""
    with stage(module_engine) as made:
        counting(made)
        for statement in STRANGE:
            made.exec_driver_sql(statement)
        yield made


def asked(connection: sa.Connection, check: Check, left: list[Mutant]) -> tuple[list[tuple], list[Mutant]]:
    """Readings of its proof in which a check counts something else, and mutants that count the same in every one."""
    wrong = []
    for reading in readings(check, read_proof(PROOFS, check.name)):
        is_none = does_not_hold(check, reading)
        queries = [check.sql, *(mutant.sql for mutant in left if not is_none)]
        counts = demanded(connection, check, reading)
        with laid_out(connection, reading.tables):
            found = {league: failing_rows(connection, queries, league, reading.as_of) for league in counts}
        own = {league: rows[0] for league, rows in found.items()}
        if (own != counts) != is_none:
            wrong.append((reading.name, counts, own))
        if not is_none:
            same = zip(*(rows[1:] for rows in found.values()), strict=True)
            left = [mutant for mutant, rows in zip(left, same, strict=True) if rows == tuple(counts.values())]
    return wrong, left


def demanded(connection: sa.Connection, check: Check, reading: Reading) -> dict[int, int | None]:
    """League -> failing rows that a reading demands."""
    if reading.like is None:
        return reading.counts
    with laid_out(connection, reading.like):
        return {league: failing_rows(connection, [check.sql], league, reading.as_of)[0] for league in reading.counts}


def does_not_hold(check: Check, reading: Reading) -> bool:
    """Whether a reading stands in the file as one that a check need not fulfil."""
    return any(reading.name in each["readings"] for each in KNOWN["readings"].get(check.name, []))


def is_equivalent(check: Check, mutant: Mutant) -> bool:
    """Whether a mutant stands in the file as one that makes no difference."""
    listed = KNOWN["mutants"].get("every check", []) + KNOWN["mutants"].get(check.name, [])
    return any(matches(each["change"], mutant) for each in listed)


def matches(pattern: str, mutant: Mutant) -> bool:
    """Whether a pattern, in which * is any text, is that of a mutant."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), mutant.change) is not None


def tried(check: Check) -> list[Mutant]:
    """The mutants of a check that its proof has to notice."""
    return [mutant for mutant in all_mutants(check.sql) if not is_equivalent(check, mutant)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_weakened_check_fails_its_proof(connection, check):
    """A few mutants of each check, spread over its query, fail its proof, which holds in every reading.

    What other leagues hold, which number an id is and an unknown `is_active` change nothing of what is counted.
    """
    made = tried(check)
    wrong, left = asked(connection, check, made[:: len(made) // TRIED_EACH_TIME + 1])

    assert [] == wrong
    assert [] == [mutant.change for mutant in left]


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_weakened_check_fails_its_proof(connection, check):
    """The mutants of a check that pass its proof are those that are listed as making no difference, and no others."""
    made = all_mutants(check.sql)
    left = asked(connection, check, made)[1]

    assert [mutant.change for mutant in made if is_equivalent(check, mutant)] == [mutant.change for mutant in left]


def test_equivalent_mutants_can_be_made():
    """Each change that is listed as one without difference is one of a check."""
    stale = [
        (name, each["change"])
        for name, listed in KNOWN["mutants"].items()
        for each in listed
        if not any(
            matches(each["change"], mutant)
            for check in CHECKS
            if name in ("every check", check.name)
            for mutant in all_mutants(check.sql)
        )
    ]

    assert [] == stale


def test_mutants_of_a_query():
    """Comparisons, phrases, numbers and conditions are changed one at a time; what only shows a row is not."""
    query = """
        select id, round(x, 3)
        from teams as t
        where
            t.id = 7 -- and more
            and not exists (select from x where y is null)
    """

    assert [
        "t.id = 7 -- and more | t.id = 7 -> true",
        "t.id = 7 -- and more | = -> <",
        "t.id = 7 -- and more | = -> <=",
        "t.id = 7 -- and more | = -> <>",
        "t.id = 7 -- and more | = -> >",
        "t.id = 7 -- and more | = -> >=",
        "t.id = 7 -- and more | 7 -> 6",
        "t.id = 7 -- and more | 7 -> 8",
        "and not exists (select from x where y is null) | and -> or",
        "and not exists (select from x where y is null) | not exists -> exists",
        "and not exists (select from x where y is null) | not exists (select from x where y is null) -> true",
        "and not exists (select from x where y is null) | y is null -> true",
        "and not exists (select from x where y is null) | is null -> is not null",
    ] == [mutant.change for mutant in mutants(query)]


def test_mutants_keep_the_and_of_between():
    """The `and` of a `between` joins no conditions, and the one after it does."""
    made = [mutant.sql.partition("where ")[2] for mutant in mutants("select id from x where a between b and c and d")]

    assert [
        "true and d",
        "a not between b and c and d",
        "a between b and c or d",
        "a between b and c and true",
    ] == made
