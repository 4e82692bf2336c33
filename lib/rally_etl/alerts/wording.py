"""The words of a message: what, since when, whom it touches, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rally_etl.measures import counted

if TYPE_CHECKING:
    from rally_etl.alerts.telling import News, Standing

LABELS = {"error": "ERROR", "warn": "WARNING", "info": "INFO"}
SHOWN = 10
"""News that one message spells out, and leagues that one of them names; the rest is a count."""
_NAMES_FAULT = ("health/", "run/", "repairs/")
"""Causes whose names say what is wrong; those of rules of the gate say what should be true."""
_INDENT = "\n          "


def subject(news: Sequence[News]) -> str:
    """`ERROR NSTF: checks that failed: 2 (and 3 more)`."""
    first = news[0]
    head = "RESOLVED" if first.event == "resolved" else LABELS[first.severity]
    again = "nobody has acknowledged: " if first.event == "escalated" else ""
    more = f" (and {len(news) - 1:,} more)" if len(news) > 1 else ""
    return plain(f"{head} {_leagues(first.leagues)}: {again}{_what(first)}{more}")


def body(news: Sequence[News]) -> str:
    """A paragraph per incident."""
    told = [_paragraph(each) for each in news[:SHOWN]]
    if left := len(news) - SHOWN:
        told += [f"and {counted(left, 'more incident')}: `rally-etl alerts list`"] if left > 0 else []
    return "\n\n".join(told)


def plain(text: str) -> str:
    """One line without control characters, which a league's folder or a server may have brought in."""
    return " ".join(_printable(text).split())


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _paragraph(news: News) -> str:
    incident = news.incident
    if news.event == "resolved":
        return f"RESOLVED  {_what(news)} ({_leagues(news.leagues)}; incident {incident.number})"
    lines = [
        f"{LABELS[news.severity]}  {_what(news)} (incident {incident.number}, {news.event})",
        f"since     {incident.opened_at:%Y-%m-%d %H:%M} UTC"
        + (f"; `rally-etl show {incident.last_run}` has the reasons" if incident.last_run else ""),
        f"touches   {_INDENT.join(touched(incident, news.leagues))}",
        f"to do     {incident.todo}; `rally-etl alerts ack {incident.number} --by WHO` says that you look",
    ]
    others = [league for league in news.leagues[:SHOWN] if incident.whats.get(league, _what(news)) != _what(news)]
    lines += [f"          {league}: {incident.whats[league]}" for league in others]
    return "\n".join(_printable(line) for text in lines for line in text.split("\n"))


def touched(incident: Standing, leagues: Sequence[str]) -> list[str]:
    """Whom it touches: one sentence for all leagues of which the same is true."""
    groups: dict[str, list[str]] = {}
    for league in leagues:
        groups.setdefault(incident.whoms.get(league, incident.whom), []).append(league)
    return [f"{_leagues(found)}: {whom}" for whom, found in groups.items()]


def _what(news: News) -> str:
    """What is wrong in the worst league; of what is over, what is true again, or what was wrong."""
    if news.event == "resolved":
        is_fault = (news.incident.cause or "").startswith(_NAMES_FAULT)
        return f"no more: {news.incident.what}" if is_fault else news.incident.rule.replace("_", " ")
    worst = [each for each in news.leagues if news.incident.severities.get(each) == news.severity]
    return next((news.incident.whats[each] for each in worst if each in news.incident.whats), news.incident.what)


def _leagues(names: Sequence[str]) -> str:
    if "*" in names:
        return "all leagues"
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
