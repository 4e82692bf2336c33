"""The command `rally-etl`: one subcommand per thing an operator wants."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rally_etl import __version__, logs
from rally_etl.commands import (
    alerts,
    check,
    compare,
    constraints,
    guard,
    incidents,
    live,
    names,
    orphans,
    past,
    references,
    repair,
    repairs,
    reviews,
    run,
    snapshot,
)
from rally_etl.database.commands import db
from rally_etl.errors import RallyEtlError, Stopped, UsageError

ABOUT = """\
Import league scrapes as audited plans: nothing that users see changes before the gate says GO.

\b
Begin with:
  rally-etl run --sample         a whole run on a made-up season
  rally-etl run --source DIR     a run on a scrape folder, DIR/<LEAGUE>/<kind>.json
  rally-etl show RUN             what a run decided, why, and what it changed

DATABASE_URL names the PostgreSQL database (15 or later); without it an embedded server is started on demand.
"""
EXIT_CODES = """\
\b
Exit codes:
  0  done (run: every league GO)
  1  failure: a bug or the database
  2  wrong use, or input that cannot be read
  3  at least one league NO-GO; its rows were not published
  4  at least one league HOLD, none NO-GO
  5  another run holds the lock
  130, 143  stopped by Ctrl-C, by SIGTERM; nothing is half written
"""

# Plain help: it is read in logs and over serial lines, starts faster, and NO_COLOR has nothing to forbid.
app = typer.Typer(
    name="rally-etl",
    help=ABOUT,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
for command in (
    run.run, run.approve, past.runs, past.show, past.verify, compare.compare, live.health, references.references,
    repair.merge, repair.undo, orphans.orphans, constraints.constraints, repairs.repair, guard.guard,
):  # fmt: skip
    app.command()(command)
app.add_typer(check.check, name="check")
app.add_typer(reviews.reviews, name="reviews")
app.add_typer(names.names, name="names")
app.add_typer(incidents.incidents, name="incidents")
app.add_typer(alerts.alerts, name="alerts", help="Who is told what: open incidents, the spool, the channels.")
app.add_typer(snapshot.snapshot, name="snapshot")
app.add_typer(db, name="db")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rally-etl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every subcommand; the text of `--help` is ABOUT."""
    from rally_etl.settings import Settings

    with contextlib.suppress(UsageError):  # the command itself says what is wrong with the settings
        logs.configure(Settings.from_env())
        logs.bind(command=context.invoked_subcommand)
        logs.event("command.started", version=__version__)


@app.command()
def sample(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if missing.")]) -> None:
    """Write the sample season: three scrape folders.

    DIR/week-1, DIR/week-2 and DIR/week-3, two leagues each; the same season every time.
    """
    from rally_etl.sample import season

    for week in season.write(folder):
        typer.echo(str(week))


def main() -> NoReturn:
    """Run the command and end the process with the exit code of what happened."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` and a shell's background do
            signal.signal(number, _stop)
    began = time.monotonic()
    try:
        app(prog_name="rally-etl")
        code = 0
    except RallyEtlError as error:
        code = _complain(str(error), error.exit_code)
        _log("command.failed", began, code, **logs.failed(error))
    except SystemExit as end:
        _log("command.ended", began, end.code if isinstance(end.code, int) else 0)
        raise
    except BrokenPipeError:
        # The reader of a pipe has gone (`| head`); Python would complain once more when it flushes.
        sys.stdout = None
        code = 1
    except Stopped as stopped:
        code = _complain(f"{stopped}{stopped.hint}", stopped.exit_code)
        _log("command.stopped", began, code, signal=code - 128)
    except Exception as error:
        code = _unexpected(error)
        _log("command.failed", began, code, **logs.failed(error))
    raise SystemExit(code)


def _log(action: str, began: float, code: int, **fields: object) -> None:
    logs.event(action, exit_code=code, seconds=time.monotonic() - began, **fields)


def _stop(number: int, frame: object) -> NoReturn:
    """Stop with an exception, so that a run is closed and its processes end; a second signal does not disturb that."""
    signal.signal(number, signal.SIG_IGN)
    raise Stopped(number, "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)


def _complain(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


_RIGHTS = """; the statement wrote nothing
hint: the login of DATABASE_URL lacks rights; docs/operations.md tells which it needs (Moving to your own PostgreSQL)"""


def _unexpected(error: Exception) -> int:
    """One line for a database that refuses or goes away; a stack for everything else, which is a bug."""
    if "sqlalchemy" in sys.modules:
        from rally_etl.database.engine import clean_message, is_refused, is_weather

        if is_weather(error):
            rights = _RIGHTS if is_refused(error) else ""
            return _complain(f"the database stopped the work: {clean_message(error)}{rights}", 1)
    traceback.print_exception(error)
    logs.unexpected(error)
    return 1
