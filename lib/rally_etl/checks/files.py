"""Check files: one SQL query below a header of `-- key: value` lines, kept by analysts in `params/checks/`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rally_etl.checks.results import Rule
from rally_etl.database.catalog import IMPORTED
from rally_etl.errors import UsageError

BINDS = frozenset({"league_id", "run_id", "as_of"})
DIMENSIONS = ("completeness", "uniqueness", "validity", "accuracy", "consistency", "timeliness")
SEVERITIES = ("error", "warn")
REQUIRED_KEYS = ("title", "severity", "dimension", "owner", "why", "mend")
LIMIT_KEYS = ("max_failing_rows", "max_failing_share", "warn_above_rows")
OPTIONAL_KEYS = ("key", *LIMIT_KEYS, "share_of", "leagues")
LAST_YEAR = " of the last year"
BASES = tuple(name for name in IMPORTED if name not in ("leagues", "clubs"))
DATED_BASES = ("match_scores", "schedule")

_HEADER = re.compile(r"--\s*([a-z_]+(?:\.[A-Za-z0-9_]+)?):\s*(.*)")
_COLUMN = re.compile(r"[a-z_][a-z0-9_]*")
_TEXT = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
# What sqlalchemy.text() takes for a bind, inside texts and comments too.
_BIND = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One query that returns the rows that are wrong, and how many of them are tolerated.

    Attributes:
        sql: the query without its header.
        path, first_line: where the query stands: the file, and the line in it; None where it was made otherwise.
        key: columns that name a failing row; empty is the first column.
        share_of: what a share is a share of: a table (its rows of the league), or `<table> of the last year`.
        leagues: keys of the leagues it is for; empty means all.
        rows_by_league, shares_by_league: limits that differ for one league, by its key.
        warn_above: as many failing rows are tolerated in silence, "" for all leagues, then by key; more are a warning.
    """

    table: str
    statement: str
    title: str
    severity: str
    dimension: str
    owner: str
    why: str
    mend: str
    sql: str
    path: Path | None = None
    first_line: int = 1
    key: tuple[str, ...] = ()
    max_failing_rows: int = 0
    max_failing_share: float = 0.0
    share_of: str | None = None
    leagues: tuple[str, ...] = ()
    rows_by_league: dict[str, int] = field(default_factory=dict)
    shares_by_league: dict[str, float] = field(default_factory=dict)
    warn_above: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`<table>/<statement>`, unique in a project."""
        return f"{self.table}/{self.statement}"

    @property
    def rule(self) -> Rule:
        """What is said of it in results."""
        told = {name: getattr(self, name) for name in REQUIRED_KEYS}
        return Rule(check=self.name, **told)

    @property
    def binds(self) -> frozenset[str]:
        """Names of the binds that the query uses."""
        return frozenset(_BIND.findall(self.sql))

    def is_for(self, league: str) -> bool:
        """Whether the check runs for the league of this key."""
        return not self.leagues or league in self.leagues

    def rows_limit(self, league: str) -> int:
        """Failing rows that are tolerated whatever the size of the league."""
        return self.rows_by_league.get(league, self.max_failing_rows)

    def share_limit(self, league: str) -> float:
        """Tolerated share of `share_of`, 0 to 1."""
        return self.shares_by_league.get(league, self.max_failing_share)

    def silent_rows(self, league: str) -> int | None:
        """Failing rows beyond which what is tolerated is a warning; None where it never is."""
        return self.warn_above.get(league, self.warn_above.get(""))


def read_checks(params_dir: Path) -> list[Check]:
    """Read every `checks/<table>/<statement>.sql` of *params_dir*, in order of their names.

    Raises:
        UsageError: names every file that is not as `params/checks/README.md` says, or there is no check at all.
    """
    checks, faults = [], []
    for path in sorted((params_dir / "checks").glob("*/*.sql")):
        try:
            checks.append(read_check(path))
        except UsageError as error:
            faults.append(str(error))
    if faults:
        raise UsageError("\n".join(faults))
    if not checks:
        raise UsageError(
            f"no check in {params_dir / 'checks'}; nothing was checked\nhint: put back the folder params/checks"
        )
    return checks


def read_check(path: Path) -> Check:
    """Read one file.

    Raises:
        UsageError: with the file, the line, what is wrong, and what to do.
    """
    try:
        return _check(path, path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        line = f" line {error.line}" if isinstance(error, _Fault) and error.line else ""
        hint = "hint: params/checks/README.md says how a check is written"
        raise UsageError(f"{path}{line}: {error}; no check was run\n{hint}") from None


def require_proofs(checks: Iterable[Check], proofs_dir: Path) -> None:
    """Refuse checks without a proof, and proofs without a check.

    Raises:
        UsageError: names all of them.
    """
    names = {check.name for check in checks}
    proofs = {f"{path.parent.name}/{path.stem}" for path in proofs_dir.glob("*/*.yaml")}
    faults = [f"check {name} has no proof: {proofs_dir / name}.yaml is missing" for name in sorted(names - proofs)]
    faults += [f"proof {proofs_dir / name}.yaml is of no check" for name in sorted(proofs - names)]
    if faults:
        hint = "hint: a proof holds rows that the check must find (failing) and rows that it must leave alone (passing)"
        raise UsageError("\n".join([*faults, hint]))


class _Fault(ValueError):
    """What is wrong with a file, and in which line; 0 is the file as a whole."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Header(dict[str, str]):
    """The header's keys; `lines` says in which line each stands."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}

    def fault(self, key: str, message: str) -> _Fault:
        """A fault in the line of a key."""
        return _Fault(self.lines[key], message)

    def limits(self, name: str) -> list[tuple[str, str]]:
        """Key and league ("" for all) of the lines of one limit."""
        return [(key, key.partition(".")[2]) for key in self if key.partition(".")[0] == name]


def _check(path: Path, text: str) -> Check:
    table = path.parent.name
    if table not in IMPORTED:
        raise _Fault(0, f"the folder `{table}` is no imported table; there are {', '.join(IMPORTED)}")
    header, first_line, sql = _split(text)
    _require_known_keys(header)
    _require_query(sql, first_line)
    for key, allowed in (("severity", SEVERITIES), ("dimension", DIMENSIONS)):
        if header[key] not in allowed:
            raise header.fault(key, f"{key} is `{header[key]}`, not one of {', '.join(allowed)}")
    _require_base(header)
    rows = {league: _whole(header, key) for key, league in header.limits("max_failing_rows")}
    shares = {league: _share(header, key) for key, league in header.limits("max_failing_share")}
    return Check(
        table=table,
        statement=path.stem,
        sql=sql,
        path=path,
        first_line=first_line,
        **{key: header[key] for key in REQUIRED_KEYS},
        key=_columns(header),
        max_failing_rows=rows.pop("", 0),
        max_failing_share=shares.pop("", 0.0),
        share_of=header.get("share_of"),
        leagues=_listed(header.get("leagues", "")),
        rows_by_league=rows,
        shares_by_league=shares,
        warn_above={league: _whole(header, key) for key, league in header.limits("warn_above_rows")},
    )


def _split(text: str) -> tuple[_Header, int, str]:
    """The header, the line in which the query begins, and the query."""
    header = _Header()
    lines = text.splitlines()
    number = 0
    for number, line in enumerate(lines, start=1):
        if not (found := _HEADER.fullmatch(line.strip())):
            if line.strip():
                break
            continue
        key, value = found.groups()
        if key in header:
            raise _Fault(number, f"the header says `{key}` twice, in line {header.lines[key]} too")
        if not value.strip():
            raise _Fault(number, f"the header's `{key}` is empty")
        header[key] = value.strip()
        header.lines[key] = number
    else:
        number += 1
    return header, number, "\n".join(lines[number - 1 :]).rstrip()


def _require_known_keys(header: _Header) -> None:
    known = (*REQUIRED_KEYS, *OPTIONAL_KEYS)
    for key in header:
        name, dot, _league = key.partition(".")
        if name not in known or (dot and name not in LIMIT_KEYS):
            near = difflib.get_close_matches(name, known, n=1)
            raise header.fault(key, f"the header key `{key}` is unknown" + (f"; is `{near[0]}` meant?" if near else ""))
    if missing := [key for key in REQUIRED_KEYS if key not in header]:
        raise _Fault(0, f"the header says no {', '.join(missing)}")


def _require_query(sql: str, first_line: int) -> None:
    if not sql:
        raise _Fault(0, "there is no query below the header")
    bare = _TEXT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), sql)  # as long, without texts and comments
    if ";" in bare:
        line = _line_of(sql, bare.index(";"), first_line)
        raise _Fault(line, "the query holds a `;`: a check is one query without an end mark")
    for found in _BIND.finditer(sql):
        if found[1] not in BINDS:
            known = ", ".join(f":{name}" for name in sorted(BINDS))
            line = _line_of(sql, found.start(), first_line)
            raise _Fault(line, f"`:{found[1]}` is no bind of a check; there are {known}")


def _line_of(sql: str, place: int, first_line: int) -> int:
    return first_line + sql.count("\n", 0, place)


def _require_base(header: _Header) -> None:
    """`share_of` stands where a share does, and names a table of which it can be one."""
    shares = [key for key, _ in header.limits("max_failing_share")]
    if bool(shares) != ("share_of" in header):
        raise header.fault(
            (shares or ["share_of"])[0], "`max_failing_share` and `share_of` stand together or not at all"
        )
    if not shares:
        return
    share_of = header["share_of"]
    if share_of.removesuffix(LAST_YEAR) not in (DATED_BASES if share_of.endswith(LAST_YEAR) else BASES):
        allowed = [*BASES, *(f"{name}{LAST_YEAR}" for name in DATED_BASES)]
        raise header.fault("share_of", f"share_of is `{share_of}`, not one of {', '.join(allowed)}")


def _columns(header: _Header) -> tuple[str, ...]:
    columns = _listed(header.get("key", ""))
    for column in columns:
        if not _COLUMN.fullmatch(column):
            raise header.fault("key", f"key names `{column}`, which is no name of a column of the query")
    return columns


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _whole(header: _Header, key: str) -> int:
    text = header[key]
    if not (text.isascii() and text.isdigit()):
        raise header.fault(key, f"{key} is `{text}`, not a whole number")
    return int(text)


def _share(header: _Header, key: str) -> float:
    text = header[key]
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise header.fault(key, f"{key} is `{text}`, not a share between 0 and 1")
    return share
