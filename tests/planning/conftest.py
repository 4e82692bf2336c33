"""Imports of small scrapes into databases of a test's own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from rally_etl.settings import Settings
from scrapes import Import


@pytest.fixture
def importing(engine: sa.Engine, settings: Settings) -> Import:
    """Imports into a database with all tables and no rows."""
    return Import(engine, settings)
