"""`make bench-mutations`: a good import damaged in more than a hundred ways, one at a time, and what notices it.

Damage enters where it did in real life: in the files of a scrape, in the plan that a program makes of them, or in the
live database before the run. Then the run's own steps follow (import, checks, measures of all stages, gate), without
notebooks. Everything happens in databases and folders of its own, which are removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from rally_etl import checks, evidence, gate, planning, states
from rally_etl.bench.imports import project
from rally_etl.bench.mutations.damages import SMALL_SHARE, Damage, Files, all_damages, size_in_words
from rally_etl.bench.mutations.plans import Plan
from rally_etl.bench.mutations.verdicts import Finding, Trial, Verdict, in_markdown, summary
from rally_etl.bench.server import own_server
from rally_etl.checks import CheckResult
from rally_etl.checks.agreement import compare_sources
from rally_etl.checks.standings_evidence import compare_standings
from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import connect
from rally_etl.database.references import read_reference_params
from rally_etl.database.schema import init
from rally_etl.errors import RallyEtlError
from rally_etl.ledger import start_run
from rally_etl.naming import load_leagues
from rally_etl.protection import note_users
from rally_etl.sample import season
from rally_etl.sample.attachments import attach
from rally_etl.settings import Settings
from rally_etl.sources import read_scrape, stage_scrape

SEED = 1
JOBS = 2


@dataclass(frozen=True, slots=True)
class Bench:
    """A project whose database holds the weeks before, and the scrape that is damaged.

    Attributes:
        server: sessions to the server, for making and dropping databases.
        base: the database with the scrapes before; `planned` has the undamaged plan too, of run `run_id`.
    """

    settings: Settings
    server: sa.Engine
    base: str
    planned: str
    run_id: str
    scrapes: tuple[Path, ...]
    as_of: date
    league: str
    baseline: dict


def main() -> None:
    """Try every damage and print one table; exit 1 if one is not caught."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench.mutations", description=__doc__)
    parser.add_argument("--source", type=Path, nargs="+", help="scrape folders in order of time; the last is damaged")
    parser.add_argument("--as-of", type=date.fromisoformat, help="the day of the last scrape, with --source")
    parser.add_argument("--league", help="the league that is damaged; the first of the scrape if not given")
    parser.add_argument("--only", nargs="+", default=[], help="damages whose name holds one of these texts")
    parser.add_argument("--smallest", action="store_true", help="each damage at its smallest size only")
    parser.add_argument("--jobs", type=int, default=JOBS, help="trials at once")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    if bool(options.source) != bool(options.as_of) or (options.source and len(options.source) < 2):
        parser.error("--source names two folders or more, and stands together with --as-of")
    chosen = [each for each in all_damages() if not options.only or any(text in each.name for text in options.only)]
    if options.smallest:
        chosen = [replace(each, sizes=each.sizes[:1]) for each in chosen]
    trials = try_all(chosen, options.source, options.as_of, options.league, jobs=options.jobs)
    if options.markdown:
        options.markdown.write_text(in_markdown(trials), encoding="utf-8")
    print(summary(trials))
    sys.exit(any(trial.outcome == "MISSED" for trial in trials))


def try_all(
    damages: Iterable[Damage],
    sources: Sequence[Path] | None = None,
    as_of: date | None = None,
    league: str | None = None,
    *,
    jobs: int = JOBS,
) -> list[Trial]:
    """Try damages at all their sizes; each result is printed as it comes."""
    with prepared(sources, as_of, league) as bench:
        control = undamaged(bench)
        if control.decision == gate.NO_GO:
            raise SystemExit(f"the undamaged scrape is NO-GO: {', '.join(sorted(control.findings))}; nothing was tried")
        said = ", ".join(f"{name} ({each.severity})" for name, each in sorted(control.findings.items())) or "nothing"
        print(f"undamaged: {control.decision}, {said}", flush=True)
        work = [(damage, size) for damage in damages for size in damage.sizes]
        trials = []
        with ThreadPoolExecutor(jobs) as pool:
            for trial in pool.map(lambda job: attempt(bench, control, *job), work):
                if not trial.rows:
                    continue
                trials.append(trial)
                words = (trial.damage.name, size_in_words(trial.size), trial.outcome, trial.decision)
                print(f"{words[0]:48} {words[1]:>6} {trial.rows:6,}  {words[2]:8} {words[3]:8} {trial.by}", flush=True)
    return trials


@contextmanager
def copied(server: sa.Engine, template: str, root: Path) -> Iterator[tuple[sa.Engine, Settings]]:
    """A copy of a database for one trial; gone afterwards."""
    name = f"rally_trial_{time.time_ns()}"
    by_itself = {"isolation_level": "AUTOCOMMIT"}
    with server.connect().execution_options(**by_itself) as connection:
        connection.execute(sa.text(f'create database "{name}" template "{template}"'))
    settings = Settings(root=root, database_url=server.url.set(database=name).render_as_string(hide_password=False))
    engine = connect(settings)
    try:
        yield engine, settings
    finally:
        engine.dispose()
        with server.connect().execution_options(**by_itself) as connection:
            connection.execute(sa.text(f'drop database if exists "{name}" with (force)'))


@contextmanager
def prepared(sources: Sequence[Path] | None, as_of: date | None, league: str | None) -> Iterator[Bench]:
    """Publish all scrapes but the last, with users attached, and plan the last one undamaged."""
    with own_server(Settings.from_env()) as home, project(home) as (folder, url):
        settings = Settings(root=folder, database_url=url)
        engine = connect(settings)
        init(engine)
        scrapes = list(sources or season.write(folder / "season"))
        days = [as_of] * len(scrapes) if as_of else [week.as_of for week in season.WEEKS]
        for scrape, day in zip(scrapes[:-1], days[:-1], strict=True):
            _load(engine, settings, scrape, day)
        attach(engine)
        with engine.begin() as connection:
            note_users(connection, read_reference_params(settings.params_dir / "references.yaml"))
        keys = read_scrape(scrapes[-1], load_leagues(settings.params_dir)).leagues
        name = engine.url.database
        engine.dispose()
        server = connect(home)
        with copied(server, name, folder) as (planned, of_plan):
            run_id = _begin(planned, of_plan, scrapes[-1], days[-1])
            baseline = evidence.measure("baseline", planned, of_plan, run_id)
            _import(planned, of_plan, run_id)
            planned.dispose()
            places = {"base": name, "planned": planned.url.database, "scrapes": tuple(scrapes)}
            facts = {"run_id": run_id, "as_of": days[-1], "league": league or keys[0], "baseline": baseline}
            yield Bench(settings, server, **places, **facts)
        server.dispose()


def undamaged(bench: Bench) -> Verdict:
    """What the run says that nothing is wrong with."""
    with copied(bench.server, bench.base, bench.settings.root) as (engine, settings):
        run_id = _begin(engine, settings, bench.scrapes[-1], bench.as_of)
        _import(engine, settings, run_id)
        return judged(engine, settings, run_id, {"baseline": bench.baseline}, bench.league)


def attempt(bench: Bench, control: Verdict, damage: Damage, size: float) -> Trial:
    """Try one damage at one size in a database of its own."""
    rows, caught, decision, has_effect, told = 0, [], "", True, ()
    template = bench.planned if damage.enters == "plan" else bench.base
    with copied(bench.server, template, bench.settings.root) as (engine, settings):
        try:
            rows, verdict = _DAMAGED[damage.enters](bench, engine, settings, damage, size)
            caught, decision = verdict.beyond(control), verdict.decision
            told = tuple(sentence for sentence in verdict.changes if sentence not in control.changes)
            has_effect = damage.enters != "scrape" or verdict.candidate != control.candidate
        except sa.exc.DBAPIError as error:
            error.add_note(f"damage {damage.name!r}, {size_in_words(size)}")
            raise
        except RallyEtlError as refusal:
            caught, decision = [Finding(f"refused: {str(refusal).splitlines()[0]}", "error", 1)], "refused"
    return Trial(damage, size, rows, tuple(caught), decision, has_effect, told)


def _is_said_already(size: float, rows: int) -> bool:
    """Whether nothing was hit, or a share comes to the one row that was tried before."""
    return rows == 0 or (size == SMALL_SHARE and rows == 1)


def _of_scrape(bench: Bench, engine: sa.Engine, settings: Settings, damage: Damage, size: float) -> tuple[int, Verdict]:
    with tempfile.TemporaryDirectory(prefix="rally-damaged-") as name:
        folder = Path(name) / "scrape"
        shutil.copytree(bench.scrapes[-1], folder)
        rows = _spoil(folder / bench.league, bench.scrapes[-2] / bench.league, damage, size)
        if _is_said_already(size, rows):
            return 0, Verdict("")
        run_id = _begin(engine, settings, folder, bench.as_of)
        _import(engine, settings, run_id)
        return rows, judged(engine, settings, run_id, {"baseline": bench.baseline}, bench.league)


def _spoil(folder: Path, before: Path, damage: Damage, size: float) -> int:
    """Damage the files of a folder; answer the rows that were hit, 0 where nothing is other than before."""
    kinds = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    old = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(before.glob("*.json"))}
    whole = json.dumps(kinds, sort_keys=True)
    files = Files(kinds, old, random.Random(SEED))
    rows = damage.apply(files, size)
    if json.dumps(files.kinds, sort_keys=True) == whole and not files.texts:
        return 0
    for kind, records in files.kinds.items():
        path = folder / f"{kind}.json"
        if records is None:
            path.unlink()
        else:
            path.write_text(files.texts.get(kind, json.dumps(records)), encoding="utf-8")
    return rows


def _of_plan(bench: Bench, engine: sa.Engine, settings: Settings, damage: Damage, size: float) -> tuple[int, Verdict]:
    run_id = bench.run_id
    with engine.begin() as connection:
        sql = "select id from leagues where league_id = :league"
        league_id = connection.scalar(sa.text(sql), {"league": bench.league})
        plan = Plan(connection, run_id, bench.league, league_id, SEED)
        rows = damage.apply(plan, size)
        plan.show()
    if _is_said_already(size, rows):
        return 0, Verdict("")
    return rows, judged(engine, settings, run_id, {"baseline": bench.baseline}, bench.league)


def _of_live(bench: Bench, engine: sa.Engine, settings: Settings, damage: Damage, size: float) -> tuple[int, Verdict]:
    with engine.begin() as connection:
        rows = damage.apply(connection, size)
    run_id = _begin(engine, settings, bench.scrapes[-1], bench.as_of)
    documents = {"baseline": evidence.measure("baseline", engine, settings, run_id)}
    if stopped := gate.refuse(
        engine, settings, run_id, "baseline", _document("baseline", run_id, documents["baseline"])
    ):
        return rows, _verdict(stopped[bench.league], gate.NO_GO, [])
    _import(engine, settings, run_id)
    return rows, judged(engine, settings, run_id, documents, bench.league)


_DAMAGED = {"scrape": _of_scrape, "plan": _of_plan, "live": _of_live}


def judged(engine: sa.Engine, settings: Settings, run_id: str, measured: dict[str, dict], league: str) -> Verdict:
    """Take the measures of the stages that are left, and ask the gate for one league."""
    measured = measured | {"import": evidence.measure("import", engine, settings, run_id)}
    results = checks.run_checks(engine, settings, run_id)
    compare_sources(engine, settings, run_id)
    compare_standings(engine, settings, run_id)
    for stage in ("validation", "integration", "monitoring"):
        measured[stage] = evidence.measure(stage, engine, settings, run_id)
    documents = {stage: _document(stage, run_id, found) for stage, found in measured.items()}
    for document in documents.values():
        evidence.keep(document, engine)
    rules = gate.due(gate.read_rules(settings.params_dir / "gate.yaml"), True)
    statuses = dict.fromkeys(gate.STAGES, "completed")
    leagues = sorted({key for found in measured.values() for key in found} - {gate.RUN})
    decided = gate.judge(rules, documents, leagues, run_id=run_id, statuses=statuses)[league]
    found = _verdict(decided["reasons"], decided["decision"], [each for each in results if each.league == league])
    found.candidate, found.changes = _digest(engine, run_id), planning.headlines(engine, run_id, league)
    return found


def _digest(engine: sa.Engine, run_id: str) -> str:
    """Of the rows of the candidate, without the moments at which they were written and the ids that new ones got."""
    _, candidate = planning.schemas(run_id)
    parts = []
    with engine.connect() as connection:
        for name in IMPORTED:
            table = quote(candidate, name)
            if connection.scalar(sa.text("select to_regclass(:name)"), {"name": table}):
                row = "to_jsonb(t) - 'created_at' - 'updated_at' - case when l.id is null then 'id' else '' end"
                live = f"left join {quote('public', name)} as l using (id)"
                rows = f"select cast({row} as text) as r from {table} as t {live}"
                sql = f"select md5(coalesce(string_agg(r, '' order by r), '')) from ({rows}) as x"
                parts.append(connection.scalar(sa.text(sql)))
    return " ".join(parts)


def _verdict(reasons: Iterable[dict], decision: str, results: Iterable[CheckResult]) -> Verdict:
    found = Verdict(decision=decision)
    for result in results:
        if result.outcome in ("warned", "failed", "errored"):
            severity = "warn" if result.outcome == "warned" else "error"
            found.findings[result.check] = Finding(result.check, severity, result.failing_rows or 0)
    for reason in reasons:
        distance = abs((reason["observed"] or 0) - (reason["threshold"] or 0))
        found.findings[reason["rule"]] = Finding(reason["rule"], reason["severity"], distance)
    return found


def _document(stage: str, run_id: str, leagues: dict) -> dict:
    return {"stage": stage, "run_id": run_id, "leagues": leagues}


def _begin(engine: sa.Engine, settings: Settings, scrape: Path, day: date) -> str:
    leagues = read_scrape(scrape, load_leagues(settings.params_dir)).leagues
    return start_run(engine, str(scrape), day, False, leagues)


def _import(engine: sa.Engine, settings: Settings, run_id: str) -> None:
    stage_scrape(engine, settings, run_id)
    planning.make_plan(engine, settings, run_id)


def _load(engine: sa.Engine, settings: Settings, scrape: Path, day: date) -> None:
    """Publish a scrape as a run does, whatever the gate would say."""
    run_id = _begin(engine, settings, scrape, day)
    baseline = evidence.measure("baseline", engine, settings, run_id)
    _import(engine, settings, run_id)
    leagues = read_scrape(scrape, load_leagues(settings.params_dir)).leagues
    for league in leagues:
        judged(engine, settings, run_id, {"baseline": baseline}, league)
    with engine.begin() as connection:
        states.move(connection, run_id, leagues, "audited", "the bench takes it as good")
    for league in leagues:
        planning.publish(engine, run_id, [league])
