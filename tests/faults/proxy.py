"""A proxy in front of PostgreSQL that breaks one chosen message of a run: drops it, kills its session, refuses it."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

NAME = ".s.PGSQL.5432"
NO_ENCRYPTION = (80877103, 80877104)  # requests for SSL and GSS
CANCEL = 80877102
COUNTED = b"Qdc"  # a query, rows of a COPY, the end of a COPY
RAISED = {  # kind of fault -> error code and what the server says
    "raised": ("XX000", "an error out of nowhere"),
    "disk full": ("53100", "could not extend file: No space left on device"),
    "serialization": ("40001", "could not serialize access due to concurrent update"),
    "deadlock": ("40P01", "deadlock detected"),
    "lock time-out": ("55P03", "canceling statement due to lock timeout"),
}
KINDS = ("dropped", "killed", "answer lost", "outage", *RAISED)
"""What can happen to a message:

dropped: both ends of its connection are closed before the server sees it; killed: an administrator ends its session;
answer lost: the server does it and the answer never arrives; outage: every connection ends and none is taken any more,
which is how the death of the whole process looks to the server; the others: the server refuses it with their code.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the message number *at*, counted from 1 over all connections since the proxy was armed."""

    kind: str
    at: int


@dataclass(slots=True)
class Session:
    """One connection of a client and its counterpart at the server."""

    client: socket.socket
    server: socket.socket
    pid: int = 0

    def close(self) -> None:
        """Close both ends; a thread that waits for them wakes up."""
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@dataclass(slots=True)
class Proxy:
    """Stands in a folder of its own as the socket of a server; a context manager."""

    server: sa.URL
    folder: Path = field(init=False)
    messages: list[str] = field(default_factory=list)
    fault: Fault | None = None
    struck: bool = False
    _out: bool = False
    _sessions: list[Session] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listening: socket.socket = field(init=False)
    _home: TemporaryDirectory = field(init=False)

    def __enter__(self) -> Proxy:
        self._home = TemporaryDirectory(prefix="rally-proxy-")
        self.folder = Path(self._home.name)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.folder / NAME))
        self._listening.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.close_sessions()
        self._home.cleanup()

    def arm(self, fault: Fault | None = None) -> None:
        """Count from 1 again, and break the message that *fault* names."""
        with self._lock:
            self.messages, self.fault, self.struck, self._out = [], fault, False, False

    def close_sessions(self) -> None:
        """End every connection, as the end of a process does."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._out:
                client.close()
                continue
            session = Session(client, _connected(self.server))
            with self._lock:
                self._sessions.append(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session: Session) -> None:
        try:
            if _start(session):
                self._relay(session)
        except (OSError, ValueError):  # one of the ends is closed
            pass
        finally:
            session.close()

    def _relay(self, session: Session) -> None:
        unread = b""
        while True:
            ready, _, _ = select.select([session.client, session.server], [], [])
            if session.server in ready:
                chunk = session.server.recv(65536)
                if not chunk:
                    return
                session.client.sendall(chunk)
            if session.client in ready:
                chunk = session.client.recv(65536)
                if not chunk:
                    return
                unread += chunk
                while len(unread) >= 5 and len(unread) > (size := struct.unpack("!I", unread[1:5])[0]):
                    message, unread = unread[: size + 1], unread[size + 1 :]
                    if not self._forward(session, message):
                        return

    def _forward(self, session: Session, message: bytes) -> bool:
        """Send a message on, or do to it what the fault says; False ends the connection."""
        kind = self._due(message)
        if kind == "dropped":
            return False
        if kind == "outage":
            self.close_sessions()
            return False
        if kind == "killed":
            self._kill(session.pid)
            return True  # what the server says is relayed, then its end of the connection closes
        if kind in RAISED and self.messages[-1] == "COMMIT":
            return _refuse_commit(session, *RAISED[kind])
        if kind in RAISED:
            message = _refused(message, *RAISED[kind])
        session.server.sendall(message)
        if kind == "answer lost":
            _answer(session.server)
            return False
        return True

    def _due(self, message: bytes) -> str | None:
        """Count the message; the kind of the fault that it suffers."""
        if message[:1] not in COUNTED:
            return None
        with self._lock:
            self.messages.append(_said(message))
            if self.fault is None or len(self.messages) != self.fault.at:
                return None
            self.struck = True
            self._out = self.fault.kind == "outage"
            # a server does not refuse to roll back; a connection may be lost all the same
            is_rollback = self.messages[-1] == "ROLLBACK"
            return "dropped" if self.fault.kind in RAISED and is_rollback else self.fault.kind

    def _kill(self, pid: int) -> None:
        engine = sa.create_engine(self.server, poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def _connected(url: sa.URL) -> socket.socket:
    """A connection to the real server, by its socket or over the network."""
    host = url.query.get("host") or url.host or "localhost"
    if not host.startswith("/"):
        return socket.create_connection((host, url.port or 5432))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{url.port or 5432}")
    return server


def _start(session: Session) -> bool:
    """Relay the greeting up to the first ReadyForQuery and note the server's process; False for a cancel request."""
    while True:
        head = _exactly(session.client, 8)
        size, code = struct.unpack("!II", head)
        if code not in NO_ENCRYPTION:
            break
        session.client.sendall(b"N")
    session.server.sendall(head + _exactly(session.client, size - 8))
    if code == CANCEL:
        return False
    while True:
        head = _exactly(session.server, 5)
        body = _exactly(session.server, struct.unpack("!I", head[1:])[0] - 4)
        session.client.sendall(head + body)
        if head[:1] == b"K":
            session.pid = struct.unpack("!I", body[:4])[0]
        if head[:1] in b"ZE":
            return True


def _exactly(end: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        chunk = end.recv(count - len(found))
        if not chunk:
            raise OSError("closed")
        found += chunk
    return found


def _said(message: bytes) -> str:
    """The message in words: the statement, or what it is of a COPY."""
    if message[:1] == b"Q":
        return " ".join(message[5:-1].decode(errors="replace").split())
    return "COPY data" if message[:1] == b"d" else "COPY end"


def _refused(message: bytes, code: str, text: str) -> bytes:
    """A message that makes the server refuse with this code; a COPY is ended by its client."""
    if message[:1] == b"Q":
        body = f"do $$ begin raise exception using errcode = '{code}', message = '{text}'; end $$"
        return _message(b"Q", body)
    return _message(b"f", text)


def _refuse_commit(session: Session, code: str, text: str) -> bool:
    """A COMMIT that the server refuses has ended its transaction."""
    session.server.sendall(_refused(b"Q", code, text))
    error = _answer(session.server)
    session.server.sendall(_message(b"Q", "rollback"))
    session.client.sendall(error["E"] + _answer(session.server)["Z"])
    return True


def _answer(server: socket.socket) -> dict[str, bytes]:
    """The messages of an answer up to its end, or to where the server waits for the rows of a COPY, by their kind."""
    found: dict[str, bytes] = {}
    while not found.keys() & set("ZG"):
        head = _exactly(server, 5)
        found[head[:1].decode()] = head + _exactly(server, struct.unpack("!I", head[1:])[0] - 4)
    return found


def _message(kind: bytes, text: str) -> bytes:
    body = text.encode() + b"\0"
    return kind + struct.pack("!I", len(body) + 4) + body
