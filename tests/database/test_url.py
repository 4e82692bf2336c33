"""Spellings of a database address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn
from sqlalchemy.engine import make_url

from rally_etl.database.url import normalise_url, psql_url, safe_text
from rally_etl.errors import UsageError

FULL = "postgresql+psycopg2://rally:pw@db.example:5433/rally"


@pytest.mark.parametrize(
    "text",
    [
        "postgres://rally:pw@db.example:5433/rally",
        "postgresql://rally:pw@db.example:5433/rally",
        "postgresql+psycopg2://rally:pw@db.example:5433/rally",
        "postgresql+psycopg://rally:pw@db.example:5433/rally",
        "  POSTGRESQL://rally:pw@db.example:5433/rally\n",
        "host=db.example port=5433 dbname=rally user=rally password=pw",
        "postgresql://db.example/rally?user=rally&password=pw&port=5433",
    ],
)
def test_every_spelling_is_one_address(text):
    """Schemes, drivers and libpq's keywords end as one address for psycopg2."""
    assert FULL == normalise_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://postgres@/rally?host=/tmp/a b",
        "postgresql://postgres@/rally?host=%2Ftmp%2Fa%20b",
        "postgresql://postgres@%2Ftmp%2Fa%20b/rally",
        "host='/tmp/a b' user=postgres dbname=rally",
    ],
)
def test_unix_socket(text):
    """A socket folder may be in the query, in place of the host, or a keyword; it may hold blanks."""
    expected = {"user": "postgres", "dbname": "rally", "host": "/tmp/a b"}

    assert "/tmp/a b" == make_url(normalise_url(text)).query["host"]
    assert expected == parse_dsn(psql_url(text))


def test_several_hosts():
    """Several hosts, each with its port, come through to psql."""
    words = parse_dsn(psql_url("postgresql://u@one:5433,two:5434/d?target_session_attrs=read-write"))

    assert ("one,two", "5433,5434", "read-write") == (words["host"], words["port"], words["target_session_attrs"])


def test_ipv6_host():
    """An IPv6 address keeps its brackets."""
    assert {"host": "::1", "port": "5433", "user": "u", "dbname": "d"} == parse_dsn(
        psql_url("postgres://u@[::1]:5433/d")
    )


def test_raw_special_characters_in_a_password():
    """A password that nobody encoded is read up to the last @."""
    assert "p@ss:w/rd?#" == make_url(normalise_url("postgresql://u:p@ss:w/rd?#@h:5432/d")).password


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_any_password_survives(password):
    """Whatever the password, libpq and SQLAlchemy read back the same one."""
    dsn = "host=h user=u dbname=d password='" + password.replace("\\", "\\\\").replace("'", "\\'") + "'"

    assert password == make_url(normalise_url(dsn)).password
    assert password == parse_dsn(psql_url(dsn))["password"]
    assert psql_url(dsn) == psql_url(normalise_url(dsn))


@pytest.mark.parametrize(
    "text",
    ["mysql://u:secret@h/d", "sqlite:///secret", "secret", "", "postgresql://u:secret@h:port/d", "word=secret other"],
)
def test_other_addresses_are_refused_without_repeating_them(text):
    """Another database, or no address at all, is wrong use; the text may hold a password and is not shown."""
    with pytest.raises(UsageError, match="not a PostgreSQL address") as failure:
        normalise_url(text)

    assert "secret" not in str(failure.value)


def test_safe_text_hides_the_password():
    """The spelling for messages has no password."""
    assert "postgresql://u:***@h/d" == safe_text("postgres://u:secret@h/d")
