"""What Sentry is told, heard by a local server that takes envelopes, and what it can not do to a command."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY, first

PASSWORD = "geheim-zwei-drei"
BROKEN = """
import sys
from rally_etl import logs
from rally_etl.errors import UsageError
from rally_etl.settings import Settings
logs.configure(Settings.from_env())

def broken(person, password):
    try:
        {"Ursula Usersen": 1}[person]
    except KeyError as cause:
        raise ValueError(f"{person} <u@b.example> has the password {password} at 312-555-0100") from cause

with logs.bound(run="R1", stage="import", league="NSTF"):
    try:
        %s
    except Exception as error:
        logs.unexpected(error)
print("done")
"""
BUG = f"broken('Ann Quackenbush', {PASSWORD!r})"
NO_BUG = "raise UsageError('there is no league NSTF')"


@dataclass
class Sentry:
    """A server that takes envelopes as Sentry does; it answers when it may."""

    events: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def dsn(self) -> str:
        return f"http://a1b2c3d4e5f6@127.0.0.1:{self.port}/7"


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    """The server, running."""
    found = Sentry()
    found.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            found.bodies.append(body)
            lines = body.split(b"\n")
            for header, payload in zip(lines[1::2], lines[2::2], strict=False):
                if header and json.loads(header).get("type") == "event":
                    found.events.append(json.loads(payload))
            found.may_answer.wait()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    found.may_answer.set()
    server.shutdown()
    server.server_close()
    thread.join()


def environment(folder: Path) -> dict[str, str]:
    """Variables of a process whose project is *folder* and whose database has a password."""
    return os.environ | {
        "RALLY_HOME": str(folder),
        "DATABASE_URL": f"postgresql://u:{PASSWORD}@h/db",
        "PYTHONPATH": str(REPOSITORY / "lib"),
    }


def happen(folder: Path, dsn: str, what: str = BUG) -> subprocess.CompletedProcess[str]:
    """Let something happen in a process of its own; one that waits for its server for a minute is a failure."""
    return subprocess.run(
        [sys.executable, "-c", BROKEN % what],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(folder) | {"SENTRY_DSN": dsn},
    )


def test_a_bug_arrives_with_its_places_and_without_persons_and_secrets(tmp_path, sentry):
    """One event: release, tags, classes, functions; no name, address, password, variable, line of code or machine."""
    done = happen(tmp_path, sentry.dsn)

    assert ("done\n", "") == (done.stdout, done.stderr)
    (event,) = sentry.events
    assert {"process", "run", "stage", "league"} >= event["tags"].keys()
    assert ("R1", "import", "NSTF") == tuple(event["tags"][name] for name in ("run", "stage", "league"))
    assert re.fullmatch(r"rally-etl@\d+\.\d+\.\d+.*", event["release"])
    assert ["KeyError", "ValueError"] == [each["type"] for each in event["exception"]["values"]]
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert "broken" == frames[-1]["function"]
    assert {"filename", "module", "function", "lineno", "in_app"} >= frames[-1].keys()
    told = b"".join(sentry.bodies).decode()
    planted = ("Ann", "Quackenbush", "Ursula", "u@b.example", PASSWORD, "555-0100", socket.gethostname(), str(tmp_path))
    assert [] == [each for each in planted if each in told]
    assert {"server_name", "user", "request", "breadcrumbs", "modules", "extra"} & event.keys() == set()


def test_what_is_no_bug_is_not_sent(tmp_path, sentry):
    """An operator's error goes nowhere; without a DSN nothing is even imported."""
    happen(tmp_path, sentry.dsn, NO_BUG)
    unset = (
        "import sys\nfrom rally_etl import logs\nfrom rally_etl.settings import Settings\n"
        "logs.configure(Settings.from_env())\nlogs.unexpected(ValueError('x'))\nprint('sentry_sdk' in sys.modules)"
    )
    without = {name: value for name, value in environment(tmp_path).items() if name != "SENTRY_DSN"}
    done = subprocess.run([sys.executable, "-c", unset], capture_output=True, text=True, timeout=60, env=without)

    assert ("False\n", "", []) == (done.stdout, done.stderr, sentry.events)


@pytest.mark.parametrize("kind", first(3, ["slow", "dead", "nonsense", "silent"]))
def test_a_server_that_does_not_answer_holds_nothing_up(tmp_path, sentry, kind):
    """Slow, gone, silent or no address at all: the process ends without it, and says at most one line."""
    if kind == "slow":  # it answers after the end of this test
        sentry.may_answer.clear()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if kind == "silent":
            silent.listen()  # takes connections and never reads
        port = {"slow": sentry.port, "dead": 9, "silent": silent.getsockname()[1]}.get(kind)
        dsn = f"http://a1b2c3d4e5f6@127.0.0.1:{port}/7" if port else "no-address-at-all"
        done = happen(tmp_path, dsn)

    assert "done\n" == done.stdout
    said = done.stderr.splitlines()
    assert (["log: SENTRY_DSN cannot be used (BadDsn); the work goes on"] if kind == "nonsense" else []) == said
