"""Ways to find what a lost reference stood for, in the order of trust; each leads to live things, with its evidence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.protection.finding.wording import practice_of
from rally_etl.protection.mending.cases import Case
from rally_etl.protection.mending.things import ENTITIES, Found, Thing, Things
from rally_etl.protection.mending.trust import Trust

CIRCUMSTANTIAL = ("pattern", "creator", "content", "choice")
"""Strategies that say what the row is about, and not what its lost reference was."""


@dataclass(frozen=True, slots=True)
class Lead:
    """One strategy's answer.

    ``is_one``: it leads to this thing alone; else the thing is one of several that fit. ``is_decided``: a recorded
    decision says that the name is this thing's.
    """

    strategy: str
    thing: Thing
    confidence: float
    evidence: str
    is_one: bool = True
    is_decided: bool = False


def leads_of(case: Case, things: Things, trust: Trust) -> list[Lead]:
    """Where every strategy leads, the surest first; a redirect of the very id is the only one where there is one."""
    if redirected := list(_redirect(case, things, trust)):
        return redirected
    found = [lead for strategy in _STRATEGIES for lead in strategy(case, things, trust)]
    return sorted(found, key=lambda lead: (-lead.confidence, not lead.is_one, lead.thing.id))


def _redirect(case: Case, things: Things, trust: Trust) -> Iterator[Lead]:
    target = case.orphan.target
    for value in case.lost_ids if case.target_column == "id" else ():
        into = things.redirects[target].get(int(value)) if value.isascii() and value.isdigit() else None
        if into is not None and (thing := things.get(target, into)):
            told = f"{ENTITIES[target]} {value} was merged into {thing.told}"
            yield Lead("redirect", thing, trust.strategies["redirect"], told)
            return


def _sighted(case: Case, things: Things, trust: Trust) -> Iterator[Lead]:
    """What the id or the row was seen to stand for: the one live thing that is that now."""
    for each in case.sightings:
        league = each.league if each.league != EVERYWHERE else case.league
        found = things.find(case.orphan.target, each.name, league, each.series, each.team)
        yield from _several(found, each.source, trust, each.told)


def _several(found: Iterable[Found], strategy: str, trust: Trust, told: str) -> Iterator[Lead]:
    found = list(found)
    for each in found:
        confidence = trust.strategies[strategy] - sum(trust.less[how] for how in each.lessened)
        lives = f"{each.thing.told} is that now"
        if "elsewhere" in each.lessened:
            there = each.thing.team or each.thing.series
            lives = f"{each.thing.told} has that name, but is in {there or 'another place'}"
        evidence = f"{told}; {lives}"
        if len(found) > 1:
            evidence += f"; {len(found)} fit"
        is_decided = "alias" in each.lessened
        yield Lead(strategy, each.thing, max(0.0, confidence) / len(found), evidence, len(found) == 1, is_decided)


def _person(case: Case, things: Things, trust: Trust) -> Iterator[Lead]:
    """A person's printed id under another prefix, or one that an alias in force leads on."""
    if case.orphan.target != "players" or case.target_column == "id":
        return
    for value in case.lost_ids:
        rows = [row for row in things.by_person(value) if row.printed_id != value]
        if len({row.printed_id for row in rows}) == 1:
            told = f"{value} and {rows[0].printed_id} are one person's id"
            yield Lead("history", rows[0], trust.strategies["history"], told)


def _pattern(case: Case, things: Things, trust: Trust) -> Iterator[Lead]:
    """What the row itself says: club and series of a practice, or what its other references lead to."""
    target, confidence = case.orphan.target, trust.strategies["pattern"]
    text = case.row.get("home_team") or ""
    said, words = practice_of(text), text
    if case.orphan.kind in ("unlinked", "mislinked") and not case.orphan.name:
        said = (case.orphan.club, case.orphan.series)
        words = " in ".join(said)
    if target == "teams" and said and all(said):
        found = [Found(each) for each in things.of_club(*said, case.league)]
        yield from _several(found, "pattern", trust, f"the row says {words}")
    if target == "players" and case.target_column == "id" and case.row.get("player_name"):
        series = next((each.name for each in case.others.values() if each.table == "series"), "")
        if series:
            found = things.find("players", case.row["player_name"], case.league, series)
            yield from _several(found, "pattern", trust, f"the row says {case.row['player_name']} of {series}")
    led = {}
    for column, other in _said_beside(case, things):
        number = {"teams": other.team_id, "series": other.series_id, "leagues": other.league_id}.get(target)
        thing = things.get(target, number) if other.table not in (target, "leagues", "clubs") else None
        if thing and _is_active_here(other, thing):
            led.setdefault(thing.id, (thing, f"the row's {column} is {other.told}"))
    for thing, told in led.values():
        yield Lead("pattern", thing, confidence / len(led), told, len(led) == 1)


def _said_beside(case: Case, things: Things) -> Iterator[tuple[str, Thing]]:
    """What the row's other references lead to; a person's printed id to all of the person's memberships."""
    for column, other in case.others.items():
        is_person = other.table == "players" and case.row.get(column) == other.printed_id
        yield from ((column, each) for each in (things.by_person(other.printed_id) if is_person else [other]))


def _is_active_here(other: Thing, thing: Thing) -> bool:
    """A player says which team, one active row only; a team or player its series; each its league."""
    return other.table != "players" or thing.table == "leagues" or other.is_active


def _creator(case: Case, things: Things, trust: Trust) -> Iterator[Lead]:
    """The team of whoever wrote the row: taken when it is the only one."""
    if case.orphan.target not in ("teams", "series", "leagues") or not case.teams:
        return
    by_thing: dict[int, tuple[Thing, list[Thing]]] = {}
    for team in case.teams:
        number = {"teams": team.id, "series": team.series_id, "leagues": team.league_id}[case.orphan.target]
        if thing := things.get(case.orphan.target, number):
            by_thing.setdefault(thing.id, (thing, []))[1].append(team)
    for thing, teams in by_thing.values():
        names = " and ".join(team.name for team in teams)
        only = "only " if len(by_thing) == 1 else f"{len(by_thing)} teams, one is "
        confidence = trust.strategies["creator"] / len(by_thing)
        yield Lead("creator", thing, confidence, f"whoever wrote it has {only}{names}", len(by_thing) == 1)


def _content(case: Case, things: Things, trust: Trust) -> Iterator[Lead]:
    """A team, or a series, that the text of the row names exactly: one of the writer's, or of the writer's club."""
    if case.orphan.target != "teams":
        return
    text = " ".join(str(case.row[name]) for name in trust.texts.get(case.orphan.table, []) if case.row.get(name))
    if not text:
        return
    own = {team.id for team in case.teams}
    clubs = {(team.club_id, team.league) for team in case.teams}
    near = [team for team in things.by_id["teams"].values() if team.is_active and (team.club_id, team.league) in clubs]
    named = _mentioned(text, near)
    if len(own) > 1 and len(named) == 1 and named[0].id in own:
        yield Lead("choice", named[0], trust.strategies["choice"], f"it says {_quoted(text)}, and of the writer's teams"
                   f" that is {named[0].told}")  # fmt: skip
        return
    for team in named:
        told = f"it says {_quoted(text)}, and {team.told} is of the writer's club"
        yield Lead("content", team, trust.strategies["content"] / len(named), told, len(named) == 1)


def _mentioned(text: str, teams: Iterable[Thing]) -> list[Thing]:
    """Teams whose whole name, or else whose series, stands in a text; a name within a longer one does not count."""
    teams = list(teams)
    for words in (lambda team: team.name, lambda team: team.series):
        spans = [(span, team) for team in teams if words(team) for span in _spans(text, words(team))]
        kept = [
            team
            for (start, end), team in spans
            if not any(other[0] <= start and end <= other[1] and other != (start, end) for other, _ in spans)
        ]
        if kept:
            return list({team.id: team for team in kept}.values())
    return []


def _spans(text: str, words: str) -> Iterator[tuple[int, int]]:
    pattern = r"\s+".join(map(re.escape, words.split()))
    for found in re.finditer(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE):
        yield found.span()


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f'"{line[:59] + "…" if len(line) > 60 else line}"'


_STRATEGIES: tuple[Callable[[Case, Things, Trust], Iterator[Lead]], ...] = (
    _sighted, _person, _pattern, _creator, _content,
)  # fmt: skip
