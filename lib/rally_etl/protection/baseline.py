"""Evidence of the stage baseline: is the database safe to import into, and what have users written before the run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from rally_etl.database.engine import read_only
from rally_etl.database.ownership import read_ownership
from rally_etl.database.references import ReferenceParams, read_reference_params
from rally_etl.identity.history import record_history
from rally_etl.measures import Measures, counted, measure
from rally_etl.naming import load_leagues
from rally_etl.planning import measures as planning
from rally_etl.planning.operations import of_run
from rally_etl.planning.rehearsal import load_undo_params
from rally_etl.protection.account import account, store_accounts
from rally_etl.protection.choices import CHOICES, choice_measures
from rally_etl.protection.constraints.keys import Finding, find_constraints
from rally_etl.protection.constraints.needed import read_constraint_params
from rally_etl.protection.finding import count_gone
from rally_etl.protection.map import uncovered_texts
from rally_etl.protection.meaning import read_meaning
from rally_etl.protection.memory import note_users
from rally_etl.protection.mending.trust import load_trust
from rally_etl.protection.open_orphans import read_open_orphans
from rally_etl.protection.orphans import KINDS, Orphan
from rally_etl.protection.sequences import sequences_behind
from rally_etl.settings import Settings

SAFETY = (
    "missing_keys",
    "rows_violating",
    "contradicted_keys",
    "keys_doubtful",
    "tables_uncovered",
    "sequences_behind",
)
"""Measures of the run as a whole that say whether the database is safe."""


def check_params(params_dir: Path) -> None:
    """Read what protection and the rehearsal of the undo are told by: a mistake is said before a run begins.

    Raises:
        UsageError: a file cannot be used; the message names it and the entry.
    """
    read_reference_params(params_dir / "references.yaml")
    read_ownership(params_dir)
    read_constraint_params(params_dir / "constraints.yaml")
    load_trust(params_dir)
    load_undo_params(params_dir)


def baseline_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """What planning says of the database, what is unsafe in it, and what users have lost already.

    It notes in memory and history how everything is called and what users' rows say, and keeps their account. Of a
    guarded command nothing is noted: what it did may be taken back, and the memory is of the moment before it.

    Raises:
        UsageError: params that cannot be read.
    """
    found = planning.baseline_measures(engine, settings, run_id)
    if found["*"]["missing_tables"]["value"]:
        left = "not looked at: tables are missing"
        found["*"] |= {name: measure(0, [left]) for name in (*SAFETY, *CHOICES)}
        for league in found.keys() - {"*"}:
            found[league] |= {"orphans_open": measure(0, [left]), "user_rows_missed": measure(0, [left])}
        return found
    params = read_reference_params(settings.params_dir / "references.yaml")
    with engine.begin() as connection:
        found["*"] |= choice_measures(connection, params)
        is_guard = (of_run(connection, run_id) or {}).get("kind") == "guard"
        if not is_guard:
            note_users(connection, params)
        for league, league_id in planning.league_ids(connection, settings).items():
            if league in found and not is_guard:
                record_history(connection, league, league_id, None)
    with read_only(engine) as connection:
        found["*"] |= _safety(connection, settings, params)
        orphans = read_open_orphans(connection, settings).new
        missed = count_gone(connection, settings)
        for league in found.keys() - {"*"}:
            found[league] |= _of_league(orphans, league, missed)
        meaning = read_meaning(connection, load_leagues(settings.params_dir), params.series_words)
        accounts = account(connection, params, ("public",), ("public",), meaning)
    with engine.begin() as connection:
        store_accounts(connection, run_id, "baseline", accounts)
    return found


def _safety(connection: sa.Connection, settings: Settings, params: ReferenceParams) -> dict[str, dict]:
    """Measures of `SAFETY`."""
    constraints = find_constraints(connection, settings)
    errors = [each for each in constraints if each.severity == "error"]
    missing = [each for each in errors if each.kind in ("missing", "partial", "invalid")]
    violated = [each for each in errors if each.kind == "violated"]
    refusing = [each for each in errors if each not in missing and each not in violated]
    others = [each.told for each in constraints if each.severity != "error"]
    uncovered = uncovered_texts(connection, params)
    behind = sequences_behind(connection, params)
    return {
        "missing_keys": measure(len(missing), _told(missing)),
        "rows_violating": measure(sum(each.rows for each in violated), _told(violated)),
        "contradicted_keys": measure(len(refusing), _told(refusing)),
        "keys_doubtful": measure(len(others), others),
        "tables_uncovered": measure(len(uncovered), uncovered),
        "sequences_behind": measure(len(behind), behind),
    }


def _told(findings: Iterable[Finding]) -> list[str]:
    return [each.told for each in findings]


def _of_league(orphans: list[Orphan], league: str, missed: dict[str, int]) -> dict[str, dict]:
    """Orphans of one league; what is of no known league concerns every one."""
    own = [each for each in orphans if each.league in (league, "*")]
    groups: dict[tuple[str, str], list[Orphan]] = defaultdict(list)
    for each in own:
        groups[each.kind, each.table + (f".{each.column}" if each.column else "")].append(each)
    told = [
        f"{counted(len(found), 'row')} of {name} {_is(kind, len(found))}, such as: {found[0].told}"
        for (kind, name), found in sorted(groups.items(), key=lambda item: list(KINDS).index(item[0][0]))
    ]
    texts = [f"{counted(count, 'row')} of {name}" for name, count in sorted(missed.items())]
    return {"orphans_open": measure(len(own), told), "user_rows_missed": measure(sum(missed.values()), texts)}


def _is(kind: str, count: int) -> str:
    one = {
        "dangling": "points at nothing",
        "emptied": "is empty",
        "moved": "points at something else",
        "gone": "is gone",
    }
    many = {
        "dangling": "point at nothing",
        "emptied": "are empty",
        "moved": "point at something else",
        "gone": "are gone",
    }
    return (one if count == 1 else many)[kind]
