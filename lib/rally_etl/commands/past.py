"""`rally-etl runs`, `show` and `verify`: what happened, and whether the archive still says so."""

from __future__ import annotations

from typing import Annotated

import typer

from rally_etl.errors import RallyEtlError

SHOWN_RUNS = 20


def runs(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = SHOWN_RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List past runs, the newest first."""
    import sqlalchemy as sa

    from rally_etl.commands.terminal import print_json
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.settings import Settings

    engine = connect(Settings.from_env())
    init(engine)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select r.run_id, r.started_at, coalesce(r.decision, r.status) as decision, r.dry_run, r.source,"
                " coalesce(string_agg(l.league || case when l.published_at is null then '' else '*' end, ' ' order by l.league), '') as leagues"
                " from etl.runs as r left join etl.run_leagues as l using (run_id)"
                " group by r.run_id order by r.started_at desc limit :limit"
            ),
            {"limit": limit},
        ).mappings()
        found = [dict(row) for row in rows]
    if as_json:
        print_json({"runs": found})
        return
    for row in found:
        typer.echo(
            f"{row['run_id']}  {row['decision']:6}  {row['leagues']}  {row['source']}{'  dry run' if row['dry_run'] else ''}"
        )
    typer.echo("* published" if found else "no run yet: make etl-run", err=True)


def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    table: Annotated[str, typer.Option(help="List the planned changes of this table.", metavar="TABLE")] = "",
    league: Annotated[str, typer.Option(help="Only this league's changes.", metavar="KEY")] = "",
    limit: Annotated[int, typer.Option(help="At most so many changes.", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Show one run: decision, reasons and plan; with --table, its planned changes row by row."""
    from rally_etl import ledger, planning
    from rally_etl.commands.terminal import Terminal, print_json
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    engine = connect(settings)
    init(engine)
    document = ledger.run_document(engine, settings, run_id)
    changes = planning.changes(engine, run_id, table, league or None, limit).to_dict("records") if table else None
    if as_json:
        print_json(document | ({"changes": changes} if table else {}))
        return
    Terminal().conclude(document, settings.root)
    for key, found in document["leagues"].items():
        for name, counts in found["plan"].items():
            if any(count for operation, count in counts.items() if operation != "unchanged"):
                typer.echo(
                    f"{key}  {name:16}" + "  ".join(f"{operation} {count:>8,}" for operation, count in counts.items())
                )
    for change in changes or ():
        typer.echo(f"{change['operation']:10} {change['id']:>8}  {change['what']}")


def verify(run_id: Annotated[str, typer.Argument(metavar="[RUN]")] = "") -> None:
    """Compare every archived report with its manifest, and the manifests with each other.

    Exit codes: 0 nothing was changed, 1 something was (each is named).
    """
    from rally_etl.reporting import verify_reports
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    problems = verify_reports(settings, run_id or None)
    if problems:
        raise RallyEtlError("the archive is not what was written:\n  " + "\n  ".join(problems))
    typer.echo("the archive is as it was written", err=True)
