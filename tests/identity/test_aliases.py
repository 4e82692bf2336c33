"""Aliases and redirects against a real database."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.identity.aliases import (
    PLAN_TABLES,
    Alias,
    aliases_in_force,
    plan_aliases,
    record_aliases,
    redirected_ids,
)


def record(engine: sa.Engine, run_id: str, league: str, *aliases: Alias) -> None:
    """Plan aliases of a league and put them in force, as a publish does."""
    plan = quote(f"plan_{run_id}")
    with engine.begin() as connection:
        connection.execute(sa.text(f"create schema {plan}"))
        connection.execute(sa.text(PLAN_TABLES.format(plan=plan)))
        connection.execute(sa.text(f"set local search_path = {plan}"))
        plan_aliases(connection, league, aliases)
        record_aliases(connection, plan, run_id, [league])


def in_force(engine: sa.Engine, league: str, entity: str) -> dict[str, str]:
    """Spelling -> target."""
    with engine.connect() as connection:
        return {spelling: alias.target for spelling, alias in aliases_in_force(connection, league, entity).items()}


def test_an_alias_holds_for_its_league_and_entity(engine: sa.Engine):
    """What one league calls a team says nothing about another league, or about a club of that name."""
    record(engine, "a", "NSTF", Alias("NSTF", "team", "lake forest | Series 1 | ", "7", "roster"))
    assert in_force(engine, "NSTF", "team") == {"lake forest | Series 1 | ": "7"}
    assert in_force(engine, "CITA", "team") == {} == in_force(engine, "NSTF", "club")


def test_a_later_alias_ends_the_earlier(engine: sa.Engine):
    """A spelling stands for one thing at a time; what it stood for before stays on record."""
    for run_id, target in (("a", "7"), ("b", "8")):
        record(engine, run_id, "NSTF", Alias("NSTF", "team", "x", target, "roster"))
    assert in_force(engine, "NSTF", "team") == {"x": "8"}
    with engine.connect() as connection:
        ended = connection.execute(sa.text("select target, run_id from etl.aliases where ended_at is not null")).all()
    assert ended == [("7", "a")]


def test_the_same_alias_twice_is_one(engine: sa.Engine):
    """Publishing the same alias again writes nothing."""
    for run_id in ("a", "b"):
        record(engine, run_id, "NSTF", Alias("NSTF", "team", "x", "7", "roster"))
    with engine.connect() as connection:
        assert connection.execute(sa.text("select run_id from etl.aliases")).scalars().all() == ["a"]


def test_only_the_published_league_gets_its_aliases(engine: sa.Engine):
    """The alias of a club that a refused league asked for does not come into force with another league's publish."""
    plan = quote("plan_x")
    with engine.begin() as connection:
        connection.execute(sa.text(f"create schema {plan}"))
        connection.execute(sa.text(PLAN_TABLES.format(plan=plan)))
        connection.execute(sa.text(f"set local search_path = {plan}"))
        plan_aliases(connection, "NSTF", [Alias("*", "club", "prarie club", "3", "roster")])
        plan_aliases(connection, "CITA", [Alias("*", "club", "glen view", "4", "roster")])
        record_aliases(connection, plan, "x", ["CITA"])
    assert in_force(engine, "*", "club") == {"glen view": "4"}


def test_redirects_lead_to_the_end_of_their_chain(engine: sa.Engine):
    """Merged into 2, which was merged into 3: the row is 3; an ended redirect leads nowhere."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason, ended_at) values"
                " ('teams', 1, 2, 'r', 'me', 'one team', null), ('teams', 2, 3, 'r', 'me', 'one team', null),"
                " ('teams', 4, 5, 'r', 'me', 'a mistake', now()), ('clubs', 6, 7, 'r', 'me', 'one club', null)"
            )
        )
        assert redirected_ids(connection, "teams") == {1: 3, 2: 3}
