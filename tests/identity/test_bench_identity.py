"""The benchmark of matching: its leagues, its counts, and what it promises about the product."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from rally_etl import naming
from rally_etl.bench import identity as bench
from rally_etl.identity.thresholds import load_thresholds
from rally_etl.sample.identity_league import EVENTS, Seen, league, next_scrape

PARAMS = Path(__file__).resolve().parents[2] / "params"
THRESHOLDS = load_thresholds(PARAMS)
READER = bench.Reader(naming.load_leagues(PARAMS).get(bench.KEY), naming.load_clubs(PARAMS))


def test_league_is_generated_anew_from_its_seed():
    """One seed, one league and one scrape; another seed, others."""
    assert league(3) == league(3) != league(4)
    assert next_scrape(league(3), 3, is_new_season=True) == next_scrape(league(3), 3, is_new_season=True)


@pytest.mark.parametrize("seed", range(5))
def test_every_generated_name_is_read_as_one_team(seed):
    """The grammar reads every live name as it stands and every scraped one, and no two of a scrape as the same team."""
    teams = league(seed)

    assert 200 == len(teams) == len({READER.key(team.name) for team in teams})
    for is_new_season in (False, True):
        keys = [READER.key(seen.name) for seen in next_scrape(teams, seed, is_new_season=is_new_season)]
        assert None not in keys
        assert len(keys) == len(set(keys))


def test_leagues_hold_what_makes_names_hard():
    """I and II, SW, letters, persons in two teams, teams without a roster, and every kind of change."""
    teams = [team for seed in range(5) for team in league(seed)]
    changes = {seen.event for seed in range(5) for seen in next_scrape(league(seed), seed, is_new_season=False)}
    persons = Counter(person for team in league(0) for person in team.people)

    assert {"", "I", "II", "A", "B"} <= {team.ordinal for team in teams}
    assert any(team.series.endswith(" SW") for team in teams)
    assert max(persons.values()) > 1
    assert any(not team.people for team in teams)
    assert changes >= (EVENTS.keys() - {"gone", "folded"}) | {"new", "club renamed", "new, some players of one gone"}


def test_no_team_is_the_truth_of_two_names():
    """Each old team stands under one name at most."""
    for seed in range(5):
        for is_new_season in (False, True):
            truths = Counter(seen.truth for seen in next_scrape(league(seed), seed, is_new_season=is_new_season))
            del truths[None]
            assert 1 == max(truths.values())


def test_product_merges_nothing_wrongly():
    """No team gets the id of another one, and more teams are kept than equal names keep."""
    cases = bench.make_cases(6, 200)

    ours = sum((bench.tally(case, bench.by_product(case, READER, THRESHOLDS)) for case in cases), Counter())
    equal = sum((bench.tally(case, bench.by_equal_names(case)) for case in cases), Counter())

    assert 0 == ours["wrong"]
    assert ours["kept"] > 1.5 * equal["kept"]
    assert ours["kept"] + ours["asked"] > 0.95 * ours["known"]


@pytest.mark.parametrize(
    ("truth", "answer", "words"),
    [
        (1, (1, ()), ["known", "kept"]),
        (1, (2, ()), ["known", "wrong"]),
        (1, (None, (2, 1)), ["known", "asked"]),
        (1, (None, (2,)), ["known", "missed"]),
        (None, (2, ()), ["wrong"]),
        (None, (None, (2,)), ["in vain"]),
        (None, (None, ()), ["new"]),
    ],
)
def test_outcome_of_an_answer(truth, answer, words):
    """Every answer to a known or new team counts as one thing."""
    assert words == bench.outcomes(Seen("Tennaqua 12", frozenset(), truth, "same name"), answer)


def test_bench_fails_on_a_wrong_merge(monkeypatch, capsys):
    """Tables are printed, and a product that merges wrongly ends with an error."""
    monkeypatch.setattr(sys, "argv", ["bench_identity", "--seeds", "1", "--teams", "60", "--no-times"])
    bench.main()
    assert "equal names" in capsys.readouterr().out

    monkeypatch.setattr(bench, "by_product", lambda case, *_: bench.by_likeness(case, "WRatio", 70))
    with pytest.raises(SystemExit, match="were given the id of another one"):
        bench.main()


def test_large_case_matches_in_time(monkeypatch):
    """A tenth of the large case: everything is recognised by its players, and asked about without them."""
    monkeypatch.setattr(bench, "LIVE", 5_000)
    monkeypatch.setattr(bench, "SCRAPED", 500)

    for people, strategy in ((12, "roster"), (0, "waits")):
        incoming, known = bench.make_large(54, people)
        found = bench.match_teams(incoming, known, THRESHOLDS)
        assert {strategy} == {match.strategy for match in found.values()}
