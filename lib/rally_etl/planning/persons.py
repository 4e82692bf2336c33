"""Who a person of the scraped rosters is, where the printed id alone does not say it."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.identity.aliases import Alias, aliases_in_force
from rally_etl.identity.reviews import Candidate, Review, read_open, rejected_pairs
from rally_etl.planning.sql import read
from rally_etl.records.values import without_marks

if TYPE_CHECKING:
    from rally_etl.planning.scene import Scene

SAME_NAME = 0.9
"""Confidence in two ids being one person because of the name and the team, where one of them is made up."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person whom live does not know in this team. ``is_known``: live knows the key in another one."""

    key: str
    printed_id: str
    name: str
    is_known: bool


@dataclass(frozen=True, slots=True)
class Absentee:
    """An active member of a team whom no roster of the scrape mentions."""

    key: str
    live_id: str
    name: str


def write_person_aliases(scene: Scene) -> None:
    """Fill the temporary table ``person_aliases``: a person key that stands for another one, and how that is known.

    Every step that compares persons reads it, whether or not rosters were scraped.
    """
    known = aliases_in_force(scene.connection, scene.league.key, "player")
    scene.connection.execute(sa.text("drop table if exists pg_temp.person_aliases"))
    scene.connection.execute(sa.text(read("person_aliases")))
    targets = {spelling: alias.target for spelling, alias in known.items()}
    _add_aliases(
        scene,
        [
            {"spelling": spelling, "target": _end(spelling, targets), "strategy": "alias",
             "confidence": alias.confidence, "evidence": alias.evidence or "a recorded alias"}
            for spelling, alias in known.items()
            if _end(spelling, targets) != spelling
        ],
    )  # fmt: skip


def apply_aliases(scene: Scene) -> None:
    """Put every member under the person key that live knows; a member printed under two ids becomes one."""
    if scene.connection.execute(sa.text("select exists (select from person_aliases)")).scalar():
        scene.connection.execute(sa.text(read("members_said_again")))
        scene.connection.execute(sa.text(read("members_under_known_keys")))
        scene.connection.execute(sa.text("analyze members"))


def set_substitutes_aside(scene: Scene) -> None:
    """Take substitutes out of the members: who is marked "(S)" plays for a team and is a member of another one.

    A person whom the scrape names in no team without the mark keeps one membership, in the team where live has one:
    else nobody who looks for a substitute would find the person, and whose account it is would see no team at all. An
    id that was made up for the marked name is that of any member with the name.
    """
    connection = scene.connection
    for name in ("substitutes", "substitutes_aside"):
        connection.execute(sa.text(f"drop table if exists pg_temp.{name}"))
    connection.execute(sa.text(read("substitutes")), {"league": scene.league.key})
    found = connection.execute(sa.text("select * from substitutes")).all()
    if not found:
        return
    made_up = {row.person_key: row.name for row in found if scene.league.is_made_up(row.person_key)}
    namesakes: list[str] = []
    if made_up:
        members = connection.execute(
            sa.text(
                "select concat_ws(' ', m.first_name, m.last_name) from members as m where not exists ("
                " select from substitutes as s where s.person_key = m.person_key and s.team_id = m.team_id)"
            )
        ).scalars()
        names = {fold_person(name) for name in members}
        namesakes = sorted(key for key, name in made_up.items() if fold_person(name) in names)
    aside = connection.execute(sa.text(read("substitutes_aside")), {"namesakes": namesakes}).rowcount
    if aside:
        scene.held["players", "repeated", "a substitute who is a member of another team"] += aside


def recognise(scene: Scene) -> None:
    """Find new persons who have the name of a member that is gone from the same team, and say who they are.

    Where one of the two ids is made up and no third person comes into question, both are one person: the pair goes to
    ``scene.new_aliases`` and into force for this plan. Otherwise the new person is a new person, and a review asks.
    """
    teams = _candidates(scene)
    if not teams:
        return
    rejected = rejected_pairs(scene.connection, scene.league.key, "player")
    found = pair_by_name(teams, scene.league.is_made_up, rejected)
    rows = []
    for new, old in found.same:
        made_up = new.printed_id if scene.league.is_made_up(new.key) else old.live_id
        evidence = f"the same name in the same team; id {made_up} is made up"
        rows.append(
            {"spelling": new.key, "target": old.key, "strategy": "name", "confidence": SAME_NAME, "evidence": evidence}
        )
        scene.new_aliases.append(Alias(scene.league.key, "player", new.key, old.key, "name", SAME_NAME, evidence))
    if rows:
        _add_aliases(scene, rows)
        apply_aliases(scene)
    names = {team.id: team.name for team in scene.teams.values()}
    for new, olds, team_id in found.similar:
        candidates = tuple(
            Candidate(old.key, old.name, "name", 0.5, f"the same name; {old.live_id} is gone from the team")
            for old in olds
        )
        scene.reviews.append(
            Review("player", "similar", new.key, new.name, names.get(team_id, ""), candidates, is_held=False)
        )


def ask_again(scene: Scene) -> None:
    """Raise the open questions about persons again as long as nobody has answered: one is new only once."""
    raised = {review.spelling for review in scene.reviews if review.entity == "player"}
    open_reviews = [each.review for each in read_open(scene.connection, scene.league.key)]
    asked = [review for review in open_reviews if review.entity == "player" and review.spelling not in raised]
    if not asked:
        return
    keys = sorted({key for review in asked for key in (review.spelling, *(str(each.id) for each in review.candidates))})
    playing = set(
        scene.connection.execute(
            sa.text("select distinct person_key from members where person_key = any(:keys)"), {"keys": keys}
        ).scalars()
    )
    for review in asked:
        if review.spelling in playing and not any(each.id in playing for each in review.candidates):
            scene.reviews.append(review)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Persons who are one (new and known), and those that a person has to tell apart, with the id of a team."""

    same: list[tuple[Newcomer, Absentee]]
    similar: list[tuple[Newcomer, tuple[Absentee, ...], int]]


def pair_by_name(
    teams: Mapping[int, tuple[Iterable[Newcomer], Iterable[Absentee]]],
    is_made_up: Callable[[str], bool],
    rejected: Iterable[tuple[str, int | str]] = (),
) -> Pairs:
    """Pair the newcomers of each team with its absentees of the same name.

    Args:
        is_made_up: whether a scraper made up a person key.
        rejected: (new key, known key) that a person has said to be two persons.
    """
    refused = frozenset(rejected)
    choices: dict[str, dict[str, Absentee]] = defaultdict(dict)
    takers: dict[str, set[str]] = defaultdict(set)
    newcomers: dict[str, tuple[Newcomer, int]] = {}
    crowded: set[str] = set()
    for team_id, (new_ones, gone_ones) in sorted(teams.items()):
        gone: dict[str, list[Absentee]] = defaultdict(list)
        for old in gone_ones:
            gone[fold_person(old.name)].append(old)
        new_by_name: dict[str, list[Newcomer]] = defaultdict(list)
        for new in new_ones:
            new_by_name[fold_person(new.name)].append(new)
        for name, news in new_by_name.items():
            olds = gone.get(name, []) if name else []
            for new in news if olds else ():
                newcomers.setdefault(new.key, (new, team_id))
                if len(news) > 1 or len(olds) > 1:
                    crowded.add(new.key)
                for old in olds:
                    if (new.key, old.key) not in refused:
                        choices[new.key][old.key] = old
                        takers[old.key].add(new.key)
    pairs = Pairs([], [])
    for key, (new, team_id) in newcomers.items():
        olds = tuple(choices[key].values())
        if not olds:
            continue
        rivals = takers[olds[0].key]
        is_sure = (
            len(olds) == 1
            and key not in crowded
            and not new.is_known
            and (is_made_up(key) or is_made_up(olds[0].key))
            and (len(rivals) == 1 or all(map(is_made_up, rivals)))
        )
        if is_sure:
            pairs.same.append((new, olds[0]))
        else:
            pairs.similar.append((new, olds, team_id))
    return pairs


def fold_person(name: str) -> str:
    """Letters and digits of a person's name without case, accents, blanks, apostrophes and marks."""
    if name.isascii() and name.isalpha():
        return name.casefold()
    apart = unicodedata.normalize("NFKD", without_marks(name))
    return "".join(character for character in apart if character.isalnum()).casefold()


def _candidates(scene: Scene) -> dict[int, tuple[list[Newcomer], list[Absentee]]]:
    """Teams that lose members whom no roster mentions and gain persons, with both."""
    connection = scene.connection
    for name in ("absentees", "newcomers"):
        connection.execute(sa.text(f"drop table if exists pg_temp.{name}"))
    connection.execute(sa.text(read("absentees")))
    connection.execute(sa.text("analyze absentees"))
    if not connection.execute(sa.text("select exists (select from absentees)")).scalar():
        return {}
    connection.execute(sa.text(read("newcomers")))
    teams: dict[int, tuple[list[Newcomer], list[Absentee]]] = {}
    for row in connection.execute(sa.text("select * from newcomers order by team_id, person_key")):
        new = Newcomer(row.person_key, row.player_id, row.name, row.is_known)
        teams.setdefault(row.team_id, ([], []))[0].append(new)
    rows = connection.execute(
        sa.text(
            "select * from absentees as a where exists (select from newcomers as n where n.team_id = a.team_id)"
            " order by team_id, person_key"
        )
    )
    for row in rows:
        teams[row.team_id][1].append(Absentee(row.person_key, row.tenniscores_player_id, row.name))
    return teams


def _add_aliases(scene: Scene, rows: list[dict[str, object]]) -> None:
    if rows:
        scene.connection.execute(
            sa.text(
                """
                insert into person_aliases
                select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(
                    spelling text, target text, strategy text, confidence double precision, evidence text)
                """
            ),
            {"rows": json.dumps(rows)},
        )
    scene.connection.execute(sa.text("analyze person_aliases"))


def _end(spelling: str, targets: Mapping[str, str]) -> str:
    """The last of a chain of aliases; where they go in a circle, one of it, the same from everywhere."""
    seen = [spelling]
    while (following := targets.get(seen[-1])) is not None:
        if following in seen:
            return min(seen[seen.index(following) :])
        seen.append(following)
    return seen[-1]
