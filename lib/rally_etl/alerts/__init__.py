"""Who is told what: incidents by cause, routes, the spool of messages, and the channels that they take."""

from rally_etl.alerts.findings import Finding, note
from rally_etl.alerts.ofhealth import after_look
from rally_etl.alerts.ofruns import after_run
from rally_etl.alerts.routes import Alerting, read_alerting
from rally_etl.alerts.spool import drain
from rally_etl.alerts.telling import enqueue_due

__all__ = ["Alerting", "Finding", "after_look", "after_run", "drain", "enqueue_due", "note", "read_alerting"]
