"""Answers to the review queue: an accepted question becomes an alias, a rejected one is not asked again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, read_catalog
from rally_etl.database.locks import run_lock
from rally_etl.errors import UsageError
from rally_etl.identity import wording
from rally_etl.identity.aliases import EVERYWHERE, redirected_ids
from rally_etl.identity.reviews import DOUBLED, ORPHAN, Question, question_of
from rally_etl.identity.spelling import team_spelling
from rally_etl.naming import Clubs, League, load_clubs, load_leagues
from rally_etl.records.values import person_key

if TYPE_CHECKING:
    from rally_etl.settings import Settings

LOCK_WAIT_S = 2  # a session that ends lets go a moment later; one answer follows another faster than that


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided.

    ``target_name``: the live row that an accepted name stands for from now on; ``held_run``: the newest run that holds
    a plan of the league made before this answer, "" if there is none.
    """

    question: Question
    state: str
    target: str
    target_name: str
    held_run: str


@dataclass(frozen=True, slots=True)
class _Live:
    """A live row. ``target``: what an alias calls it (for players the person key, else the id)."""

    id: int
    target: str
    name: str
    series: str
    is_active: bool


def accept(
    engine: sa.Engine, settings: Settings, number: int, by: str, reason: str, target: str | int | None = None
) -> Answer:
    """Take a question's candidate, or *target*, for what its name stands for; later runs know the alias.

    Args:
        target: id of a live row of the entity in the league of the question, for players a person key or a
            ``tenniscores_player_id``; None takes the only candidate.

    Raises:
        UsageError: no such open question, no such live row, several candidates, or a question that only a merge
            answers; nothing was changed.
        RunLocked: a run is going on.
    """
    with _deciding(engine, number, by, reason) as (connection, question):
        if question.review.kind == ORPHAN:
            return _decide(connection, question, "accepted", by, reason, _owner(connection, settings, question, target))
        if question.review.kind == DOUBLED:
            return _decide(connection, question, "accepted", by, reason, _right_row(question, target))
        scope = _Scope(connection, settings, question)
        if question.review.kind == "merge":
            raise _needs_merge(scope, target, by, reason)
        found = scope.target(target)
        if own := scope.published_since(found):
            raise _was_published(scope, own, found, by, reason)
        _write_alias(connection, question, found, by, reason)
        return _decide(connection, question, "accepted", by, reason, found)


def _right_row(question: Question, given: str | int | None) -> _Live:
    """The imported row that is right; the next `constraints --repair` deletes the others.

    Raises:
        UsageError: not one of the candidates, or rows that no run deletes; nothing was changed.
    """
    review = question.review
    if review.entity != "row" or review.spelling.partition(":")[0] not in IMPORTED:
        what = "which league stays" if review.entity == "league" else f"rows of users ({review.name})"
        raise UsageError(
            f"question {question.number} is about {what}, which no run decides; nothing was changed\n"
            "hint: remove what is wrong in the application; the next `rally-etl constraints --repair` closes it"
        )
    found = next((each for each in review.candidates if str(each.id) == str(given)), None)
    if found is None:
        raise UsageError(
            f"question {question.number} does not say which; nothing was changed\n"
            f"hint: --as ID, candidates: {wording.candidates_in_words(review.candidates)}"
        )
    return _Live(0, str(found.id), found.name, "", True)


def _owner(connection: sa.Connection, settings: Settings, question: Question, given: str | int | None) -> _Live:
    """What rows that lost something will point at: the given or only candidate; for players the row that it is.

    Raises:
        UsageError: not said and not obvious, or no live row; nothing was changed.
    """
    review, candidates = question.review, question.review.candidates
    if review.entity == "row":
        if not candidates:
            raise UsageError(
                f"question {question.number} is about {review.name}, which no run can mend; nothing was changed\n"
                f"hint: mend it in the application, or reject it: rally-etl reviews reject {question.number}"
            )
        return _Live(0, str(candidates[0].id), candidates[0].name, "", True)
    if given is None and len(candidates) != 1:
        told = f"it has {len(candidates)} candidates" if candidates else "it has no candidate"
        raise UsageError(
            f"question {question.number} does not say which: {told}; nothing was changed\n"
            f"hint: --as ID, candidates: {wording.candidates_in_words(candidates)}"
        )
    wanted = str(candidates[0].id if given is None else given)
    rows = connection.execute(sa.text(_OWNERS[review.entity]), {"wanted": wanted}).all()
    keys = load_leagues(settings.params_dir)
    here = [
        row
        for row in rows
        if row.league is None or question.league in (EVERYWHERE, row.league, keys.canonical(row.league))
    ]
    if not here:
        raise UsageError(
            f"{wanted!r} is no live {review.entity} of {question.league}; nothing was changed\n"
            f"hint: --as ID, candidates: {wording.candidates_in_words(candidates)}"
        )
    into = redirected_ids(connection, wording.PLURALS[review.entity]).get(here[0].id)
    if into is not None:
        raise UsageError(f"{review.entity} {wanted} was merged into {into}; nothing was changed\nhint: --as {into}")
    return _Live(here[0].id, wanted, here[0].name, "", True)


_OF_LEAGUE = "left join public.leagues as g on g.id = t.league_id where cast(t.id as text) = :wanted"
_OWNERS = {
    "team": f"select t.id, t.team_name as name, g.league_id as league from public.teams as t {_OF_LEAGUE}",
    "series": "select t.id, t.name, null as league from public.series as t where cast(t.id as text) = :wanted",
    "club": "select t.id, t.name, null as league from public.clubs as t where cast(t.id as text) = :wanted",
    "league": "select t.id, t.league_id as name, null as league from public.leagues as t"
    " where cast(t.id as text) = :wanted",
    "player": "select t.id, concat_ws(' ', t.first_name, t.last_name) as name, g.league_id as league"
    f" from public.players as t {_OF_LEAGUE} or t.tenniscores_player_id = :wanted order by t.id",
}


def reject(engine: sa.Engine, number: int, by: str, reason: str) -> Answer:
    """Say that a question's name stands for none of its candidates; later runs do not ask that again.

    Raises:
        UsageError: no such open question; nothing was changed.
        RunLocked: a run is going on.
    """
    with _deciding(engine, number, by, reason) as (connection, question):
        return _decide(connection, question, "rejected", by, reason, None)


@contextmanager
def _deciding(engine: sa.Engine, number: int, by: str, reason: str) -> Iterator[tuple[sa.Connection, Question]]:
    """One transaction under the run lock (a plan that is being made would miss the answer), and the open question."""
    if not by.strip() or not reason.strip():
        raise UsageError("an answer needs a name and a reason; nothing was changed\nhint: --by WHO --reason TEXT")
    with run_lock(engine, LOCK_WAIT_S, "reviews"), engine.begin() as connection:
        row = connection.execute(
            sa.text("select * from etl.reviews where number = :number for update"), {"number": number}
        ).first()
        if row is None:
            raise UsageError(
                f"there is no question {number}; nothing was changed\nhint: `rally-etl reviews` lists them"
            )
        if row.state != "open":
            raise UsageError(_why_not_open(row))
        yield connection, question_of(row)


def _why_not_open(row: sa.Row) -> str:
    day = f"{row.decided_at:%Y-%m-%d}"
    if row.state == "obsolete":
        return (
            f"question {row.number} was closed on {day}, a run no longer asked it; nothing was changed\n"
            "hint: `rally-etl reviews` lists the open ones"
        )
    as_target = f" as {row.target}" if row.target else ""
    return (
        f"question {row.number} was {row.state}{as_target} by {row.decided_by} on {day} ({row.reason});"
        " nothing was changed\nhint: an answer stands; `rally-etl reviews` lists the open questions"
    )


class _Scope:
    """Live rows that a question may be about: those of its entity in its league."""

    def __init__(self, connection: sa.Connection, settings: Settings, question: Question) -> None:
        self.connection, self.question, self.entity = connection, question, question.review.entity
        leagues = load_leagues(settings.params_dir)
        self.league: League = leagues.get(question.league)
        self.clubs: Clubs = load_clubs(settings.params_dir)
        rows = connection.execute(sa.text("select id, league_id from public.leagues order by id")).all()
        ids = [row for row in rows if self.league.key in (row.league_id, leagues.canonical(row.league_id))]
        ids.sort(key=lambda row: row.league_id != self.league.key)
        self.league_id = ids[0].id if ids else None

    def rows(self, where: str, **binds: object) -> list[_Live]:
        """Live rows for which a condition over ``l`` holds, active ones first."""
        found = self.connection.execute(
            sa.text(f"select * from ({self._sql()}) as l where {where} order by not is_active, id"),
            {"league_id": self.league_id} | binds,
        )
        return [_Live(row.id, self._alias_target(row), row.name, row.series, row.is_active) for row in found]

    def named(self, given: str | int) -> list[_Live]:
        """The live row of this id; for players the rows of this person, under any spelling of the id."""
        if self.entity == "player":
            key = person_key(str(given), self.league.id_prefixes)
            ending = key.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
            return [row for row in self.rows("printed_id like :ending", ending=f"%{ending}") if row.target == key]
        return self.rows("cast(id as text) = :given", given=str(given))

    def target(self, given: str | int | None) -> _Live:
        """The row that a person means.

        Raises:
            UsageError: not said and not obvious, no live row of the league, or merged into another one.
        """
        candidates = self.question.review.candidates
        if given is None and len(candidates) != 1:
            told = f"it has {len(candidates)} candidates" if candidates else "it has no candidate"
            raise UsageError(
                f"question {self.question.number} does not say which: {told}; nothing was changed\n"
                f"hint: --as ID, candidates: {wording.candidates_in_words(candidates)}"
            )
        wanted = candidates[0].id if given is None else given
        found = self.named(wanted)
        if not found:
            raise UsageError(
                f"{str(wanted)!r} is no live {self.entity} of {self.league.key}; nothing was changed\n"
                f"hint: --as ID, candidates: {wording.candidates_in_words(candidates)}"
            )
        if self.entity != "player":
            into = redirected_ids(self.connection, wording.PLURALS[self.entity]).get(found[0].id)
            if into is not None:
                raise UsageError(
                    f"{self.entity} {wanted} was merged into {into}; nothing was changed\nhint: --as {into}"
                )
        return found[0]

    def published_since(self, target: _Live) -> list[_Live]:
        """Active live rows of the question's own name: it was taken as new, and published, before the answer."""
        review = self.question.review
        if review.is_held:
            return []
        if self.entity == "player":
            own = [row for row in self.named(review.spelling) if row.is_active]
            return [row for row in own if row.target != target.target]
        rows = self.rows("is_active and id <> :id", id=target.id)
        return [row for row in rows if row.name == review.name or self._spelling(row) == review.spelling]

    def _spelling(self, row: _Live) -> str | None:
        team = self.league.parse_team(row.name, row.series) if self.entity == "team" else None
        return team_spelling((self.clubs.key(team.club), team.series, team.ordinal)) if team else None

    def _alias_target(self, row: sa.Row) -> str:
        return person_key(row.printed_id, self.league.id_prefixes) if self.entity == "player" else str(row.id)

    def _sql(self) -> str:
        of_league = "exists (select from public.teams as t where t.series_id = s.id and t.league_id = :league_id)"
        if self.entity == "series" and read_catalog(self.connection, ("series",))["series"].has("league_id"):
            of_league = "s.league_id = :league_id"
        return _LIVE[self.entity].format(of_league=of_league)


_LIVE = {
    "team": """
        select t.id, t.team_name as name, s.name as series, coalesce(t.is_active, true) as is_active
        from public.teams as t join public.series as s on s.id = t.series_id where t.league_id = :league_id
        """,
    "club": "select c.id, c.name, '' as series, true as is_active from public.clubs as c",  # leagues share them
    "series": "select s.id, s.name, '' as series, true as is_active from public.series as s where {of_league}",
    "player": """
        select p.id, p.tenniscores_player_id as printed_id, concat_ws(' ', p.first_name, p.last_name) as name,
               coalesce(t.team_name, '') as series, coalesce(p.is_active, true) as is_active
        from public.players as p left join public.teams as t on t.id = p.team_id
        where p.league_id = :league_id and p.tenniscores_player_id is not null
        """,
}


def _needs_merge(scope: _Scope, target: str | int | None, by: str, reason: str) -> UsageError:
    """Two live rows are one thing: references have to move, which is a plan of its own."""
    named = [row for found in scope.question.review.candidates for row in scope.named(found.id)]
    into = scope.target(target) if target is not None else min(named, key=lambda row: row.id, default=None)
    others = sorted({row.id for row in named if into and row.id != into.id})
    commands = wording.merge_commands(scope.entity, others, into.id, _signed(by, reason)) if into else []
    hint = " && ".join(commands) or f"reject it: its rows are gone (rally-etl reviews reject {scope.question.number})"
    return UsageError(
        f"question {scope.question.number} is about live rows that may be one {scope.entity}: a merge answers it, not"
        f" an alias; nothing was changed\nhint: {hint}"
    )


def _was_published(scope: _Scope, own: list[_Live], target: _Live, by: str, reason: str) -> UsageError:
    commands = wording.merge_commands(scope.entity, [row.id for row in own], target.id, _signed(by, reason))
    told = ", ".join(f"{row.id} {row.name}" for row in own)
    return UsageError(
        f"{scope.question.review.name} has been published meanwhile as a live {scope.entity} of its own ({told}), and"
        f" users may refer to it: a merge is needed; nothing was changed\nhint: {' && '.join(commands)}"
    )


def _signed(by: str, reason: str) -> str:
    return f"--by {shlex.quote(by.strip())} --reason {shlex.quote(reason.strip())}"


def _write_alias(connection: sa.Connection, question: Question, target: _Live, by: str, reason: str) -> None:
    review = question.review
    evidence = next((c.evidence for c in review.candidates if str(c.id) == target.target), "named by a person")
    binds = {
        "league": EVERYWHERE if review.entity == "club" else question.league, "entity": review.entity,
        "spelling": review.spelling, "target": target.target, "evidence": evidence, "run": question.last_run,
        "by": by.strip(), "reason": reason.strip(),
    }  # fmt: skip
    connection.execute(
        sa.text(
            "update etl.aliases set ended_at = clock_timestamp() where league = :league and entity = :entity"
            " and spelling = :spelling and ended_at is null"
        ),
        binds,
    )
    connection.execute(
        sa.text(
            "insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence, run_id,"
            " decided_by, reason)"
            " values (:league, :entity, :spelling, :target, 'review', 1, :evidence, :run, :by, :reason)"
        ),
        binds,
    )


def _decide(
    connection: sa.Connection, question: Question, state: str, by: str, reason: str, target: _Live | None
) -> Answer:
    connection.execute(
        sa.text(
            "update etl.reviews set state = :state, target = :target, decided_by = :by, reason = :reason,"
            " decided_at = clock_timestamp() where number = :number"
        ),
        {
            "state": state, "target": target.target if target else None, "by": by.strip(), "reason": reason.strip(),
            "number": question.number,
        },
    )  # fmt: skip
    held_run = question.review.kind != ORPHAN and connection.scalar(
        sa.text(
            "select run_id from etl.run_leagues where league = :league and state = 'held'"
            " and run_id > coalesce((select max(run_id) from etl.run_leagues"
            " where league = :league and published_at is not null), '') order by run_id desc limit 1"
        ),
        {"league": question.league},
    )
    return Answer(question, state, target.target if target else "", target.name if target else "", held_run or "")
