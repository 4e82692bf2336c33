"""A real PostgreSQL for every test that asks: the embedded server, or the one RALLY_TEST_DATABASE_URL names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from rally_etl import logs
from rally_etl.database import embedded
from rally_etl.database.engine import connect
from rally_etl.database.schema import init
from rally_etl.database.url import normalise_url
from rally_etl.settings import GIB, Settings
from scrapes import Import, small

REPOSITORY = Path(__file__).resolve().parents[1]
# A test's server is thrown away: nothing is lost when the machine stops in the middle of a test.
CARELESS = (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"), ("shared_buffers", "128MB"))

MakeDatabase = Callable[..., "contextmanager[str]"]
Filled = Callable[[Callable[[Import], Any]], AbstractContextManager[str]]
CopyOf = Callable[[str], Import]


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """A command that a test calls within this process logs into the test's project, and nothing after it."""
    yield
    logs.shut()


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The address of a database on a throw-away server; a missing server fails the test, it does not skip it."""
    if given := os.environ.get("RALLY_TEST_DATABASE_URL"):
        yield normalise_url(given)
        return
    # Not in pytest's own temporary folder: its path is long, and the server's user may not enter it.
    home = Path(tempfile.mkdtemp(prefix="rally-test-", dir=_in_memory()))
    server = embedded.Server(home / "pg", CARELESS)
    try:
        yield embedded.url(server)
    finally:
        embedded.erase(server)
        shutil.rmtree(home, ignore_errors=True)


def _in_memory() -> str | None:
    """A folder in memory where there is room, for hundreds of databases are made and dropped; else the usual one."""
    folder = Path("/dev/shm")
    return str(folder) if folder.is_dir() and shutil.disk_usage(folder).free > 4 * GIB else None


@pytest.fixture(scope="session")
def make_database(server_url: str) -> MakeDatabase:
    """Context manager: the address of a new database, dropped at the end; `template=` names one to copy."""
    maintenance = sa.create_engine(server_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    numbers = count(1)

    @contextmanager
    def make(template: str = "template0") -> Iterator[str]:
        name = f"rally_test_{os.getpid()}_{next(numbers)}"
        with maintenance.connect() as connection:
            connection.execute(sa.text(f'create database "{name}" template "{template}" strategy file_copy'))
        try:
            yield sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
        finally:
            with maintenance.connect() as connection:
                connection.execute(sa.text(f'drop database if exists "{name}" with (force)'))

    return make


@pytest.fixture(scope="session")
def template_database(make_database: MakeDatabase) -> Iterator[str]:
    """The name of a database with Rally's tables and the ledger, made once and copied for every test."""
    with make_database() as url:
        engine = connect(Settings(root=REPOSITORY, database_url=url), application_name="rally-etl tests")
        init(engine)
        engine.dispose()
        yield sa.make_url(url).database


@pytest.fixture
def settings(make_database: MakeDatabase, template_database: str, tmp_path: Path) -> Iterator[Settings]:
    """A project folder of this test's own, with the real params and notebooks and a fresh database with all tables."""
    with make_database(template_database) as url:
        yield project(tmp_path, url)


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    """Sessions to the fresh database of `settings`: Rally's tables and the ledger, no rows."""
    engine = connect(settings, application_name="rally-etl tests")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def module_settings(
    make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Like `settings`, one for all tests of a module: for what is dear to set up and only read afterwards."""
    with make_database(template_database) as url:
        yield project(tmp_path_factory.mktemp("project"), url)


@pytest.fixture(scope="module")
def module_engine(module_settings: Settings) -> Iterator[sa.Engine]:
    """Sessions to the database of `module_settings`."""
    engine = connect(module_settings, application_name="rally-etl tests")
    yield engine
    engine.dispose()


@pytest.fixture
def empty_engine(make_database: MakeDatabase, tmp_path: Path) -> Iterator[sa.Engine]:
    """Sessions to a fresh database without any table."""
    with make_database() as url:
        engine = connect(project(tmp_path, url), application_name="rally-etl tests")
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def filled(make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Context manager: the name of a database that a function has filled once, for `copy_of`."""

    @contextmanager
    def fill(with_rows: Callable[[Import], Any]) -> Iterator[str]:
        with make_database(template_database) as url:
            settings = project(tmp_path_factory.mktemp("filled"), url)
            engine = connect(settings, application_name="rally-etl tests")
            with_rows(Import(engine, settings))
            engine.dispose()
            yield sa.make_url(url).database

    return fill


@pytest.fixture
def copy_of(make_database: MakeDatabase, tmp_path: Path) -> Iterator[CopyOf]:
    """Imports into a copy of a database, which this test has for itself."""
    with ExitStack() as stack:

        def copy(name: str) -> Import:
            settings = project(tmp_path, stack.enter_context(make_database(name)))
            engine = connect(settings, application_name="rally-etl tests")
            stack.callback(engine.dispose)
            return Import(engine, settings, count(1000))

        yield copy


@pytest.fixture(scope="session")
def small_database(filled: Filled) -> Iterator[str]:
    """The name of a database that holds the small scrape, published."""
    with filled(lambda importing: importing.load(small())) as name:
        yield name


@pytest.fixture
def loaded(copy_of: CopyOf, small_database: str) -> Import:
    """Imports into a database that holds the small scrape."""
    return copy_of(small_database)


def project(folder: Path, database_url: str) -> Settings:
    """Make a project folder whose params and notebooks are the repository's."""
    for name in ("params", "notebooks"):
        (folder / name).symlink_to(REPOSITORY / name, target_is_directory=True)
    return Settings(root=folder, database_url=database_url)


def first(count: int, values: Iterable[Any]) -> list[Any]:
    """Parameters of which the first are tested each time and the others with the slow tests."""
    return [
        pytest.param(
            *(each if isinstance(each, tuple) else (each,)), marks=[pytest.mark.slow] if place >= count else []
        )
        for place, each in enumerate(values)
    ]
