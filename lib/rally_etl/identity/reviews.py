"""The review queue: questions about identity that only a person can answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

ORPHAN = "orphan"
"""Kind of the questions about rows that have lost what they point at; runs of imports leave them alone."""

DOUBLED = "doubled"
"""Kind of the questions about rows that stand several times and do not say the same, and about a player's accounts."""

WAITS = "waits for "
"""How the reason begins for which rows are held (``etl.held_rows``); the name of a review follows."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something live that a name may stand for. ``id``: of the live row; for players the person key.

    ``confidence``: 0 to 1; ``evidence``: a phrase that a captain understands, such as "11 of 12 players are the same".
    """

    id: int | str
    name: str
    strategy: str
    confidence: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Review:
    """One question: what does ``name`` stand for?

    Attributes:
        entity: team, club, series or player; of an orphan also league, or row (the row itself).
        kind: ``ambiguous`` (several fit), ``contradiction`` (name and roster disagree), ``moved`` (another series),
            ``renamed``, ``similar``, ``unknown`` (nothing fits), ``merge`` (two live rows are one thing: the rows are
            the candidates), ``orphan`` (what rows point at is lost), ``doubled`` (rows that a key cannot hold).
        spelling: what it is filed under (identity.spelling); for players the person key.
        is_held: whether rows wait for the answer (else the name was taken as a new thing for now).
        told: of an orphan, which rows it is about and what is known of them.
    """

    entity: str
    kind: str
    spelling: str
    name: str
    series: str
    candidates: tuple[Candidate, ...]
    is_held: bool
    told: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A review as the ledger keeps it. ``held_rows``: staged rows that wait for its answer."""

    number: int
    league: str
    review: Review
    held_rows: int
    state: str
    first_run: str
    last_run: str

    def as_row(self) -> dict[str, Any]:
        """The question as one flat object, for JSON and tables."""
        return {"number": self.number, "league": self.league} | asdict(self.review) | {
            "held_rows": self.held_rows, "state": self.state, "first_run": self.first_run, "last_run": self.last_run,
        }  # fmt: skip


def write_reviews(
    connection: sa.Connection,
    run_id: str,
    league: str,
    reviews: Iterable[Review],
    held: Mapping[str, int],
    entities: Collection[str],
) -> None:
    """Bring the queue of one league up to what a run asks; called at the end of planning, in the plan's transaction.

    An open question that is asked again is updated, a new one gets a number, and one that the run could have asked but
    does not becomes obsolete: the run has the kinds of files whose rows wait for the answer. What a person has decided
    about the same candidates is not asked again.

    Args:
        held: name of a review -> rows that wait for it (reason `WAITS` + name).
        entities: what the run could have asked about; without rosters for example it asks nothing about players.
    """
    settled = _settled(connection, league)
    asked = {}
    for review in sorted(reviews, key=lambda review: review.is_held):  # where one is asked twice, the held one counts
        if _subject(asdict(review)) not in settled:
            rows = held.get(review.name, 0) if review.is_held else 0
            asked[review.entity, review.kind, review.spelling] = asdict(review) | {"held_rows": rows}
    binds = {"run": run_id, "league": league, "rows": json.dumps(list(asked.values())), "entities": sorted(entities)}
    for statement in (_UPDATE, _INSERT, _CLOSE):
        connection.execute(statement, binds)


def read_open(connection: sa.Connection, league: str | None = None, run_id: str | None = None) -> list[Question]:
    """Open questions by league, those that rows wait for first, then by kind and number.

    Args:
        run_id: only those that this run asked, or asked again.
    """
    rows = connection.execute(
        sa.text(
            "select * from etl.reviews where state = 'open' and league = coalesce(:league, league)"
            " and last_run = coalesce(:run, last_run) order by league, not is_held, kind, number"
        ),
        {"league": league, "run": run_id},
    )
    return [question_of(row) for row in rows]


def question_of(row: sa.Row) -> Question:
    """A row of ``etl.reviews`` as a question."""
    candidates = tuple(Candidate(**found) for found in row.candidates)
    review = Review(row.entity, row.kind, row.spelling, row.name, row.series, candidates, row.is_held, row.told)
    return Question(row.number, row.league, review, row.held_rows, row.state, row.first_run, row.last_run)


def rejected_pairs(connection: sa.Connection, league: str, entity: str) -> set[tuple[str, int | str]]:
    """(Spelling, id of a candidate) that a person has said not to be the same, and has not said otherwise since.

    That two live rows are not one thing (kind ``merge``) says nothing about a spelling; that a name is not the team of
    its players (kind ``contradiction``) says nothing against the team of that name.
    """
    rows = connection.execute(
        sa.text(
            """
            select r.spelling, c.candidate -> 'id' as id
            from etl.reviews as r cross join jsonb_array_elements(r.candidates) as c(candidate)
            where r.league = :league and r.entity = :entity and r.state = 'rejected'
              and r.kind not in ('merge', 'orphan', 'doubled')
              and not (r.kind = 'contradiction' and c.candidate ->> 'strategy' = 'exact')
              and not exists (
                  select from etl.reviews as a
                  where a.league = r.league and a.entity = r.entity and a.spelling = r.spelling
                    and a.state = 'accepted' and a.target = c.candidate ->> 'id' and a.decided_at > r.decided_at)
            """
        ),
        {"league": league, "entity": entity},
    )
    return {(row.spelling, row.id) for row in rows}


def _settled(connection: sa.Connection, league: str) -> set[tuple]:
    """Subjects that a person has decided about; an acceptance counts as long as its alias is in force."""
    rows = connection.execute(
        sa.text(
            """
            select r.entity, r.kind, r.spelling, r.candidates from etl.reviews as r
            where r.league = :league and r.kind not in ('orphan', 'doubled')
              and (r.state = 'rejected' or r.state = 'accepted' and exists (
                select from etl.aliases as a
                where a.league in (r.league, '*') and a.entity = r.entity and a.spelling = r.spelling
                  and a.ended_at is null))
            """
        ),
        {"league": league},
    )
    return {_subject(row) for row in rows.mappings()}


def _subject(review: Mapping[str, Any]) -> tuple:
    """What a decision is about: `renamed` and `similar` ask the same of the same candidates, `merge` does not."""
    ids = frozenset(str(candidate["id"]) for candidate in review["candidates"])
    return review["entity"], review["spelling"], review["kind"] == "merge", ids


_ASKED = """jsonb_to_recordset(cast(:rows as jsonb)) as asked(
    entity text, kind text, spelling text, name text, series text, candidates jsonb, is_held boolean,
    held_rows bigint)"""

_UPDATE = sa.text(
    f"""
    update etl.reviews as r
    set name = asked.name, series = asked.series, candidates = asked.candidates, is_held = asked.is_held,
        held_rows = asked.held_rows, last_run = :run
    from {_ASKED}
    where r.state = 'open' and r.league = :league and r.entity = asked.entity and r.kind = asked.kind
      and r.spelling = asked.spelling
    """
)
# not one "on conflict do update": it would burn a number for every question that is still open
_INSERT = sa.text(
    f"""
    insert into etl.reviews (league, entity, kind, spelling, name, series, candidates, is_held, held_rows, first_run,
                             last_run)
    select :league, asked.entity, asked.kind, asked.spelling, asked.name, asked.series, asked.candidates,
           asked.is_held, asked.held_rows, :run, :run
    from {_ASKED}
    where not exists (
        select from etl.reviews as r
        where r.state = 'open' and r.league = :league and r.entity = asked.entity and r.kind = asked.kind
          and r.spelling = asked.spelling)
    order by not asked.is_held, asked.entity, asked.kind, asked.spelling
    """
)
# rows of a kind that was not scraped this time still wait
_CLOSE = sa.text(
    f"""
    update etl.reviews as r set state = 'obsolete', decided_at = clock_timestamp()
    where r.state = 'open' and r.league = :league and r.entity = any(:entities) and r.last_run <> :run
      and r.kind not in ('orphan', 'doubled')
      and not exists (
          select from etl.held_rows as h
          where h.run_id = r.last_run and h.league = r.league
            and (h.reason = '{WAITS}' || r.name or h.reason = 'unknown_team' and h.name = r.name)
            and h.kind not in (
                select f.kind from etl.source_files as f
                where f.run_id = :run and f.league = :league and f.fault is null))
    """
)
