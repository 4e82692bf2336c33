"""What the operator reads while a run goes on: one line a step, facts on stderr, a moving line only on a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from rally_etl.measures import counted

LABEL_WIDTH = 14
SHOWN_REASONS = 8
SHOWN_CHANGES = 8
STAGE_COUNT = 6
BROKEN = ("failed", "timed_out", "died")  # of a stage: the run can be resumed


class Terminal:
    """Prints a line per finished step; while a step runs, a terminal shows which one and for how long."""

    def __init__(self) -> None:
        self._progress: Any = None
        self._done = 0

    def __enter__(self) -> Terminal:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("{task.description:14}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._progress.start()
            self._task = self._progress.add_task("start", total=STAGE_COUNT)
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress:
            self._progress.stop()

    def tell(self, label: str, text: str) -> None:
        """A step begins (text ``…``) or has ended; texts of scrapes lose their control characters."""
        if text == "…":
            if self._progress:
                self._progress.update(self._task, description=label, completed=self._done)
            return
        self._done += 1 if label != "run" else 0
        self._print(f"{label:{LABEL_WIDTH}}{printable(text)}")

    def conclude(self, document: dict[str, Any], out: TextIO | None = None) -> None:
        """The decision, the reasons worth acting on, what changes, where to look; on stderr unless *out* is given."""
        out = out or sys.stderr
        if out is sys.stderr:
            print(file=out)
        dry = "  dry run" if document["dry_run"] else ""
        print(f"{document['decision'] or 'no decision':{LABEL_WIDTH}}run {document['run_id']}{dry}", file=out)
        if asked := document.get("asked_by"):
            print(f"  {printable(asked)}", file=out)
        for league, found in document["leagues"].items():
            print(f"  {league:{LABEL_WIDTH}}{_outcome(found)}", file=out)
            telling = [reason for reason in found["reasons"] if reason["severity"] != "warn"] or found["reasons"][:2]
            for reason in telling[:SHOWN_REASONS]:
                print(f"    {reason['severity']:6}{printable(reason['message'])}", file=out)
            if len(telling) > SHOWN_REASONS:
                print(f"    and {counted(len(telling) - SHOWN_REASONS, 'more reason')} in the report", file=out)
            for change in found["changes"][:SHOWN_CHANGES]:
                print(f"    {printable(change)}", file=out)
        print(f"\nreport: {document['report'] or 'none, the run did not end'}", file=out)
        if waiting := _questions(document):
            print(waiting, file=out)
        for incident in document.get("incidents", ()):
            where = "" if incident["league"] == "*" else f" of {incident['league']}"
            print(f"open incident {incident['number']}{where}: {printable(incident['what'])}", file=out)
        for hint in _hints(document):
            print(f"hint: {hint}", file=out)

    def _print(self, line: str) -> None:
        if self._progress:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    """One document on stdout and nothing else."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def _outcome(found: dict[str, Any]) -> str:
    changes = sum(count for table in found["plan"].values() for op, count in table.items() if op != "unchanged")
    state = _STATES.get(found.get("state", ""), "published" if found["published"] else "not published")
    if found.get("state") == "failed" and found["published"]:
        state = "published and NOT as promised"
    kept_aside = counted(found["quarantined"], "record")
    return f"{found['decision'] or 'not decided'}, {counted(changes, 'change')} {state}, {kept_aside} quarantined"


_STATES = {"undone": "published and taken back", "published": "published and not verified"}
"""States of which "published" or "not published" would say too little."""


def _questions(document: dict[str, Any]) -> str:
    """How many questions about identity wait for a person, and the command that lists them; "" when none does."""
    queues = [found["reviews"] for found in document["leagues"].values() if "reviews" in found]
    number, rows = (sum(queue[name] for queue in queues) for name in ("open", "held_rows"))
    if not number:
        return ""
    waits = counted(number, "question waits", "questions wait")
    with_them = f", {counted(rows, 'row')} with {'it' if number == 1 else 'them'}" if rows else ""
    return f"{waits} for an answer{with_them}: rally-etl reviews"


def _hints(document: dict[str, Any]) -> list[str]:
    """What to do next: approve what is held, mend and run again what was refused, publish what a dry run found good."""
    waiting: dict[str, list[str]] = {"GO": [], "HOLD": [], "NO-GO": []}
    for league, found in document["leagues"].items():
        if found["decision"] and not found["published"] and found.get("state") != "undone":
            waiting[found["decision"]].append(league)
    hints = []
    if broken := next((each["stage"] for each in document.get("stages", ()) if each["status"] in BROKEN), None):
        hints.append(f"rally-etl run --resume {document['run_id']} makes {broken} again and goes on")
    if waiting["GO"] and document["dry_run"]:
        hints.append(
            f"a dry run publishes nothing; without --dry-run the same command publishes {', '.join(waiting['GO'])}"
        )
    if waiting["HOLD"] and not document["dry_run"]:
        told = ", ".join(waiting["HOLD"])
        hints.append(f"rally-etl approve {document['run_id']} --by WHO --reason TEXT publishes {told}")
    if waiting["NO-GO"]:
        told = ", ".join(waiting["NO-GO"])
        hints.append(f"the live rows of {told} are as they were; mend what the reasons name and run the scrape again")
    if document.get("incidents"):
        hints.append("rally-etl incidents tells what happened and what to do; resolve N says that it is over")
    return hints


def printable(text: str) -> str:
    """The text without control characters, which a scrape may print to move a terminal's cursor or colour its lines."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
