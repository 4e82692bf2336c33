"""The series standard: any spelling of a team or series to the league's own, and series of several leagues in a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from rapidfuzz import fuzz, process

from rally_etl.naming.clubs import club_key
from rally_etl.naming.formats import format_of
from rally_etl.naming.grammar import render
from rally_etl.naming.text import clean_name

if TYPE_CHECKING:
    import pandas as pd

    from rally_etl.naming.grammar import Reading
    from rally_etl.naming.leagues import League, Leagues

DAYS = ("", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHOWN = 3  # suggestions for a name that is not read
ALIKE = 75  # likeness of letters, 0 to 100, from which a standard is worth suggesting

Name = str | tuple[str, str | None]
Level = tuple[int, float, str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """What one printed name is in the league's standard.

    Attributes:
        kind: ``none`` for a name that is not read; then only ``why`` and ``suggestions`` say something.
        standard: the league's own spelling of the team or series; None when it is not read.
        series: the standard series, of a team the one it plays in: what leagues are compared by.
        format: how the name was printed, `Club - N SW (2024-25)`.
        number, letter, region, tier, day: what the series says; `2B` has a number and a letter.
        level: sorts the series of a league: numbers, then letters, then words; a region behind its number.
        suggestions: similar standards, the likeliest first; nothing is ever taken from them.
    """

    league: str
    printed: str
    kind: Literal["series", "team", "none"]
    standard: str | None = None
    series: str | None = None
    format: str = ""
    number: float | None = None
    letter: str = ""
    region: str = ""
    tier: str = ""
    day: str = ""
    level: Level | None = None
    why: str = ""
    suggestions: tuple[str, ...] = ()


COLUMNS = tuple(each.name for each in fields(Standard))


def standard_of(league: League, name: str, series: str | None = None, known: Iterable[str] = ()) -> Standard:
    """The standard of one printed name, a series or a team.

    Args:
        series: the series printed beside it, for leagues whose team names leave it out.
        known: standards that exist, such as the live teams: a team of a club that the league's file does not list is
            read only if it is one of them, and suggestions come from them.
    """
    text = clean_name(name)
    read = league.read_series(text)
    is_any_text = read is not None and "text" in read.groups()  # the last resort of a league without a file
    if read and not is_any_text:
        return _series(league, name, read)
    known = frozenset(known)
    team = league.parse_team(text, series)
    if team and (_is_listed(league, team.club) or team.name in known):
        return _Parts.of(league, team.series).standard(
            league=league.key,
            printed=name,
            kind="team",
            standard=team.name,
            series=team.series,
            format=_team_format(league, text, series),
        )
    if read and not team:
        return _series(league, name, read)
    why = "no form of the league reads it"
    if league.is_no_team(text):
        why = "it stands where a team belongs"
    elif team:
        why = f"the league lists no club {team.club}"
    elif league.parse_bare(text):
        why = "it says the club but not the series"
    return Standard(
        league=league.key, printed=name, kind="none", why=why, suggestions=_suggestions(league, text, series, known)
    )


def standardise(league: League, names: Iterable[Name], known: Iterable[str] = ()) -> pd.DataFrame:
    """The standard of each name, for analysts.

    Args:
        names: printed names, each alone or with the series printed beside it.
        known: as for `standard_of`.

    Returns:
        one row per name in the order given, columns as the attributes of `Standard`; ``standard`` is missing where a
        name is not read.
    """
    return compare({league.key: league}, ((league.key, name) for name in names), known)


def compare(
    leagues: Leagues | Mapping[str, League], names: Iterable[tuple[str, Name]], known: Iterable[str] = ()
) -> pd.DataFrame:
    """The standards of names of several leagues in one table: equal ``series`` are the same series in each league.

    Args:
        names: pairs of league key and name, the name as in `standardise`.

    Returns:
        one row per name in the order given; see `standardise`. ``Chicago 12`` of one league and ``Division 12`` of
        another have ``series`` ``Series 12``; ``Series 12 SW`` is another one.
    """
    import pandas as pd

    standards = frozenset(known)
    seen: dict[tuple[str, Name], Standard] = {}
    rows = []
    for key, name in names:
        if (key, name) not in seen:
            printed, beside = (name, None) if isinstance(name, str) else name
            league = leagues[key] if isinstance(leagues, Mapping) else leagues.get(key)
            seen[key, name] = standard_of(league, printed, beside, standards)
        rows.append(seen[key, name])
    return pd.DataFrame([tuple(getattr(row, name) for name in COLUMNS) for row in rows], columns=list(COLUMNS))


def is_one_name(league: League, first: str, second: str) -> bool:
    """Do two names mean the same series or team by the league's standard? A name that is not read is never the same."""
    one, other = standard_of(league, first), standard_of(league, second)
    return one.standard is not None and (one.kind, one.standard) == (other.kind, other.standard)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the standard name of a series says."""

    number: float | None
    letter: str
    region: str
    tier: str
    day: str
    level: Level

    @classmethod
    def of(cls, league: League, series: str) -> _Parts:
        read = league.read_series(series)
        groups = read.groups() if read else {"text": series}
        digits = groups.get("number", "").rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        letter = groups.get("letter", "") or groups.get("number", "")[len(digits) :]
        number = float(digits) if digits else None
        tier = " ".join(filter(None, (groups.get("upto", ""), groups.get("tier", "").strip())))
        word = groups.get("word", "") or groups.get("text", "")
        day = groups.get("day", "")[:3] or (read.form.day if read else "")
        region = groups.get("suffix", "")
        rank = 0 if number is not None else 1 if letter else 2
        level = (rank, number or 0.0, letter, tier or word, region, DAYS.index(day) if day in DAYS else 0)
        return cls(number, letter, region, tier, day, level)

    def standard(self, **known: object) -> Standard:
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return Standard(**parts, **known)


def _series(league: League, name: str, read: Reading) -> Standard:
    series = render(read.form.series, read.groups())
    return _Parts.of(league, series).standard(
        league=league.key, printed=name, kind="series", standard=series, series=series, format=format_of(read)
    )


def _team_format(league: League, text: str, series: str | None) -> str:
    read = league.read_team(text, series)
    if read is None:
        return ""
    is_as_printed = text == read.match.string or (read.lent and text.startswith(read.match.string))
    return format_of(read) if is_as_printed else "listed in team_aliases"


def _is_listed(league: League, club: str) -> bool:
    """Whether a league that lists its clubs lists this one: another one is a misprint, or a club nobody has met."""
    return not league.clubs or club in league.clubs


def _suggestions(league: League, text: str, series: str | None, known: frozenset[str]) -> tuple[str, ...]:
    """Standards that are spelled alike: the same name with a listed club, else known ones and the league's examples."""
    read = league.read_team(text, series)
    if read and not league.is_no_team(text):
        groups = read.groups()
        if near := _alike(groups["club"], league.clubs):
            return tuple(render(read.form.name, groups | {"club": club}) for club in near)
    examples = {example.name for example in league.team_examples if example.name}
    return _alike(text, known or examples | {name for name in league.series_examples.values() if name})


def _alike(text: str, names: Iterable[str]) -> tuple[str, ...]:
    found = process.extract(text, sorted(names), scorer=fuzz.ratio, processor=club_key, score_cutoff=ALIKE, limit=SHOWN)
    return tuple(name for name, _, _ in found)
