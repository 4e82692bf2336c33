"""Which live club a team of the scrape plays for: by any spelling, by a recorded alias or through its teams."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa
from rapidfuzz import fuzz, process

from rally_etl.identity.aliases import EVERYWHERE, Alias, aliases_in_force, redirected_ids
from rally_etl.identity.reviews import Candidate, Review
from rally_etl.naming import Clubs, club_key

if TYPE_CHECKING:
    from rally_etl.naming import TeamName
    from rally_etl.planning.scene import Scene

MERGE = "merge"


def with_recorded_aliases(connection: sa.Connection, clubs: Clubs) -> Clubs:
    """The clubs of `clubs.yaml` and the spellings that reviews, merges and rosters have added since."""
    aliases = aliases_in_force(connection, EVERYWHERE, "club")
    if not aliases:
        return clubs
    names = dict(connection.execute(sa.text("select id, name from public.clubs")).all())
    recorded = {
        alias.spelling: clubs.key(names[int(alias.target)]) for alias in aliases.values() if int(alias.target) in names
    }
    return Clubs({**clubs.keys, **recorded}, clubs.names)


def plan_clubs(
    scene: Scene,
    roster: Iterable[TeamName],
    through_teams: Mapping[str, tuple[int, bool]],
    planned: dict[str, int],
) -> None:
    """Find the clubs of *roster* under any spelling; new ones are planned once for all leagues of the run.

    Args:
        through_teams: key of a club -> id of the live club whose teams its teams are, and whether it is misspelled;
            asked where live does not have the club.
        planned: club key -> id of clubs that another league of this run plans already; added to.
    """
    rows = _live_clubs(scene)
    live: dict[str, int] = {}
    for row in rows:
        key = scene.clubs.key(row.name)
        if key not in live or row.name == scene.clubs.name(key):
            live[key] = row.id
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for team in roster:
        spellings[scene.clubs.key(team.club)][team.club] += 1
    known = {row.id: row.name for row in rows}
    for key in sorted(spellings.keys() & through_teams.keys() - live.keys()):
        live[key], is_misspelled = through_teams[key]
        _note_through_teams(scene, _most_printed(spellings[key]), live[key], known[live[key]], is_misspelled)
    new = sorted(key for key in spellings if key not in live and key not in planned)
    rows_new = [
        {"id": new_id, "name": scene.clubs.name(key) or _most_printed(spellings[key])}
        for key, new_id in zip(new, scene.new_ids("clubs", len(new)), strict=True)
    ]
    scene.plan("clubs", rows_new, {"id": "integer", "name": "text"})
    scene.share("clubs", [planned[key] for key in spellings if key in planned])
    planned |= dict(zip(new, (row["id"] for row in rows_new), strict=True))
    scene.club_ids = {key: live[key] if key in live else planned[key] for key in spellings}
    for key, club_id in scene.club_ids.items():
        how = ("exact", 1.0, "the same name") if key in live else ("new", 1.0, "no live club has this name")
        scene.identified.setdefault(("clubs", club_id), how)
    _ask_about_similar(scene, {row["name"]: row["id"] for row in rows_new}, known)
    _propose_merges(scene, rows, spellings.keys())


def _note_through_teams(scene: Scene, printed: str, club_id: int, name: str, is_misspelled: bool) -> None:
    """A misspelled club is one from now on; whether a club has another name for good, a person says."""
    evidence = f"its teams have the players of {name}"
    scene.identified["clubs", club_id] = ("roster", 0.9, evidence)
    if is_misspelled:
        scene.new_aliases.append(
            Alias(EVERYWHERE, "club", club_key(printed), str(club_id), "roster", 0.9, f"{printed}: {evidence}")
        )
    else:
        candidates = (Candidate(club_id, name, "roster", 0.9, evidence),)
        scene.reviews.append(Review("club", "renamed", club_key(printed), printed, "", candidates, is_held=False))


def _live_clubs(scene: Scene) -> list[sa.Row]:
    merged = redirected_ids(scene.connection, "clubs")
    rows = scene.connection.execute(sa.text("select id, name from public.clubs order by id"))
    return [row for row in rows if row.id not in merged]


def _ask_about_similar(scene: Scene, new: Mapping[str, int], known: Mapping[int, str]) -> None:
    """A new club that is nearly spelled like a known one is made, and a person is asked whether the two are one."""
    limit = 100 * scene.thresholds.name_proposed
    for name in new:
        found = process.extract(name, known, scorer=fuzz.ratio, processor=club_key, score_cutoff=limit, limit=3)
        if found:
            candidates = tuple(
                Candidate(club_id, spelled, "similar", score / 100, f"{score:.0f} % of the letters are the same")
                for spelled, score, club_id in found
            )
            scene.reviews.append(Review("club", "similar", club_key(name), name, "", candidates, is_held=False))


def _propose_merges(scene: Scene, rows: Iterable[sa.Row], keys: Iterable[str]) -> None:
    """Live clubs that are one by their names are merged by a person, never by an import (incident 47)."""
    same: dict[str, list[sa.Row]] = defaultdict(list)
    for row in rows:
        same[scene.clubs.key(row.name)].append(row)
    for key in sorted(set(keys)):
        if len(same[key]) > 1:
            scene.reviews.append(
                Review("club", MERGE, key, same[key][0].name, "", merge_candidates(same[key]), is_held=False)
            )


def merge_candidates(rows: Iterable[sa.Row]) -> tuple[Candidate, ...]:
    """Live rows (``id``, ``name``) that are one thing, the oldest first: the one that the others would go into."""
    return tuple(
        Candidate(row.id, row.name, "exact", 1.0, "the same name in another spelling")
        for row in sorted(rows, key=lambda each: each.id)
    )


def _most_printed(spellings: Counter[str]) -> str:
    return min(spellings, key=lambda name: (-spellings[name], name))
