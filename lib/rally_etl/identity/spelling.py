"""One text for what a name says, whatever its spelling: what aliases and reviews are filed under."""

from __future__ import annotations

from rally_etl.naming.text import clean_name

TeamKey = tuple[str, str, str]
"""Club key, series (with its suffix) and ordinal: equal for all spellings of one team (planning's ``Scene.key``)."""


def team_spelling(key: TeamKey) -> str:
    """Spelling of a team name that the league's grammar reads: `tennaqua | Series 12 | `."""
    return " | ".join(key)


def printed_spelling(printed: str, series: str | None = None) -> str:
    """Spelling of a name that no grammar reads: the text itself, with the printed series where there is one."""
    return f"= {clean_name(printed).casefold()}" + (f" | {clean_name(series).casefold()}" if series else "")
