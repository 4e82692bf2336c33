"""Which live team a team of a scrape is: by its name, an alias or its players; what is not certain is asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rally_etl.identity.proposals import NEAR, Likely, ask, is_enough, likely_names, unmatched
from rally_etl.identity.sides import Incoming, Known, Match, Scene, scene_of
from rally_etl.identity.spelling import TeamKey
from rally_etl.identity.thresholds import Thresholds

HALF = 0.5  # of a roster: who keeps so many goes on; whose own are fewer than half of a rival's is doubted
FEW_TEAMS = 5  # teams with rosters on both sides that it takes to see a new season; with fewer the season goes on
SOME_TEAMS = 2  # of a club under another club's name: the club has been renamed


def match_teams(
    incoming: Sequence[Incoming],
    known: Sequence[Known],
    thresholds: Thresholds,
    *,
    aliases: Mapping[TeamKey, int] | None = None,
    rejected: Iterable[tuple[TeamKey, int]] = (),
) -> dict[TeamKey, Match]:
    """Match every incoming team; one entry per key, whatever the order of the arguments.

    A name decides, then a recorded alias, then players; names that are only alike are asked about. What a name says is
    doubted while the season goes on and its players are another team's; in a new season rosters mix and names decide.

    Args:
        incoming: teams of one league's scrape; two of one key are one team.
        known: live teams of the league, inactive ones too: those come back by their name only.
        thresholds: `params/identity.yaml`.
        aliases: what was decided before; one that names no known team is passed over.
        rejected: pairs that somebody said are two things: neither taken nor asked about.
    """
    scene = scene_of(incoming, known, thresholds, frozenset(rejected))
    decided = {
        key: team_id
        for key, team_id in (aliases or {}).items()
        if team_id in scene.first and (key, team_id) not in scene.rejected
    }
    found = _by_name(scene, decided)
    found |= _doubted(scene, found, decided)
    kept = {scene.first[match.id] for match in found.values() if match.id is not None}
    scene.vanished = {team_id for team_id, team in scene.live.items() if team.is_active} - kept - scene.doubted
    names = likely_names(scene, [key for key in scene.incoming if key not in found])
    found |= _by_roster(scene, names)
    return {key: found[key] if key in found else unmatched(scene, key, names[key]) for key in scene.incoming}


def _by_name(scene: Scene, decided: Mapping[TeamKey, int]) -> dict[TeamKey, Match]:
    """Exact names and aliases; an alias goes before the name of a team that is off, such as one that was merged."""
    found: dict[TeamKey, Match] = {}
    for key in scene.incoming:
        rows = [row for row in scene.rows.get(key, ()) if (key, row.id) not in scene.rejected]
        if rows and (rows[0].is_active or key not in decided):
            found[key] = Match(rows[0].id, "exact", 1.0, "the same name")
        elif key in decided:
            found[key] = Match(decided[key], "alias", 1.0, "a recorded alias")
    exact = {key: scene.first[match.id] for key, match in found.items() if match.strategy == "exact"}
    for key, match in found.items():
        team_id = scene.first[match.id]
        if match.strategy == "alias" or scene.rosters.is_own(key, team_id):
            scene.firm_keys.add(key)
            scene.firm_ids.add(team_id)
    overlaps = [
        scene.rosters.overlap(key, team_id) for key, team_id in exact.items() if scene.has_rosters(key, team_id)
    ]
    stayed = sum(overlap >= HALF for overlap in overlaps)
    scene.goes_on = len(overlaps) < FEW_TEAMS or stayed >= scene.thresholds.season_goes_on * len(overlaps)
    return found


def _doubted(scene: Scene, found: Mapping[TeamKey, Match], decided: Mapping[TeamKey, int]) -> dict[TeamKey, Match]:
    """Names over the players of another team, such as two that were swapped; what was decided about one holds."""
    if not scene.goes_on:
        return {}
    named = {
        key: scene.first[match.id]
        for key, match in found.items()
        if match.strategy == "exact" and key not in scene.firm_keys
    }
    doubts = {key: rivals for key, team_id in named.items() if (rivals := _rivals(scene, key, team_id)) is not None}
    pointed_at = {rival: named[key] for key, rivals in sorted(doubts.items()) for rival in rivals}
    for key, team_id in named.items():  # the other half of a swap may have no roster of its own
        if key not in doubts and team_id in pointed_at and not scene.incoming[key].people:
            doubts[key] = [pointed_at[team_id]]
    matches = {}
    for key, rivals in doubts.items():
        if key in decided:
            matches[key] = Match(decided[key], "alias", 1.0, "a recorded alias")
            continue
        scene.doubted.add(named[key])
        own = scene.candidate(key, named[key])
        own = replace(own, id=found[key].id, strategy="exact", evidence=f"the same name, but {own.evidence}")
        others = [scene.candidate(key, rival) for rival in rivals if (key, rival) not in scene.rejected]
        evidence = f"the name says {own.name}, the players do not"
        matches[key] = ask("contradiction", [*others, own], evidence)
    return matches


def _rivals(scene: Scene, key: TeamKey, team_id: int) -> list[int] | None:
    """Live teams whose players stand under the name of *team_id*, none if only its own have left it; None: no doubt."""
    rosters, limits = scene.rosters, scene.thresholds
    if not scene.incoming[key].people:
        return None
    rivals = [
        other
        for other in scene.rivals_of(key, but=team_id)
        if rosters.overlap(key, other) >= limits.roster_doubted and rosters.is_live_led(key, other, team_id, HALF)
    ]
    has_left = any(
        rosters.overlap(other, team_id) >= limits.roster_doubted and rosters.is_incoming_led(team_id, other, key, HALF)
        for other in scene.claimants_of(team_id, but=key)
    )
    return rivals if rivals or has_left else None


def _by_roster(scene: Scene, names: dict[TeamKey, Likely]) -> dict[TeamKey, Match]:
    """Vanished teams under new names. Who is found is out of the way of the names of others, hence the rounds."""
    found: dict[TeamKey, Match] = {}
    taken = True
    while taken:
        taken = {}
        for key in names.keys() - found.keys():
            for team_id in scene.rosters.by_key[key]:
                if team_id in scene.vanished and _is_taken(scene, key, team_id, names[key]):
                    taken[key] = team_id
        for key, team_id in taken.items():
            scene.vanished.discard(team_id)
            overlap = round(scene.rosters.overlap(key, team_id), 3)
            found[key] = Match(team_id, "roster", overlap, scene.rosters.evidence(key, team_id))
        _learn_clubs(scene, names, found)
    scene.firm_ids |= {match.id for match in found.values()}
    return found


def _learn_clubs(scene: Scene, names: dict[TeamKey, Likely], found: Mapping[TeamKey, Match]) -> None:
    """A club of which some teams stand under another name has been renamed: the names of its other teams say so too."""
    renamed: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, match in found.items():
        before = scene.live[match.id].key
        if before[0] != key[0]:
            renamed[key[0]][before[0]] += 1
    for key in names.keys() - found.keys():
        (before, count), *others = renamed[key[0]].most_common() if key[0] in renamed else [("", 0)]
        if others or count < SOME_TEAMS:
            continue
        for row in scene.rows.get((before, *key[1:]), ())[:1]:
            if row.id in scene.vanished and (key, row.id) not in scene.rejected:
                why = f"{count} other teams of {before} are called {key[0]} now"
                names[key].setdefault(row.id, (scene.thresholds.name_taken, why))


def _is_taken(scene: Scene, key: TeamKey, team_id: int, likely: Likely) -> bool:
    """Is *team_id*, vanished from the series of *key*, that team and no other?"""
    rosters, limits = scene.rosters, scene.thresholds
    if (
        (key, team_id) in scene.rejected
        or not scene.is_same_series(key, team_id)
        or not is_enough(scene, key, team_id, likely)
        or _is_another_named(scene, key, team_id, likely)
    ):
        return False
    return all(
        rosters.overlap(key, other) < limits.roster_taken
        and rosters.is_live_led(key, team_id, other, limits.second_best, limits.shared_people)
        for other in scene.rivals_of(key, but=team_id)
    ) and all(
        rosters.overlap(other, team_id) < limits.roster_taken
        and rosters.is_incoming_led(team_id, key, other, limits.second_best, limits.shared_people)
        for other in scene.claimants_of(team_id, but=key)
    )


def _is_another_named(scene: Scene, key: TeamKey, team_id: int, likely: Likely) -> bool:
    """Does the name of *key* speak for another team of its series that nobody has claimed yet?

    So does the ordinal of another team of the same club; in a new season, where names decide, the club alone.
    """
    least = scene.thresholds.name_proposed if scene.goes_on else NEAR
    own = likely.get(team_id, (0.0, ""))[0]
    if any(
        scene.is_unclaimed(other) and scene.is_same_series(key, other) and score >= least and score > own
        for other, (score, _) in likely.items()
    ):
        return True
    club, series, ordinal = scene.live[team_id].key
    brother = scene.rows.get((club, series, key[2]))
    return ordinal != key[2] and brother is not None and scene.is_unclaimed(brother[0].id)
