"""Seasons of metrics as they could have been, with faults whose place is known.

A history is a season and a half of runs of one league: some leagues are scraped daily, some weekly, some when somebody
thinks of it; runs are missed, or made twice a day. Sizes and noise are those of the real scrapes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rally_etl.monitoring.calendar import Calendar
from rally_etl.monitoring.metrics import KINDS, Kind, Point

Dice = np.random.Generator
Array = np.ndarray
FAULTS = ("level shift", "slow creep", "spike", "silence", "partial feed")
RHYTHMS = ("daily", "weekly", "irregular")
SEASONS = (Calendar(begins=(8, 1), ends=(2, 15)), Calendar(begins=(4, 1), ends=(10, 31)), Calendar())
SETTLED = 12  # runs after a break, and at the beginning, in which no fault is put: nobody could tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The runs of a history: their days (ordinals), and what the calendar says of each.

    Attributes:
        week: weeks since play began this season, negative before; is_open: a season's matches are being played.
    """

    day: Array
    season: Array
    week: Array
    play_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One sort of series.

    Attributes:
        make: the values without a fault; fixed: the threshold that would notice at last (for volumes a share lost).
        faults: those that can happen to it; shift, creep, spike: how large, from small to large (creep: per run).
    """

    metric: str
    make: Callable[[Dice, Days], Array]
    fixed: float
    faults: tuple[str, ...]
    shift: tuple[float, float]
    creep: tuple[float, float]
    spike: tuple[float, float]
    is_factor: bool = False

    @property
    def kind(self) -> Kind:
        """What `KINDS` says of its metric."""
        return KINDS[self.metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault and the runs it touches: from `first` to `last`, and until which it can still be found in time."""

    name: str
    first: int
    last: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A labelled history; `crossed` is the run at which the fixed threshold sees a creep."""

    profile: str
    rhythm: str
    kind: Kind
    calendar: Calendar
    points: list[Point]
    fault: Fault | None
    crossed: int | None


def histories(seed: int) -> Iterator[History]:
    """Every profile in every rhythm, clean once and once with each of its faults; the same ones every time."""
    for number, (name, profile) in enumerate(PROFILES.items()):
        for rhythm_number, rhythm in enumerate(RHYTHMS):
            for fault_number, fault in enumerate((None, *profile.faults)):
                dice = np.random.default_rng([seed, number, rhythm_number, fault_number])
                yield history(dice, name, rhythm, fault)


def history(dice: Dice, name: str, rhythm: str, fault: str | None) -> History:
    """One history of a profile."""
    profile = PROFILES[name]
    calendar, days = _days(dice, rhythm)
    clean = profile.make(dice, days)
    good = dice.random(len(clean)) > 0.04  # held for another reason
    values, label, crossed = (clean, None, None) if fault is None else _broken(dice, profile, days, clean, fault)
    if label is not None:
        width = slice(label.first, label.last + 1)
        published = {"spike": 0.5, "partial feed": 0.3, "silence": 0.5}.get(label.name, 0.95)
        good[width] = dice.random(label.last + 1 - label.first) < published
    at = dt.datetime(2024, 1, 1, 6, tzinfo=dt.UTC)
    points = [
        Point(
            at=at + dt.timedelta(days=int(day), minutes=n),
            as_of=dt.date(2024, 1, 1) + dt.timedelta(days=int(day)),
            value=float(value),
            is_good=bool(is_good),
        )
        for n, (day, value, is_good) in enumerate(zip(days.day, values, good, strict=True))
    ]
    return History(
        profile=name, rhythm=rhythm, kind=profile.kind, calendar=calendar, points=points, fault=label, crossed=crossed
    )


def _days(dice: Dice, rhythm: str) -> tuple[Calendar, Days]:
    season = SEASONS[dice.integers(len(SEASONS))]
    origin = dt.date(2024, 1, 1)
    begins = (dt.date(2024, *season.begins) - origin).days
    turns = [begins + 365 * year + int(dice.integers(0, 50)) for year in (0, 1)]
    day, found = turns[1] - {"daily": 60, "weekly": 360, "irregular": 290}[rhythm] + int(dice.integers(-9, 10)), []
    until = turns[1] + {"daily": 150, "weekly": 190, "irregular": 140}[rhythm]
    while day < until:
        if rhythm == "daily":
            found += [day] * (0 if dice.random() < 0.1 else 2 if dice.random() < 0.05 else 1)
            day += 1
        elif rhythm == "weekly":
            found += [] if dice.random() < 0.08 else [day + int(dice.integers(-1, 2))]
            day += 7
        else:
            found += [day] * (2 if dice.random() < 0.1 else 1)
            day += int(dice.choice([1, 2, 3, 4, 5, 9, 16], p=[0.15, 0.2, 0.2, 0.2, 0.15, 0.07, 0.03]))
    days = np.sort(np.array(found))
    of = np.searchsorted(turns, days, side="right") - 1
    plays_from = np.array(turns)[np.maximum(of, 0)] + 7
    calendar = Calendar(
        begins=season.begins,
        ends=season.ends,
        turns=tuple(origin + dt.timedelta(days=turn) for turn in turns),
    )
    week = (days - plays_from) / 7
    return calendar, Days(day=days, season=of, week=week, play_day=int(dice.integers(7)))


def _broken(
    dice: Dice, profile: Profile, days: Days, clean: Array, name: str
) -> tuple[Array, Fault | None, int | None]:
    """The values with a fault put where enough runs of its season lie before it."""
    runs = np.arange(len(clean))
    starts = np.searchsorted(days.season, days.season, side="left")
    ends = np.searchsorted(days.season, days.season, side="right") - 1
    since, room = runs - starts, ends - runs + 1
    length = {"level shift": len(clean), "slow creep": 40, "spike": 1, "silence": 5, "partial feed": 3}[name]
    least = {"level shift": 6, "slow creep": 15}.get(name, length)
    able = np.flatnonzero((since > SETTLED) & (room >= least) & (clean > (0 if profile.kind.worse == "down" else -1)))
    is_age = profile.kind.unit == "days"
    if is_age:  # in the middle of a season: at its end nobody expects a match
        able = able[(days.week[able] > 3) & (days.week[able] < 12)]
    if not len(able):
        return clean, None, None
    first = int(dice.choice(able))
    last = int(min(first + length - 1, ends[first]))
    touched = np.arange(first, last + 1)
    values, sign = clean.copy(), -1 if profile.kind.worse == "down" else 1
    if is_age:
        last = int(min(np.searchsorted(days.day, days.day[first] + 35), ends[first]))
        touched = np.arange(first, last + 1)
        values[touched] = clean[first] + days.day[touched] - days.day[first]
    elif name == "silence":
        values[touched] = 0
    elif name == "partial feed":
        values[touched] = clean[touched] * dice.uniform(0.66, 0.74, len(touched))
    else:
        low, high = {"level shift": profile.shift, "slow creep": profile.creep, "spike": profile.spike}[name]
        size = dice.uniform(low, high) * (touched - first + 1 if name == "slow creep" else 1)
        values[touched] = clean[touched] * (1 + sign * size) if profile.is_factor else clean[touched] + sign * size
    values = _fit(values, profile.kind)
    crossed = _crossed(profile, clean, values, touched) if name == "slow creep" or is_age else None
    until = min(first + 4, last) if name == "level shift" else last if crossed is None else crossed
    return values, Fault(name=name, first=first, last=last, until=until), crossed


def _fit(values: Array, kind: Kind) -> Array:
    if kind.unit in ("rows", "records"):
        values = np.round(values)
    top = {"share": 1.0, "points": 100.0}.get(kind.unit, np.inf)
    return np.clip(values, 0, top)


def _crossed(profile: Profile, clean: Array, values: Array, touched: Array) -> int | None:
    """The first run that a fixed threshold sees; a volume is held against the same run without the fault."""
    if profile.is_factor and profile.kind.worse == "down":
        seen = values[touched] < (1 - profile.fixed) * clean[touched]
    elif profile.is_factor:
        seen = values[touched] > (1 + profile.fixed) * clean[touched]
    else:
        seen = values[touched] < profile.fixed if profile.kind.worse == "down" else values[touched] > profile.fixed
    return int(touched[seen.argmax()]) if seen.any() else None


def _per_season(days: Days, make: Callable[[Array], Array]) -> Array:
    """Values made anew for each season; levels are not those of the season before."""
    values = np.zeros(len(days.day))
    for season in np.unique(days.season):
        values[days.season == season] = make(np.flatnonzero(days.season == season))
    return values


def _constant(dice: Dice, days: Days, low: int, high: int) -> Array:
    """Teams: the same number for months, one or two less or more now and then."""
    level = dice.integers(low, high)

    def season(at: Array) -> Array:
        first = np.round(level * dice.uniform(0.85, 1.2))
        steps = np.where(dice.random(len(at)) < 0.03, dice.integers(-2, 3, len(at)), 0)
        closed = np.where(dice.random(len(at)) < 0.004, np.round(0.019 * first), 0)  # a series of 10 teams of 524
        return first + np.cumsum(steps - closed)

    return np.maximum(_per_season(days, season), 1)


def _wandering(dice: Dice, days: Days, low: int, high: int) -> Array:
    """Players: a few come and go with every scrape."""
    level = dice.integers(low, high)

    def season(at: Array) -> Array:
        steps = np.where(dice.random(len(at)) < 0.6, dice.normal(0.0005, 0.002, len(at)), 0)
        missed = np.where(dice.random(len(at)) < 0.1, dice.normal(0, 0.004, len(at)), 0)
        return np.round(level * dice.uniform(0.9, 1.15) * np.exp(np.cumsum(steps) + missed))

    return _per_season(days, season)


def _played(dice: Dice, days: Days) -> Array:
    """Share of the season's matches that are in: rounds of a week, spread over its days, a pause at Christmas."""
    weeks = dice.integers(16, 24)
    day_of_year = days.day % 365.25
    pause = ((day_of_year > 354) | (day_of_year < 5)).astype(float)
    rounds = np.floor(np.maximum(days.week * 7 - days.play_day, 0) / 7)
    late = np.clip((days.week * 7 - days.play_day) % 7 / 3, 0, 1)
    return np.clip((np.maximum(rounds - 1, 0) + np.where(rounds > 0, late, 0) - 0.5 * pause) / weeks, 0, 1)


def _growing(dice: Dice, days: Days, low: int, high: int, kept: float = 0.0) -> Array:
    """Match lines: they only grow within a season; `kept` is what live keeps of the seasons before."""
    whole = dice.integers(low, high)
    share = _played(dice, days)
    grown = _per_season(days, lambda at: np.maximum.accumulate(whole * dice.uniform(0.9, 1.1) * share[at]))
    noisy = grown * (1 - 0.003 * (dice.random(len(grown)) < 0.15))  # lines that a scrape missed
    return np.round(noisy + kept * whole * (1 + days.season))


def _share(dice: Dice, days: Days, low: float, high: float, rows: tuple[int, int]) -> Array:
    """A share of some rows: counted, so it makes steps, around a level that wanders a little."""
    n, level = dice.integers(*rows), dice.uniform(low, high)

    def season(at: Array) -> Array:
        wander = np.clip(level * dice.uniform(0.7, 1.4) * np.exp(np.cumsum(dice.normal(0, 0.02, len(at)))), 0, 0.5)
        return dice.binomial(n, wander) / n

    return _per_season(days, season)


def _age(dice: Dice, days: Days) -> Array:
    """Days since the newest match: a saw over the week, two weeks at Christmas, and all of the break."""
    at = days.week * 7 - days.play_day
    weeks = dice.integers(18, 26)
    saw = np.where(at < 0, 150 + at, np.where(at < 7 * weeks, at % 7, at - 7 * (weeks - 1)))
    day_of_year = days.day % 365.25
    holiday = (at > 0) & (at < 7 * weeks) & ((day_of_year > 356) | (day_of_year < 6))
    return np.floor(saw + np.where(holiday, (day_of_year - 356) % 365.25, 0)) + (dice.random(len(at)) < 0.1)


def _behind(dice: Dice, days: Days) -> Array:
    """Days by which the newest match lies behind the schedule: mostly none, a week where results come late."""
    late = dice.random(len(days.day)) < dice.uniform(0.02, 0.3)
    return np.where(late & (days.week > 0), dice.integers(1, 8, len(days.day)), 0)


def _duration(dice: Dice, days: Days) -> Array:
    """Seconds of a stage: more with the rows, and now and then the machine is busy."""
    calm = dice.uniform(2, 40) * np.exp(dice.normal(0, 0.12, len(days.day)))
    busy = np.where(dice.random(len(calm)) < 0.06, dice.uniform(1.3, 2.2, len(calm)), 1)
    return calm * busy * (1 + 0.3 * _played(dice, days))


def _health(dice: Dice, days: Days) -> Array:
    level = dice.uniform(92, 98.5)
    wander = np.cumsum(dice.normal(0, 0.08, len(days.day)))
    return np.clip(np.round(level + wander + dice.normal(0, 0.4, len(days.day)), 1), 80, 100)


def _size(dice: Dice, days: Days) -> Array:
    base = dice.uniform(2e8, 3e9)
    since = days.day - days.day[0]
    grown = base * (1 + dice.uniform(1e-4, 1e-3) * since) * np.exp(dice.normal(0, 0.002, len(since)))
    return np.floor(grown / 8192) * 8192


ALL = FAULTS
LEVELS = ("level shift", "slow creep", "spike")
PROFILES: dict[str, Profile] = {
    "teams in a file": Profile(
        metric="records", make=lambda dice, days: _constant(dice, days, 26, 536), fixed=0.2, faults=ALL,
        shift=(0.06, 0.18), creep=(0.006, 0.015), spike=(0.08, 0.2), is_factor=True),
    "players in a file": Profile(
        metric="records", make=lambda dice, days: _wandering(dice, days, 800, 7000), fixed=0.2, faults=ALL,
        shift=(0.06, 0.18), creep=(0.006, 0.015), spike=(0.08, 0.2), is_factor=True),
    "lines in a file": Profile(
        metric="records", make=lambda dice, days: _growing(dice, days, 500, 18_000), fixed=0.2, faults=ALL,
        shift=(0.06, 0.18), creep=(0.01, 0.02), spike=(0.08, 0.2), is_factor=True),
    "lines of a series": Profile(
        metric="records_of_series", make=lambda dice, days: _growing(dice, days, 60, 420), fixed=0.3, faults=ALL,
        shift=(0.12, 0.28), creep=(0.012, 0.03), spike=(0.12, 0.3), is_factor=True),
    "players of a series": Profile(
        metric="records_of_series", make=lambda dice, days: _wandering(dice, days, 40, 160), fixed=0.3, faults=ALL,
        shift=(0.1, 0.28), creep=(0.01, 0.025), spike=(0.12, 0.3), is_factor=True),
    "live lines": Profile(
        metric="rows", make=lambda dice, days: _growing(dice, days, 500, 18_000, 1.0), fixed=0.2, faults=LEVELS,
        shift=(0.03, 0.15), creep=(0.006, 0.015), spike=(0.03, 0.15), is_factor=True),
    "records kept aside": Profile(
        metric="quarantined", make=lambda dice, days: _share(dice, days, 0.002, 0.025, (500, 7000)), fixed=0.1,
        faults=LEVELS, shift=(0.02, 0.06), creep=(0.002, 0.005), spike=(0.03, 0.08)),
    "rows that fail a check": Profile(
        metric="check_rate", make=lambda dice, days: _share(dice, days, 0.0, 0.0004, (500, 7000)), fixed=0.05,
        faults=LEVELS, shift=(0.008, 0.04), creep=(0.001, 0.003), spike=(0.008, 0.04)),
    "coverage": Profile(
        metric="coverage", make=lambda dice, days: 1 - _share(dice, days, 0.005, 0.06, (500, 7000)), fixed=0.85,
        faults=LEVELS, shift=(0.03, 0.08), creep=(0.002, 0.006), spike=(0.03, 0.1)),
    "days since a match": Profile(
        metric="days_since_match", make=_age, fixed=30, faults=("silence",), shift=(0, 0), creep=(0, 0), spike=(0, 0)),
    "days behind the schedule": Profile(
        metric="days_behind", make=_behind, fixed=30, faults=("silence",), shift=(0, 0), creep=(0, 0), spike=(0, 0)),
    "seconds of a stage": Profile(
        metric="duration", make=_duration, fixed=2.0, faults=LEVELS,
        shift=(0.8, 2.0), creep=(0.05, 0.12), spike=(2.5, 6.0), is_factor=True),
    "health": Profile(
        metric="health", make=_health, fixed=75, faults=LEVELS, shift=(4, 12), creep=(0.5, 1.2), spike=(5, 15)),
    "size of the database": Profile(
        metric="database_size", make=_size, fixed=0.5, faults=("level shift", "slow creep"),
        shift=(0.15, 0.5), creep=(0.012, 0.03), spike=(0, 0), is_factor=True),
}  # fmt: skip
"""The sorts of series, in sizes of the real leagues: 26 to 536 teams, 800 to 7,000 players, up to 18,000 lines."""
