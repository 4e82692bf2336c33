"""Spellings of a PostgreSQL address."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote

from sqlalchemy.engine import URL, make_url

from rally_etl.errors import UsageError

DRIVER = "postgresql+psycopg2"
SCHEME = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)$", re.IGNORECASE | re.DOTALL)
POSTGRES = re.compile(r"^postgres(ql)?(\+\w+)?$", re.IGNORECASE)
# The user part is greedy up to the last @, so that a password may hold any character but is best percent-encoded.
PARTS = re.compile(
    r"^(?:(?P<user>[^:@/?]*)(?::(?P<password>.*))?@)?(?P<hosts>[^@/?]*)(?:/(?P<database>[^?@]*))?(?:\?(?P<query>[^@]*))?$",
    re.DOTALL,
)
HINT = "hint: write postgresql://user:password@host:5432/database, or unset DATABASE_URL to use the embedded server"


def normalise_url(text: str) -> str:
    """Spell a PostgreSQL address for SQLAlchemy with the driver psycopg2.

    Takes URLs (`postgres://`, `postgresql://`, with any driver), unix sockets (`?host=/folder`), several hosts,
    and libpq's `host=… dbname=…`.

    Raises:
        UsageError: not an address, or of another kind of database; the text is not repeated, it may hold a password.
    """
    return parse_url(text).render_as_string(hide_password=False)


def psql_url(text: str) -> str:
    """Spell a PostgreSQL address for psql and other programs of libpq; includes the password if there is one."""
    url = parse_url(text)
    user = quote(url.username or "", safe="")
    password = f":{quote(str(url.password), safe='')}" if url.password else ""
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
    port = f":{url.port}" if url.port else ""
    query = "&".join(f"{name}={quote(_joined(value), safe='/')}" for name, value in _libpq_query(url).items())
    start = f"postgresql://{user}{password}@" if user else "postgresql://"
    return f"{start}{host}{port}/{quote(url.database or '', safe='')}" + (f"?{query}" if query else "")


def parse_url(text: str) -> URL:
    """Read any spelling of a PostgreSQL address; see `normalise_url`."""
    text = text.strip()
    if not (match := SCHEME.match(text)):
        return _from_keywords(text)
    if not POSTGRES.match(match["scheme"]):
        raise UsageError(f"not a PostgreSQL address: its scheme is {match['scheme']!r}\n{HINT}")
    if not (parts := PARTS.match(match["rest"])):
        raise UsageError(f"not a PostgreSQL address: the part after :// is not understood\n{HINT}")
    query = dict(parse_qsl(parts["query"] or "", keep_blank_values=True, errors="surrogateescape"))
    return _url(
        user=unquote(parts["user"] or ""),
        password=unquote(parts["password"]) if parts["password"] is not None else None,
        hosts=unquote(parts["hosts"] or ""),
        port=query.pop("port", None),
        database=unquote(parts["database"] or ""),
        query=query,
    )


def _from_keywords(text: str) -> URL:
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    try:
        words = parse_dsn(text) if "=" in text else None
    except ProgrammingError:
        words = None
    if not words:
        raise UsageError(f"not a PostgreSQL address: it has neither :// nor name=value words\n{HINT}")
    return _url(
        user=words.pop("user", ""),
        password=words.pop("password", None),
        hosts=words.pop("host", ""),
        port=words.pop("port", None),
        database=words.pop("dbname", ""),
        query=words,
    )


def _url(*, user: str, password: str | None, hosts: str, port: str | None, database: str, query: dict[str, str]) -> URL:
    user = user or query.pop("user", "")
    password = password if password is not None else query.pop("password", None)
    database = database or query.pop("dbname", "")
    hosts = hosts or query.pop("host", "")
    names = [name for name in hosts.split(",") if name]
    if len(names) > 1 or hosts.startswith(("/", "@")):
        ports = (port or "").split(",")
        wide = ports if len(ports) == len(names) else ports[:1] * len(names)
        query["host"] = tuple(
            f"{name}:{one}" if one and ":" not in name else name for name, one in zip(names, wide, strict=True)
        )
        if hosts.startswith("/"):
            query["host"] = names[0]
            query |= {"port": port} if port else {}
        host, number = None, None
    else:
        host, number = _host_and_port(names[0] if names else "", port)
    return URL.create(DRIVER, user or None, password, host, number, database or None, query)


def _host_and_port(text: str, port: str | None) -> tuple[str | None, int | None]:
    """Split `host:port`, `[::1]:port`, `host`; a port elsewhere in the address fills a missing one."""
    match = re.match(r"^(\[(?P<six>[^\]]+)\]|(?P<host>[^:]*)|(?P<bare>[0-9a-f:.]+))(?::(?P<port>.*))?$", text, re.I)
    number = (match and match["port"]) or port
    if not match or (number and not number.isdigit()):
        raise UsageError(f"not a PostgreSQL address: the port is no number\n{HINT}")
    host = match["six"] or match["host"] or match["bare"]
    return host or None, int(number) if number else None


def _libpq_query(url: URL) -> dict[str, str | tuple[str, ...]]:
    """Answer the query of a URL with several hosts split into libpq's `host` and `port`."""
    query = dict(url.query)
    if isinstance(query.get("host"), tuple):
        pairs = [_host_and_port(host, None) for host in query["host"]]
        query["host"] = ",".join(str(host) for host, _ in pairs)
        if any(port for _, port in pairs):
            query["port"] = ",".join(str(port or 5432) for _, port in pairs)
    return query


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)


def safe_text(text: str) -> str:
    """Spell an address for messages: no password, no driver."""
    return make_url(normalise_url(text)).set(drivername="postgresql").render_as_string(hide_password=True)
