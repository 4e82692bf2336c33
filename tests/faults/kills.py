"""Whole commands with kernels, of which one process is killed at a random moment, or the server under them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from conftest import REPOSITORY
from faults.trials import Lab, Trial
from rally_etl.database import embedded

VICTIMS = ("runner", "worker", "kernel", "backend", "server")
"""What is killed with SIGKILL: the command, the process of a stage, its kernel, a session of the server (the server
then ends all others and recovers), the server itself (it is started again a second later)."""
OURS = "datname = current_database() and application_name like 'rally-etl%'"
DOWN_S = 1.0  # seconds that a killed server is away
LONGEST_S = 300


@dataclass(frozen=True, slots=True)
class Kill:
    """Who was killed, and how long after the command began; in the place of a `Fault`."""

    kind: str
    at: float


@dataclass(slots=True)
class Killing:
    """A laboratory on a server of its own, whose command is started as an operator does."""

    lab: Lab
    server: embedded.Server
    arguments: tuple[str, ...]
    seconds: float = field(default=0.0)  # that the command takes undisturbed

    def learn(self) -> None:
        """See how long the command takes when nobody kills anything."""
        self.lab.world.put_back()
        began = time.monotonic()
        process = self._start()
        told, said = process.communicate(timeout=LONGEST_S)
        assert 0 == process.returncode, told + said
        self.seconds = time.monotonic() - began

    def try_kill(self, victim: str, share: float) -> Trial:
        """Kill after this share of the command's time, let everything end, look, and run again."""
        self.lab.world.put_back()
        process = self._start()
        time.sleep(share * self.seconds)
        whom = self._kill(victim, process)
        try:
            told, said = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            told, said = process.communicate()
            said += f"\nit did not end within {LONGEST_S} s"
        embedded.start(self.server)
        self.lab.wait_for_silence()
        published = self.lab.published()
        document: dict[str, Any] = json.loads(told) if told.strip().startswith("{") else {}
        problems = list(self.lab.look(document, published))
        if victim != "runner" and not document and process.returncode not in (1, 5):
            problems.append(f"exit code {process.returncode} without a document: {said[-300:]}")
        problems += [f"a traceback: {said[-600:]}"] if "Traceback" in said else []
        problems += self.lab.go_on(published)
        ending = f"exit code {process.returncode}"
        return Trial(Kill(victim, round(share, 3)), whom, self.lab.in_words(published), ending, tuple(problems))

    def _start(self) -> subprocess.Popen:
        settings = self.lab.settings
        environment = os.environ | {
            "DATABASE_URL": settings.database_url,
            "RALLY_HOME": str(settings.root),
            "PYTHONPATH": str(REPOSITORY / "lib"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "rally_etl", *self.arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def _kill(self, victim: str, process: subprocess.Popen) -> str:
        """Kill it if it is there; what it was."""
        workers = _children(process.pid)
        if victim == "runner":
            process.kill()
            return "the command"
        if victim in ("worker", "kernel"):
            found = workers if victim == "worker" else [kernel for each in workers for kernel in _children(each.pid)]
        elif victim == "backend":
            sql = (
                "select pid from pg_stat_activity where datname = current_database() and application_name like 'rally%'"
            )
            found = [psutil.Process(row.pid) for row in self.lab.world.rows(sql)]
        else:
            found = [psutil.Process(int((self.server.data / "postmaster.pid").read_text().split()[0]))]
        for each in found[:1]:
            each.send_signal(signal.SIGKILL)
        if victim == "server":
            time.sleep(DOWN_S)
            embedded.start(self.server)
        return f"one of {len(found)}" if found else "nobody: none was there"


def _children(parent: int) -> list[psutil.Process]:
    try:
        return psutil.Process(parent).children()
    except psutil.NoSuchProcess:
        return []


def scrape_of(lab: Lab) -> Path:
    """The scrape that the laboratory `a_run` imports."""
    return lab.settings.root / "scrapes" / "next"
