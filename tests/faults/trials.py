"""One trial: a command whose message number k is broken, then a look at everything, then the next run."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from faults.proxy import Fault, Proxy
from faults.world import World, through
from inprocess import stages_here
from rally_etl import protection
from rally_etl.database import retry
from rally_etl.database.engine import read_only
from rally_etl.settings import Settings

Act = Callable[[Settings], dict[str, Any]]
PUBLISHED = "set state = 'published'"
ENDING_S = 60  # seconds until the sessions of a process that is gone are gone, too
STATES_OF_LIVE = ("published", "verified")
UNFINISHED = ("planned", "audited", "approved")
LEDGER = """
    select r.run_id, r.status, r.exit_code, l.league, l.state, l.published_at is not null as published
    from etl.runs as r join etl.run_leagues as l using (run_id)
    where r.run_id <> all(:known) order by r.started_at, l.league
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one fault."""

    fault: Fault
    statement: str
    live: str  # before, after, "after of" some leagues, or between
    told: str  # exit code of the document, or the error that the command ended with
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.fault.kind} at {self.fault.at} ({self.statement[:90]}): live {self.live}, {self.told}"


@dataclass(slots=True)
class Lab:
    """A world, the proxy in front of it, and the command that is broken again and again.

    *act* is what is broken, *again* what an operator does next; after that live must be as *act* alone makes it.
    """

    settings: Settings
    world: World
    proxy: Proxy
    act: Act
    again: Act
    others: list[str] = field(default_factory=list)  # runs that were there before and take no part
    messages: list[str] = field(default_factory=list)
    states: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)  # leagues published -> live
    lost: set[str] = field(default_factory=set)  # orphans that are there before

    def learn(self, *partly: tuple[str, Act], broken: str = "") -> None:
        """Do it once undisturbed: its messages, and live afterwards.

        Args:
            broken: a run that is there already and that the command goes on with.
            partly: a league and a command that publishes this league alone, for those that may be published singly.
        """
        self.world.keep()
        self.lost = self._orphans()
        self.others = [row.run_id for row in self.world.rows("select run_id from etl.runs") if row.run_id != broken]
        for league, act in partly:
            self._do(act)
            self.states[(league,)] = self.world.timeless()
            self.world.put_back()
        self.proxy.arm()
        document = self._do(self.act)
        self.messages = list(self.proxy.messages)
        self.states[tuple(sorted(document["leagues"]))] = self.world.timeless()
        assert self.world.public != self.world.live(), "a command that changes nothing proves nothing"

    def _do(self, act: Act) -> dict[str, Any]:
        with self.command() as settings:
            document = act(settings)
        assert 0 == document["exit_code"], document
        return document

    @property
    def after(self) -> dict[str, str]:
        """Live when all of it is done."""
        return self.states[max(self.states, key=len)]

    def places(self) -> list[int]:
        """Numbers of messages that are not repetitions: each text once, ids and values left out."""
        first: dict[str, int] = {}
        for number, text in enumerate(self.messages, start=1):
            first.setdefault(template(text), number)
        return sorted(first.values())

    def publishing(self, text: str) -> int:
        """Number of the first message that holds *text*, from the last statement of the publish on.

        What is said there alone marks that statement: a rehearsal publishes too, and takes it back.
        """
        marked = [number for number, each in enumerate(self.messages, start=1) if PUBLISHED in each][-1]
        return next(number for number, each in enumerate(self.messages, start=1) if number >= marked and text in each)

    def place(self, text: str) -> int:
        """Number of the last message that holds *text*."""
        return [number for number, each in enumerate(self.messages, start=1) if text in each][-1]

    def try_fault(self, kind: str, at: int) -> Trial:
        """Put everything back, break the command, look, and go on as an operator does."""
        self.world.put_back()
        fault = Fault(kind, at)
        self.proxy.arm(fault)
        document: dict[str, Any] = {}
        with self.command() as settings:
            try:
                document = self.act(settings)
                told = f"exit code {document['exit_code']}"
            except Exception as error:
                told = f"{type(error).__name__}: {str(error).splitlines()[0][:150]}"
        statement = self.proxy.messages[at - 1] if self.proxy.struck else "(never reached)"
        published = self.published()
        problems = [*self.look(document, published), *self.go_on(published)]
        return Trial(fault, statement, self.in_words(published), told, tuple(problems))

    @contextmanager
    def command(self) -> Iterator[Settings]:
        """A process as far as the database can tell: at its end all its sessions are over."""
        settings = through(self.settings, str(self.proxy.folder))
        try:
            with stages_here(settings), pytest.MonkeyPatch.context() as patch:
                for name in ("WAIT_S", "LONGEST_WAIT_S", "JITTER_S"):
                    patch.setattr(retry, name, 0.0)
                yield settings
        finally:
            self.proxy.close_sessions()
            self.wait_for_silence()

    def wait_for_silence(self) -> None:
        """Wait until the server has noticed that everybody is gone."""
        deadline = time.monotonic() + ENDING_S
        while (left := self.world.sessions()) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert [] == left

    def published(self) -> tuple[str, ...] | None:
        """The leagues that are live as they are to become; () when every bit is as before; None when neither."""
        if self.world.live() == self.world.public:
            return ()
        found = self.world.timeless()
        return next((leagues for leagues, state in self.states.items() if state == found), None)

    def in_words(self, published: tuple[str, ...] | None) -> str:
        if not published:
            return "between" if published is None else "before"
        return "after" if len(published) == max(map(len, self.states)) else f"after of {', '.join(published)}"

    def look(self, document: dict[str, Any], published: tuple[str, ...] | None) -> Iterator[str]:
        """What is wrong right after the fault, before anybody does anything."""
        if published is None:
            now, timeless = self.world.live(), self.world.timeless()
            changed = _differing(now, self.world.public)
            yield f"live has changed in {changed} and is not as planned in {_differing(timeless, self.after)}"
        yield from (f"orphan: {told}" for told in self._orphans() - self.lost)
        yield from (f"lock: {each}" for each in self.world.locks())
        for row in self.world.rows(LEDGER, known=self.others):
            is_live = row.league in (published or ())
            if is_live != (row.published and row.state in STATES_OF_LIVE):
                yield f"{row.league} is live: {is_live}; the ledger says {row.state}, published {row.published}"
            told = document.get("leagues", {}).get(row.league)
            if told and told["published"] != is_live:
                yield f"{row.league} is live: {is_live}; the document says published {told['published']}"
            if told and not is_live and document["exit_code"] == 0:
                yield f"{row.league} is not published, and the exit code is 0"

    def _orphans(self) -> set[str]:
        with read_only(self.world.engine, "public") as connection:
            return {each.told for each in protection.find_orphans(connection, self.settings)}

    def go_on(self, published: tuple[str, ...] | None) -> Iterator[str]:
        """What is wrong with the next run."""
        broken = {row.run_id for row in self.world.rows(LEDGER, known=self.others)}
        self.proxy.arm()
        with self.command() as settings:
            try:
                document = self.again(settings)
                if document["exit_code"]:
                    reasons = [reason["message"] for each in document["leagues"].values() for reason in each["reasons"]]
                    yield f"the next run ends with exit code {document['exit_code']}: {reasons}"
            except Exception as error:
                yield f"the next run fails: {type(error).__name__}: {str(error)[:300]}"
        if found := _differing(self.world.timeless(), self.after):
            yield f"after the next run these tables are not as planned: {found}"
        for row in self.world.rows(LEDGER, known=self.others):
            if row.status == "running" or (row.run_id in broken and row.state in UNFINISHED):
                yield f"run {row.run_id} is left {row.status}, its league {row.state}"
        left = self.world.rows(
            "select nspname from pg_namespace where nspname = any(:names)",
            names=[f"candidate_{run_id.lower().replace('-', '_')}" for run_id in broken],
        )
        yield from (f"left: {row.nspname}" for row in left)
        shutil.rmtree(self.settings.reports_dir, ignore_errors=True)


def _differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return [name for name in one if one[name] != other[name]]


def template(text: str) -> str:
    """A statement without the values that differ from row to row and from run to run."""
    return re.sub(r"'[^']*'|\d+(_[0-9a-f]{4})?|t\d{6}_\w{4}", "?", text)[:400]


def in_words(trials: list[Trial]) -> str:
    """The table of a series of trials, and what went wrong."""
    lines = [f"{'fault':16} {'trials':>7} {'before':>7} {'after':>7} {'wrong':>7}"]
    for kind in dict.fromkeys(trial.fault.kind for trial in trials):
        found = [trial for trial in trials if trial.fault.kind == kind]
        live = Counter(trial.live for trial in found)
        wrong = sum(bool(trial.problems) for trial in found)
        after = len(found) - live["before"] - live["between"]
        lines.append(f"{kind:16} {len(found):7,} {live['before']:7,} {after:7,} {wrong:7,}")
    kinds = Counter(trial.statement.split(" ")[0].upper() for trial in trials)
    lines.append("statements hit: " + ", ".join(f"{word} {count:,}" for word, count in kinds.most_common()))
    for trial in trials:
        lines += [f"{trial}", *(f"    {problem}" for problem in trial.problems)] if trial.problems else []
    return "\n".join(lines)
