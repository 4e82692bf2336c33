"""What each channel has yet to hear of each incident: one message per channel and moment, put into the spool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from rally_etl.alerts.channels import Sender, senders
from rally_etl.alerts.findings import NOTE_LOCK, SEVERITIES
from rally_etl.alerts.routes import Alerting, Escalation
from rally_etl.alerts.wording import body, subject
from rally_etl.settings import Settings

Event = Literal["opened", "updated", "escalated", "resolved"]
REMEMBERED = timedelta(days=30)
"""That an incident is over is told for so long; after that it is no news."""
KEPT = timedelta(days=90)
"""A message that was sent stays in the ledger for so long, and while an incident that it told of stands."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An incident as the ledger has it, with what may be told of it.

    Attributes:
        severities: league -> severity; empty when it is resolved.
        whats, whoms: league -> what is wrong there, whom it touches there.
        last_run: the run that has found it last; None where no run has.
        cause: None is what happened to one run.
    """

    number: int
    state: str
    cause: str | None
    rule: str
    what: str
    whom: str
    todo: str
    stage: str
    dimensions: tuple[str, ...]
    owners: tuple[str, ...]
    opened_at: datetime
    escalated_at: datetime | None
    last_run: str | None
    severities: Mapping[str, str]
    whats: Mapping[str, str]
    whoms: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class News:
    """What a channel hears of one incident."""

    incident: Standing
    event: Event
    severity: str
    leagues: list[str]


def enqueue_due(engine: sa.Engine, settings: Settings, alerting: Alerting, now: datetime | None = None) -> int:
    """Put into the spool what is due now, one message per channel; answer how many messages.

    Nothing is due of an incident that stands as it was told. A change of severity or leagues is told after the minimum
    interval, all but what may not wait is held back in quiet hours, and what nobody acknowledges is told once more. A
    channel that is off hears nothing; what still stands when it is on again is news to it.
    """
    now = now or datetime.now(UTC)
    messages = 0
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": NOTE_LOCK})
        standing = read_standing(connection, now)
        numbers = [each.number for each in standing]
        told = {(row.incident, row.channel): row for row in connection.execute(_TOLD, {"numbers": numbers})}
        escalating = [each for each in standing if _is_unheard(each, alerting, now)]
        for channel in [each.name for each in senders(settings, alerting) if isinstance(each, Sender)]:
            news = [
                found
                for each in standing
                if (found := _news(each, channel, told.get((each.number, channel)), alerting, now, each in escalating))
            ]
            messages += _enqueue(connection, channel, news, now)
        connection.execute(_ESCALATED, {"numbers": [each.number for each in escalating], "now": now})
        connection.execute(_FORGET, {"before": now - KEPT, "since": now - REMEMBERED})
    return messages


def read_standing(connection: sa.Connection, now: datetime) -> list[Standing]:
    """Incidents that are open, and those that ended a short time ago; the oldest first."""
    rows = connection.execute(_STANDING, {"since": now - REMEMBERED})
    return [
        Standing(**{**row._mapping, "dimensions": tuple(row.dimensions), "owners": tuple(row.owners)}) for row in rows
    ]


def _is_unheard(incident: Standing, alerting: Alerting, now: datetime) -> bool:
    """Whether it is open, bad enough, and nobody has acknowledged it for too long."""
    rule = alerting.escalation
    return bool(
        rule
        and incident.state == "open"
        and incident.escalated_at is None
        and now - incident.opened_at >= timedelta(minutes=rule.after_minutes)
        and any(not _waits(alerting, each, now) for each in _called(incident, rule).values())
    )


def _called(incident: Standing, rule: Escalation) -> dict[str, str]:
    return {league: severity for league, severity in incident.severities.items() if severity in rule.severities}


def _news(
    incident: Standing, channel: str, last: Any, alerting: Alerting, now: datetime, is_escalating: bool
) -> News | None:
    """What *channel*, which was told *last*, has to hear of an incident now."""
    leagues = alerting.leagues_for(
        channel, severities=incident.severities, stage=incident.stage, dimensions=incident.dimensions,
        owners=incident.owners,
    )  # fmt: skip
    rule = alerting.escalation
    if rule and channel in rule.channels and (is_escalating or incident.escalated_at):
        leagues |= _called(incident, rule).keys()  # whoever was called hears how it goes on
        if is_escalating:
            return News(incident, "escalated", _worst(incident, leagues), sorted(leagues))
    knows = last is not None and last.event != "resolved"
    if not leagues:
        if not knows or _waits(alerting, last.severity, now):
            return None
        return News(incident, "resolved", last.severity, list(last.leagues))
    severity = _worst(incident, leagues)
    if _waits(alerting, severity, now):
        return None
    is_early = last is not None and now - last.at < timedelta(minutes=alerting.minimum_interval_minutes)
    is_worse = knows and SEVERITIES.index(severity) < SEVERITIES.index(last.severity)
    is_back = last is not None and not knows and severity == "error"  # they have heard that it is over
    if is_early and not (is_worse or is_back):
        return None
    if not knows:
        return News(incident, "opened", severity, sorted(leagues))
    if is_worse or leagues - set(last.leagues):
        return News(incident, "updated", severity, sorted(leagues))
    return None


def _worst(incident: Standing, leagues: set[str]) -> str:
    return min((incident.severities[league] for league in leagues), key=SEVERITIES.index)


def _waits(alerting: Alerting, severity: str, now: datetime) -> bool:
    return alerting.quiet_hours is not None and alerting.quiet_hours.holds(now, severity)


def _enqueue(connection: sa.Connection, channel: str, news: list[News], now: datetime) -> int:
    if not news:
        return 0
    news = sorted(news, key=lambda each: (each.event == "resolved", SEVERITIES.index(each.severity)))
    binds = {
        "channel": channel, "severity": min((each.severity for each in news), key=SEVERITIES.index),
        "subject": subject(news), "body": body(news), "now": now,
    }  # fmt: skip
    number = connection.scalar(_MESSAGE, binds)
    rows = [
        {"message": number, "incident": each.incident.number, "event": each.event} | {
            "severity": each.severity, "leagues": each.leagues,
        }
        for each in news
    ]  # fmt: skip
    connection.execute(_TELL, rows)
    return 1


_TOLD = sa.text(
    "select distinct on (t.incident, m.channel) t.incident, m.channel, t.event, t.severity, t.leagues,"
    " m.created_at as at from etl.alert_told as t join etl.alert_messages as m on m.number = t.message"
    " where t.incident = any(:numbers) order by t.incident, m.channel, m.number desc"
)
_STANDING = sa.text(
    """
    select
        i.number, i.state, i.cause, i.rule, i.what, i.whom, i.todo, i.stage, i.dimensions, i.owners, i.opened_at,
        i.escalated_at, i.last_run,
        case
            when i.state = 'resolved' then '{}' when i.cause is null then jsonb_build_object(i.league, i.severity)
            else coalesce(l.severities, '{}') end as severities,
        case when i.cause is null then '{}' else coalesce(l.whats, '{}') end as whats,
        coalesce(l.whoms, '{}') as whoms
    from (
        select
            number, state, rule, severity, league, cause, stage, dimensions, owners, opened_at, escalated_at,
            resolved_at, coalesce(last_run, run_id) as last_run,
            case when cause is null then :run_what || ' (' || replace(rule, '_', ' ') || ')' else what end as what,
            case when cause is null then :run_whom else whom end as whom,
            case when cause is null then :run_todo else todo end as todo
        from etl.incidents) as i
    left join (
        select
            incident, jsonb_object_agg(league, severity) as severities, jsonb_object_agg(league, what) as whats,
            jsonb_object_agg(league, whom) filter (where whom <> '') as whoms
        from etl.incident_leagues
        group by incident) as l on l.incident = i.number
    where i.state <> 'resolved' or i.resolved_at > :since
    order by i.number
    """
).bindparams(
    # What an incident of one run says in the ledger may show rows; it stays there.
    run_what="live may not be as a run promised",
    run_whom="everybody who sees this league",
    run_todo="`rally-etl incidents` tells what happened and what to do",
)
_MESSAGE = sa.text(
    "insert into etl.alert_messages (channel, severity, subject, body, created_at, next_at)"
    " values (:channel, :severity, :subject, :body, :now, :now) returning number"
)
_TELL = sa.text(
    "insert into etl.alert_told (message, incident, event, severity, leagues)"
    " values (:message, :incident, :event, :severity, :leagues)"
)
_ESCALATED = sa.text("update etl.incidents set escalated_at = :now where number = any(:numbers)")
_FORGET = sa.text(
    "delete from etl.alert_messages as m where m.state = 'sent' and m.sent_at < :before and not exists ("
    " select from etl.alert_told as t join etl.incidents as i on i.number = t.incident"
    " where t.message = m.number and (i.state <> 'resolved' or i.resolved_at > :since))"
)
