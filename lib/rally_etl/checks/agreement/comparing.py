"""Compare the sources of a run: each agreement asked of the staged rows, the plan and the live rows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.checks.agreement.cards import TooLarge, read_cards
from rally_etl.checks.agreement.declared import SEVERITIES, Agreement, read_agreements
from rally_etl.database.catalog import quote
from rally_etl.database.engine import clean_message, read_only
from rally_etl.errors import RallyEtlError
from rally_etl.measures import counted
from rally_etl.planning.measures import league_ids
from rally_etl.planning.scene import id_prefix
from rally_etl.planning.schema import schemas

if TYPE_CHECKING:
    from rally_etl.settings import Settings

FEW = 3
"""Facts told differently; fewer are a correction, told and no more, whatever share of a small file they are."""
WORST = 20
"""Facts that are told differently of which the ledger keeps the words, the furthest apart first."""

PARAMETERS = {"jit": "off", "work_mem": "64MB", "enable_mergejoin": "off", "enable_nestloop": "off"}
"""Of the session while it compares. The planner takes a join of names for one row, and would then read the schedule
again for every team match."""

_FACTS = (files("rally_etl.checks.agreement") / "facts.sql").read_text(encoding="utf-8")
_FACT_TABLES = ("lines", "team_matches", "meetings", "paired", "played", "rosters", "known_lines")
_ASKED = """with compared as materialized (
{query}
)
select
    count(*) as compared,
    count(*) filter (where agrees) as agreeing,
    (
        select coalesce(jsonb_agg(concat(fact, ': ', told) order by place), '[]')
        from (
            select fact, told, row_number() over (order by distance desc nulls last, fact) as place
            from compared where agrees is not true order by place limit {worst}
        ) as differing
    ) as told
from compared
"""
_FILES = sa.text(
    """
    select f.league, f.kind, f.sha256, f.size_bytes, s.sha256 is not null as is_staged
    from etl.source_files as f
    left join etl.staged_files as s
        on s.league = f.league and s.kind = f.kind and s.sha256 = f.sha256 and s.ruleset = f.ruleset
    where f.run_id = :run_id and f.fault is null
    """
)
_LEAGUES = sa.text("select league from etl.run_leagues where run_id = :run_id order by league")
_STORE = sa.text(
    """
    insert into etl.agreements
        (run_id, league, name, title, outcome, compared, agreeing, bound, told, seconds, note)
    values
        (:run_id, :league, :name, :title, :outcome, :compared, :agreeing, :bound, cast(:told as jsonb), :seconds, :note)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What became of one agreement in one league.

    Attributes:
        outcome: `passed`, `warned`, `held`, `failed`; `measured`: it has no bound; `errored`: it could not be measured;
            `skipped`: there was nothing to compare, and `note` says why.
        compared: facts looked at; *agreeing* of them are told alike.
        bound: tolerated share of the others: of the outcome that was reached, else of the mildest there is.
        told: the worst of the others in words.
    """

    league: str
    name: str
    title: str
    outcome: str
    compared: int = 0
    agreeing: int = 0
    bound: float | None = None
    told: tuple[str, ...] = ()
    seconds: float | None = None
    note: str | None = None

    @property
    def share(self) -> float:
        """Share of facts that are told alike, 0 to 1; 1 where there is none."""
        return self.agreeing / self.compared if self.compared else 1.0


def compare_sources(engine: sa.Engine, settings: Settings, run_id: str) -> list[Compared]:
    """Measure every agreement for every league of the run and keep the results in ``etl.agreements``.

    Nothing is written but these results. The run has to be planned: names are compared after they were resolved.

    Raises:
        UsageError: `params/agreement.yaml` or a query is not as it should be.
    """
    agreements = read_agreements(settings.params_dir)
    known = naming.load_leagues(settings.params_dir)
    with read_only(engine, "public") as connection:
        leagues = connection.scalars(_LEAGUES, {"run_id": run_id}).all()
        live = league_ids(connection, settings)
        scraped: dict[str, dict[str, sa.Row]] = {league: {} for league in leagues}
        for row in connection.execute(_FILES, {"run_id": run_id}):
            scraped.setdefault(row.league, {})[row.kind] = row
    results = []
    for league in leagues:
        binds = {
            "league": league,
            "league_id": live.get(league, -1),
            "run_id": run_id,
            "id_prefix": id_prefix(known.get(league)),
        }
        is_staged = {kind: file.is_staged for kind, file in scraped[league].items()}
        cards = partial(_cards, settings, scraped[league].get("match_scores"))
        with opened(engine, binds) as connection:
            results += [compare(connection, agreement, binds, is_staged, cards) for agreement in agreements]
    _store(engine, run_id, results)
    return results


@contextmanager
def opened(engine: sa.Engine, binds: dict[str, object]) -> Iterator[sa.Connection]:
    """A transaction that cannot write, in which bare names are those of the run's plan and of what `facts.sql` makes.

    Args:
        binds: as for `compare`; the facts are those of their league.
    """
    with engine.connect() as connection:
        path = ", ".join(quote(name) for name in (schemas(str(binds["run_id"]))[0], "public"))
        for name, value in {**PARAMETERS, "search_path": path}.items():
            connection.execute(sa.text("select set_config(:name, :value, true)"), {"name": name, "value": value})
        for statement in _FACTS.split(";\n"):
            if statement.strip():
                asked = {name: value for name, value in binds.items() if f":{name}" in statement}
                connection.execute(sa.text(statement), asked)
        for name in _FACT_TABLES:
            connection.execute(sa.text(f"analyze pg_temp.{name}"))
        connection.execute(sa.text("set transaction read only"))
        yield connection


def compare(
    connection: sa.Connection,
    agreement: Agreement,
    binds: dict[str, object],
    scraped: dict[str, bool],
    cards: Callable[[], str] = lambda: "[]",
) -> Compared:
    """Ask one agreement about one league; a query that cannot run is `errored`, never passed.

    Args:
        binds: what every query may use: ``league``, ``league_id``, ``run_id``, ``id_prefix``.
        scraped: kind of file of the scrape -> whether the staged rows are those of that file.
        cards: reads the names beside the ids of the match file (`cards.read_cards`), for a query that asks for them.

    Raises:
        sqlalchemy.exc.DBAPIError: the connection was lost; that is no answer of an agreement.
    """
    said = {"league": binds["league"], "name": agreement.name, "title": agreement.title}
    if missing := [kind for kind in agreement.files if kind not in scraped]:
        return Compared(**said, outcome="skipped", note=f"the scrape has no usable file of {' and '.join(missing)}")
    if other := [kind for kind in agreement.files if not scraped[kind]]:
        note = f"the staged rows of {' and '.join(other)} are not those of this run's file"
        return Compared(**said, outcome="errored", note=note)
    started = time.perf_counter()
    query = _ASKED.format(query=agreement.sql, worst=WORST)
    try:
        if "cards" in agreement.binds:
            binds = binds | {"cards": cards()}
        with connection.begin_nested():
            row = connection.execute(sa.text(query), binds | agreement.values).one()
    except TooLarge as error:
        return Compared(**said, outcome="skipped", note=str(error))
    except (sa.exc.SQLAlchemyError, RallyEtlError) as error:
        if getattr(error, "connection_invalidated", False):
            raise
        return Compared(**said, outcome="errored", note=clean_message(error), seconds=time.perf_counter() - started)
    return _judged(agreement, Compared(
        **said, outcome="passed", compared=row.compared, agreeing=row.agreeing, told=tuple(row.told),
        seconds=time.perf_counter() - started,
    ))  # fmt: skip


def _cards(settings: Settings, file: sa.Row | None) -> str:
    return read_cards(settings.archive_dir, file.sha256, file.size_bytes) if file else "[]"


def _judged(agreement: Agreement, found: Compared) -> Compared:
    if not found.compared:
        note = "the files have nothing in common to compare"
        return replace(found, outcome="warned" if agreement.least else "skipped", note=note)
    bounds = agreement.bounds_of(found.league)
    differing = 1 - found.share
    few = found.compared - found.agreeing < FEW
    for severity, bound in bounds.items():
        if differing > bound:
            return replace(found, outcome=SEVERITIES["warn" if few else severity], bound=bound)
    if found.compared < agreement.least:
        note = f"only {counted(found.compared, 'fact')} to compare, {agreement.least:,} are expected"
        return replace(found, outcome="warned", note=note)
    return replace(found, bound=min(bounds.values())) if bounds else replace(found, outcome="measured")


def _store(engine: sa.Engine, run_id: str, results: list[Compared]) -> None:
    """Keep the results of a run; a second call replaces the first."""
    columns = ("league", "name", "title", "outcome", "compared", "agreeing", "bound", "seconds", "note")
    rows = [
        {name: getattr(each, name) for name in columns} | {"run_id": run_id, "told": json.dumps(each.told)}
        for each in results
    ]
    with engine.begin() as connection:
        connection.execute(sa.text("delete from etl.agreements where run_id = :run_id"), {"run_id": run_id})
        if rows:
            connection.execute(_STORE, rows)
