"""`rally-etl db`: the database that the project works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rally_etl.errors import UsageError

if TYPE_CHECKING:
    from rally_etl.settings import Settings

db = typer.Typer(help="The database: its address, its tables, the embedded server.", no_args_is_help=True)


def _settings() -> Settings:
    from rally_etl.settings import Settings

    return Settings.from_env()


@db.command()
def url() -> None:
    """Print the address of the database for psql.

    Starts the embedded server. An address with a password is printed with it: psql "$(rally-etl db url)".
    """
    from rally_etl.database.engine import database_url
    from rally_etl.database.url import psql_url

    typer.echo(psql_url(database_url(_settings())))


@db.command()
def init() -> None:
    """Make Rally's tables and the ledger where missing.

    Rally's tables are made where there are none; the ledger (schema etl) is brought up to date.
    """
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init as make

    made = make(connect(_settings(), application_name="rally-etl db init"))
    typer.echo("Rally's tables  " + ("made" if made.rally_tables else "were there, taken as they are"), err=True)
    typer.echo("ledger          " + (", ".join(made.migrations) or "up to date"), err=True)


@db.command()
def stop() -> None:
    """Stop the embedded server; its data stays.

    Everybody who uses it is disconnected.
    """
    from rally_etl.database import embedded
    from rally_etl.database.engine import embedded_server

    settings = _settings()
    if settings.database_url:
        raise UsageError(
            "DATABASE_URL names a server that is not ours to stop\nhint: unset DATABASE_URL to stop the embedded one"
        )
    typer.echo("stopped" if embedded.stop(embedded_server(settings)) else "no server was running", err=True)


@db.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Really: all rows of all tables are lost.")] = False,
) -> None:
    """Empty the embedded database.

    Deletes it with all its rows and makes Rally's tables and the ledger anew.
    """
    from rally_etl.database import embedded
    from rally_etl.database.engine import connect, embedded_server
    from rally_etl.database.locks import run_lock
    from rally_etl.database.schema import init as make

    settings = _settings()
    if settings.database_url:
        raise UsageError(
            "DATABASE_URL names a server that is not ours to empty; nothing was deleted\n"
            "hint: drop and create that database with its own tools, or unset DATABASE_URL"
        )
    server = embedded_server(settings)
    if not yes:
        raise UsageError(f"this deletes every row under {server.data}; nothing was deleted\nhint: add --yes")
    if (server.data / "PG_VERSION").exists():
        with run_lock(connect(settings, application_name="rally-etl db reset"), what="db reset"):
            pass
    embedded.erase(server)
    make(connect(settings, application_name="rally-etl db reset"))
    typer.echo("the embedded database is empty", err=True)
