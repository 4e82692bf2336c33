"""Records: what one object of a source file says, as staged rows, or why it is kept aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rally_etl.errors import UsageError
from rally_etl.naming import League, Leagues
from rally_etl.records import match_scores, player_history, players, schedules, series_stats
from rally_etl.records.context import Context
from rally_etl.records.reading import Raw
from rally_etl.records.reasons import REASONS, Fault, Quarantined

__all__ = ["KINDS", "REASONS", "Fault", "Quarantined", "RecordParser", "parser"]

KINDS = ("players", "match_scores", "series_stats", "schedules", "player_history")

Rows = list[tuple[str | None, ...]]


@dataclass(frozen=True, slots=True)
class RecordParser:
    """Reads the records of one file.

    ``columns``: the staged columns that follow league, record_hash and record_no, in the order of the table.
    ``parse``: bytes of one JSON value -> rows, or the record kept aside; it never raises. The values of a row are
    cleaned text without tabs and line ends, as PostgreSQL reads it; None is NULL. Backslashes are as printed: who
    writes COPY text doubles them. One row per record, but for player_history, where it is one per point.
    """

    kind: str
    columns: tuple[str, ...]
    parse: Callable[[Raw], Rows | Quarantined]


def parser(kind: str, league: League, leagues: Leagues) -> RecordParser:
    """The parser for files of *kind* in the folder of *league*.

    Raises:
        UsageError: *kind* is none of KINDS.
    """
    context = Context(league, leagues)
    if kind == "players":
        return RecordParser(kind, players.COLUMNS, partial(players.parse_player, context=context))
    if kind == "match_scores":
        return RecordParser(kind, match_scores.COLUMNS, match_scores.MatchScores(context).parse)
    if kind == "series_stats":
        return RecordParser(kind, series_stats.COLUMNS, partial(series_stats.parse_stats, context=context))
    if kind == "schedules":
        return RecordParser(kind, schedules.COLUMNS, partial(schedules.parse_schedule, context=context))
    if kind == "player_history":
        return RecordParser(kind, player_history.COLUMNS, partial(player_history.parse_history, context=context))
    raise UsageError(f"there is no kind of file `{kind}`; nothing was read\nhint: the kinds are {', '.join(KINDS)}")
