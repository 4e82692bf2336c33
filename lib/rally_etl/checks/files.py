"""Check files: one SQL query below a header of `-- key: value` lines, kept by analysts in `params/checks/`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rally_etl.database.catalog import IMPORTED
from rally_etl.errors import UsageError

BINDS = frozenset({"league_id", "run_id", "as_of"})
DIMENSIONS = ("completeness", "uniqueness", "validity", "accuracy", "consistency", "timeliness")
SEVERITIES = ("error", "warn")
REQUIRED_KEYS = ("title", "severity", "dimension", "owner", "why")
LIMIT_KEYS = ("max_failing_rows", "max_failing_share")
OPTIONAL_KEYS = ("mend", *LIMIT_KEYS, "share_of", "leagues")
LAST_YEAR = " of the last year"
BASES = tuple(name for name in IMPORTED if name not in ("leagues", "clubs"))
DATED_BASES = ("match_scores", "schedule")

_HEADER = re.compile(r"--\s*([a-z_]+(?:\.[A-Za-z0-9_]+)?):\s*(.*)")
# What sqlalchemy.text() takes for a bind, inside texts and comments too.
_BIND = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One query that returns the rows that are wrong, and how many of them are tolerated.

    Attributes:
        sql: the query without its header.
        share_of: what a share is a share of: a table (its rows of the league), or `<table> of the last year`.
        leagues: keys of the leagues it is for; empty means all.
        rows_by_league, shares_by_league: limits that differ for one league, by its key.
    """

    table: str
    statement: str
    title: str
    severity: str
    dimension: str
    owner: str
    why: str
    sql: str
    max_failing_rows: int = 0
    max_failing_share: float = 0.0
    share_of: str | None = None
    leagues: tuple[str, ...] = ()
    rows_by_league: dict[str, int] = field(default_factory=dict)
    shares_by_league: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`<table>/<statement>`, unique in a project."""
        return f"{self.table}/{self.statement}"

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
        UsageError: with the file, what is wrong, and what to do.
    """
    try:
        header, sql = _split(path.read_text(encoding="utf-8"))
        return _check(path.parent.name, path.stem, header, sql)
    except (ValueError, OSError) as error:
        hint = "hint: params/checks/README.md says how a check is written"
        raise UsageError(f"{path}: {error}; no check was run\n{hint}") from None


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


def _split(text: str) -> tuple[dict[str, str], str]:
    """The header's keys, and the query below it."""
    header: dict[str, str] = {}
    lines = text.strip().splitlines()
    while lines and (found := _HEADER.fullmatch(lines[0].strip())):
        key, value = found.groups()
        if key in header:
            raise ValueError(f"the header says `{key}` twice")
        if not value.strip():
            raise ValueError(f"the header's `{key}` is empty")
        header[key] = value.strip()
        lines.pop(0)
    return header, "\n".join(lines).strip()


def _check(table: str, statement: str, header: dict[str, str], sql: str) -> Check:
    if table not in IMPORTED:
        raise ValueError(f"the folder `{table}` is no imported table; there are {', '.join(IMPORTED)}")
    _require_known_keys(header)
    _require_query(sql)
    for key, allowed in (("severity", SEVERITIES), ("dimension", DIMENSIONS)):
        if header[key] not in allowed:
            raise ValueError(f"{key} is `{header[key]}`, not one of {', '.join(allowed)}")
    share_of = header.get("share_of")
    has_share = any(key.startswith("max_failing_share") for key in header)
    if has_share != (share_of is not None):
        raise ValueError("`max_failing_share` and `share_of` stand together or not at all")
    if share_of is not None:
        _require_base(share_of)
    rows = {league: _whole(key, value) for key, league, value in _limits(header, "max_failing_rows")}
    shares = {league: _share(key, value) for key, league, value in _limits(header, "max_failing_share")}
    return Check(
        table=table,
        statement=statement,
        sql=sql,
        **{key: header[key] for key in REQUIRED_KEYS},
        max_failing_rows=rows.pop("", 0),
        max_failing_share=shares.pop("", 0.0),
        share_of=share_of,
        leagues=tuple(key.strip() for key in header.get("leagues", "").split(",") if key.strip()),
        rows_by_league=rows,
        shares_by_league=shares,
    )


def _limits(header: dict[str, str], name: str) -> list[tuple[str, str, str]]:
    """Key, league ("" for all) and value of the header lines of one limit."""
    return [(key, key.partition(".")[2], value) for key, value in header.items() if key.partition(".")[0] == name]


def _require_known_keys(header: dict[str, str]) -> None:
    known = (*REQUIRED_KEYS, *OPTIONAL_KEYS)
    for key in header:
        name, dot, _league = key.partition(".")
        if name not in known or (dot and name not in LIMIT_KEYS):
            near = difflib.get_close_matches(name, known, n=1)
            raise ValueError(f"the header key `{key}` is unknown" + (f"; is `{near[0]}` meant?" if near else ""))
    if missing := [key for key in REQUIRED_KEYS if key not in header]:
        raise ValueError(f"the header says no {', '.join(missing)}")


def _require_query(sql: str) -> None:
    if not sql:
        raise ValueError("there is no query below the header")
    if ";" in sql:
        raise ValueError("the query holds a `;`: a check is one query without an end mark")
    if unknown := sorted(set(_BIND.findall(sql)) - BINDS):
        known = ", ".join(f":{name}" for name in sorted(BINDS))
        raise ValueError(f"`:{unknown[0]}` is no bind of a check; there are {known}")


def _require_base(share_of: str) -> None:
    table = share_of.removesuffix(LAST_YEAR)
    if table not in (DATED_BASES if share_of.endswith(LAST_YEAR) else BASES):
        allowed = [*BASES, *(f"{name}{LAST_YEAR}" for name in DATED_BASES)]
        raise ValueError(f"share_of is `{share_of}`, not one of {', '.join(allowed)}")


def _whole(key: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{key} is `{text}`, not a whole number")
    return int(text)


def _share(key: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ValueError(f"{key} is `{text}`, not a share between 0 and 1")
    return share
