"""Each test of the log begins as a process does: nothing is bound."""

from __future__ import annotations

from contextvars import ContextVar

import pytest

from rally_etl import logs


@pytest.fixture(autouse=True)
def nothing_bound(monkeypatch):
    """What commands of other tests in this process have bound stays theirs."""
    monkeypatch.setattr(logs, "_BOUND", ContextVar("what events happen in", default=None))
