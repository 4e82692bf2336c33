"""`rally-etl runs`, `show` and `verify`: what happened, and whether the archive still says so."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rally_etl.errors import RallyEtlError

SHOWN_RUNS = 20


def runs(
    limit: Annotated[int, typer.Option(help="How many, the newest first.", metavar="N", min=1)] = SHOWN_RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List past runs, the newest first.

    A line is: run, decision, planned changes, leagues (* published, - published and taken back), source. Runs are named
    by their start, in UTC. Open incidents are counted at the end.
    """
    import sqlalchemy as sa

    from rally_etl.commands.terminal import print_json
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.incidents import read_incidents
    from rally_etl.measures import counted
    from rally_etl.settings import Settings

    engine = connect(Settings.from_env())
    init(engine)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select r.run_id, r.started_at, coalesce(r.decision, r.status) as decision, r.dry_run, r.source,"
                " (select coalesce(sum(cast(op.value as bigint)), 0) from etl.run_leagues as c"
                "  cross join jsonb_each(c.plan_counts) as t cross join jsonb_each_text(t.value) as op"
                "  where c.run_id = r.run_id and op.key <> 'unchanged') as changes,"
                " coalesce(string_agg(l.league || case when l.published_at is null then ''"
                "  when l.state = 'undone' then '-' else '*' end, ' '"
                "  order by l.league), '') as leagues"
                " from etl.runs as r left join etl.run_leagues as l using (run_id)"
                " group by r.run_id order by r.started_at desc limit :limit"
            ),
            {"limit": limit},
        ).mappings()
        found = [dict(row) for row in rows]
        number = len(read_incidents(connection))
    if as_json:
        print_json({"runs": found})
        return
    for row in found:
        typer.echo(
            f"{row['run_id']}  {row['decision']:7}  {row['changes']:>9,} changes  {row['leagues']}  {row['source']}"
            + ("  dry run" if row["dry_run"] else "")
        )
    taken_back = ", - published and taken back" if any("-" in row["leagues"] for row in found) else ""
    typer.echo(f"* published{taken_back}" if found else "no run yet: make etl-run", err=True)
    if number:
        typer.echo(f"{counted(number, 'open incident')}: rally-etl incidents", err=True)


def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="As `rally-etl runs` lists it.")],
    table: Annotated[
        str, typer.Option(help="List the planned changes of this table, for example teams.", metavar="TABLE")
    ] = "",
    league: Annotated[str, typer.Option(help="Only this league's changes.", metavar="KEY")] = "",
    limit: Annotated[int, typer.Option(help="At most so many changes.", metavar="N", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Show one run: decision, reasons, plan, steps.

    The steps are what became of each league, with time (UTC) and cause; the report's front page has them too. With
    --table its planned changes follow row by row: operation, id, name, and what columns say before and after.
    """
    from rally_etl import ledger, planning
    from rally_etl.commands.terminal import Terminal, print_json, printable
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.leftovers import KEPT_PLANS
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    engine = connect(settings)
    init(engine)
    document = ledger.run_document(engine, settings, run_id)
    changes = planning.changes(engine, run_id, table, league or None, limit).to_dict("records") if table else None
    if as_json:
        print_json(document | ({"changes": changes} if table else {}))
        return
    Terminal().conclude(document, sys.stdout)
    for key, found in document["leagues"].items():
        for name, counts in found["plan"].items():
            if any(count for operation, count in counts.items() if operation != "unchanged"):
                typer.echo(
                    f"{key}  {name:16}" + "  ".join(f"{operation} {count:>8,}" for operation, count in counts.items())
                )
    for key, found in document["leagues"].items():
        for step in found["states"]:
            typer.echo(f"{key}  {step['at'][:10]} {step['at'][11:19]}  {step['state']:9}  {printable(step['cause'])}")
    for change in changes or ():
        name = f"{change['name']}  " if change["name"] else ""
        typer.echo(f"{change['operation']:10} {change['id']:>8}  {name}{change['what']}")
    if table and not changes:
        typer.echo(f"no planned change of {table}; plans are kept for the last {KEPT_PLANS} runs", err=True)


def verify(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Only this run; all runs if not given.")] = "",
) -> None:
    """Compare the archived reports with what was written.

    Every file with its manifest, and each manifest with the hash of it in the next one.

    Exit codes: 0 nothing was changed, 1 something was (each is named).
    """
    from rally_etl.reporting import verify_reports
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    problems = verify_reports(settings, run_id or None)
    if problems:
        raise RallyEtlError("the archive is not what was written:\n  " + "\n  ".join(problems))
    typer.echo("the archive is as it was written", err=True)
