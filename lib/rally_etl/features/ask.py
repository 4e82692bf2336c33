"""Ask every page on live and on the candidate: who sees what it should show, and who would no more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rally_etl.checks.running import CONNECTIONS, SHARED_PARAMETERS, set_local
from rally_etl.checks.suite import find_league_ids, run_facts
from rally_etl.database.catalog import quote
from rally_etl.database.engine import clean_message, read_only
from rally_etl.database.same_moment import join_moment, one_moment
from rally_etl.features.feature import Feature
from rally_etl.planning.schema import schemas
from rally_etl.settings import Settings

EXAMPLES = 3
"""Pages that are named: those that would break first, then those that most users see."""

PARAMETERS = SHARED_PARAMETERS | {"enable_nestloop": "off"}
"""Of a session that asks. The candidate's views have no statistics: a loop that the planner takes for one of ten rows
goes over thousands, and takes twenty seconds where a hash table takes a tenth of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One page for one league, asked twice; a row of ``etl.feature_results``.

    Attributes:
        before: teams, players, ... that have the page in live; *works_before* of them see what it should show.
        after: the same in the candidate; *works_after* of them.
        broken: the page worked before and would not after, though its subject still has it.
        mended: it did not work before, and would after.
        gone: it worked before, and its subject has it no more.
        users: users who see one of the pages in the candidate; *users_affected* of them see one that would break.
        examples: the worst ones: ``subject``, ``users``, ``before``, ``after``, ``broken``.
        error: why nothing is known of this page.
        skipped: why the page was not asked: this database does not have what it needs.
    """

    league: str
    feature: str
    before: int = 0
    works_before: int = 0
    after: int = 0
    works_after: int = 0
    broken: int = 0
    mended: int = 0
    gone: int = 0
    users: int = 0
    users_affected: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    feature: Feature
    league: str
    league_id: int | None


@dataclass(frozen=True, slots=True)
class _Sides:
    """Schemas in which bare names are looked up, before and after."""

    before: tuple[str, ...]
    after: tuple[str, ...]


_COPY_BEFORE_COMMAND = sa.text(
    "select details ->> 'snapshot' from etl.guards where run_id = :run and method = 'direct'"
)
"""Where a guarded command's own rows are live already, live before it is the snapshot."""


def ask(engine: sa.Engine, settings: Settings, run_id: str, features: Sequence[Feature]) -> list[Answer]:
    """Ask *features* for every league of the run, in live and in its candidate, as both are at one moment.

    Nothing is written but temporary tables. A query that cannot run, or does not answer one yes or no per subject, is
    an error: nothing is known then, and nothing has passed.

    Raises:
        UsageError: the run is unknown.
        sqlalchemy.exc.DBAPIError: the connection was lost; that is no answer of a page.
    """
    candidate = schemas(run_id)[1]
    with read_only(engine, candidate, "public") as connection:
        facts = run_facts(connection, run_id)
        sides = _Sides(_live(connection, run_id), (candidate, "public"))
        league_ids = find_league_ids(connection, settings, facts.leagues, run_id)
        missing = _missing_tables(connection, {name for feature in features for name in feature.needs})
    answers = [
        Answer(league=league, feature=feature.name, skipped=f"this database has no table {', '.join(lacks)}")
        for league in facts.leagues
        for feature in features
        if (lacks := [name for name in feature.needs if name in missing])
    ]
    # those that read lines of matches first: a dear query that starts last is waited for alone
    ordered = sorted(features, key=lambda each: "match_scores" not in each.sql)
    questions = iter(
        [
            _Question(feature, league, league_ids[league])
            for feature in ordered
            if missing.isdisjoint(feature.needs)
            for league in facts.leagues
        ]
    )

    def work(connection: sa.Connection) -> list[Answer]:
        users = _Users(connection, sides)
        found = [_answer(connection, sides, question, users, facts.as_of) for question in questions]
        connection.rollback()  # who has nothing left to do does not sit in a transaction
        return found

    with ExitStack() as stack:
        with one_moment(engine) as snapshot:
            limit_s = settings.statement_timeout_s
            sessions = [stack.enter_context(_session(engine, snapshot, limit_s)) for _ in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for future in [pool.submit(work, session) for session in sessions]:
                answers += future.result()
    places = {feature.name: place for place, feature in enumerate(features)}
    return sorted(answers, key=lambda each: (each.league, places[each.feature]))


def _live(connection: sa.Connection, run_id: str) -> tuple[str, ...]:
    copy = connection.scalar(_COPY_BEFORE_COMMAND, {"run": run_id})
    return (copy, "public") if copy else ("public",)


def _missing_tables(connection: sa.Connection, names: Iterable[str]) -> set[str]:
    sql = sa.text("select to_regclass(:name) is null")
    return {name for name in names if connection.scalar(sql, {"name": quote("public", name)})}


@contextmanager
def _session(engine: sa.Engine, snapshot: str, timeout_s: float) -> Iterator[sa.Connection]:
    """A session with the temporary tables of `_answer` that sees the snapshot and cannot write any other table."""
    with engine.connect() as connection:
        for statement in (*_DROP_TEMPORARY, *_CREATE_TEMPORARY):
            connection.execute(sa.text(statement))
        connection.commit()
        try:
            join_moment(connection, snapshot, timeout_s)
            set_local(connection, PARAMETERS)
            yield connection
        finally:
            if not connection.invalidated:
                connection.rollback()
                connection.execution_options(postgresql_readonly=False)
                for statement in _DROP_TEMPORARY:
                    connection.execute(sa.text(statement))
                connection.commit()


_CREATE_TEMPORARY = (
    "create temporary table asked_before (subject_id bigint, works boolean, shown text)",
    "create temporary table asked_users (subject text, subject_id bigint, user_id bigint)",
)
_DROP_TEMPORARY = ("drop table if exists pg_temp.asked_before", "drop table if exists pg_temp.asked_users")


class _Users:
    """Who sees the pages of whom in one league: users associated with an active player of the team, club, series."""

    def __init__(self, connection: sa.Connection, sides: _Sides) -> None:
        self._connection, self._sides = connection, sides
        self._league_id: int | None = None
        self._are_known = not _missing_tables(connection, ["user_player_associations"])

    def of_league(self, league_id: int) -> None:
        """Fill ``asked_users``, unless it holds this league already."""
        if not self._are_known or league_id == self._league_id:
            return
        self._connection.execute(sa.text("delete from pg_temp.asked_users"))
        for side in (self._sides.before, self._sides.after):
            _see(self._connection, side)
            self._connection.execute(_FIND_USERS, {"league_id": league_id})
        self._league_id = league_id


_FIND_USERS = sa.text(
    """
    insert into pg_temp.asked_users (subject, subject_id, user_id)
    select e.subject, e.subject_id, a.user_id
    from players as p
    join user_player_associations as a on a.tenniscores_player_id = p.tenniscores_player_id
    cross join lateral (
        values ('player', p.id), ('team', p.team_id), ('club', p.club_id), ('series', p.series_id)
    ) as e(subject, subject_id)
    where p.league_id = :league_id and p.is_active is not false and e.subject_id is not null
    except
    select subject, subject_id, user_id from pg_temp.asked_users
    """
)
_NAMES = {
    "team": "select id, team_name as name from teams",
    "club": "select id, name from clubs",
    "series": "select id, name from series",
    "player": (
        "select p.id, concat_ws(' ', p.first_name, p.last_name, '(' || t.team_name || ')') as name"
        " from players as p left join teams as t on t.id = p.team_id"
    ),
    "user": (
        "select id, coalesce(nullif(concat_ws(' ', first_name, last_name), ''), 'user ' || id) as name from users"
    ),
}
"""The name of a subject, as an example says it."""


def _answer(connection: sa.Connection, sides: _Sides, question: _Question, users: _Users, as_of: object) -> Answer:
    """Ask one page for one league on both sides; the transaction stays usable whatever happens."""
    feature, told = question.feature, {"league": question.league, "feature": question.feature.name}
    if question.league_id is None:
        return Answer(**told, error=f"league {question.league} is not in the table leagues")
    users.of_league(question.league_id)
    binds = {"league_id": question.league_id, "as_of": as_of}
    started = time.perf_counter()
    try:
        with connection.begin_nested() as savepoint:
            _see(connection, sides.before)
            _execute(
                connection,
                "insert into pg_temp.asked_before (subject_id, works, shown)\n"
                f"select subject_id, works, shown from (\n{feature.sql}\n) as asked",
                binds,
            )
            _see(connection, sides.after)
            row = _execute(connection, _compared(feature), binds | {"subject": feature.subject}).one()._asdict()
            savepoint.rollback()  # the next page finds the temporary table empty
    except sa.exc.SQLAlchemyError as error:
        if getattr(error, "connection_invalidated", False):
            raise
        return Answer(**told, error=clean_message(error), seconds=time.perf_counter() - started)
    seconds = time.perf_counter() - started
    unclear, twice = row.pop("unclear"), row.pop("twice")
    if unclear or twice:
        what = "answers neither yes nor no" if unclear else "answers more than once"
        return Answer(
            **told, error=f"the query {what} for {unclear or twice:,} {feature.subject} rows", seconds=seconds
        )
    return Answer(**told, **row, seconds=seconds)


def _execute(connection: sa.Connection, sql: str, binds: dict[str, Any]) -> sa.CursorResult:
    """Run a query with those of the binds that it names."""
    statement = sa.text(sql)
    return connection.execute(statement, {name: binds[name] for name in statement._bindparams})


def _see(connection: sa.Connection, names: Iterable[str]) -> None:
    set_local(connection, {"search_path": ", ".join(quote(name) for name in names)})


def _compared(feature: Feature) -> str:
    """The page as it would be, laid beside what ``asked_before`` holds; one row of counts and examples."""
    seen = "select subject_id, user_id from pg_temp.asked_users where subject = :subject"
    if feature.subject == "user":
        seen = "select subject_id, subject_id as user_id from paired where cast(:subject as text) = 'user'"
    return f"""
        with asked_after as materialized (
{feature.sql}
        ),
        paired as materialized (
            select
                coalesce(a.subject_id, b.subject_id) as subject_id,
                b.subject_id is not null as had,
                b.works is true as worked,
                b.shown as before,
                a.subject_id is not null as has,
                a.works is true as works,
                a.shown as after,
                b.works is true and a.subject_id is not null and a.works is not true as is_broken
            from pg_temp.asked_before as b
            full join asked_after as a on a.subject_id = b.subject_id
        ),
        seen as materialized ({seen}),
        seeing as (
            select
                count(distinct s.user_id) filter (where p.has) as users,
                count(distinct s.user_id) filter (where p.is_broken) as users_affected
            from paired as p join seen as s on s.subject_id = p.subject_id
        ),
        wrong as materialized (select * from paired where has and not works),
        worst as (
            select
                coalesce(n.name, w.subject_id::text) as subject,
                coalesce(u.users, 0) as users,
                w.before,
                w.after,
                w.is_broken as broken
            from wrong as w
            left join ({_NAMES[feature.subject]}) as n on n.id = w.subject_id
            left join (
                select s.subject_id, count(*) as users
                from seen as s
                where s.subject_id in (select subject_id from wrong)
                group by s.subject_id
            ) as u on u.subject_id = w.subject_id
            order by w.is_broken desc, u.users desc nulls last, n.name collate "C", w.subject_id
            limit {EXAMPLES}
        )
        select
            count(*) filter (where had) as before,
            count(*) filter (where worked) as works_before,
            count(*) filter (where has) as after,
            count(*) filter (where has and works) as works_after,
            count(*) filter (where is_broken) as broken,
            count(*) filter (where had and not worked and works) as mended,
            count(*) filter (where worked and not has) as gone,
            (select users from seeing) as users,
            (select users_affected from seeing) as users_affected,
            (select coalesce(jsonb_agg(to_jsonb(w)), '[]') from worst as w) as examples,
            (
                select count(*) filter (where works is null or subject_id is null)
                from (
                    select subject_id, works from pg_temp.asked_before
                    union all select subject_id, works from asked_after
                ) as asked
            ) as unclear,
            (select count(*) - count(distinct subject_id) from pg_temp.asked_before)
            + (select count(*) - count(distinct subject_id) from asked_after) as twice
        from paired
        """
