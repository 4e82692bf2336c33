"""Where a metric goes: a creep crosses where it should, noise predicts nothing, the past says how often it held."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rally_etl.errors import UsageError
from rally_etl.monitoring.calendar import Calendar
from rally_etl.monitoring.forecast import HORIZON_DAYS, Coverage, backtest, forecast
from rally_etl.monitoring.metrics import KINDS, Point

SHARE, HEALTH, RECORDS = KINDS["quarantined"], KINDS["health"], KINDS["records"]
FIRST = dt.date(2025, 9, 25)


def points(values, days=None, bad=()) -> list[Point]:
    """Good points, a day apart unless *days* tells."""
    days = range(len(values)) if days is None else days
    return [
        Point(
            at=dt.datetime.combine(FIRST, dt.time(6), dt.UTC) + dt.timedelta(days=int(day), minutes=n),
            as_of=FIRST + dt.timedelta(days=int(day)), value=float(value), is_good=n not in bad,
        )
        for n, (day, value) in enumerate(zip(days, values, strict=True))
    ]  # fmt: skip


@given(st.integers(1, 400), st.lists(st.integers(0, 9), min_size=8, max_size=30).filter(any), st.integers(1, 59))
@settings(max_examples=30, deadline=None)
def test_a_straight_creep_crosses_where_it_should(step, gaps, left):
    """Whatever the days between the runs, the day of the crossing is that of the line."""
    days = np.cumsum(gaps)
    history = points(days * step / 100_000, days)
    trend = forecast(history, SHARE, None)
    last = history[-1].value
    threshold = last + left * step / 100_000 - 1e-9

    assert trend and trend.has_trend
    assert step / 100_000 == pytest.approx(trend.slope)
    assert left == trend.days_until(threshold)
    assert threshold == pytest.approx(trend.value(left), abs=1e-6)
    assert trend.days_until(last - step / 50_000) is None


def test_a_falling_line_crosses_below():
    """Health that loses half a point a day reaches 75 from 90 in 30 days, and never 95."""
    trend = forecast(points([100 - 0.5 * n for n in range(21)]), HEALTH, None)

    assert 30 == trend.days_until(75)
    assert trend.days_until(95) is None
    assert trend.days_until(90 - 0.5 * HORIZON_DAYS - 1) is None
    assert 0 == trend.days_until(90)


@pytest.mark.parametrize("kind", [SHARE, HEALTH, RECORDS], ids=["share", "points", "rows"])
def test_noise_alone_predicts_nothing(kind):
    """Of 200 series of noise, none gets a crossing."""
    level, width = {"share": (0.05, 0.01), "points": (90, 2), "records": (5_000, 40)}[kind.unit]
    told = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(level, width, 30)
        trend = forecast(points(values), kind, None)
        told += any(trend.days_until(level + sign * 4 * width) is not None for sign in (-1, 1))

    assert 0 == told


@given(st.lists(st.floats(0, 1), min_size=8, max_size=40), st.floats(0, 90))
@settings(max_examples=30, deadline=None)
def test_the_band_widens_and_stays_a_share(values, days):
    """The farther ahead the wider, never outside what the metric can be."""
    trend = forecast(points(values), SHARE, None)
    low, high = trend.band(days)

    assert 0 <= low <= trend.value(days) <= high <= 1
    if not trend.has_trend:
        assert low >= trend.band(days + 10)[0]
        assert high <= trend.band(days + 10)[1]


def test_one_wild_value_does_not_turn_the_line():
    """A spike among twenty leaves the slope, nearly."""
    values = [0.01 + 0.001 * n for n in range(20)]
    values[12] = 0.9

    assert 0.001 == pytest.approx(forecast(points(values), SHARE, None).slope, rel=0.05)


def test_too_little_says_nothing():
    """Seven good points, a new season, runs of one single day, no points at all."""
    season = Calendar(turns=(FIRST + dt.timedelta(days=15),))
    history = points([0.01 * n for n in range(20)])

    assert forecast([], SHARE, None) is None
    assert forecast(history[:7], SHARE, None) is None
    assert forecast(points([0.1] * 9, bad=[0, 1]), SHARE, None) is None
    assert forecast(points([0.1] * 9, days=[0] * 9), SHARE, None) is None
    assert forecast(history, SHARE, season) is None
    assert forecast(history, SHARE, Calendar())


def test_no_number_is_refused():
    """As in what is usual."""
    with pytest.raises(UsageError, match="nothing was concluded"):
        forecast(points([0.1] * 9 + [math.nan]), SHARE, None)


def test_the_past_says_how_often_the_band_held():
    """Of a constant always; of one that jumps in the middle not where the jump lay ahead; of too little nothing."""
    calm = backtest(points([100] * 40), RECORDS, None, 7)
    jumped = backtest(points([100] * 20 + [50] * 20), RECORDS, None, 7)

    assert Coverage(inside=26, asked=26) == calm  # from the 8th run on, to the 8th before the end
    assert calm.asked == jumped.asked
    assert 7 <= jumped.asked - jumped.inside < 20
    assert Coverage(inside=0, asked=0) == backtest(points([100] * 9), RECORDS, None, 7)


def test_the_past_is_not_asked_over_the_break_of_a_season():
    """What the next season brings, nobody foretold."""
    season = Calendar(turns=(FIRST + dt.timedelta(days=20),))

    assert Coverage(inside=12, asked=12) == backtest(points([100] * 20 + [10] * 20), RECORDS, season, 7)
