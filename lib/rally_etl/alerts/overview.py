"""What is open and what waits, as `rally-etl alerts` lists it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from rally_etl.alerts.channels import Off, senders
from rally_etl.alerts.findings import SEVERITIES
from rally_etl.alerts.routes import Alerting, read_alerting
from rally_etl.alerts.telling import Standing, read_standing
from rally_etl.alerts.wording import touched
from rally_etl.settings import Settings


def read_overview(engine: sa.Engine, settings: Settings) -> dict[str, Any]:
    """Open incidents, the worst first, and the channels: the document of `alerts list --json`."""
    with engine.connect() as connection:
        standing = [each for each in read_standing(connection, datetime.now(UTC)) if each.state != "resolved"]
        facts = {row.number: row for row in connection.execute(_FACTS)}
    incidents = [_told(each, facts[each.number]) for each in standing]
    incidents.sort(key=lambda each: SEVERITIES.index(each["severity"]))
    return {"incidents": incidents, "channels": read_channels(engine, settings, read_alerting(settings))}


def read_channels(engine: sa.Engine, settings: Settings, alerting: Alerting) -> list[dict[str, Any]]:
    """One object per channel of the file, and per channel that is there no more and still has messages."""
    off = {each.name: each.why for each in senders(settings, alerting) if isinstance(each, Off)}
    with engine.connect() as connection:
        found = {row.channel: row for row in connection.execute(_CHANNELS)}
    gone = [name for name, row in found.items() if name not in alerting.channels and row.waiting]
    return [
        {
            "channel": name,
            "off": off.get(name, "" if name in alerting.channels else "params/alerts.yaml has it no more"),
            "sent": getattr(found.get(name), "sent", 0),
            "waiting": getattr(found.get(name), "waiting", 0),
            "waiting_since": getattr(found.get(name), "waiting_since", None),
            "gave_up": getattr(found.get(name), "gave_up", 0),
            "answer": getattr(found.get(name), "answer", None),
        }
        for name in [*alerting.channels, *gone]
    ]


def _told(incident: Standing, facts: Any) -> dict[str, Any]:
    leagues = sorted(incident.severities)
    return {
        "number": incident.number,
        "severity": facts.severity,
        "state": incident.state,
        "cause": facts.cause or incident.rule,
        "what": incident.what,
        "since": f"{incident.opened_at:%Y-%m-%d %H:%M} UTC",
        "whom": "; ".join(touched(incident, leagues)),
        "to_do": incident.todo,
        "leagues": leagues,
        "acknowledged_by": facts.acknowledged_by,
        "escalated_at": facts.escalated_at and facts.escalated_at.isoformat(timespec="seconds"),
        "seen": facts.seen,
        "run_id": facts.run_id,
    }


_FACTS = sa.text(
    "select number, severity, cause, acknowledged_by, escalated_at, seen, coalesce(last_run, run_id) as run_id"
    " from etl.incidents where state <> 'resolved'"
)
_CHANNELS = sa.text(
    """
    select
        channel,
        count(*) filter (where state = 'sent') as sent,
        count(*) filter (where state in ('queued', 'sending')) as waiting,
        to_char(min(created_at) filter (where state in ('queued', 'sending')) at time zone 'UTC',
            'YYYY-MM-DD HH24:MI "UTC"') as waiting_since,
        count(*) filter (where state = 'gave_up') as gave_up,
        (array_agg(answer order by number desc) filter (where answer is not null and state <> 'sent'))[1] as answer
    from etl.alert_messages
    group by channel
    order by channel
    """
)
