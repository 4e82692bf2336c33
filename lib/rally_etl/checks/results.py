"""What a check found, and its place in the ledger."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

SAMPLE_ROWS = 100
"""Failing rows that are kept whole and shown; of all others the key is kept."""

OUTCOMES = ("errored", "failed", "warned", "skipped", "passed")
"""Worst first."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of failing rows in the order found, packed: a million of them are a few megabytes.

    Attributes:
        packed: JSON arrays of texts as the server wrote them, compressed.
        count: keys in all of them.
    """

    packed: tuple[bytes, ...] = ()
    count: int = 0

    @classmethod
    def of(cls, text: str | None, count: int) -> Keys:
        """Pack one JSON array of *count* texts; None is none."""
        return cls((zlib.compress(text.encode(), 1),), count) if text else cls()

    def __add__(self, other: Keys) -> Keys:
        return Keys(self.packed + other.packed, self.count + other.count)

    def texts(self) -> Iterable[str]:
        """The JSON arrays, one at a time."""
        return (zlib.decompress(each).decode() for each in self.packed)

    def all(self) -> list[str]:
        """Every key; of a row whose key columns are all NULL it is ``None``."""
        return [key for text in self.texts() for key in json.loads(text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is said of a check, whoever asks it.

    Attributes:
        check: its name, `<table>/<statement>`.
        why: what users see if it is wrong.
        mend: what to do about the rows it finds.
    """

    check: str
    severity: str
    dimension: str
    title: str
    owner: str = ""
    why: str = ""
    mend: str = ""

    def result(self, league: str, outcome: str, **found: Any) -> CheckResult:
        """What it found for a league; *found* are further attributes of the result."""
        return CheckResult(**asdict(self), league=league, outcome=outcome, **found)

    def counted(
        self, league: str, failing_rows: int, threshold: float = 0.0, warn_above: int | None = None, **found: Any
    ) -> CheckResult:
        """The same from the number of failing rows, which decides the outcome."""
        outcome = outcome_of(self.severity, failing_rows, threshold, warn_above)
        return self.result(league, outcome, failing_rows=failing_rows, threshold=threshold, **found)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult(Rule):
    """One check on one league.

    Attributes:
        outcome: one of `OUTCOMES`. Errored says nothing of the rows, and is never a pass.
        failing_rows: None when the query could not run or was not asked.
        threshold: failing rows that are tolerated.
        error: what the database said, why it was skipped, or why what fails is only a warning.
        sample: the first failing rows, each a dictionary that JSON can hold.
        keys: of every failing row.
        asked_at: the moment of the earlier look of which this is the answer, in ISO form; None: it was asked now.
    """

    league: str
    outcome: str
    failing_rows: int | None = None
    threshold: float = 0.0
    seconds: float = 0.0
    error: str | None = None
    sample: list[dict[str, Any]] = field(default_factory=list)
    keys: Keys = Keys()
    asked_at: str | None = None

    @property
    def table(self) -> str:
        """The table whose rows were checked."""
        return self.table_of(self.check)

    @staticmethod
    def table_of(check: str) -> str:
        """The table in the name of a check: `teams/name_is_unique`, `constraint/teams.not_null`."""
        folder, _, statement = check.partition("/")
        return statement.partition(".")[0] if folder == "constraint" else folder

    @property
    def blocks(self) -> bool:
        """Whether it keeps a league from being published: failed, or could not say."""
        return self.outcome in ("failed", "errored")

    def as_json(self, rows: int = SAMPLE_ROWS) -> dict[str, Any]:
        """The entry of ``check --json`` with the first *rows* of the sample; the keys are only counted."""
        names = ("check", "league", "outcome", "severity", "dimension", "title", "owner", "why", "mend")
        return {name: getattr(self, name) for name in names} | {
            "failing_rows": self.failing_rows,
            "threshold": self.threshold,
            "keys": self.keys.count,
            "seconds": round(self.seconds, 4),
            "asked_at": self.asked_at,
            "error": self.error,
            "sample": self.sample[:rows],
        }


def outcome_of(severity: str, failing_rows: int, threshold: float, warn_above: int | None = None) -> str:
    """Word for a query that ran; what is tolerated passes, or above *warn_above* rows is a warning."""
    if failing_rows <= threshold:
        return "passed" if warn_above is None or failing_rows <= warn_above else "warned"
    return "failed" if severity == "error" else "warned"


_INSERT = sa.text(
    "insert into etl.check_results (run_id, league, check_name, severity, outcome, failing_rows, threshold, seconds,"
    " error, sample, dimension, title, owner, why, mend)"
    " select :run_id, r.* from jsonb_to_recordset(cast(:rows as jsonb)) as r(league text, check_name text,"
    " severity text, outcome text, failing_rows bigint, threshold double precision, seconds double precision,"
    " error text, sample jsonb, dimension text, title text, owner text, why text, mend text)"
)
_ADD_KEYS = sa.text(
    "update etl.check_results set keys = keys || array(select json_array_elements_text(cast(:keys as json)))"
    " where run_id = :run_id and league = :league and check_name = :check"
)


def write_results(engine: sa.Engine, run_id: str, results: Iterable[CheckResult]) -> None:
    """Keep the results of a run in the ledger; a second audit of the run replaces the first."""
    names = ("league", "severity", "outcome", "failing_rows", "threshold", "seconds", "error", "sample")
    names += ("dimension", "title", "owner", "why", "mend")
    kept = list(results)
    rows = [{name: getattr(each, name) for name in names} | {"check_name": each.check} for each in kept]
    with engine.begin() as connection:
        connection.execute(sa.text("delete from etl.check_results where run_id = :run_id"), {"run_id": run_id})
        connection.execute(_INSERT, {"run_id": run_id, "rows": json.dumps(rows)})
        for each in kept:  # one at a time: only one check's keys are unpacked at once
            for text in each.keys.texts():
                told = {"run_id": run_id, "league": each.league, "check": each.check, "keys": text}
                connection.execute(_ADD_KEYS, told)
