"""Run somebody else's command on the guarded database: its environment, its output, its end and its sessions'."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import sqlalchemy as sa

from rally_etl.database.engine import database_url
from rally_etl.database.url import parse_url, psql_url
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.protection.guard.output import Output, secrets_of, without_secrets
from rally_etl.settings import Settings

APPLICATION = "rally-etl guard"
KEEPER = Path(__file__).with_name("keeper.py")
KEEPER_ENDS_S = 15  # seconds the keeper may take to end a command
SESSIONS_END_S = 10  # seconds sessions of an ended command may take to end
WATCHES_CLIENT = "-c client_connection_check_interval=1000"  # ms; a session whose client is dead ends in mid-statement
PAUSE_S = 0.1

_VARIABLES = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""Parts of an address's query -> what libpq calls them in the environment."""
_FOREIGN = ("PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGOPTIONS")
"""Variables that could lead a command to another database than the guarded one."""

_END_SESSIONS = sa.text(
    "select pg_terminate_backend(pid, :ms) from pg_stat_activity where datname = current_database()"
    " and pid <> pg_backend_pid() and application_name = :name"
)
_COUNT_SESSIONS = sa.text(
    "select count(*) from pg_stat_activity where datname = current_database() and application_name = :name"
)
_WRITING = sa.text(
    """
    select a.pid, coalesce(nullif(a.application_name, ''), 'an unnamed application') as name
    from pg_stat_activity as a
    where a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid()
      and a.backend_start >= to_timestamp(:since) and a.application_name not like 'rally-etl%'
      and (a.backend_xid is not null or exists (
          select from pg_locks as l
          where l.pid = a.pid and l.locktype = 'relation' and l.mode <> 'AccessShareLock'))
    order by 1
    """
)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended.

    Attributes:
        exit_code: its own; None when it did not exit by itself.
        ending: ``exited``, ``timed out``, or ``killed`` by a signal that was not ours.
        told: a sentence without a subject.
        output: file with what it printed, both streams, secrets masked.
        tail: the last lines of it.
        left: processes that it had left in the background; they were ended.
        writing: sessions of the same user, begun after the command, that still write under another name: they may be
            the application's and were let be.
    """

    exit_code: int | None
    ending: str
    told: str
    seconds: float
    output: Path
    tail: str
    left: int = 0
    writing: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether it says itself that it has done what it was to do."""
        return self.ending == "exited" and self.exit_code == 0


def check_command(argv: Sequence[str]) -> None:
    """See that a command can be started, before anything is copied.

    Raises:
        UsageError: it is missing, not found or not executable.
    """
    if not argv or not argv[0].strip():
        raise UsageError("no command was given; nothing was begun\nhint: rally-etl guard -- python import.py")
    if shutil.which(argv[0]):
        return
    path = Path(argv[0])
    if path.is_dir():
        told, hint = "is a folder", "name the program in it"
    elif path.is_file() and os.sep in argv[0]:
        told, hint = "is not executable", f"chmod +x {shlex.quote(argv[0])}, or name its interpreter: python {argv[0]}"
    else:
        told, hint = "was not found", "its path, or a program that stands in a folder of PATH"
    raise UsageError(f"command {argv[0]!r} {told}; nothing was begun\nhint: {hint}")


def masked(argv: Sequence[str]) -> str:
    """The command as one line, without secrets."""
    return without_secrets(shlex.join(argv), secrets_of(os.environ))


def run_command(
    engine: sa.Engine,
    settings: Settings,
    argv: Sequence[str],
    output: Path,
    timeout_s: float,
    tell: Tell = lambda line: None,
) -> Ended:
    """Run a command to its end, or to the end of its time, and end whatever is left of it: processes and sessions.

    It finds the guarded database in DATABASE_URL and in libpq's variables, so that psql, psycopg2 and SQLAlchemy reach
    it unchanged. An interrupt ends it too, and is raised again when nothing is left of it; if this process dies, so
    does the command.

    Args:
        output: file in the logs of the run's folder, ``<run>/logs/<name>``; the sessions are named after the run.
        timeout_s: seconds the command may take.
        tell: called now and then with the line that the command printed last.

    Raises:
        UsageError: it cannot be started.
        RallyEtlError: a session of it could not be ended.
    """
    check_command(argv)
    url = database_url(settings)
    application = f"{APPLICATION} {output.parents[1].name}"
    environment = environment_of(url, application)
    started, since = time.monotonic(), _now(engine)
    with output.open("w", encoding="utf-8") as file:
        printed = Output(file, secrets_of({**os.environ, "DATABASE_URL": url}), tell)
        kept = _Kept(argv, environment)
        try:
            is_in_time = kept.follow(printed, started + timeout_s)
        finally:
            try:
                ending = kept.end(printed)
            finally:
                printed.close()
                end_sessions(engine, application)
    code = ending.get("code")
    timed_out = not is_in_time
    killed = not timed_out and (code is None or code < 0)
    return Ended(
        exit_code=None if timed_out or killed else code,
        ending="timed out" if timed_out else "killed" if killed else "exited",
        told=_told(code, timed_out, killed, timeout_s),
        seconds=time.monotonic() - started,
        output=output,
        tail=printed.tail,
        left=ending.get("left", 0) if not timed_out else 0,
        writing=_still_writing(engine, since),
    )


def environment_of(url: str, application: str) -> dict[str, str]:
    """The environment of a command that is to find this database, whatever the environment of the operator says."""
    parts = parse_url(url)
    found = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    query = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in parts.query.items()}
    values = {
        "DATABASE_URL": psql_url(url),
        "PGHOST": parts.host or query.get("host"),
        "PGPORT": str(parts.port or query.get("port") or 5432),
        "PGUSER": parts.username,
        "PGPASSWORD": str(parts.password) if parts.password else None,
        "PGDATABASE": parts.database,
        "PGAPPNAME": application,
    } | {variable: query.get(name) for name, variable in _VARIABLES.items()}
    for name, value in values.items():
        found.pop(name, None)
        if value:
            found[name] = value
    if (options := " ".join(filter(None, [found.get("PGOPTIONS"), WATCHES_CLIENT]))) and _takes(url, options):
        found["PGOPTIONS"] = options
    return found | {"PYTHONUNBUFFERED": "1"}


def end_sessions(engine: sa.Engine, application: str) -> None:
    """End every session of this name, whatever it does, and see that none is left: what it has open is rolled back.

    Raises:
        RallyEtlError: one does not end.
    """
    deadline = time.monotonic() + SESSIONS_END_S
    while True:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(_END_SESSIONS, {"name": application, "ms": 1000})
            left = connection.scalar(_COUNT_SESSIONS, {"name": application})
        if not left:
            return
        if time.monotonic() > deadline:
            raise RallyEtlError(
                f"{left} of the command's sessions ({application}) did not end; nothing was compared\n"
                "hint: end them on the server, then let `rally-etl guard` put the database back"
            )
        time.sleep(PAUSE_S)


class _Kept:
    """A command and its keeper, the process that ends it when this one says so, or dies."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]):
        control, self._control = os.pipe()
        self._answers, answer = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(KEEPER), str(control), str(answer), *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C reaches this process, which then ends the command
                pass_fds=(control, answer),
            )
        finally:
            os.close(control)
            os.close(answer)
        self._pipe = self._process.stdout.fileno()
        self._unread = b""
        self._said: dict = {}

    def follow(self, printed: Output, deadline: float) -> bool:
        """Read what the command prints until it ends; False when its time is over."""
        while "code" not in self._said and "error" not in self._said:
            if (left := deadline - time.monotonic()) <= 0:
                return False
            self._read(printed, min(left, 1.0))
            if self._process.poll() is not None:
                self._read(printed, 0)
                break
        return True

    def end(self, printed: Output) -> dict:
        """End the command and its keeper; answer what the keeper says of it, an empty answer if it is dead."""
        if self._control is not None:
            os.close(self._control)
            self._control = None
        deadline = time.monotonic() + KEEPER_ENDS_S
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(printed, PAUSE_S)
        self._kill()
        self._process.wait()
        for _ in range(20):  # what the pipe still holds; a process that fled may hold it open for ever
            if not self._read(printed, 0):
                break
        self._process.stdout.close()
        os.close(self._answers)
        if "error" in self._said:
            raise UsageError(f"the command cannot be started: {self._said['error']}\nhint: start it by hand once")
        return self._said

    def _kill(self) -> None:
        """End a keeper that does not end, and a command whose keeper is dead."""
        if "code" in self._said:
            return
        for group in (self._process.pid, self._said.get("pid")):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if group:
                    os.killpg(group, signal.SIGKILL)

    def _read(self, printed: Output, wait_s: float) -> bool:
        """Take what has come of the output and of the keeper's answers; False when nothing has."""
        pipes = [pipe for pipe in (self._pipe, self._answers) if pipe is not None]
        ready, _, _ = select.select(pipes, [], [], wait_s) if pipes else ([], [], [])
        has_come = False
        for pipe in ready:
            chunk = os.read(pipe, 65536)
            has_come |= bool(chunk)
            if pipe == self._pipe:
                printed.write(chunk)
                self._pipe = self._pipe if chunk else None
            else:
                self._unread += chunk
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._said |= json.loads(line)
        return has_come


def _takes(url: str, options: str) -> bool:
    """Whether the server, or a pooler before it, takes these options of a session."""
    try:
        psycopg2.connect(psql_url(url), options=options, connect_timeout=10).close()
    except psycopg2.Error:
        return False
    return True


def _now(engine: sa.Engine) -> float:
    with engine.connect() as connection:
        return float(connection.scalar(sa.text("select extract(epoch from clock_timestamp())")))


def _still_writing(engine: sa.Engine, since: float) -> tuple[str, ...]:
    """Sessions under another name, begun since, that write; given a moment to end as those of dead clients do."""
    deadline = time.monotonic() + SESSIONS_END_S
    while True:
        with engine.connect() as connection:
            found = connection.execute(_WRITING, {"since": since}).all()
        if not found or time.monotonic() > deadline:
            return tuple(f"{row.name} (server process {row.pid})" for row in found)
        time.sleep(PAUSE_S)


def _told(code: int | None, timed_out: bool, killed: bool, timeout_s: float) -> str:
    if timed_out:
        return f"was stopped after {timeout_s:g} s"
    if killed:
        how = f"by signal {signal.Signals(-code).name}" if code else "with its keeper"
        return f"was killed {how}"
    return f"ended with exit code {code}"
