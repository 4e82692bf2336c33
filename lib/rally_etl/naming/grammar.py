"""The grammar of one league: printed team and series names -> club, series, ordinal, suffix."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rally_etl.naming.clubs import club_key
from rally_etl.naming.text import clean_name

REMEMBERED = 16_384  # printed names kept per grammar; more are read again
OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
GROUP = re.compile(r"\{(\w+)\}")
PART = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class TeamName:
    """A team, whatever file and season printed its name: ``key`` is its identity within the league."""

    club: str
    club_key: str
    ordinal: str
    series: str
    suffix: str
    name: str

    @property
    def key(self) -> tuple[str, str, str]:
        """Club key, series (with its suffix) and ordinal: equal for all spellings of one team."""
        return self.club_key, self.series, self.ordinal


@dataclass(frozen=True, slots=True)
class BareName:
    """A printed name that says the club but not the series; only a roster can tell which team it is."""

    club_key: str
    ordinal: str


@dataclass(frozen=True, slots=True)
class Form:
    """One way to print a name. ``with_series``: the printed series must fit too and lends its groups.

    ``format`` and ``day`` are for people: when or where the league prints it, and the day on which such a series plays.
    """

    pattern: re.Pattern[str]
    with_series: re.Pattern[str] | None
    series: str
    name: str
    format: str = ""
    day: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A printed name and the form that fits it. ``lent``: the series printed beside it, where the form asks for one."""

    form: Form
    match: re.Match[str]
    lent: re.Match[str] | None = None

    def groups(self) -> dict[str, str]:
        """What the name says, and what the series beside it says."""
        return _tidy(self.match.groupdict("") | (self.lent.groupdict("") if self.lent else {}))


def compile_form(pattern: str, parts: Mapping[str, str]) -> re.Pattern[str]:
    """Compile *pattern*, with each `{{part}}` in its place.

    Raises:
        KeyError: a part that is not defined.
        re.error: no regular expression.
    """
    return re.compile(PART.sub(lambda part: parts[part[1]], pattern))


def groups_of(template: str) -> set[str]:
    """Names of the groups that *template* writes."""
    return set(GROUP.findall(template))


def render(template: str, groups: Mapping[str, str]) -> str:
    """Write *groups* into *template*; a part in brackets is left out when one of its groups is empty."""

    def optional(part: re.Match[str]) -> str:
        return part[1] if all(groups.get(name) for name in GROUP.findall(part[1])) else ""

    return GROUP.sub(lambda group: groups.get(group[1], ""), OPTIONAL.sub(optional, template))


class Grammar:
    """Reads the names of one league. Has state only to remember names it has read."""

    def __init__(
        self,
        teams: Sequence[Form],
        series: Sequence[Form],
        *,
        team_aliases: Mapping[str, str],
        clubs: Mapping[str, str],
        not_teams: frozenset[str],
    ) -> None:
        """*team_aliases*: printed name in lower case -> name; *clubs*: club key -> spelling; *not_teams*: club keys."""
        self._teams, self._series = teams, series
        self._team_aliases, self._clubs, self._not_teams = team_aliases, clubs, not_teams
        self._read_teams: dict[tuple[str, str | None], tuple[TeamName | None, bool]] = {}

    def team(self, printed: str, series: str | None) -> tuple[TeamName | None, bool]:
        """Team that *printed* names, and whether an alias or another spelling of the club was needed."""
        return _remember(self._read_teams, (printed, series), lambda: self._read_team(printed, series))

    def series(self, printed: str) -> str | None:
        """Canonical name of the printed series; None when no form fits."""
        reading = self.read_series(printed)
        return reading and render(reading.form.series, reading.groups())

    def read_series(self, printed: str) -> Reading | None:
        """The form that fits a printed series, and how."""
        text = clean_name(printed)
        for form in self._series:
            if match := form.pattern.fullmatch(text):
                return Reading(form, match)
        return None

    def read_team(self, printed: str, series: str | None) -> Reading | None:
        """The form that fits a printed team, and how; it may still be a BYE or the like."""
        text, _ = self._unalias(printed)
        for form in self._teams:
            if reading := self._fit(form, text, series):
                return reading
        return None

    def bare(self, printed: str) -> BareName | None:
        """Club and ordinal of a name without its series, in leagues that print such names; else None."""
        text, _ = self._unalias(printed)
        for form in self._teams:
            if form.with_series and (match := form.pattern.fullmatch(text)):
                groups = match.groupdict("")
                key = club_key(self._spell(groups["club"]))
                return None if key in self._not_teams else BareName(key, groups.get("ordinal", ""))
        return None

    def is_no_team(self, printed: str) -> bool:
        """Is *printed* the name of something that stands where a team belongs, such as a BYE?"""
        key = club_key(printed)
        return any(key == word or re.fullmatch(re.escape(word) + r" \d+[a-z]?( sw)?", key) for word in self._not_teams)

    def _read_team(self, printed: str, series: str | None) -> tuple[TeamName | None, bool]:
        text, aliased = self._unalias(printed)
        if self.is_no_team(text):
            return None, aliased
        reading = self.read_team(printed, series)
        if reading is None:
            return None, aliased
        groups = reading.groups()
        club = self._spell(groups["club"])
        if not club_key(club) or club_key(club) in self._not_teams:
            return None, aliased
        aliased |= club != groups["club"]
        groups["club"] = club
        team = TeamName(
            club=club,
            club_key=club_key(club),
            ordinal=groups.get("ordinal", ""),
            series=render(reading.form.series, groups),
            suffix=groups.get("suffix", ""),
            name=render(reading.form.name, groups),
        )
        return team, aliased

    def _fit(self, form: Form, text: str, series: str | None) -> Reading | None:
        if form.with_series is None:
            match = form.pattern.fullmatch(text)
            return match and Reading(form, match)
        canonical = self.series(series) if series else None
        lent = form.with_series.fullmatch(canonical) if canonical else None
        match = form.pattern.fullmatch(text.removesuffix(f" - {canonical}")) if lent else None
        return match and Reading(form, match, lent)

    def _unalias(self, printed: str) -> tuple[str, bool]:
        text = clean_name(printed)
        known = self._team_aliases.get(text.casefold())
        return (text, False) if known is None else (known, True)

    def _spell(self, club: str) -> str:
        return self._clubs.get(club_key(club), club)


def _tidy(groups: dict[str, str]) -> dict[str, str]:
    """Numbers without leading zeros, suffixes in capitals."""
    for name, change in (("number", _number), ("suffix", str.upper)):
        if groups.get(name):
            groups[name] = change(groups[name])
    return groups


def _number(text: str) -> str:
    return text.lstrip("0") or "0"


def _remember(known: dict, key: tuple, read: Callable[[], tuple]) -> tuple:
    if key not in known:
        if len(known) >= REMEMBERED:
            known.clear()
        known[key] = read()
    return known[key]
