"""What is usual of a metric: who may say it, of constants, of growth, of seasons, and how often it is right."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rally_etl.bench.anomalies.foretelling import cover, crossings
from rally_etl.bench.anomalies.judging import judge
from rally_etl.bench.anomalies.methods import fixed, ours
from rally_etl.bench.anomalies.seasons import FAULTS, PROFILES, History, histories
from rally_etl.errors import UsageError
from rally_etl.monitoring.calendar import Calendar, calendar_of
from rally_etl.monitoring.metrics import KINDS, Point
from rally_etl.monitoring.usual import LEAST, NEWEST, UNUSUAL, Band, bands, usual, why_silent
from rally_etl.naming import load_leagues

ROOT = Path(__file__).parents[2]
APTA = Calendar(begins=(8, 1), ends=(2, 15))
FIRST = dt.date(2025, 9, 25)
RECORDS, SHARE, AGE = KINDS["records"], KINDS["quarantined"], KINDS["days_since_match"]
ORPHANS, COVERAGE = KINDS["orphans"], KINDS["coverage"]

COUNTS = st.lists(st.integers(0, 20_000), min_size=LEAST, max_size=40)


def points(values: Sequence[float], first: dt.date = FIRST, every: int = 1, bad: Sequence[int] = ()) -> list[Point]:
    """Good points of runs that are so many days apart, but for the numbers in *bad*."""
    days = [first + dt.timedelta(days=every * n) for n in range(len(values))]
    return [
        Point(
            at=dt.datetime.combine(day, dt.time(6), dt.UTC), as_of=day, value=float(value), is_good=n not in bad
        )
        for n, (day, value) in enumerate(zip(days, values, strict=True))
    ]  # fmt: skip


def band(values: Sequence[float], kind=RECORDS, *, after: int = 0, calendar: Calendar | None = APTA, **how) -> Band:
    """The band after some values, *after* days after the day on which the next run would be."""
    history = points(values, **how)
    found = usual(history, history[-1].as_of + dt.timedelta(days=after), kind, calendar)
    assert found is not None
    return found


@given(COUNTS, st.integers(0, 10**9))
@settings(max_examples=30, deadline=None)
def test_the_point_under_test_never_says_what_is_usual(values, other):
    """Whatever a point is, its band is the same, and so are those of the points before it."""
    history = points(values)
    changed = [*history[:-1], replace(history[-1], value=float(other))]

    assert bands(history, RECORDS, APTA) == bands(changed, RECORDS, APTA)


@given(COUNTS, st.data())
@settings(max_examples=30, deadline=None)
def test_what_was_not_published_says_nothing(values, data):
    """A band is that of the good points alone, whatever the others hold; even no number at all."""
    bad = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=len(values)))
    history = points(values, bad=sorted(bad))
    nonsense = [replace(point, value=math.nan) if not point.is_good else point for point in history]
    good = [point for point in history if point.is_good]
    today = history[-1].as_of

    assert usual(good, today, RECORDS, APTA) == usual(history, today, RECORDS, APTA)
    assert usual(good, today, RECORDS, APTA) == usual(nonsense, today, RECORDS, APTA)


@given(st.lists(st.floats(1e-3, 1e4), min_size=LEAST, max_size=40), st.sampled_from([2, 10, 64, 1024]))
@settings(max_examples=30, deadline=None)
def test_the_unit_of_time_does_not_matter(seconds, factor):
    """Durations that are all so many times longer have a band that is so many times wider, beyond a second."""
    one = band([value + 10 for value in seconds], KINDS["duration"])
    other = band([factor * (value + 10) for value in seconds], KINDS["duration"])

    for name in ("expected", "high"):
        assert factor * getattr(one, name) == pytest.approx(getattr(other, name))


@given(st.integers(0, 20_000), st.integers(LEAST, 80), st.sampled_from(sorted(KINDS)))
@settings(max_examples=30, deadline=None)
def test_what_never_changes_is_expected(value, runs, metric):
    """A series that is constant for months is in its band, and a step of the counter is nothing."""
    kind = KINDS[metric]
    level = value / 20_000 if kind.unit == "share" else value / 200 if kind.unit == "points" else value
    found = band([level] * runs, kind)

    assert level == found.expected
    assert found.low <= level <= found.high
    assert min(runs, NEWEST) == found.runs
    if kind.unit in ("rows", "records"):
        assert not found.is_unusual(level - 1, kind)


@given(COUNTS, st.lists(st.integers(0, 40_000), min_size=2, max_size=5), st.sampled_from(sorted(KINDS)))
@settings(max_examples=30, deadline=None)
def test_the_further_the_more_unusual(values, others, metric):
    """To the worse side a value strays the more the further it is off; to the other side never."""
    kind = KINDS[metric]
    found = band([value / 20_000 for value in values] if kind.unit == "share" else values, kind)
    strays = [found.stray(value, kind) for value in sorted(others)]

    if kind.worse == "up":
        assert sorted(strays) == strays
        assert 0 == found.stray(found.expected - 1, kind)
    elif kind.worse == "down":
        assert sorted(strays, reverse=True) == strays
        assert 0 == found.stray(found.expected + 1, kind)
    assert 0 == found.stray(found.expected, kind)


@given(st.lists(st.floats(0, 1), min_size=LEAST, max_size=40))
@settings(max_examples=30, deadline=None)
def test_a_share_stays_a_share(values):
    """No band leaves what the metric can be."""
    found = band(values, SHARE)

    assert 0 <= found.low <= found.expected <= found.high <= 1


def test_a_feed_that_shrinks_is_seen_and_growth_is_not():
    """A third less is far off; rows that come each week are usual, and so is a week without."""
    grown = [500 * week for week in range(1, 16)]
    roster = [6_854, 6_932, 6_880, 6_901, 6_893, 6_911, 6_870, 6_898, 6_905, 6_889]

    assert band(grown, every=7).is_unusual(0.7 * grown[-1], RECORDS)
    assert not band(grown, every=7).is_unusual(grown[-1], RECORDS)
    assert not band(grown, every=7).is_unusual(grown[-1] + 5_000, RECORDS)
    assert band(roster).is_unusual(0.7 * 6_890, RECORDS)
    assert not band(roster).is_unusual(0.981 * 6_890, RECORDS)  # a series closed: 1.9 % fewer teams
    assert band([52] * 10).is_unusual(0, RECORDS)  # a series that vanishes


def test_a_creep_is_left_behind_by_the_level():
    """One in a hundred less at each run is seen long before a fifth is gone, and told nine times or more."""
    history = [1_000.0] * 20 + [1_000 * 0.99**n for n in range(1, 25)]
    found = bands(points(history), RECORDS, APTA)
    seen = [n for n, one in enumerate(found) if one and one.is_unusual(history[n], RECORDS)]

    assert 0.95 < history[seen[0]] / 1_000 < 0.98
    assert list(range(seen[0], seen[0] + 9)) == seen[:9]


def test_one_that_was_far_off_does_not_hide_the_next():
    """Spikes that went live among good points leave the band as it was, by less than half."""
    calm = [0.010, 0.012, 0.011, 0.009, 0.010, 0.013, 0.011, 0.010, 0.012, 0.011] * 3
    spiked = [*calm]
    spiked[7] = spiked[19] = spiked[28] = 0.2

    assert band(calm, SHARE).is_unusual(0.03, SHARE)
    assert band(spiked, SHARE).is_unusual(0.03, SHARE)


def test_counts_that_should_be_none_are_told_by_the_row():
    """Orphans: two may be, five may not."""
    assert not band([0] * 12, ORPHANS).is_unusual(2, ORPHANS)
    assert band([0] * 12, ORPHANS).is_unusual(5, ORPHANS)
    assert not band([1.0] * 12, COVERAGE).is_unusual(0.996, COVERAGE)
    assert band([1.0] * 12, COVERAGE).is_unusual(0.99, COVERAGE)


def test_a_new_season_begins_anew():
    """Levels of before the season, or before the day on which the feed turned to it, say nothing and make no alarm."""
    history = points([4_698] * 30, first=dt.date(2025, 7, 15), every=2)
    turned = replace(APTA, turns=(dt.date(2025, 9, 20),))
    august, september = dt.date(2025, 8, 6), dt.date(2025, 9, 22)

    assert usual(history, dt.date(2025, 7, 31), RECORDS, APTA)
    assert usual([point for point in history if point.as_of < august], august, RECORDS, APTA) is None
    assert usual(history, september, RECORDS, APTA)
    assert usual(history, september, RECORDS, turned) is None
    assert usual(history, september, RECORDS, None)
    assert "0 good runs since the season began on 2025-09-20: 8 are needed to say what is usual" == why_silent(
        history, september, RECORDS, turned
    )
    assert "" == why_silent(history, september, RECORDS, APTA)


def test_few_points_say_nothing_and_say_so():
    """Seven good points are silent, eight are not."""
    history = points([100] * 9, bad=[3, 5])
    today = history[-1].as_of

    assert usual(history, today, RECORDS, None) is None
    assert "7 good runs: 8 are needed to say what is usual" == why_silent(history, today, RECORDS, None)
    assert "1 good run: 8 are needed to say what is usual" == why_silent(history[:1], today, RECORDS, None)
    assert usual([*history, history[-1]], today, RECORDS, None)
    assert usual([], today, RECORDS, APTA) is None
    assert [] == bands([], RECORDS, APTA)


def test_an_age_in_the_break_is_held_against_the_break():
    """Nobody plays in April: that the newest match gets older by a day each day is usual then."""
    playing = points([n % 7 for n in range(100)], first=dt.date(2025, 10, 1))
    rest = points([40 + n for n in range(30)], first=dt.date(2026, 4, 1))
    april = usual([*playing, *rest], dt.date(2026, 5, 1), AGE, APTA)

    assert april and not april.is_unusual(70, AGE)
    assert 30 == april.runs
    assert band([n % 7 for n in range(60)], AGE).is_unusual(30, AGE)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_refused(value):
    """What is no number was never stored by us; nothing is concluded from it."""
    with pytest.raises(UsageError, match=r"a metric of 2025-10-04 is \S+; nothing was concluded"):
        band([1] * 9 + [value])


def test_runs_are_counted_not_days():
    """The same values a day apart and a month apart say the same of a share."""
    values = [0.01, 0.012, 0.011, 0.02, 0.015, 0.009, 0.01, 0.014, 0.013, 0.012]

    assert band(values, SHARE) == band(values, SHARE, every=14)


@pytest.mark.parametrize("count", [LEAST, 400, 10_000])
def test_any_length_will_do(count):
    """One point more than enough, a year of runs, ten thousand: the newest say it."""
    values = np.random.default_rng(1).integers(990, 1_010, count).tolist()
    found = band(values, every=0)

    assert 940 <= found.low <= 990 < found.expected < 1_010 <= found.high <= 1_060
    assert min(count, NEWEST) == found.runs


def test_seasons_are_those_of_the_league():
    """Autumn to winter, summer, all year; and the day of a season over the turn of the year."""
    leagues = load_leagues(ROOT / "params")
    apta, nstf, women = (calendar_of(leagues.get(key)) for key in ("APTA_CHICAGO", "NSTF", "CNSWPL"))

    assert dt.date(2025, 8, 1) == apta.season(dt.date(2026, 2, 28))
    assert dt.date(2025, 4, 1) == nstf.season(dt.date(2026, 3, 31))
    assert [True, False, True] == [apta.is_break(dt.date(2026, *day)) for day in ((7, 31), (8, 1), (2, 16))]
    assert [True, False, True] == [nstf.is_break(dt.date(2026, *day)) for day in ((3, 31), (10, 31), (11, 1))]
    assert not women.is_break(dt.date(2026, 7, 1))
    assert Calendar() == calendar_of(leagues.get("NOBODY_KNOWS"))


def stated(what: str) -> float:
    """What docs/anomalies.md says that this test asks for."""
    text = (ROOT / "docs/anomalies.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"{what} at least (\d+(?:\.\d+)?) %", text)
    return float(found) / 100


@pytest.fixture(scope="module")
def seasons() -> list[History]:
    """Labelled seasons that nothing was tuned on."""
    return list(histories(7))


def test_as_good_as_the_page_says(seasons):
    """Faults are found, little else is told, and the band is one of nine in ten."""
    found = judge([(history, ours(history)) for history in seasons], UNUSUAL)
    gate = judge([(history, fixed(history)) for history in seasons], 1.0)

    assert {*FAULTS} == found.there.keys()
    assert {*PROFILES} == {history.profile for history in seasons}
    assert stated("precision") <= found.precision
    assert stated("recall") <= found.recall
    assert stated("in the band") <= found.coverage
    assert all(inside >= 0.85 * found.banded_by[name] for name, inside in found.inside_by.items())
    assert found.false_alarms <= 0.2
    assert found.recall > 2 * gate.recall
    assert found.found["slow creep"] > 2 * gate.found["slow creep"]
    assert np.median([runs for runs, _ in found.lead]) >= 10


def test_crossings_are_foretold(seasons):
    """Most creeps that cross their threshold are predicted days before; noise predicts nothing."""
    told = crossings(seasons)
    held = cover(seasons, 7)

    assert told.creeps >= 5
    assert stated("creeps predicted") <= len(told.ahead) / told.creeps
    assert np.median(told.ahead) >= 7
    assert 0 == told.vain
    assert told.clean > 1_000
    inside, asked = (sum(getattr(one, name) for one in held.values()) for name in ("inside", "asked"))
    assert stated("in the band of the forecast") <= inside / asked
