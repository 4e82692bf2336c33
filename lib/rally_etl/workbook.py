"""What the cells of the notebooks call: each answer is a table or a figure worth looking at.

In a run, a notebook's own stage is *active*: its calls do the work and then show what the ledger holds. Opened by hand
the same calls only show, for the latest run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl import evidence, logs, scraps
from rally_etl.errors import EvidenceMissing
from rally_etl.measures import counted
from rally_etl.reporting import accounts, agreement, checked, imported, live, recorded, references, rehearsed, seen
from rally_etl.reporting import decided as decision
from rally_etl.reporting import healthy as scored
from rally_etl.reporting import repairs as reported_repairs
from rally_etl.reporting import standings as beside_lines
from rally_etl.reporting import unusual as beside_past
from rally_etl.reporting.tables import Note, Table, in_words

if TYPE_CHECKING:
    from rally_etl.reporting.compared import Comparison
    from rally_etl.settings import Settings

NO_RUN = "There is no run yet. Run `make etl-run` in a terminal, then run this notebook again."


def open(stage: str, run_id: str = "") -> Book:
    """Open the workbook of a stage for a run.

    Args:
        stage: name of the stage whose notebook this is; any other text (``explore``) is never active.
        run_id: the run; "" is the latest one, read only.
    """
    from rally_etl.database.engine import connect, read_only
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    engine = connect(settings, application_name=f"rally-etl {stage}")
    with read_only(engine) as connection:
        found = run_id or recorded.latest_run(connection)
        facts = recorded.run(connection, found) if found else None
        if run_id and facts is None:
            raise EvidenceMissing(
                f"there is no run {run_id} in this database\nhint: leave run_id empty for the latest one"
            )
        stages = recorded.stages(connection, found) if facts else []
    running = any(row["stage"] == stage and row["status"] == "running" for row in stages)
    if run_id and running:
        logs.bind(run=run_id, stage=stage)
    return Book(
        settings=settings, engine=engine, stage=stage, run_id=found, facts=facts, active=bool(run_id) and running
    )


def warm_up() -> None:
    """Import what notebooks use; a kernel calls this while it waits for its notebook."""
    from rally_etl.logs import kernel

    for name in ("pandas.io.formats.style", "psycopg2", "rally_etl.database.engine", "rally_etl.reporting.charts"):
        import_module(name)
    scraps.load()
    kernel.listen()


@dataclass(kw_only=True)
class Book:
    """One run as one notebook sees it."""

    settings: Settings
    engine: sa.Engine
    stage: str
    run_id: str
    facts: dict[str, Any] | None
    active: bool
    document: dict | None = field(default=None, repr=False)

    def _repr_html_(self) -> str:
        return self.card()._repr_html_()

    def __repr__(self) -> str:
        return f"run {self.run_id or '(none)'}, stage {self.stage}, {'active' if self.active else 'read only'}"

    def card(self) -> Table | Note:
        """What this run is, and whether this notebook works on it or only shows it."""
        if not self.facts:
            return Note(NO_RUN)
        facts = self.facts
        mode = "working: this stage of the run is going on" if self.active else "reading: nothing is written"
        decision = facts["decision"] or ("not decided yet" if facts["status"] == "running" else "none")
        rows = [
            ("Run", self.run_id), ("Source", facts["source"]), ("As of", facts["as_of"]),
            ("Started (UTC)", f"{facts['started_at']:%Y-%m-%d %H:%M:%S}"), ("Status", facts["status"]),
            ("Decision", decision), ("This notebook is", mode),
        ]  # fmt: skip
        return Table([{"": name, " ": value} for name, value in rows], title="The run")

    # 01 baseline

    def live_rows(self) -> Table | Note:
        """Live rows per table and league, before anything is planned."""
        return live.rows(self)

    def live_rows_chart(self) -> Any:
        """The same as a chart, all leagues together."""
        return live.chart(self)

    def safety(self) -> Table | Note:
        """What is wrong with the database, before anything is read."""
        return accounts.safety(self)

    def user_rows(self) -> Table | Note:
        """Rows that users wrote, and what they point at; an import never changes one of them."""
        return accounts.before(self)

    def practices(self) -> Table | Note:
        """Practice times per team, which stand among the scraped matches."""
        return accounts.practices(self)

    def constraints(self) -> Table | Note:
        """Keys and constraints found on the imported tables; environments differ, so nothing is assumed."""
        return Table(self.read(recorded.constraints), title="Constraints found", empty="No imported table exists.")

    def references(self) -> Table | Note:
        """Every column that points at an imported row, with its rows."""
        return references.references(self)

    def references_chart(self) -> Any:
        """The same as a picture: from the tables that hold references to the tables they point at."""
        return references.references_chart(self)

    # 02 import

    def read_scrape(self) -> Table | Note:
        """Archive, decode and stage the scrape's files; show what became of every record."""
        if self.active:
            from rally_etl.sources import stage_scrape

            stage_scrape(self.engine, self.settings, self.run_id)
        return imported.files(self)

    def quarantine(self) -> Any:
        """Records that were kept aside, by reason."""
        return imported.quarantine(self)

    def quarantine_examples(self) -> Table | Note:
        """Two records of each reason as the scraper wrote them, with all their faults."""
        return imported.quarantine_examples(self)

    def plan(self) -> Table | Note:
        """Compare with live rows and make the plan; show its size per league and table."""
        if self.active:
            from rally_etl.operations import KINDS
            from rally_etl.planning import make_plan

            make_plan(self.engine, self.settings, self.run_id, kinds=KINDS)
        rows = self.of_run(recorded.plan_rows)
        return Table(rows, title="Planned changes (rows)", empty="The plan is not made yet.")

    def plan_chart(self) -> Any:
        """The plan's size by table, all leagues together."""
        from rally_etl.reporting import charts

        rows = self.of_run(recorded.plan_by_table)
        total = sum(row[operation] for row in rows for operation in recorded.CHANGES)
        if not total:
            return Note("The plan is empty: the scrape says what the live tables say.")
        return charts.plan_by_table(rows[::-1], title=f"The plan changes {counted(total, 'row')}")

    def names(self) -> Table | Note:
        """How printed team names were resolved, the doubtful ones first."""
        return imported.names(self)

    def identities(self) -> Table | Note:
        """How teams, players, clubs, series and sides were found: the doubtful ones first, with their evidence."""
        return imported.identities(self)

    def identities_chart(self) -> Any:
        """How much was found by which strategy."""
        return imported.identities_chart(self)

    def reviews(self) -> Table | Note:
        """Questions that this run asks a person; `rally-etl reviews` lists all that are open and takes answers."""
        return imported.reviews(self)

    def repairs(self) -> Table | Note:
        """What a run without a scrape found wrong, what it makes of it, and why."""
        return reported_repairs.repairs(self)

    def fates(self) -> Table | Note:
        """What becomes of every live row of the leagues, and why every new row is made."""
        return imported.fates(self)

    def changes(self, table: str = "", league: str = "", limit: int = 0) -> Table | Note:
        """Planned changes in words: what a column says now and what it would say.

        Args:
            table: one imported table; "" shows some of each.
            limit: rows per table; 0 is a hundred of one table, or eight of each.
        """
        if not self.run_id:
            return Note(NO_RUN)
        limit = limit or (100 if table else 8)
        rows: list[dict] = []
        for counts in self.of_run(recorded.plan_by_table):
            wanted = table in ("", counts["table"])
            if wanted and any(counts[operation] for operation in recorded.CHANGES):
                rows += self._changes_of(counts["table"], league, limit)
        return Table(rows, title="Changes worth reading", empty="The plan is empty: nothing would change.")

    def held(self) -> Table | Note:
        """Staged rows that wait because the team or player they name is not known."""
        rows = self.of_run(recorded.held_rows)
        return Table(rows, title="Rows held back", empty="No row is held back: every name resolved.")

    # 03 validation

    def checks(self, *, passed: bool = False) -> Table | Note:
        """Run the checks on the candidate; show them, failures first, and each that *passed* where it is asked for."""
        if self.active:
            from rally_etl.checks import run_checks

            run_checks(self.engine, self.settings, self.run_id)
        return checked.checks_table(self, passed=passed)

    def checks_chart(self) -> Any:
        """Outcomes of the checks per league."""
        return checked.checks_chart(self)

    def failing_rows(self, check: str = "", limit: int = 50) -> Table | Note:
        """Rows that failed checks, as the checks returned them; of one check up to *limit*, then by their keys."""
        return checked.failing_rows(self, check, limit)

    def standings(self) -> Table | Note:
        """Recompute the standings from the lines; show how many teams agree, and why the others differ."""
        return beside_lines.table(self)

    def standings_chart(self) -> Any:
        """The same as a chart, one bar per league."""
        return beside_lines.chart(self)

    def standings_differing(self, league: str = "", verdict: str = "") -> Table | Note:
        """Teams whose figures differ, printed and recomputed: all, of one league, or of one class."""
        return beside_lines.differing(self, league, verdict)

    def agreement(self) -> Table | Note:
        """Compare the sources of the run; show where they tell the same fact differently, the worst first."""
        return agreement.table(self)

    def agreement_chart(self) -> Any:
        """How much the sources of each league agree, fact by fact."""
        return agreement.chart(self)

    # 04 integration

    def written(self) -> Table | Note:
        """What users wrote, before and as it would be."""
        return accounts.after(self)

    def written_chart(self) -> Any:
        """The same as a picture: what the references of each kind of row mean afterwards."""
        return accounts.chart(self)

    def seen(self) -> Table | Note:
        """Every page of the application, before and as it would be."""
        return seen.table(self)

    def seen_chart(self) -> Any:
        """The same as a matrix: which page works in which league."""
        return seen.chart(self)

    def hand_kept(self) -> Table | Note:
        """Columns that people keep by hand: their values, and what the plan would change."""
        return references.hand_kept(self)

    def rehearsal(self) -> Table | Note:
        """Whether an undo would bring every row back: the plan was written and taken back, and nothing of it stayed."""
        return rehearsed.rehearsal(self)

    # 05 monitoring

    def anomalies(self) -> Table | Note:
        """What is unusual of this run beside past good ones, one row per cause."""
        return beside_past.anomalies(self)

    def forecasts(self) -> Table | Note:
        """What creeps towards the threshold of a rule, and the days that are left."""
        return beside_past.forecasts(self)

    def health_parts(self) -> Table | Note:
        """What lowers the health of each league, by how many points, and what caps it."""
        return scored.parts(self)

    def recommendations(self) -> Table | Note:
        """What to do about it, what wins most first."""
        return scored.recommendations(self)

    def trend(self, name: str) -> Any:
        """One of `trends.TRENDS` over past runs and looks at live; opened for an older run, up to that one."""
        from rally_etl.reporting import trends

        return trends.of_book(self, name)

    # 06 gate

    def decide(self) -> Table | Note:
        """Read the sealed evidence of the other notebooks and decide per league."""
        if self.active:
            self._glue(evidence.decide(self.engine, self.settings, self.run_id))
        return decision.decisions(self)

    def reasons(self) -> Table | Note:
        """Why: every rule that did not hold, in words."""
        return decision.reasons(self)

    # every stage

    def measures(self) -> Table | Note:
        """Take this stage's measures, glue them as its evidence, and show them."""
        if self.active and self.document is None:
            self._glue(evidence.measure(self.stage, self.engine, self.settings, self.run_id))
        found = recorded.glued(self.document) if self.document else self.of_run(recorded.metrics, self.stage)
        words = {"league": "league", "metric": "measure", "value": "value", "detail": "detail"}
        rows = [{word: row[name] for name, word in words.items()} for row in found]
        rows = [row | {"detail": in_words(row["detail"])} for row in rows]
        return Table(rows, title=f"Evidence of stage {self.stage}", empty="This stage has left no evidence yet.")

    def seal(self) -> Note:
        """Seal the evidence; the last cell of a notebook, so a seal proves that all of it ran."""
        if not self.run_id:
            return Note(NO_RUN)
        if not self.active:
            return Note(
                f"Read only: the evidence of stage {self.stage}, run {self.run_id}, was sealed by the run itself."
            )
        if self.document is None:
            raise EvidenceMissing(f"stage {self.stage} took no measures; there is nothing to seal")
        evidence.keep(self.document, self.engine)
        mark = scraps.seal(self.stage, self.run_id, self.document)
        return Note(f"Sealed: {mark['measures']} measures of stage {self.stage}, SHA-256 {mark['sha256'][:16]}…")

    # explore

    def runs(self) -> Table | Note:
        """Past runs, newest first; open one with ``workbook.open("explore", run_id)``."""
        return Table(self.read(recorded.runs), title="Runs", empty=NO_RUN)

    def compare(self, before: str = "", after: str = "") -> Comparison:
        """What two runs tell differently; "" is the run of this book, and the one before it."""
        from rally_etl.reporting import compared

        return compared.compare(self, before, after)

    def _glue(self, leagues: dict) -> None:
        self.document = scraps.glue({"stage": self.stage, "run_id": self.run_id, "leagues": leagues})

    def read(self, query: Callable[..., list[dict]], *arguments: Any, schemas: tuple[str, ...] = ()) -> list[dict]:
        """Rows of a query of `recorded` over live and ledger, read-only."""
        from rally_etl.database.engine import read_only

        with read_only(self.engine, *(schemas or ("public",))) as connection:
            if query is recorded.runs and not recorded.exists(connection, "etl.runs"):
                return []
            return query(connection, *arguments)

    def of_run(self, query: Callable[..., list[dict]], *arguments: Any) -> list[dict]:
        """Rows of a query of `recorded` about the run; none when there is no run."""
        return self.read(query, self.run_id, *arguments) if self.run_id else []

    def plan_table(self, table: str, sql: str, **binds: Any) -> list[dict]:
        """Rows of a query over the run's plan; none when there is no plan (any more) or it has no such table."""
        from rally_etl.planning.schema import schemas

        plan, _ = schemas(self.run_id or "none")
        return self.read(
            lambda connection: (
                recorded.fetch(connection, sql, **binds) if recorded.exists(connection, f'"{plan}".{table}') else []
            ),
            schemas=(plan, "public"),
        )

    def _changes_of(self, table: str, league: str, limit: int) -> list[dict]:
        from rally_etl.planning import changes

        frame = changes(self.engine, self.run_id, table, league or None, limit)
        return [{"table": table, **row} for row in frame.to_dict("records")]
