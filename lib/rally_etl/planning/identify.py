"""Which live team each team of a scrape is: gathers what is known on both sides and asks the matcher."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa
from rapidfuzz import fuzz

from rally_etl.identity.aliases import Alias, aliases_in_force, redirected_ids
from rally_etl.identity.matching import Incoming, Known, Match, match_teams
from rally_etl.identity.reviews import Review, rejected_pairs
from rally_etl.identity.spelling import TeamKey, team_spelling
from rally_etl.planning.clubs import MERGE, merge_candidates

if TYPE_CHECKING:
    from rally_etl.naming import TeamName
    from rally_etl.planning.scene import LiveRow, Scene

NEARLY_THE_CLUB = 80
"""Likeness (0 to 100) of an unknown club's name from which a new team, too, is of the club its other teams are of."""


def identify_teams(scene: Scene, roster: Mapping[TeamKey, TeamName], live: list[LiveRow]) -> dict[TeamKey, Match]:
    """Match the teams of *roster* with the live ones; what has to be asked goes to ``scene.reviews``.

    Fills ``scene.aliases``, ``scene.waiting`` and ``scene.protected``; a team that waits has a match without an id.
    """
    into = redirected_ids(scene.connection, "teams")
    rows = _without_twins([row for row in live if row.id not in into], roster)
    ids = {row.id for row in rows}
    keyed = {row.key for row in rows}
    aliases = aliases_in_force(scene.connection, scene.league.key, "team")
    targets = {spelling: into.get(int(alias.target), int(alias.target)) for spelling, alias in aliases.items()}
    scene.aliases = {spelling: target for spelling, target in targets.items() if target in ids}
    claimed = {row.id for row in rows if row.key in roster}
    people, live_people = _people(scene), _live_people(scene)
    incoming = [Incoming(key, team.name, people.get(key, frozenset())) for key, team in roster.items()]
    known = [Known(row.id, row.key, row.name, row.is_active, live_people.get(row.id, frozenset())) for row in rows]
    found = match_teams(
        incoming,
        known,
        scene.thresholds,
        aliases={
            key: scene.aliases[spelling]
            for key in roster
            if key not in keyed
            and (spelling := team_spelling(key)) in scene.aliases
            # what evidence alone once said holds neither against two names in one scrape nor against the players
            and not (
                aliases[spelling].strategy == "roster"
                and (
                    scene.aliases[spelling] in claimed
                    or _are_strangers(scene, people.get(key), live_people.get(scene.aliases[spelling]))
                )
            )
        },
        rejected=_rejected(scene, roster),
    )
    for key, match in found.items():
        _note(scene, key, roster[key], match, rows)
    _propose_merges(scene, roster, [row for row in live if row.id not in into])
    return found


def _are_strangers(scene: Scene, people: frozenset[str] | None, others: frozenset[str] | None) -> bool:
    """Whether two rosters, both known, have hardly anybody in common."""
    if not people or not others:
        return False
    return len(people & others) / max(len(people), len(others)) < scene.thresholds.roster_doubted


def clubs_through_teams(
    scene: Scene, roster: Mapping[TeamKey, TeamName], found: Mapping[TeamKey, Match], live: list[LiveRow]
) -> dict[str, tuple[int, bool]]:
    """Key of a printed club -> id of the live club that all its identified teams are of, and whether it is misspelled.

    Under a name that is nearly the same it is the club misspelled, also for teams that are new. Under another one the
    club was renamed, if all its teams are identified and none is printed under the club's own name any more; else
    teams have changed their club.
    """
    club_of = {row.id: row.club_id for row in live}
    names = dict(scene.connection.execute(sa.text("select id, name from public.clubs")).all())
    teams: dict[str, list[TeamKey]] = defaultdict(list)
    for key in roster:
        teams[key[0]].append(key)
    through = {}
    for club, keys in teams.items():
        clubs = {club_of[found[key].id] for key in keys if found[key].id in club_of}
        if len(clubs) != 1:
            continue
        (club_id,) = clubs
        own = scene.clubs.key(names[club_id])
        is_alike = fuzz.ratio(club, own) >= NEARLY_THE_CLUB
        if is_alike or (own not in teams and all(found[key].id for key in keys)):
            through[club] = (club_id, is_alike)
    return through


def _note(scene: Scene, key: TeamKey, team: TeamName, match: Match, rows: list[LiveRow]) -> None:
    """Keep what a match says: the alias it makes, the question it raises, what has to wait for the answer."""
    spelling = team_spelling(key)
    if match.id is not None:
        scene.identified["teams", match.id] = (match.strategy, match.confidence, match.evidence)
    if match.strategy == "roster":
        old = next(row for row in rows if row.id == match.id)
        if old.key:
            evidence = f"{old.name} became {team.name}: {match.evidence}"
            scene.new_aliases.append(
                Alias(
                    scene.league.key, "team", team_spelling(old.key), str(old.id), "roster", match.confidence, evidence
                )
            )
    if match.kind:
        is_held = match.strategy == "waits"
        scene.reviews.append(
            Review("team", match.kind, spelling, team.name, team.series, match.candidates, is_held=is_held)
        )
    if match.strategy == "waits":
        scene.waiting[spelling] = team.name
        scene.protected |= {int(candidate.id) for candidate in match.candidates}
        scene.protected |= {row.id for row in rows if row.key == key}


def _without_twins(rows: list[LiveRow], roster: Mapping[TeamKey, TeamName]) -> list[LiveRow]:
    """Of several live rows of one team the one that is spelled as the scrape spells it, else active, else oldest.

    Names are unique in live: taking another one could not be written.
    """
    best: dict[TeamKey, LiveRow] = {}
    for row in rows:
        if row.key in roster:
            name = roster[row.key].name
            best[row.key] = min(
                row, best.get(row.key, row), key=lambda each: (each.name != name, not each.is_active, each.id)
            )
    return [row for row in rows if row.key not in best or best[row.key] is row]


def _propose_merges(scene: Scene, roster: Mapping[TeamKey, TeamName], rows: list[LiveRow]) -> None:
    """Active live teams that are one by their names: a person merges them, never an import."""
    same: dict[TeamKey, list[LiveRow]] = defaultdict(list)
    for row in rows:
        if row.key in roster and row.is_active:
            same[row.key].append(row)
    for key, twins in same.items():
        if len(twins) > 1:
            candidates = merge_candidates(twins)
            name = roster[key].name
            scene.reviews.append(Review("team", MERGE, team_spelling(key), name, key[1], candidates, is_held=False))


def _people(scene: Scene) -> dict[TeamKey, frozenset[str]]:
    """Team of the scraped rosters -> person keys, under the keys that live knows the persons by."""
    people: dict[TeamKey, set[str]] = defaultdict(set)
    if "players" in scene.kinds:
        known = aliases_in_force(scene.connection, scene.league.key, "player")
        rows = scene.connection.execute(
            sa.text(
                "select team, coalesce(series, '') as series, array_agg(person_key) as people"
                " from etl.staged_players where league = :league and person_key is not null group by 1, 2"
            ),
            {"league": scene.league.key},
        )
        for row in rows:
            if row.team and (team := scene.league.parse_team(row.team, row.series or None)):
                people[scene.key(team)].update(known[key].target if key in known else key for key in row.people)
    return {key: frozenset(persons) for key, persons in people.items()}


def _live_people(scene: Scene) -> dict[int, frozenset[str]]:
    """Live team -> person keys of its active players."""
    rows = scene.connection.execute(
        sa.text(
            "select team_id, array_agg(regexp_replace(tenniscores_player_id, :id_prefix, '')) as people"
            " from public.players where league_id = :league_id and is_active is not false and team_id is not null"
            " group by team_id"
        ),
        {"league_id": scene.league_id, "id_prefix": scene.id_prefix},
    )
    return {row.team_id: frozenset(row.people) for row in rows}


def _rejected(scene: Scene, roster: Mapping[TeamKey, TeamName]) -> set[tuple[TeamKey, int]]:
    pairs = rejected_pairs(scene.connection, scene.league.key, "team")
    spellings = {team_spelling(key): key for key in roster}
    return {(spellings[spelling], int(row)) for spelling, row in pairs if spelling in spellings}
