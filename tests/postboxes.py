"""Servers that stand for Slack, an SMS gateway and a mail server: slow, failing, dying in the middle, coming back."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

LONG_S = 30


@dataclass(slots=True)
class Postbox:
    """A web server that takes a message once per key.

    Attributes:
        moods: how it answers the next requests, one each: a status, `drop` (takes the message, answers nothing),
            `break` (goes away before it reads), `hang` (takes the message, answers when *released*); then 200.
        requests: keys as they came; ``taken``: key, or the body without one -> body of each message, in order.
    """

    url: str = ""
    moods: list[Any] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "ok"
    requests: list[str] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)
    logins: set[str] = field(default_factory=set)
    came: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def postbox(authority: trustme.CA | None = None, path: str = "/hook") -> Iterator[Postbox]:
    """A web server on a port of this machine, with TLS where there is an *authority* for its certificate."""
    box = Postbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            mood = box.moods.pop(0) if box.moods else 200
            key = self.headers["Idempotency-Key"]
            box.requests.append(key)
            if mood == "break":
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            box.logins.add(self.headers.get("Authorization", ""))
            if mood in (200, "drop", "hang"):
                box.taken.setdefault(key or body, body)
            box.came.set()
            if mood == "hang":
                box.released.wait(LONG_S)
            if mood == "drop":
                self.close_connection = True
                return
            self.send_response(mood if isinstance(mood, int) else 200)
            for name, value in box.headers.items() if mood != 200 else ():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(box.text.encode())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme, host = ("https", "localhost") if authority else ("http", "127.0.0.1")
    box.url = f"{scheme}://{host}:{server.server_port}{path}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield box
    finally:
        box.released.set()
        server.shutdown()
        server.server_close()


@dataclass(slots=True)
class MailBox:
    """A mail server with STARTTLS and a login; *moods* are its answers to the next mails (None takes it)."""

    port: int
    ca_file: Path
    password: str
    moods: list[str | None] = field(default_factory=list)
    mails: list[Any] = field(default_factory=list)
    logins: int = 0

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        """Take the mail, or answer as the next mood says."""
        mood = self.moods.pop(0) if self.moods else None
        if mood == "drop":
            self.mails.append(envelope)
            server.transport.abort()
            return "421 gone"
        if mood:
            return mood
        self.mails.append(envelope)
        return "250 taken"


@contextmanager
def mail_box(folder: Path, password: str = "a mail password") -> Iterator[MailBox]:
    """A mail server on a port of this machine."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "mail-ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    box = MailBox(0, folder / "mail-ca.pem", password)

    def is_known(server: SMTP, session: object, envelope: object, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password.decode() == box.password
        box.logins += good
        return AuthResult(success=good, handled=good)

    with socket.create_server(("localhost", 0)) as free:
        box.port = free.getsockname()[1]
    controller = Controller(
        box, hostname="localhost", port=box.port, server_hostname="localhost", tls_context=context,
        require_starttls=True, authenticator=is_known, auth_required=True,
    )  # fmt: skip
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
