"""`make bench`: what users notice while a large import is published, and while it is taken back.

Several threads read and write as the pages of the application do, without a pause. Their statements are timed while
nothing else happens (the base), during the run up to its gate, during the publish, and during the undo of all of it.
Everything happens in a database of its own, which is removed afterwards.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from statistics import quantiles

import psycopg2
import sqlalchemy as sa

from rally_etl.bench.imports import loaded, vacuum
from rally_etl.database.engine import clean_message
from rally_etl.sample.attachments import attach
from rally_etl.sample.large import change_share

ROWS = 100_000
READERS, WRITERS = 2, 2
IDLE_S = 10.0  # seconds of the base
AS_OF = date(2026, 3, 1)
SIGNED = {"by": "bench", "reason": "to measure"}

READS = {
    "team page": """
        select t.team_name, c.name, s.name, p.first_name, p.last_name, p.pti
        from teams as t join clubs as c on c.id = t.club_id join series as s on s.id = t.series_id
        left join players as p on p.team_id = t.id and p.is_active where t.id = %(team)s order by p.last_name""",
    "team's matches": """
        select match_date, home_team, away_team, scores, winner from match_scores
        where %(team)s in (home_team_id, away_team_id) order by match_date desc limit 40""",
    "schedule": """
        select match_date, match_time, home_team, away_team, location from schedule
        where %(team)s in (home_team_id, away_team_id) order by match_date""",
    "standings": """
        select team, points, matches_won, matches_lost from series_stats
        where series_id = (select series_id from teams where id = %(team)s) order by points desc""",
    "search": """
        select p.id, p.first_name, p.last_name, t.team_name from players as p join teams as t on t.id = p.team_id
        where p.last_name ilike %(letters)s and p.is_active order by p.last_name limit 20""",
    "polls": """
        select q.question, count(r.id) from polls as q left join poll_responses as r on r.poll_id = q.id
        where q.team_id = %(team)s group by q.id order by q.id desc limit 10""",
}
WRITES = {
    "new poll": """
        insert into polls (team_id, created_by, question) select %(team)s, min(id), 'Who plays?' from users""",
    "availability": """
        insert into player_availability
          (player_name, match_date, availability_status, series_id, player_id, user_id)
        select first_name || ' ' || last_name, timestamptz '2026-04-01 00:00Z' + %(day)s * interval '1 day', 1,
               series_id, id, (select id from users order by id offset %(user)s limit 1)
        from players where id = %(player)s
        on conflict (user_id, match_date) where user_id is not null
        do update set availability_status = 3 - excluded.availability_status, updated_at = now()""",
    "practice": """
        insert into schedule (league_id, match_date, match_time, home_team, home_team_id)
        select league_id, date '2026-04-01' + %(day)s, '18:00', team_name || ' Practice ' || %(mark)s, id
        from teams where id = %(team)s on conflict do nothing""",
    "e-mail address": "update players set email = %(mark)s || '@sample.example' where id = %(player)s",
}


@dataclass(frozen=True, slots=True)
class Timed:
    """One statement of a user: when it began (seconds of a clock), how long it took, what went wrong."""

    kind: str  # read or write
    name: str
    began: float
    ms: float
    error: str = ""


@dataclass(slots=True)
class Application:
    """Users at their pages: threads that read and write until they are told to stop.

    Args:
        limits: a `set` statement for every session of a reader, for example a lock_timeout.
    """

    url: sa.URL
    readers: int = READERS
    writers: int = WRITERS
    limits: str = ""
    seed: int = 1
    told: list[Timed] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[Application]:
        """Users work until the block ends."""
        kinds = ["read"] * self.readers + ["write"] * self.writers
        threads = [
            threading.Thread(target=self._work, args=(kind, self.seed + number)) for number, kind in enumerate(kinds)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _work(self, kind: str, seed: int) -> None:
        dice = random.Random(seed)
        url = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg2.connect(url, application_name="users of Rally")
        connection.autocommit = True
        statements = list((READS if kind == "read" else WRITES).items())
        with connection.cursor() as cursor:
            if self.limits and kind == "read":
                cursor.execute(self.limits)
            ids = {}
            for table in ("teams", "players", "users"):
                cursor.execute(f"select id from {table} order by id")
                ids[table] = [row[0] for row in cursor.fetchall()]
            while not self._stop.is_set():
                name, sql = dice.choice(statements)
                binds = {
                    "team": dice.choice(ids["teams"]),
                    "player": dice.choice(ids["players"]),
                    "user": dice.randrange(len(ids["users"])),
                    "day": dice.randrange(60),
                    "letters": dice.choice("ABCDEGHKLMNPRSTW") + dice.choice("aeiou") + "%",
                    "mark": f"{seed}-{dice.randrange(10_000_000)}",
                }
                began, error = time.monotonic(), ""
                try:
                    cursor.execute(sql, binds)
                    if kind == "read":
                        cursor.fetchall()
                except psycopg2.Error as failure:
                    error = clean_message(failure)
                self.told.append(Timed(kind, name, began, 1000 * (time.monotonic() - began), error))
        connection.close()


@dataclass(slots=True)
class Phases:
    """When what happened; a run tells of its stages as it goes."""

    name: str = "base"
    marks: list[tuple[float, str]] = field(default_factory=list)

    def begin(self, name: str) -> None:
        """From now on everything happens in the phase *name*."""
        self.name = name
        self.marks.append((time.monotonic(), name))

    def tell(self, label: str, text: str) -> None:
        """What a run says of itself: after its gate it publishes, after its publish it writes its report."""
        if label == "gate" and text != "…":
            self.begin(self.name.replace("stages", "publish"))
        elif text.startswith(("GO", "HOLD", "NO-GO", "published")):
            self.begin(self.name.replace("publish", "report"))

    def of(self, timed: Timed) -> str:
        """The phase in which a statement ended; one that began before it and waited belongs to it."""
        ended = timed.began + timed.ms / 1000
        return next((name for mark, name in reversed(self.marks) if mark <= ended), "")

    def seconds(self, name: str) -> float:
        """How long a phase lasted."""
        ends = [mark for mark, _ in self.marks[1:]] + [time.monotonic()]
        return sum(end - mark for (mark, each), end in zip(self.marks, ends, strict=True) if each == name)


def main() -> None:
    """Measure once and print one table."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench.publish", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="match lines, all of which change")
    measure(parser.parse_args().rows)


def measure(rows: int = ROWS) -> None:
    """Load, attach users, change every match line, import that and take it back, with users at work all the time."""
    from rally_etl import runs

    with loaded(rows, "publish") as (engine, settings):
        attach(engine)
        vacuum(engine)
        changed = change_share(settings.root / "scrape", 1.0, seed=2)
        phases = Phases()
        application = Application(engine.url)
        with application.at_work():
            phases.begin("base")
            time.sleep(IDLE_S)
            phases.begin("import: stages")
            order = runs.Order(source=settings.root / "scrape", as_of=AS_OF)
            document = runs.run(settings, order, phases.tell)
            if document["decision"] == "HOLD":
                phases.begin("import: publish")
                document = runs.approve(settings, document["run_id"], SIGNED["by"], SIGNED["reason"], (), phases.tell)
            _require_published(document)
            phases.begin("undo: stages")
            operation = {"kind": "undo", "run": document["run_id"], **SIGNED}
            _require_published(runs.operate(settings, operation, tell=phases.tell, as_of=AS_OF))
            phases.begin("end")
    print(f"\n{changed:,} changed match lines; {READERS} users read and {WRITERS} write without a pause")
    for line in table(application.told, phases):
        print(line, flush=True)


def _require_published(document: dict) -> None:
    leagues = document["leagues"].items()
    if failed := [reason["message"] for _, each in leagues if not each["published"] for reason in each["reasons"]]:
        raise SystemExit(f"run {document['run_id']} was not published: {'; '.join(failed)}")


def table(told: list[Timed], phases: Phases) -> list[str]:
    """Lines: per phase and kind the statements, errors, median, 99th percentile and the slowest, beside the base."""
    lines = [f"{'phase':17} {'seconds':>7}  {'kind':5} {'statements':>10} {'errors':>6}"
             f" {'median ms':>9} {'x base':>6} {'99% ms':>9} {'x base':>6} {'slowest ms':>10}"]  # fmt: skip
    base: dict[str, tuple[float, float]] = {}
    for phase in dict.fromkeys(name for _, name in phases.marks if name != "end"):
        for kind in ("read", "write"):
            found = [each for each in told if each.kind == kind and phases.of(each) == phase]
            if len(found) < 2:
                continue
            points = quantiles([each.ms for each in found], n=100, method="inclusive")
            here = points[49], points[98]
            first = base.setdefault(kind, here)
            slowest = max(found, key=lambda each: each.ms)
            errors = sum(bool(each.error) for each in found)
            times = "".join(f" {ms:9.2f} {ms / usual:6.1f}" for ms, usual in zip(here, first, strict=True))
            lines.append(
                f"{phase:17} {phases.seconds(phase):7.1f}  {kind:5} {len(found):10,} {errors:6,}"
                f"{times} {slowest.ms:10.0f}  {slowest.name}"
            )
    said = {f"{each.name}: {each.error}" for each in told if each.error}
    return [*lines, *(f"error: {text}" for text in sorted(said))]


if __name__ == "__main__":
    main()
