"""Generated leagues of any size."""

from __future__ import annotations

import json

import pytest

from rally_etl.sample import large


def read(folder, kind):
    """Read one file of the league."""
    return json.loads((folder / large.KEY / f"{kind}.json").read_text())


@pytest.mark.parametrize("count", [0, 1, 361, 1000])
def test_number_of_lines_is_exact(tmp_path, count):
    """As many match lines as asked for, each with its own id."""
    large.write_large(tmp_path, count)

    assert count == len({row["match_id"] for row in read(tmp_path, "match_scores")})


def test_lines_are_those_of_the_file(tmp_path):
    """`lines` and `write_large` give the same records for one seed, others for another."""
    large.write_large(tmp_path, 500, seed=4)

    assert read(tmp_path, "match_scores") == list(large.lines(500, seed=4))
    assert read(tmp_path, "match_scores") != list(large.lines(500, seed=5))


def test_files_belong_together(tmp_path):
    """Teams are those of the standings; every player of a line is in the roster; standings agree with the lines."""
    large.write_large(tmp_path, 1080)
    stats = {row["team"]: row for row in read(tmp_path, "series_stats")}
    roster = {row["Player ID"]: row["Team"] for row in read(tmp_path, "players")}
    won = dict.fromkeys(stats, 0)
    for row in read(tmp_path, "match_scores"):
        home, away = row["Home Team"], row["Away Team"]
        won[home if row["Winner"] == "home" else away] += 1
        assert {home, away} == {roster[row["Home Player 1 ID"]], roster[row["Away Player 2 ID"]]}

    assert won == {team: row["lines"]["won"] for team, row in stats.items()}
    assert 3 * 90 == len(read(tmp_path, "schedules"))
    assert all(row["points"] == row["lines"]["won"] + row["sets"]["won"] for row in stats.values())


def test_change_share_changes_scores_only(tmp_path):
    """About the share asked for gets another score; winner and everything else stay."""
    large.write_large(tmp_path, 3000)
    before = read(tmp_path, "match_scores")

    changed = large.change_share(tmp_path, 0.1, seed=2)

    pairs = [(a, b) for a, b in zip(before, read(tmp_path, "match_scores"), strict=True) if a != b]
    assert changed == len(pairs)
    assert 200 < changed < 400
    assert all({**a, "Scores": ""} == {**b, "Scores": ""} for a, b in pairs)
