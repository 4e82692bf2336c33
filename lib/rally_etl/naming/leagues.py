"""Leagues: their keys, aliases and the facts about them that analysts keep in `params/leagues/`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from rally_etl.errors import UsageError
from rally_etl.naming.clubs import club_key
from rally_etl.naming.counting import Counting
from rally_etl.naming.grammar import BareName, Form, Grammar, Reading, TeamName, compile_form, groups_of
from rally_etl.naming.text import clean_name, fold
from rally_etl.params import read_mapping

KNOWN_ID_PREFIXES = ("apta_nndz-", "nndz-", "cnswpl_")
MADE_UP_IDS = (r"FALLBACK_\w+", "[0-9a-f]{16}", "[0-9a-f]{32}")
"""Ids that scrapers make up where a page has none: they promise nothing, the next scrape may print another one."""


class TeamForm(BaseModel):
    """One way in which a league prints a team name; `name` and `series` are templates over the groups.

    `format` is a word for people: when or where the league prints names like this.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    with_series: str | None = None
    series: str
    name: str
    format: str = ""


class SeriesForm(BaseModel):
    """One way in which a league prints a series; `day` is the day on which such a series plays, if it has one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    series: str
    format: str = ""
    day: Literal["", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] = ""


class TeamExample(BaseModel):
    """A printed team name and what becomes of it; `name: null` is a name that must not be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    team: str
    printed_series: str | None = None
    name: str | None
    series: str | None = None


class League(BaseModel):
    """One league as its YAML file describes it; `known` is False when no file does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    name: str
    url: str | None = None
    known: bool = True
    aliases: tuple[str, ...] = ()
    id_prefixes: tuple[str, ...] = KNOWN_ID_PREFIXES
    foreign_id_prefixes: tuple[str, ...] = ()
    made_up_ids: tuple[str, ...] = MADE_UP_IDS  # regular expressions over the id without its prefix
    lines_per_team_match: int | None = None
    standings: Counting | None = None  # None: nobody knows how they count, so they are not recomputed
    parts: dict[str, str] = {}
    teams: tuple[TeamForm, ...]
    series: tuple[SeriesForm, ...]
    clubs: tuple[str, ...] = ()
    club_spellings: dict[str, tuple[str, ...]] = {}
    team_aliases: dict[str, str] = {}
    not_teams: tuple[str, ...] = ("BYE",)
    team_examples: tuple[TeamExample, ...] = ()
    series_examples: dict[str, str | None] = {}
    _grammar: Grammar = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Compile the grammar.

        Raises:
            ValueError: a pattern that is no regular expression, or a template with an unknown group.
        """
        teams = [self._form(f"teams[{n}]", form) for n, form in enumerate(self.teams)]
        series = [self._form(f"series[{n}]", form) for n, form in enumerate(self.series)]
        for pattern in self.made_up_ids:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"made_up_ids: {pattern!r} is no regular expression ({error})") from None
        if lacking := [form.pattern.pattern for form in teams if "club" not in form.pattern.groupindex]:
            raise ValueError(f"teams: the pattern {lacking[0]!r} has no group (?P<club>…)")
        self._grammar = Grammar(
            teams,
            series,
            team_aliases={
                clean_name(printed).casefold(): clean_name(known) for printed, known in self.team_aliases.items()
            },
            clubs=_spellings(self.clubs, self.club_spellings),
            not_teams=frozenset(map(club_key, self.not_teams)),
        )

    def _form(self, where: str, form: TeamForm | SeriesForm) -> Form:
        beside = getattr(form, "with_series", None)
        name, day = getattr(form, "name", ""), getattr(form, "day", "")
        try:
            compiled = compile_form(form.pattern, self.parts)
            lending = None if beside is None else compile_form(beside, self.parts)
        except KeyError as error:
            raise ValueError(f"{where}: there is no part {error.args[0]!r} under `parts`") from None
        except re.error as error:
            raise ValueError(f"{where}: {form.pattern!r} is no regular expression ({error})") from None
        groups = {*compiled.groupindex, *(lending.groupindex if lending else ())}
        if unknown := sorted((groups_of(form.series) | groups_of(name)) - groups):
            raise ValueError(f"{where}: a template writes {{{unknown[0]}}}, which no pattern of this form has")
        return Form(compiled, lending, form.series, name, form.format, day)

    def is_made_up(self, person_key: str) -> bool:
        """Did a scraper make up this id (given without its prefix), so that it says nothing of who the person is?"""
        return any(re.fullmatch(pattern, person_key) for pattern in self.made_up_ids)

    def parse_team(self, printed: str, series: str | None = None) -> TeamName | None:
        """Team that *printed* names; *series* is the printed series beside it, used only where the name says none.

        None for a BYE, for a name that no form fits, and for a bare club without a series that fits.
        """
        return self._grammar.team(printed, series)[0]

    def parse_bare(self, printed: str) -> BareName | None:
        """Club and ordinal of a team name that leaves its series out; None where the league prints no such names."""
        return self._grammar.bare(printed)

    def parse_series(self, printed: str) -> str | None:
        """Canonical name of a printed series; None when it is no series of this league's standard."""
        return self._grammar.series(printed)

    def read_team(self, printed: str, series: str | None = None) -> Reading | None:
        """The form that fits a printed team name, and how; for reports, `parse_team` says which team it is."""
        return self._grammar.read_team(printed, series)

    def read_series(self, printed: str) -> Reading | None:
        """The form that fits a printed series, and how."""
        return self._grammar.read_series(printed)

    def is_no_team(self, printed: str) -> bool:
        """Does *printed* stand where a team belongs without being one (BYE and the like)?"""
        return self._grammar.is_no_team(printed)

    def needs_alias(self, printed: str, series: str | None = None) -> bool:
        """Was another spelling of the team or of its club needed to read *printed*?"""
        return self._grammar.team(printed, series)[1]


class Leagues:
    """All leagues that have a params file, under every spelling of their keys."""

    def __init__(self, leagues: Iterable[League]) -> None:
        """Raise UsageError when one alias belongs to two leagues."""
        self._leagues: dict[str, League] = {}
        self._keys: dict[str, str] = {}
        self._generic: dict[str, League] = {}
        for league in leagues:
            self._leagues[league.key] = league
            for alias in (league.key, *league.aliases):
                owner = self._keys.setdefault(fold(alias), league.key)
                if owner != league.key:
                    raise UsageError(
                        f"the alias `{alias}` of {league.key} belongs to {owner} too; no league was read\n"
                        "hint: remove it from one of the two files in params/leagues"
                    )

    def keys(self) -> tuple[str, ...]:
        """Keys of the known leagues, in order."""
        return tuple(sorted(self._leagues))

    def canonical(self, text: str) -> str | None:
        """Key of the league that *text* spells, whatever its case, underscores and dashes; None when unknown."""
        return self._keys.get(fold(text))

    def get(self, key_or_alias: str) -> League:
        """The league of this key or alias; a league without a params file gets a generic grammar and `known=False`."""
        if key := self.canonical(key_or_alias):
            return self._leagues[key]
        name = clean_name(key_or_alias)
        if name.upper() not in self._generic:  # a grammar is dear to make
            self._generic[name.upper()] = generic_league(name)
        return self._generic[name.upper()]


def load_leagues(params_dir: Path) -> Leagues:
    """Read every `leagues/*.yaml` of *params_dir*.

    Raises:
        UsageError: names the file and the key that is missing, unknown or wrong.
    """
    return Leagues(_read_league(path) for path in sorted((params_dir / "leagues").glob("*.yaml")))


def generic_league(name: str) -> League:
    """A league that nobody has described yet: common forms of names, and no rule about points or lines."""
    return League(
        key=name.upper(),
        name=name,
        known=False,
        parts={
            "club": r"(?P<club>[^\W\d_](?:[^\n]*?[^\s&+,;:/-])?)",
            "tail": r"(?: - (?:Series|Division) .+)?",
            "number": r"(?P<number>\d{1,2}[A-Za-z]?)",
            "numbered": r"(?:.* S?\d{1,2}[A-Za-z]?)",  # says its number itself; another one behind it would double it
        },
        teams=(
            TeamForm(
                pattern=r"{{club}}(?: (?P<ordinal>I{1,3}))?(?: -)? S?{{number}}(?: (?P<suffix>SW))?{{tail}}",
                series="Series {number}[ {suffix}]",
                name="{club}[ {ordinal}] {number}[ {suffix}]",
            ),
            TeamForm(
                pattern=r"(?!{{numbered}}$){{club}}",
                with_series="Series {{number}}",
                series="Series {number}",
                name="{club} {number}",
            ),
            TeamForm(
                pattern=r"{{club}}",
                with_series=r"(?!Series \d{1,2}[A-Za-z]?$)(?P<text>.+)",
                series="{text}",
                name="{club} - {text}",
            ),
        ),
        series=(
            SeriesForm(
                pattern=r"(?:Series|Division) {{number}}(?: (?P<suffix>SW))?",
                series="Series {number}[ {suffix}]",
            ),
            SeriesForm(pattern=r"(?P<text>.+)", series="{text}"),
        ),
    )


def _read_league(path: Path) -> League:
    content = read_mapping(path)
    try:
        league = League.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "(file)"
        raise UsageError(
            f"{path}: key `{where}`: {first['msg']}; no league was read\n"
            f"hint: a league file takes {', '.join(League.model_fields)}"
        ) from None
    if league.key != path.stem:
        raise UsageError(
            f"{path}: key `key` says {league.key}; no league was read\nhint: name the file {league.key}.yaml"
        )
    return league


def _spellings(clubs: Iterable[str], others: Mapping[str, Iterable[str]]) -> dict[str, str]:
    known = {club_key(club): club for club in (*clubs, *others)}
    return known | {club_key(spelling): club for club, spellings in others.items() for spelling in spellings}
