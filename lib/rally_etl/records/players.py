"""Records of player files: one person in one team of one scrape, in the keys of June, August and September 2025."""

from __future__ import annotations

import msgspec

from rally_etl.naming.text import clean
from rally_etl.records.context import Context
from rally_etl.records.reading import Fields, Raw, is_empty, read_loosely
from rally_etl.records.reasons import Doubt, Findings, Quarantined
from rally_etl.records.values import (
    captain,
    is_no_show,
    is_substitute,
    number,
    percentage,
    person_key,
    person_name,
    player_id,
    text,
    timestamp,
    whole_number,
)

COLUMNS = (
    "player_id", "person_key", "first_name", "last_name", "team", "series", "pti", "wins", "losses", "win_percentage",
    "captain", "career_wins", "career_losses", "career_win_percentage", "scraped_at", "is_substitute",
)  # fmt: skip
NOT_TELLING = frozenset(
    "league old_league older_league source_league wins losses percentage career_wins career_losses career_percentage"
    " scraped_at".split()
)


class PlayerFields(Fields, rename={
    "league": "League", "old_league": "League ID", "older_league": "league_id", "id": "Player ID",
    "first": "First Name", "last": "Last Name", "team": "Team", "old_team": "Series Mapping ID", "series": "Series",
    "pti": "PTI", "wins": "Wins", "losses": "Losses", "percentage": "Win %", "captain": "Captain",
    "career_wins": "Career Wins", "career_losses": "Career Losses", "career_percentage": "Career Win %",
    "scraped_at": "Scraped At",
}):  # fmt: skip
    """Keys of every generation side by side; `Club` is not read, for it mostly repeats the team."""

    league: str | None = None
    old_league: str | None = None
    older_league: str | None = None
    source_league: str | None = None
    id: str | None = None
    first: str | None = None
    last: str | None = None
    team: str | None = None
    old_team: str | None = None
    series: str | None = None
    pti: str | None = None
    wins: str | None = None
    losses: str | None = None
    percentage: str | None = None
    captain: str | None = None
    career_wins: str | None = None
    career_losses: str | None = None
    career_percentage: str | None = None
    scraped_at: str | None = None


DECODE = msgspec.json.Decoder(PlayerFields).decode


def parse_player(raw: Raw, context: Context) -> list[tuple[str | None, ...]] | Quarantined:
    """One row, or the record kept aside."""
    found = Findings()
    try:
        record = DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        record = read_loosely(raw, PlayerFields, found)
    if not found.reasons and is_empty(record, NOT_TELLING):
        found.add("empty_fields", "(record)", None, "name, team, series and player id are empty")
        return found.quarantined() or []
    row = _row(record, context, found)
    return found.quarantined() or [row]


def _row(r: PlayerFields, context: Context, found: Findings) -> tuple[str | None, ...]:
    team_label, printed_team = ("Series Mapping ID", r.old_team) if r.old_team and not r.team else ("Team", r.team)
    found.take("League", r.league, context.own_league)
    found.take("league_id", r.older_league, context.own_league)
    found.take("source_league", r.source_league, context.own_league)
    if r.old_league and not r.old_league.isdigit():  # a number is an id of some database
        found.take("League ID", r.old_league, context.own_league)
    printed_id = found.take("Player ID", r.id, lambda value: _person_id(value, context))
    first = found.take("First Name", r.first, person_name)
    last = found.take("Last Name", r.last, person_name)
    if first and last:
        found.take("Last Name", f"{first} {last}", lambda value: _a_person(value, last))
    series = found.take("Series", r.series, text)
    team = found.take(team_label, printed_team, lambda value: context.team(value, r.series))
    for label, value in (("Player ID", printed_id), ("First Name", first), ("Last Name", last), (team_label, team)):
        found.require(label, value)
    return (
        printed_id,
        printed_id and person_key(printed_id, context.league.id_prefixes),
        first,
        last,
        team and team.printed,
        series,
        found.take("PTI", r.pti, number),
        found.take("Wins", r.wins, whole_number),
        found.take("Losses", r.losses, whole_number),
        found.take("Win %", r.percentage, percentage),
        found.take("Captain", r.captain, captain),
        found.take("Career Wins", r.career_wins, whole_number),
        found.take("Career Losses", r.career_losses, whole_number),
        found.take("Career Win %", r.career_percentage, percentage),
        found.take("Scraped At", r.scraped_at, timestamp),
        "t" if is_substitute(r.first, r.last) else "f",
    )


def _person_id(printed: str | None, context: Context) -> str | None:
    """A player's id; one that the scraper made up is staged too, for the name and the team may say who it is."""
    tidy = clean(printed) if printed else ""
    if tidy and context.league.is_made_up(tidy):
        return tidy
    return player_id(tidy, context.league.foreign_id_prefixes)


def _a_person(name: str, last: str) -> None:
    """Refuse fillers ("Court 5 No Player 1", "Birchwood 2") among the names of people."""
    if is_no_show(name) or last.replace(".", "").isdigit():
        raise Doubt("placeholder", "is no person but a filler for an empty place")
