"""A new check and its proof, from templates: both files are an analyst's to finish."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from rally_etl.checks.proofs import UNSAID, proofs_dir
from rally_etl.database.catalog import IMPORTED
from rally_etl.errors import UsageError
from rally_etl.settings import Settings

LONGEST_NAME = 60
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OWN = "t.league_id = :league_id"
_ROWS = {
    "leagues": ("league_name", "t.id = :league_id"),
    "clubs": ("name", "exists (select from teams as o where o.club_id = t.id and o.league_id = :league_id)"),
    "series": ("name", "exists (select from teams as o where o.series_id = t.id and o.league_id = :league_id)"),
    "club_leagues": ("club_id", _OWN),
    "series_leagues": ("series_id", _OWN),
    "teams": ("team_name", _OWN),
    "players": ("last_name", _OWN),
    "player_history": ("series", _OWN),
    "match_scores": ("home_team", _OWN),
    "series_stats": ("team", _OWN),
    "schedule": ("home_team", _OWN),
}
"""Table -> a column that says something, and which rows are those of the league."""

_CHECK = """-- title: {title}
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: {why}
-- mend: {mend}
select
    t.id,
    t.{column}
from {table} as t
where
    {of_league}
    and (t.{column} is not null) is not true
"""
_PROOF = """# Proof of {table}/{name}: rows of the table `{table}`, league 1, on 2025-10-15.
# Columns that matter are enough. Rows of other tables stand under `given: {{teams: [...]}}`. Where the query groups
# rows, `failing_rows: 1` says how many it returns. This season began on 2025-08-01.

# Rows that the check must find, one for each way to be wrong, just beyond each bound. For example
#   - {{id: 1, {column}: null}}
failing: []

# Rows that it must leave alone: right ones, and one for each thing that the query excepts, just within each bound.
#   - {{id: 2, {column}: {right}}}
passing: []
"""


def draft(settings: Settings, table: str, name: str) -> tuple[Path, Path]:
    """Write a check file and the file of its proof; answer both.

    The query runs as it is; the proof fails until it holds rows and the header says why and how to mend.

    Raises:
        UsageError: there is no such table, the name is none, or one of the files is there; nothing was written.
    """
    if table not in IMPORTED:
        near = difflib.get_close_matches(table, IMPORTED, n=1)
        hint = f"is {near[0]} meant?" if near else f"there are {', '.join(IMPORTED)}"
        raise UsageError(f"{table} is no imported table; nothing was written\nhint: {hint}")
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(
            f"{name!r} is no name of a check; nothing was written\n"
            f"hint: what should be true, in up to {LONGEST_NAME} small letters, digits and underscores: name_is_unique"
        )
    check = settings.params_dir / "checks" / table / f"{name}.sql"
    proof = proofs_dir(settings.root) / table / f"{name}.yaml"
    if there := [str(path) for path in (check, proof) if path.exists()]:
        raise UsageError(f"{', '.join(there)}: there already; nothing was written\nhint: give it another name")
    column, of_league = _ROWS[table]
    right = 7 if column.endswith("_id") else "Lakeside 1"
    told = {"table": table, "name": name, "column": column, "of_league": of_league, "right": right}
    title = name.replace("_", " ").capitalize()
    for path, text in (
        (check, _CHECK.format(title=title, why=UNSAID[0], mend=UNSAID[1], **told)),
        (proof, _PROOF.format(**told)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check, proof
