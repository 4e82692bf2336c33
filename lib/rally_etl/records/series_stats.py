"""Records of standings files: one team of one series."""

from __future__ import annotations

import msgspec

from rally_etl.naming.text import clean
from rally_etl.records.context import Context
from rally_etl.records.reading import Fields, Raw, is_empty, read_loosely
from rally_etl.records.reasons import Doubt, Findings, Quarantined
from rally_etl.records.values import number, text, whole_number

COLUMNS = (
    "series", "team", "points", "matches_won", "matches_lost", "matches_tied", "lines_won", "lines_lost", "lines_for",
    "lines_ret", "sets_won", "sets_lost", "games_won", "games_lost",
)  # fmt: skip
FIGURES = {
    "matches": ("won", "lost", "tied"),
    "lines": ("won", "lost", "for", "ret"),
    "sets": ("won", "lost"),
    "games": ("won", "lost"),
}


class Figures(Fields, rename={"for_": "for"}):
    """One group of figures of a team."""

    won: str | None = None
    lost: str | None = None
    tied: str | None = None
    for_: str | None = None
    ret: str | None = None
    percentage: str | None = None


class StatsFields(Fields):
    """Keys of a standings record, the same in every generation."""

    league_id: str | None = None
    series: str | None = None
    team: str | None = None
    points: str | None = None
    matches: Figures = msgspec.field(default_factory=Figures)
    lines: Figures = msgspec.field(default_factory=Figures)
    sets: Figures = msgspec.field(default_factory=Figures)
    games: Figures = msgspec.field(default_factory=Figures)


def parse_stats(raw: Raw, context: Context) -> list[tuple[str | None, ...]] | Quarantined:
    """One row, or the record kept aside."""
    found = Findings()
    record = read_loosely(raw, StatsFields, found)
    blank = is_empty(record, frozenset({"league_id", *FIGURES})) and all(
        is_empty(getattr(record, group), frozenset()) for group in FIGURES
    )
    if blank and not found.reasons:
        found.add("empty_fields", "(record)", None, "every field is empty")
        return found.quarantined() or []
    row = _row(record, context, found)
    return found.quarantined() or [row]


def _row(r: StatsFields, context: Context, found: Findings) -> tuple[str | None, ...]:
    found.take("league_id", r.league_id, context.own_league)
    series = found.take("series", r.series, text)
    team = found.take("team", r.team, lambda value: context.team(value, r.series))
    found.require("team", team)
    figures = [
        found.take(f"{group}.{name}", getattr(getattr(r, group), "for_" if name == "for" else name), whole_number)
        for group, names in FIGURES.items()
        for name in names
    ]
    for group in FIGURES:
        found.take(f"{group}.percentage", getattr(r, group).percentage, _share)
    return series, team and team.printed, found.take("points", r.points, _points), *figures


def _points(printed: str | None) -> str | None:
    return number(printed, low=0, high=100_000)


def _share(printed: str | None) -> None:
    """A share over 100 or a word is another column's value."""
    tidy = clean(printed).removesuffix("%") if printed else ""
    try:
        number(tidy, low=0, high=100)
    except Doubt:
        raise Doubt("shifted_row", "is no percentage: columns have moved") from None
