"""A ledger without incidents and messages, and findings as tests make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from rally_etl.alerts import Alerting, Finding, note


@pytest.fixture
def ledger(module_engine: sa.Engine) -> sa.Engine:
    """The module's database, without what other tests have told and run."""
    with module_engine.begin() as connection:
        for table in ("alert_told", "alert_messages", "incident_leagues", "incidents", "runs"):
            connection.execute(sa.text(f"delete from etl.{table}"))
    return module_engine


def finding(rule: str = "few_teams", league: str = "NSTF", severity: str = "error", **changes: Any) -> Finding:
    """A finding of an import."""
    texts = {"what": f"{rule} in {league}", "whom": "its users", "todo": "look", "stage": "import"}
    return Finding(**{"cause": f"import/{rule}", "league": league, "severity": severity} | texts | changes)


@pytest.fixture
def found(ledger: sa.Engine) -> Callable[..., None]:
    """Note findings; leagues of `mended` are good but for what is found."""

    def noted(*findings: Finding, mended: tuple[str, ...] = (), **named: Any) -> None:
        with ledger.begin() as connection:
            note(connection, findings, {league: ["import/"] for league in mended}, **named)

    return noted


def alerting(*routes: dict[str, Any], **named: Any) -> Alerting:
    """Channels `a` and `b`, files both, and these routes; without any, all errors and warnings go to `a`."""
    channels = {name: {"kind": "file", "path": f"{name}.jsonl"} for name in ("a", "b")}
    return Alerting.model_validate({"channels": channels, "routes": list(routes) or [{"channels": ["a"]}]} | named)


def messages(engine: sa.Engine, column: str = "subject") -> list[Any]:
    """Subjects of all messages of the spool, in order."""
    with engine.connect() as connection:
        return list(connection.scalars(sa.text(f"select {column} from etl.alert_messages order by number")))


def rows(engine: sa.Engine, sql: str) -> list[tuple]:
    """The rows of a query."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql))]
