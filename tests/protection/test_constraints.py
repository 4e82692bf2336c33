"""Constraints: what is missing, wrong or contradicted is found, mended as a plan, and taken back."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from conftest import first
from rally_etl.errors import UsageError
from rally_etl.protection.constraints.keys import Finding, find_constraints
from rally_etl.protection.constraints.needed import read_constraint_params
from rally_etl.protection.constraints.plan import mend_empty
from rally_etl.settings import Settings


def findings(engine: sa.Engine, settings: Settings) -> list[Finding]:
    """What is wrong now."""
    with engine.connect() as connection:
        return find_constraints(connection, settings)


def write(engine: sa.Engine, *statements: str) -> None:
    """Break the database by hand."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_fresh_database_lacks_nothing(engine, settings):
    """Rally's own tables have every constraint that is needed and none that is wrong."""
    assert [] == findings(engine, settings)


BROKEN = {
    "dropped": ("drop index unique_match_scores_tenniscores_match_id", "missing", "match_scores", "error"),
    "partial": (
        "drop index unique_match_scores_tenniscores_match_id;"
        " create unique index mid on match_scores (tenniscores_match_id) where tenniscores_match_id is not null",
        "partial",
        "match_scores",
        "error",
    ),
    "deferrable": (
        "alter table teams drop constraint unique_team_name_per_league, add unique (league_id, team_name) deferrable",
        "invalid",
        "teams",
        "error",
    ),
    "expression": (
        "alter table clubs drop constraint clubs_name_key; create unique index on clubs (lower(name))",
        "invalid",
        "clubs",
        "error",
    ),
    "what a line says": (
        "create unique index unique_match_data_idx on match_scores (match_date, home_team, away_team, winner, scores)",
        "contradicted",
        "match_scores",
        "error",
    ),
    "namesakes": (
        "alter table players add constraint unique_name_per_league unique (first_name, last_name, league_id)",
        "contradicted",
        "players",
        "error",
    ),
    "series by name": ("alter table series add unique (name)", "contradicted", "series", "error"),
    "one team per club and series": (
        "alter table teams add unique (league_id, club_id, series_id)",
        "contradicted",
        "teams",
        "warn",
    ),
    "one key twice": (
        "create unique index other on clubs (name)",
        "doubled_key",
        "clubs",
        "warn",
    ),
    "polls without key": ("alter table polls drop constraint fk_polls_team_id", "missing", "polls", "warn"),
    "column": ("alter table player_availability drop column user_id", "missing", "player_availability", "warn"),
}


@pytest.mark.parametrize("what", first(8, BROKEN))
def test_what_is_wrong_is_found(what, engine, settings):
    """Each way in which environments differ is one finding, by its columns."""
    sql, kind, table, severity = BROKEN[what]
    write(engine, *sql.split(";"))

    assert [(kind, table, severity)] == [(each.kind, each.table, each.severity) for each in findings(engine, settings)]


def test_names_and_order_of_columns_do_not_matter(engine, settings):
    """The same keys under other names, with their columns the other way round."""
    write(
        engine,
        "alter table series drop constraint uq_series_league_name, add constraint x unique (name, league_id)",
        "alter table teams drop constraint unique_team_name_per_league, add constraint y unique (league_id, team_name)",
        "drop index idx_unique_user_date_availability",
        "create unique index z on player_availability (match_date, user_id) where (user_id) IS NOT NULL",
    )

    assert [] == findings(engine, settings)


def test_rows_that_are_one_by_their_names_are_found(engine, settings):
    """Clubs, leagues and lines that no key sees as one are warnings with values, equal copies of lines errors."""
    write(
        engine,
        "insert into clubs (name) values ('Prairie Club'), ('Prairie-Club')",
        "insert into leagues (league_id, league_name) values ('NSTF', 'x'), ('nstf', 'x')",
        "insert into match_scores (tenniscores_match_id) values ('nndz-a_Line1'), ('nndz-a_Line1_Line1'),"
        " ('nndz-b_Line4_Line4_Line4')",
    )

    found = {(each.table, each.severity): each for each in findings(engine, settings)}

    assert {("clubs", "warn"), ("leagues", "warn"), ("match_scores", "error"), ("match_scores", "warn")} == set(found)
    assert "Prairie Club (1) and Prairie-Club (2)" in found["clubs", "warn"].told
    assert 1 == found["match_scores", "error"].rows
    assert {"violated"} == {each.kind for each in found.values()}


def test_database_without_a_league_is_mended_at_once(engine, settings):
    """No run is possible there, and no row stands in the way."""
    write(
        engine,
        "drop index unique_match_scores_tenniscores_match_id",
        "alter table series add unique (name)",
        "alter table polls drop constraint fk_polls_team_id",
    )

    assert [] == mend_empty(engine, settings)
    assert [] == findings(engine, settings)


def test_params_say_what_is_wrong_with_them(tmp_path):
    """A severity that nobody knows is named with the file."""
    path = tmp_path / "constraints.yaml"
    path.write_text("unique: [{table: a, columns: [b], severity: bad, why: x}]\nforbidden: []\nreferences: []\n")

    with pytest.raises(UsageError, match=r"constraints.yaml cannot be read .*severity is one of error, warn"):
        read_constraint_params(path)
