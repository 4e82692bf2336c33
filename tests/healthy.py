"""A league in which everything holds, without a database, and what is wrong with it as docs/health.md writes it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rally_etl.checks import standings
from rally_etl.checks.agreement import read_agreements
from rally_etl.checks.files import read_checks
from rally_etl.checks.results import CheckResult
from rally_etl.database.catalog import IMPORTED
from rally_etl.monitoring import Finding, Freshness, read_health_params
from rally_etl.monitoring.health import Score, score
from rally_etl.monitoring.health_findings import Around, findings_of, in_season
from rally_etl.monitoring.volumes import Count
from rally_etl.protection.constraints import keys
from rally_etl.protection.open_orphans import OpenOrphans
from rally_etl.protection.orphans import Orphan

PARAMS_DIR = Path(__file__).resolve().parents[1] / "params"
PARAMS = read_health_params(PARAMS_DIR / "health.yaml")
AS_OF = dt.date(2025, 10, 1)
LEAGUE, LEAGUE_ID = "SAMPLE", 1
ROWS = 1_000
USER_ROWS = 1_000_000

RULES = [*(check.rule for check in read_checks(PARAMS_DIR)), *standings.RULES]


def asked() -> list[Finding]:
    """Every check of the project, passed."""
    return [
        Finding(
            check=rule.check,
            table=CheckResult.table_of(rule.check),
            dimension=rule.dimension,
            severity=rule.severity,
            outcome="passed",
            failing_rows=0,
            title=rule.title,
            todo=rule.mend,
        )
        for rule in RULES
    ]


def orphan(league: str = LEAGUE) -> Orphan:
    """A poll that points at nothing."""
    names = dict.fromkeys(("had", "name", "series", "club", "told"), "")
    return Orphan(
        kind="dangling", table="polls", row="1", column="team_id", target="teams", was="9", league=league, **names
    )  # fmt: skip


def around(**changed: Any) -> Around:
    """What a healthy league rests on."""
    declared = read_agreements(PARAMS_DIR)
    agreed = SimpleNamespace(outcome="passed", compared=ROWS, agreeing=ROWS, note=None)
    facts: dict[str, Any] = {
        "counts": [
            Count(table=table, league_id=LEAGUE_ID, series=None, rows=ROWS, used=ROWS, covered={}) for table in IMPORTED
        ],
        "fresh": {LEAGUE_ID: Freshness(as_of=AS_OF, newest_match=AS_OF, newest_due=AS_OF)},
        "lacking": [],
        "orphans": OpenOrphans(new=[], asked=[]),
        "user_rows": USER_ROWS,
        "constraints": [],
        "declared": declared,
        "agreements": {LEAGUE: {each.name: agreed for each in declared}},
        "last_asked": {},
        "remembers": True,
    }
    return Around(**(facts | changed))


def scored(what: Around, checks: list[Finding]) -> Score:
    """The score of the league."""
    findings = findings_of(PARAMS, what, LEAGUE, LEAGUE_ID, checks)
    return score(PARAMS, findings, in_season=in_season(PARAMS, what, LEAGUE_ID))


def failing(checks: list[Finding], name: str, rows: int) -> list[Finding]:
    """The checks, one of which finds rows."""
    outcomes = {"error": "failed", "warn": "warned"}
    return [
        replace(each, outcome=outcomes[each.severity], failing_rows=rows) if each.check == name else each
        for each in checks
    ]


Damage = Callable[[Around, list[Finding], re.Match[str]], tuple[Around, list[Finding]]]


def _rows_of(what: Around, table: str, rows: int) -> Around:
    counts = [replace(each, rows=rows, used=rows) if each.table == table else each for each in what.counts]
    return replace(what, counts=counts)


def _fails(what: Around, checks: list[Finding], found: re.Match[str]) -> tuple[Around, list[Finding]]:
    name, rows, of = found[1], _number(found[2]), _number(found[3])
    assert any(each.check == name for each in checks), f"there is no check {name}"
    return _rows_of(what, name.partition("/")[0], of), failing(checks, name, rows)


def _silent(what: Around, checks: list[Finding], found: re.Match[str]) -> tuple[Around, list[Finding]]:
    assert any(each.check == found[1] for each in checks), f"there is no check {found[1]}"
    return what, [replace(each, outcome=None, failing_rows=None) if each.check == found[1] else each for each in checks]


def _gone(what: Around, checks: list[Finding], found: re.Match[str]) -> tuple[Around, list[Finding]]:
    [rule] = [rule for rule in RULES if rule.check == found[1]]
    last = SimpleNamespace(
        severity=rule.severity, dimension=rule.dimension, outcome="passed", failing_rows=0, title=rule.title
    )
    return replace(what, last_asked={LEAGUE: {found[1]: last}}), [each for each in checks if each.check != found[1]]


def _orphans(what: Around, checks: list[Finding], found: re.Match[str]) -> tuple[Around, list[Finding]]:
    orphans = [orphan()] * _number(found[1])
    kinds = {"new": [], "asked": orphans} if found[3] else {"new": orphans, "asked": []}
    return replace(what, orphans=OpenOrphans(**kinds), user_rows=_number(found[2])), checks


def _behind(what: Around, checks: list[Finding], found: re.Match[str]) -> tuple[Around, list[Finding]]:
    known = Freshness(as_of=AS_OF, newest_match=AS_OF - dt.timedelta(days=int(found[1])), newest_due=AS_OF)
    return replace(what, fresh={LEAGUE_ID: known}), checks


def _between_seasons(what: Around, checks: list[Finding], _: re.Match[str]) -> tuple[Around, list[Finding]]:
    ended = AS_OF - dt.timedelta(days=100)
    return replace(what, fresh={LEAGUE_ID: Freshness(as_of=AS_OF, newest_match=ended, newest_due=ended)}), checks


def _no_table(what: Around, checks: list[Finding], found: re.Match[str]) -> tuple[Around, list[Finding]]:
    counts = [each for each in what.counts if each.table != found[1]]
    skipped = [
        replace(each, outcome="skipped", failing_rows=None) if each.table == found[1] else each for each in checks
    ]
    return replace(what, counts=counts, lacking=[found[1]]), skipped


def _constraint(what: Around, checks: list[Finding], found: re.Match[str]) -> tuple[Around, list[Finding]]:
    missing = keys.Finding(
        kind="missing", table=found[2], columns=("id",), severity={"unique": "error", "foreign": "warn"}[found[1]],
        told=f"{found[2]} has no {found[1]} key", why="", mend="adds it",
    )  # fmt: skip
    return replace(what, constraints=[missing]), checks


CHECK = r"`([\w/]+)`"
DAMAGES: dict[str, Damage] = {
    "nothing is wrong": lambda what, checks, _: (what, checks),
    rf"{CHECK} finds ([\d,]+) of ([\d,]+) rows?": _fails,
    rf"{CHECK} has no answer": _silent,
    rf"{CHECK} is gone since the last run": _gone,
    r"([\d,]+) of ([\d,]+) rows of users have lost what they are about( \(asked\))?": _orphans,
    r"the matches lie (\d+) days behind": _behind,
    "between two seasons": _between_seasons,
    r"there is no table `(\w+)`": _no_table,
    r"the league has no row in `(\w+)`": lambda what, checks, found: (_rows_of(what, found[1], 0), checks),
    r"a (unique|foreign) key of `(\w+)` is missing": _constraint,
    "no import has compared its sources": lambda what, checks, _: (replace(what, agreements={}), checks),
    "freshness was not measured": lambda what, checks, _: (replace(what, fresh={}), checks),
    "no run has noted what users' rows are about": lambda what, checks, _: (replace(what, remembers=False), checks),
}


def damaged(text: str) -> Score:
    """The score of the league with what *text* says, damages apart by semicolons."""
    what, checks = around(), asked()
    for part in text.split(";"):
        found = [
            (damage, match) for pattern, damage in DAMAGES.items() if (match := re.fullmatch(pattern, part.strip()))
        ]
        assert found, f"nobody knows how to do this: {part.strip()!r}"
        damage, match = found[0]
        what, checks = damage(what, checks, match)
    return scored(what, checks)


def _number(text: str) -> int:
    return int(text.replace(",", ""))
