"""Where to connect and where to write; the only module that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rally_etl.errors import UsageError

GIB = 1024**3
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One project folder, one database, and the limits of a session."""

    root: Path
    database_url: str | None = field(default=None, repr=False)  # holds a password
    statement_timeout_s: int = 600  # seconds one SQL statement may take
    lock_timeout_s: int = 10  # seconds a statement waits for a table lock
    idle_in_transaction_timeout_s: int = 600  # seconds an open transaction may do nothing
    stage_timeout_s: int = 3600  # seconds one notebook may take
    max_file_bytes: int = 2 * GIB  # a larger source file is a fault
    log_level: str = "info"  # of the product's own events
    log_text: bool = False  # the log as text on stderr too
    log_max_bytes: int = 10_000_000  # of one file of the log
    log_keep: int = 30  # files of the log

    @property
    def params_dir(self) -> Path:
        """YAML and SQL that analysts keep."""
        return self.root / "params"

    @property
    def notebooks_dir(self) -> Path:
        """The six notebooks of a run, and `explore`."""
        return self.root / "notebooks"

    @property
    def reports_dir(self) -> Path:
        """One folder per run."""
        return self.root / "reports"

    @property
    def logs_dir(self) -> Path:
        """The log of all processes, as JSON lines."""
        return self.root / "logs"

    @property
    def state_dir(self) -> Path:
        """What the project keeps for itself: the embedded server and the archive."""
        return self.root / ".rally"

    @property
    def archive_dir(self) -> Path:
        """Every source file that a run read, under its SHA-256."""
        return self.state_dir / "archive"

    def secret(self, name: str) -> str | None:
        """The value of an environment variable, or of `.env` where the environment has none; None when it is empty.

        It is read when it is needed and kept nowhere.
        """
        return {**read_env_file(self.root / ".env"), **os.environ}.get(name, "").strip() or None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, root: Path | None = None) -> Settings:
        """Read the environment, then `.env` of the project folder for what the environment does not say.

        Args:
            env: stands for the environment; None is the real one.
            root: the project folder; None asks RALLY_HOME, then the folder this package is installed from.

        Raises:
            UsageError: a number is no number, or the project folder does not exist.
        """
        env = os.environ if env is None else env
        home = project_folder(env) if root is None else root.expanduser().resolve()
        values = {**read_env_file(home / ".env"), **env}
        return cls(
            root=home,
            database_url=values.get("DATABASE_URL", "").strip() or None,
            statement_timeout_s=_whole_number(values, "RALLY_STATEMENT_TIMEOUT_S", 600),
            lock_timeout_s=_whole_number(values, "RALLY_LOCK_TIMEOUT_S", 10),
            idle_in_transaction_timeout_s=_whole_number(values, "RALLY_IDLE_IN_TRANSACTION_TIMEOUT_S", 600),
            stage_timeout_s=_whole_number(values, "RALLY_STAGE_TIMEOUT_S", 3600),
            max_file_bytes=_whole_number(values, "RALLY_MAX_FILE_BYTES", 2 * GIB),
            log_level=_one_of(values, "RALLY_LOG_LEVEL", LOG_LEVELS, "info"),
            log_text=values.get("RALLY_LOG_TEXT", "").strip().lower() not in ("", "0", "no", "false"),
            log_max_bytes=_whole_number(values, "RALLY_LOG_MAX_BYTES", 10_000_000),
            log_keep=_whole_number(values, "RALLY_LOG_KEEP", 30),
        )


def project_folder(env: Mapping[str, str]) -> Path:
    """Answer the folder that holds `params/`: RALLY_HOME, else the checkout this package was installed from.

    Raises:
        UsageError: neither exists.
    """
    if named := env.get("RALLY_HOME", "").strip():
        home = Path(named).expanduser().resolve()
        if not home.is_dir():
            raise UsageError(f"RALLY_HOME names no folder: {home}\nhint: set it to the folder that holds params/")
        return home
    checkout = Path(__file__).resolve().parents[2]
    for folder in (checkout, Path.cwd()):
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise UsageError("the project folder was not found\nhint: set RALLY_HOME to the folder that holds params/")


def read_env_file(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines; quotes around a value and `export` before a name are dropped.

    A missing file is an empty answer.

    Raises:
        UsageError: a line is no assignment, or the file cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {type(error).__name__}\nhint: save it as UTF-8 text") from None
    values = {}
    for number, line in enumerate(lines, start=1):
        line = line.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator or not name.strip().isidentifier():
            # The line itself is not shown: it may hold a password.
            raise UsageError(f"{path}, line {number}: not an assignment\nhint: write NAME=value")
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    """Drop a pair of quotes; without quotes, drop a comment that a blank sets apart."""
    if len(value) >= 2 and value[0] in "'\"" and value.rfind(value[0]) > 0:
        return value[1 : value.rfind(value[0])]
    return value.split(" #", 1)[0].rstrip()


def _one_of(values: Mapping[str, str], name: str, known: tuple[str, ...], default: str) -> str:
    """Answer one of the known words of the environment."""
    text = values.get(name, "").strip().lower() or default
    if text not in known:
        raise UsageError(f"{name} is none of {', '.join(known)}: {text!r}\nhint: unset it to use {default}")
    return text


def _whole_number(values: Mapping[str, str], name: str, default: int) -> int:
    """Answer a positive whole number of the environment."""
    text = values.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise UsageError(f"{name} is not a whole number above 0: {text!r}\nhint: unset it to use {default}")
    return int(text)
