"""Planned changes row by row, as `rally-etl show RUN --table` lists them."""

from __future__ import annotations

import pytest

from rally_etl.errors import UsageError
from rally_etl.planning import changes
from scrapes import player, small, stats


@pytest.fixture
def told(loaded):
    """The planned changes of a table, (name, what) by operation: a new team with a player, and a corrected score."""
    scrape = small()
    scrape["players"].append(player("Newcomer", "Skokie 12", Series="Series 12"))
    scrape["series_stats"].append(stats("Skokie 12", series="Series 12"))
    scrape["match_scores"][0]["Scores"] = "1-6, 4-6"
    run_id = loaded.plan(scrape)

    def of(table: str) -> dict[str, tuple[str, str]]:
        frame = changes(loaded.engine, run_id, table)
        return {row.operation: (row.name, row.what) for row in frame.itertuples(index=False)}

    return of


def test_ids_of_teams_stand_beside_their_names(told):
    """A new player is named with the team, and the team's id is told with its name, even when the team is new too."""
    name, what = told("players")["insert"]

    assert name.endswith("(Skokie 12)")
    assert "team_id: " in what
    assert "(Skokie 12)" in what.split("team_id: ")[1].split(",")[0]


def test_changed_line_is_named_by_its_meeting(told):
    """A correction that changes nothing but the score says which match it is about."""
    name, what = told("match_scores")["update"]

    assert " v " in name and " on 20" in name
    assert "scores: 6-2, 6-4 → 6-1, 6-4" == what


def test_team_and_standings_are_named(told):
    """Where a column holds the name, that is the row's name."""
    assert "Skokie 12" == told("teams")["insert"][0]
    assert "Skokie 12" == told("series_stats")["insert"][0]
    assert "Skokie" == told("clubs")["insert"][0]


def test_pair_of_ids_has_no_name(told):
    """A row of a junction table is told by its ids alone."""
    assert "" == told("club_leagues")["insert"][0]


def test_unknown_table_is_refused(loaded):
    """A table that no import writes has no plan."""
    with pytest.raises(UsageError, match="is no imported table"):
        changes(loaded.engine, "20251003T060012-1f3a", "users")
