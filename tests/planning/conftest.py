"""Imports of small scrapes into databases of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import MakeDatabase, project
from rally_etl.database.engine import connect
from rally_etl.settings import Settings
from scrapes import Import, small


@pytest.fixture
def importing(engine: sa.Engine, settings: Settings) -> Import:
    """Imports into a database with all tables and no rows."""
    return Import(engine, settings)


@pytest.fixture(scope="session")
def small_database(
    make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a database that holds the small scrape, published; made once and copied."""
    with make_database(template_database) as url:
        settings = project(tmp_path_factory.mktemp("small"), url)
        engine = connect(settings, application_name="rally-etl tests")
        Import(engine, settings).load(small())
        engine.dispose()
        yield sa.make_url(url).database


@pytest.fixture
def loaded(make_database: MakeDatabase, small_database: str, tmp_path: Path) -> Iterator[Import]:
    """Imports into a database that holds the small scrape."""
    with make_database(small_database) as url:
        settings = project(tmp_path, url)
        engine = connect(settings, application_name="rally-etl tests")
        yield Import(engine, settings, count(1000))
        engine.dispose()
