"""What to ask about a team that is not found for certain: which live teams it may be, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rally_etl.identity.reviews import Candidate
from rally_etl.identity.sides import Match, Scene
from rally_etl.identity.similarity import alike
from rally_etl.identity.spelling import TeamKey

NO_NAME = "no live team has this name"
NEAR = 0.5  # likeness of names of one club that differ in the ordinal or in a lost suffix: worth asking, no more

Likely = dict[int, tuple[float, str]]
"""Live team -> how much its name looks like one of the scrape (0 to 1), and why, as a phrase."""


def likely_names(scene: Scene, keys: Iterable[TeamKey]) -> dict[TeamKey, Likely]:
    """Vanished and doubted teams with a name like that of an incoming one; one entry per key, most of them empty."""
    likely: dict[TeamKey, Likely] = {key: {} for key in keys}
    ids = {team.key: team_id for team_id in scene.vanished | scene.doubted if (team := scene.live[team_id]).key}
    names = {(club, (series, ordinal)): (club, series, ordinal) for club, series, ordinal in likely}
    others = {(club, (series, ordinal)): (club, series, ordinal) for club, series, ordinal in ids}
    for name, found in alike(names, others, scene.thresholds.name_proposed).items():
        for other, score in found:
            likely[names[name]][ids[others[other]]] = (score, "the names are alike")
    of_club: defaultdict[str, list[TeamKey]] = defaultdict(list)
    for key in ids:
        of_club[key[0]].append(key)
    for key in likely:
        for other in of_club.get(key[0], ()):
            if key[1] == other[1]:
                likely[key][ids[other]] = (NEAR, f"the same club and series, {_ordinal(other)} and not {_ordinal(key)}")
            elif key[2] == other[2] and (key[1].startswith(f"{other[1]} ") or other[1].startswith(f"{key[1]} ")):
                likely[key][ids[other]] = (NEAR, f"the same club, {other[1]} and not {key[1]}")
    return {
        key: {team_id: why for team_id, why in found.items() if (key, team_id) not in scene.rejected}
        for key, found in likely.items()
    }


def _ordinal(key: TeamKey) -> str:
    return key[2] or "no ordinal"


def is_enough(scene: Scene, key: TeamKey, team_id: int, likely: Likely) -> bool:
    """Most of the players (and not a handful), or fewer of them with a name that says so too."""
    if scene.rosters.shared(key, team_id) < scene.thresholds.shared_people:
        return False
    is_named = scene.is_same_club(key, team_id) or likely.get(team_id, (0.0, ""))[0] >= scene.thresholds.name_taken
    limit = scene.thresholds.roster_named if is_named else scene.thresholds.roster_taken
    return scene.rosters.overlap(key, team_id) >= limit


def ask(kind: str, candidates: Iterable[Candidate], evidence: str, strategy: str = "waits") -> Match:
    """A question; the confidence is that of there being no such team among the live ones."""
    ordered = tuple(sorted(candidates, key=lambda each: (-each.confidence, each.id)))
    return Match(None, strategy, round(1 - ordered[0].confidence, 3), evidence, kind, ordered)


def unmatched(scene: Scene, key: TeamKey, likely: Likely) -> Match:
    """A team that neither its name nor its players have found: new, perhaps with a question, or waiting."""
    asked = {team_id: scene.candidate(key, team_id) for team_id in _of_players(scene, key)}
    # in a new season players go everywhere: only most of a roster is worth holding rows for
    least = 0.0 if scene.goes_on else scene.thresholds.roster_taken
    strong = [
        team_id
        for team_id, candidate in asked.items()
        if candidate.confidence >= least and is_enough(scene, key, team_id, likely)
    ]
    has_only_name = False
    for team_id, (score, why) in likely.items():
        if team_id in asked or not scene.is_unclaimed(team_id):
            continue
        is_silent = not scene.has_rosters(key, team_id)
        is_half = strong or not scene.goes_on or scene.rosters.overlap(key, team_id) >= scene.thresholds.roster_doubted
        if is_silent or (is_half and score >= scene.thresholds.name_proposed):
            asked[team_id] = Candidate(team_id, scene.live[team_id].name, "similar", round(score, 3), why)
            has_only_name |= is_silent
    if not asked:
        return Match(None, "new", 1.0, NO_NAME)
    best = min(asked.values(), key=lambda each: (-each.confidence, each.id))
    told = f"{best.name}: {best.evidence}"
    if any(scene.is_same_series(key, team_id) for team_id in strong):
        return ask("ambiguous", asked.values(), f"{told}, but not clearly this team alone")
    if strong and scene.goes_on:
        return ask("moved", asked.values(), f"{told}, in another series")
    if has_only_name:
        return ask("similar", asked.values(), told)
    kind = "similar" if best.strategy == "similar" else "renamed" if scene.is_same_series(key, best.id) else "moved"
    return ask(kind, asked.values(), f"{NO_NAME}; perhaps {told}", "new")


def _of_players(scene: Scene, key: TeamKey) -> list[int]:
    """Live teams worth asking about for their players: vanished ones, and as the season goes on those under a doubt."""
    limits, rosters = scene.thresholds, scene.rosters
    few = min(limits.shared_people, 2)
    found = []
    for team_id in sorted(rosters.by_key[key]):
        is_open = team_id in scene.vanished
        if not is_open and scene.goes_on and team_id not in scene.firm_ids:
            is_open = rosters.overlap(key, team_id) >= limits.roster_taken
        is_shared = rosters.overlap(key, team_id) >= limits.roster_proposed and rosters.shared(key, team_id) >= few
        if is_open and is_shared and (key, team_id) not in scene.rejected:
            found.append(team_id)
    return found
