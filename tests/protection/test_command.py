"""A guarded command finds its database, is heard, ends when its time is over, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl.database.url import parse_url
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.protection.guard import command
from rally_etl.protection.guard.command import Ended, check_command, environment_of, masked, run_command
from rally_etl.protection.guard.output import LARGEST, Output
from rally_etl.settings import Settings

RUN_ID = "20251001T060000-ab12"
RECREATE = Path(__file__).parent / "legacy/recreate.py"
# A session of the script's own, as a plain psycopg2 script opens it.
SESSION = "import os, sys, time, psycopg2; c = psycopg2.connect(os.environ['DATABASE_URL']); k = c.cursor(); "
# The same by libpq's variables and under another name, which the guard cannot know.
UNNAMED = "import sys, time, psycopg2; c = psycopg2.connect(application_name='mine'); k = c.cursor(); "


class Guarded:
    """Runs commands on the test's database, into one file."""

    def __init__(self, engine: sa.Engine, settings: Settings, folder: Path):
        self.engine, self.settings = engine, settings
        self.output = folder / RUN_ID / "logs/command.log"
        self.output.parent.mkdir(parents=True)
        self.told: list[str] = []

    def run(self, *argv: str, timeout_s: float = 60) -> Ended:
        return run_command(self.engine, self.settings, argv, self.output, timeout_s, self.told.append)

    def python(self, source: str, timeout_s: float = 60) -> Ended:
        return self.run(sys.executable, "-c", source, timeout_s=timeout_s)

    def value(self, statement: str) -> object:
        with self.engine.connect() as connection:
            return connection.scalar(sa.text(statement))

    @property
    def printed(self) -> str:
        return self.output.read_text()

    def sessions(self) -> int:
        """Sessions that are not the test's own."""
        return self.value(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and backend_type = 'client backend' and application_name not like 'rally-etl tests%'"
        )


@pytest.fixture
def guarded(engine: sa.Engine, settings: Settings, tmp_path: Path) -> Guarded:
    """Commands on a database with all tables and one league."""
    with engine.begin() as connection:
        connection.execute(sa.text("insert into leagues (league_id, league_name) values ('SAMPLE', 'Sample')"))
    return Guarded(engine, settings, tmp_path / "reports")


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    "connecting",
    ["psycopg2.connect(os.environ['DATABASE_URL'])", "psycopg2.connect('')",
     "sqlalchemy.create_engine(os.environ['DATABASE_URL'].replace('://', '+psycopg2://')).raw_connection()"],
)  # fmt: skip
def test_command_finds_the_guarded_database(guarded, monkeypatch, connecting):
    """By its address or by libpq's variables, whatever the operator's environment says of another database."""
    monkeypatch.setenv("PGDATABASE", "another")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@nowhere/another")
    ended = guarded.python(
        f"""
import os, psycopg2, sqlalchemy
c = {connecting}
k = c.cursor()
k.execute("update leagues set league_name = 'Found'")
c.commit()
k.execute("select current_database(), application_name from pg_stat_activity where pid = pg_backend_pid()")
print(*k.fetchone())
"""
    )

    assert (0, "exited", True) == (ended.exit_code, ended.ending, ended.is_well), guarded.printed
    assert f"{guarded.engine.url.database} rally-etl guard {RUN_ID}" == guarded.printed.strip() == ended.tail
    assert "Found" == guarded.value("select league_name from leagues")


def test_own_exit_code_and_both_streams_are_kept(guarded):
    """What the command prints and how it ends is its own affair, and recorded."""
    ended = guarded.python("import sys; print('one'); sys.stdout.flush(); print('two', file=sys.stderr); sys.exit(7)")

    assert (7, "exited", False, "ended with exit code 7") == (
        ended.exit_code, ended.ending, ended.is_well, ended.told)  # fmt: skip
    assert "one\ntwo\n" == guarded.printed
    assert "one" in guarded.told


def test_command_that_is_killed_is_no_exit(guarded):
    """A crash or the memory's end is told by the name of the signal."""
    ended = guarded.python("import os; os.kill(os.getpid(), 11)")

    assert (None, "killed", "was killed by signal SIGSEGV") == (ended.exit_code, ended.ending, ended.told)


@pytest.mark.parametrize("connecting", [SESSION, UNNAMED])
def test_time_limit_ends_processes_and_sessions(guarded, connecting):
    """A command that hangs, in a statement that would commit, is ended with what it has open: nothing is written."""
    statement = "update leagues set league_name = 'Late' from pg_sleep(6)"
    ended = guarded.python(
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {connecting} c.autocommit = True;"
        f" print('begun', flush=True); k.execute(\"{statement}\")",
        timeout_s=1,
    )

    assert (None, "timed out", "was stopped after 1 s") == (ended.exit_code, ended.ending, ended.told)
    assert "begun" == ended.tail
    assert (0, "Sample", ()) == (guarded.sessions(), guarded.value("select league_name from leagues"), ended.writing)


def test_importer_that_hangs_lets_its_locks_go(guarded):
    """The lock that a hanging importer holds on a table is gone when it was stopped."""
    ended = guarded.run(sys.executable, str(RECREATE), "--hang", timeout_s=2)

    assert "timed out" == ended.ending
    assert "waiting for the scraper" in ended.tail
    with guarded.engine.begin() as connection:
        connection.exec_driver_sql("set local lock_timeout = '100ms'; lock table teams in access exclusive mode")


def test_process_in_the_background_ends_with_the_command(guarded, tmp_path):
    """A child that the command detached from itself, with a session of its own, does not write later."""
    pid_file = tmp_path / "pid"
    child = (
        f"import os, pathlib; os.setsid(); pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()));"
        + UNNAMED
        + "time.sleep(2); k.execute(\"update leagues set league_name = 'Late'\"); c.commit()"
    )
    ended = guarded.python(
        f"import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]);"
        f"[time.sleep(.05) for _ in range(200) if not os.path.exists({str(pid_file)!r})]; time.sleep(.3)"
    )

    assert (0, 1) == (ended.exit_code, ended.left)
    assert is_gone(int(pid_file.read_text()))
    assert (0, "Sample") == (guarded.sessions(), guarded.value("select league_name from leagues"))


@pytest.mark.slow
def test_sessions_of_the_application_are_let_be(guarded, monkeypatch):
    """Whoever writes meanwhile, as the same user too, goes on; if it does so after the command, that is told."""
    application = sa.create_engine(guarded.engine.url, connect_args={"application_name": "rally web"})
    page = []

    def edit() -> None:
        page.append(application.connect())
        page[0].execute(sa.text("update leagues set league_name = 'Edited'"))

    monkeypatch.setattr(command, "SESSIONS_END_S", 1)
    editing = threading.Timer(1, edit)
    editing.start()
    ended = guarded.python("import time; time.sleep(2.5)")
    editing.join()
    assert 1 == len(ended.writing)
    assert ended.writing[0].startswith("rally web (server process ")
    page[0].commit()
    page[0].close()
    application.dispose()

    assert "Edited" == guarded.value("select league_name from leagues")


def test_interrupt_of_the_operator_ends_the_command(guarded, monkeypatch):
    """Ctrl-C ends the command and what it has open, and is then the guard's own."""
    seen = []

    def interrupt(line: str) -> None:
        seen.append(int(line.removeprefix("begun ")))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_command(
            guarded.engine,
            guarded.settings,
            [sys.executable, "-c", SESSION + "k.execute('delete from leagues');"
             " print('begun', os.getpid(), flush=True); time.sleep(60)"],
            guarded.output, 60, interrupt,
        )  # fmt: skip

    assert is_gone(seen[0])
    assert (0, 1) == (guarded.sessions(), guarded.value("select count(*) from leagues"))


def test_command_dies_with_its_guard(guarded, tmp_path):
    """A guard that is killed leaves no command that goes on writing."""
    pid_file = tmp_path / "pid"
    waits = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    script = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from rally_etl.protection.guard.command import _Kept\nfrom rally_etl.protection.guard.output import Output\n"
        "kept = _Kept([sys.executable, '-c', *sys.argv[2:]], os.environ)\n"
        "kept.follow(Output(open(os.devnull, 'w'), (), lambda line: None), time.monotonic() + 60)\n"
    )
    library = str(Path(command.__file__).parents[2])
    guard = subprocess.Popen([sys.executable, "-c", script, library, waits, str(pid_file)])
    wait_for(lambda: pid_file.exists() and pid_file.read_text())

    guard.kill()
    guard.wait()

    pid = int(pid_file.read_text())
    wait_for(lambda: is_gone(pid))


def wait_for(condition) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_secrets_are_not_kept(guarded, monkeypatch):
    """Neither the password of the database nor what the environment calls a secret gets into the log or the tail."""
    monkeypatch.setenv("SMS_API_KEY", "key-0815-4711")
    monkeypatch.setenv("RALLY_PASSWORD", "hush hush")
    ended = guarded.python(
        "import os; print(os.environ['SMS_API_KEY'], os.environ['RALLY_PASSWORD'], 'postgresql://me:open-sesame@host/db');"
        "print('--password secret-1 password=secret-2'); print('x' * 10_990 + 'key-0815-4711' + 'y' * 9_000)"
    )

    for secret in ("0815", "hush hush", "open-sesame", "secret-1", "secret-2"):
        assert secret not in guarded.printed + ended.tail
    assert "*** *** postgresql://me:***@host/db" in guarded.printed
    assert "python import.py --key *** postgresql://me:***@host/db" == masked(
        ["python", "import.py", "--key", "key-0815-4711", "postgresql://me:open-sesame@host/db"]
    )


def test_password_of_the_address_reaches_the_command_only(settings):
    """The command gets the password, as an address and as libpq's variable; nothing else of the operator's does."""
    found = environment_of("postgresql://me:open%2Dsesame@127.0.0.1:1/rally?sslmode=require", "rally-etl guard x")

    assert ("me", "open-sesame", "127.0.0.1", "1", "rally", "require", "rally-etl guard x") == tuple(
        found[name] for name in ("PGUSER", "PGPASSWORD", "PGHOST", "PGPORT", "PGDATABASE", "PGSSLMODE", "PGAPPNAME")
    )
    assert "open-sesame" == parse_url(found["DATABASE_URL"]).password
    assert "PGOPTIONS" not in found, "a server that does not answer, or a pooler that refuses options, gets none"


@pytest.mark.slow
def test_any_output_is_survived(guarded, tmp_path):
    """Bytes that are no text, a line without an end, and more than anybody reads: the file stays readable and small."""
    ended = guarded.python(
        "import os, sys; os.write(1, bytes(range(256)) * 40); os.write(1, b'z' * 300_000 + b'\\r50 %\\r100 %\\n')"
    )
    assert ended.is_well
    assert "100 %" == ended.tail.splitlines()[-1]
    assert "\0" not in guarded.printed

    path = tmp_path / "endless.log"
    with path.open("w") as file:
        output = Output(file, (), lambda line: None)
        for _ in range(LARGEST // 100_000 + 50):
            output.write(b"0123456789" * 9_999 + b"\n")
        output.write(b"the end")
        output.close()
    assert path.stat().st_size < LARGEST + 100_000
    assert "more characters were printed and are not kept" in path.read_text()
    assert "the end" == output.tail.splitlines()[-1]


def test_command_that_cannot_be_started_is_refused_at_once(tmp_path):
    """Missing, not found, a folder, not executable: told before anything is copied."""
    script = tmp_path / "import.py"
    script.write_text("print()")

    for argv, told in (
        ([], "no command was given"),
        (["no-such-program"], "'no-such-program' was not found"),
        ([str(tmp_path)], "is a folder"),
        ([str(script)], "is not executable"),
    ):
        with pytest.raises(UsageError, match=f"{told}.*nothing was begun\nhint: "):
            check_command(argv)
    check_command([sys.executable])


def test_file_without_an_interpreter_is_refused(guarded, tmp_path):
    """A file that is executable and no program is told of, and is no success."""
    script = tmp_path / "import"
    script.write_bytes(b"\0\1\2")
    script.chmod(0o755)

    with pytest.raises(UsageError, match="the command cannot be started: Exec format error"):
        guarded.run(str(script))


def test_session_that_does_not_end_is_an_error(guarded, monkeypatch):
    """As long as a session of the command lives, nothing is compared."""
    monkeypatch.setattr(command, "SESSIONS_END_S", 0.2)
    monkeypatch.setattr(command, "_END_SESSIONS", sa.text("select :ms, :name"))
    other = sa.create_engine(guarded.engine.url, connect_args={"application_name": f"rally-etl guard {RUN_ID}"})
    with other.connect(), pytest.raises(RallyEtlError, match=r"1 of the command's sessions .* nothing was compared"):
        guarded.python("pass")
    other.dispose()


def test_signals_reach_the_command(guarded):
    """A command that ends cleanly when asked gets the time for it."""
    ended = guarded.python(
        "import signal, sys, time\ndef end(*_): print('cleaned up', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(60)",
        timeout_s=1.5,
    )

    assert "timed out" == ended.ending
    assert "ready\ncleaned up" == ended.tail
