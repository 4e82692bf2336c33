"""The catalogue of known problems: how each is found, and which run mends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One known problem.

    Attributes:
        told: what is wrong.
        kind: the run without a scrape that mends it (`rally_etl.operations.KINDS`).
        one: what is counted: a row, a constraint, a sequence.
        is_users: whether rows of users are written.
        by_league: whether what is found is of one league each; what is not concerns all of them.
        by_hand: the command that a person mends it with.
    """

    told: str
    kind: str
    one: str = "row"
    is_users: bool = False
    by_league: bool = True
    by_hand: str = "rally-etl orphans --repair"


_KEYS = "rally-etl constraints --repair"

PROBLEMS: dict[str, Problem] = {
    "sequences_behind": Problem(
        "a sequence would give an id that means something already", "sequences", "sequence", by_league=False,
        by_hand="`select setval` as the reason `ids_are_given_once` says",
    ),
    "constraints_missing": Problem(
        "a constraint that is needed is missing, and every row keeps to it", "constraints", "constraint",
        by_league=False, by_hand=_KEYS,
    ),
    "constraints_contradicted": Problem(
        "a constraint forbids what is true", "constraints", "constraint", by_league=False, by_hand=_KEYS
    ),
    "rows_doubled": Problem(
        "imported rows that are one thing with certainty stand twice", "constraints", is_users=True, by_league=False,
        by_hand=_KEYS,
    ),
    "references_redirected": Problem(
        "a reference points at a row that is gone or switched off, and a merge says which row it is now",
        "orphans",
        is_users=True,
    ),
    "questions_answered": Problem(
        "a person has answered the question about a lost reference or row", "orphans", is_users=True
    ),
    "references_known": Problem(
        "a reference is lost or points at another thing, and one live row has the name of then", "orphans",
        is_users=True,
    ),
    "references_supposed": Problem(
        "a reference is lost, and only its row, its writer or its text says of what", "orphans", is_users=True
    ),
    "rows_gone": Problem("rows of users went in numbers, and are remembered", "orphans", is_users=True),
    "links_missing": Problem("an imported row has no id of the team or series that it names", "orphans"),
    "links_wrong": Problem("an imported row has the id of another team than the one it names", "orphans"),
    "pairs_missing": Problem("teams play in a league that their club or series is not listed in", "orphans"),
    "teams_unspoken": Problem("nothing at all speaks of an active team", "orphans"),
    "standings_missing": Problem(
        "teams have played and have no standings, and nobody has printed them", "standings",
        by_hand="the next import of the league",
    ),
}  # fmt: skip
"""Every problem by its name, in the order in which they are mended: what one needs comes before it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing to mend.

    Attributes:
        league: key of its league, ``*`` where it concerns all or none is known.
        key: what it is, the same at every look: `polls 7 team_id`.
        told: a sentence for an operator.
    """

    problem: str
    league: str
    key: str
    told: str
