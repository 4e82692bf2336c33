"""The front page of a run: the decision in one sentence, then everything that led to it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl.identity import wording
from rally_etl.identity.reviews import Question
from rally_etl.measures import counted
from rally_etl.monitoring.metrics import EVERYWHERE
from rally_etl.reporting import (
    accounts,
    charts,
    guarded,
    healthy,
    pages,
    recorded,
    rehearsed,
    repairs,
    seen,
    trends,
    unusual,
)
from rally_etl.reporting.persons import withheld
from rally_etl.reporting.tables import Note

LISTED = (
    "rally-etl",
    "papermill",
    "scrapbook",
    "nbconvert",
    "pandas",
    "plotly",
    "SQLAlchemy",
    "psycopg2-binary",
    "msgspec",
)
STATE_WORDS = {
    "published": "published, not verified", "verified": "published and verified",
    "held": "waits for approval, nothing was written",
    "refused": "not published, live rows are as before", "approved": "approved, not yet published",
    "planned": "planned, not published", "audited": "audited, not published",
    "failed": "the run failed, nothing was written", "undone": "published and taken back: live rows are as before",
}  # fmt: skip
DECISIONS = ("GO", "HOLD", "NO-GO")  # the mildest first
CLASSES = ("fault", "duplicate", "junk")  # the most serious first
EXAMPLES = 3
FAILING_ROWS = 20
QUESTIONS = 100


def write_index(engine: sa.Engine, params_dir: Path, folder: Path, run_id: str, document: dict) -> str:
    """Answer the text of a run's `index.html`.

    Args:
        params_dir: where the leagues are described, for the seasons in its charts.
        folder: the run's folder, for links to what is in it.
        document: the run as `--json` prints it.
    """
    from rally_etl.database.engine import read_only

    with read_only(engine, "public") as connection:
        facts = recorded.run(connection, run_id) or {}
        leagues = _leagues(document, recorded.leagues(connection, run_id))
        plan = recorded.plan_rows(connection, run_id)
        checks = recorded.check_results(connection, run_id)
        quarantine = _with_examples(
            recorded.quarantine_by_reason(connection, run_id),
            recorded.quarantine_examples(connection, run_id, EXAMPLES),
        )
        figures = [
            pages.figure_html(figure, f"chart-{number}")
            for number, figure in enumerate(_figures(connection, params_dir, run_id, quarantine), start=1)
        ]
        context = {
            "files": recorded.source_files(connection, run_id),
            "held": recorded.held_rows(connection, run_id),
            "is_undo": (facts.get("operation") or {}).get("kind") == "undo",
            "questions": (asked := [_question(found) for found in recorded.reviews(connection, run_id)])[:QUESTIONS],
            "questions_sentence": _questions_sentence(asked),
            "fates": (fates := _fates(recorded.fates(connection, run_id))),
            "guard": guarded.guard(connection, run_id),
            "written": accounts.page_rows(written := accounts.rows_of(connection, run_id)),
            "written_sentence": accounts.page_sentence(written),
            "seen": seen.page_rows(found := seen.rows_of(connection, run_id)),
            "seen_sentence": seen.sentence(found) if found else "",
            "seen_chart": pages.figure_html(seen.matrix(found, title=""), "chart-seen") if found else "",
            "health": healthy.page_rows(scores := healthy.rows_of(connection, run_id)),
            "health_sentence": healthy.sentence(scores) if scores else "",
            "rehearsed": rehearsed.page_lines(connection, run_id),
            "repairs": repairs.rows_of(connection, run_id),
            "unusual": unusual.page_lines(connection, run_id),
            "repairs_sentence": repairs.sentence_of(connection, run_id),
            "fate_names": [name for name in recorded.FATES if any(row[name] for row in fates)],
            "stages": [_links(row, folder) for row in recorded.stages(connection, run_id)],
        }
        server = connection.scalar(sa.text("show server_version"))
    wrong = [row for row in checks if row["outcome"] != "passed"]
    for row in wrong:
        row["sample"] = [_words(item) for item in row["sample"][:FAILING_ROWS]]
    return pages.render(
        "index.html.j2",
        run_id=run_id,
        decision=document.get("decision"),
        sentence=sentence(document),
        facts=_facts(facts, document),
        leagues=leagues,
        plan=_plan_table(plan),
        plan_sentence=_plan_sentence(plan),
        operations=[name for name in recorded.OPERATIONS if name != "delete" or any(row["delete"] for row in plan)],
        checks=checks and (wrong or [_all_passed(checks)]),
        passed=_passed(checks) if wrong else [],
        checks_sentence=_checks_sentence(checks),
        incidents=document.get("incidents", []),
        quarantine=quarantine,
        quarantine_sentence=_quarantine_sentence(quarantine, context["files"]),
        figures=figures,
        environment=[*versions().items(), ("PostgreSQL", server)],
        **context,
    )


def sentence(document: dict) -> str:
    """The run's decision in one sentence, as an operator would say it."""
    every = document.get("leagues", {})
    taken = sorted(name for name, found in every.items() if found.get("state") == "undone")
    wrong = sorted(name for name, found in every.items() if found.get("state") == "failed" and found.get("published"))
    leagues = {name: found for name, found in every.items() if name not in (*taken, *wrong)}
    groups = {word: sorted(name for name, found in leagues.items() if found["decision"] == word) for word in DECISIONS}
    published = sorted(name for name, found in leagues.items() if found.get("published"))
    parts = []
    if wrong:
        verbs = _verb(wrong, "was", "were"), _verb(wrong, "is", "are")
        parts.append(f"{_list(wrong)} {verbs[0]} published and {verbs[1]} not as promised")
    if taken:
        verbs = _verb(taken, "was", "were"), _verb(taken, "is", "are")
        parts.append(f"{_list(taken)} {verbs[0]} published, taken back and {verbs[1]} as before")
    if published:
        parts.append(f"{_list(published)} {_verb(published, 'was', 'were')} published")
    ready = [name for name in groups["GO"] if name not in published]
    if ready:
        parts.append(f"{_list(ready)} {_verb(ready, 'is', 'are')} ready and not published")
    waiting = [name for name in groups["HOLD"] if name not in published]
    if waiting:
        parts.append(f"{_list(waiting)} {_verb(waiting, 'waits', 'wait')} for approval")
    if groups["NO-GO"]:
        refused = groups["NO-GO"]
        verbs = _verb(refused, "was", "were"), _verb(refused, "is", "are")
        parts.append(f"{_list(refused)} {verbs[0]} refused and {verbs[1]} as before")
    text = "; ".join(parts) or "The run ended before any league was decided; live rows are as before"
    return text + "."


def versions() -> dict[str, str]:
    """Versions of what made the report."""
    found = {"Python": platform.python_version()}
    for name in LISTED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a checkout on PYTHONPATH is not installed
            continue
    return found


def _figures(connection: sa.Connection, params_dir: Path, run_id: str, quarantine: list[dict]) -> list[Any]:
    """At most six figures; one that would be empty is left out."""
    figures = [chart] if (chart := guarded.preserved_chart(connection, run_id)) else []
    plan = recorded.plan_by_table(connection, run_id)
    planned = sum(row[operation] for row in plan for operation in recorded.CHANGES)
    before = _rows_before(connection, run_id)
    if before and plan:
        grown = [
            {
                "table": row["table"],
                "before": before.get(row["table"], 0),
                "after": before.get(row["table"], 0) + row["insert"],
            }
            for row in plan
        ]
        added = sum(row["after"] - row["before"] for row in grown)
        title = f"The plan adds {counted(added, 'row')} to {sum(row['before'] for row in grown):,} and removes none"
        figures.append(charts.rows_before_after(grown[::-1], title=title))
    if planned:
        figures.append(charts.plan_by_table(plan[::-1], title=f"The plan changes {counted(planned, 'row')}"))
    outcomes = recorded.check_outcomes(connection, run_id)
    if outcomes:
        total = sum(row["checks"] for row in outcomes)
        passed = sum(row["checks"] for row in outcomes if row["outcome"] == "passed")
        figures.append(charts.check_outcomes(outcomes, title=f"{passed:,} of {total:,} checks passed"))
    if quarantine:
        reasons: dict[str, dict] = {}
        for row in quarantine:
            found = reasons.setdefault(row["reason"], {"reason": row["reason"], "class": row["class"], "records": 0})
            found["records"] += row["records"]
        kept = counted(sum(row["records"] for row in quarantine), "record was", "records were")
        title = f"{kept} kept aside"
        figures.append(
            charts.bars(list(reasons.values()), "reason", "records", title=title, axis="Records", kind="class")
        )
    leagues = [EVERYWHERE, *(row["league"] for row in recorded.leagues(connection, run_id))]
    health = trends.trend(
        connection, params_dir, "health", run_id=run_id, leagues=leagues, most=4, strip_px=48, runs=60
    )
    figures += [] if isinstance(health, Note) else [health]
    stages = [row for row in recorded.stages(connection, run_id) if row["seconds"] is not None]
    if stages:
        rows = [{"stage": row["stage"], "seconds": round(row["seconds"], 1)} for row in stages]
        total = sum(row["seconds"] for row in rows)
        figures.append(charts.bars(rows, "stage", "seconds", title=f"The notebooks took {total:.1f} s", axis="Seconds"))
    return figures[:6]


def _rows_before(connection: sa.Connection, run_id: str) -> dict[str, int]:
    """Rows per table at the baseline, all leagues together."""
    counts: dict[str, int] = {}
    for row in recorded.metrics(connection, run_id, "baseline"):
        if row["metric"].startswith("rows."):
            table = row["metric"].removeprefix("rows.")
            counts[table] = counts.get(table, 0) + int(row["value"])
    return counts


def _leagues(document: dict, rows: list[dict]) -> list[dict]:
    """Leagues in the order of urgency, with what happened to each."""
    states = {row["league"]: row["state"] for row in rows}
    found = []
    for name, league in document.get("leagues", {}).items():
        state = states.get(name, "")
        outcome = STATE_WORDS.get(state, state)
        if league.get("published") and state not in ("published", "verified"):
            outcome = "published, and not as promised"
        blank = {
            "severity": "",
            "message": "",
            "rule": "",
            "stage": "",
            "observed": None,
            "threshold": None,
            "names": [],
        }
        found.append(
            {"league": name, "decision": league["decision"], "outcome": outcome, "states": league.get("states", [])}
            | {"reasons": [blank | reason for reason in league["reasons"]], "changes": league.get("changes", [])}
        )
    urgency = {decision: place for place, decision in enumerate(reversed(DECISIONS))}
    return sorted(found, key=lambda row: (urgency.get(row["decision"], 0), row["league"]))


def _links(row: dict, folder: Path) -> dict:
    name = f"{row['ordinal']:02d}_{row['stage']}"
    page, notebook = f"{name}.html", f"{name}.ipynb"
    return row | {
        "page": page if (folder / page).exists() else "",
        "notebook": notebook if (folder / notebook).exists() else "",
    }


def _facts(facts: dict, document: dict) -> list[tuple[str, str]]:
    health = document.get("health_score")
    started, finished = facts.get("started_at"), facts.get("finished_at")
    rows = [
        ("Source", facts.get("source", "")),
        ("Asked by", (document.get("asked_by") or "").removeprefix("asked by ")),
        ("As of", str(facts.get("as_of", ""))),
        ("Started", f"{started:%Y-%m-%d %H:%M} UTC" if started else ""),
        ("Took", pages.seconds((finished - started).total_seconds()) if started and finished else ""),
        ("Health", f"{health:.1f} of 100" if health is not None else "not measured"),
        ("Kept aside", counted(document.get("quarantined", 0), "record")),
        ("Dry run", "yes, nothing is published" if facts.get("dry_run") else ""),
        ("Ended", facts.get("error") or ""),
    ]
    for found in document.get("resumed", ()):
        rows.append(("Resumed", f"{found['at'][:16].replace('T', ' ')} UTC with {found['from'] or 'the publish'}"))
    return [(name, value) for name, value in rows if value]


def _with_examples(rows: list[dict], examples: list[dict]) -> list[dict]:
    """One row per league and reason, its files named, with a few records as they were."""
    found: dict[tuple, dict] = {}
    for row in rows:
        one = found.setdefault((row["league"], row["reason"]), row | {"records": 0, "kind": "", "examples": []})
        one["records"] += row["records"]
        one["kind"] = ", ".join(filter(None, [one["kind"], row["kind"]]))
    for example in examples:
        shown = found[example["league"], example["reason"]]["examples"]
        if len(shown) < EXAMPLES:
            shown.append(f"{example['kind']}, record {example['record_no']}: {example['original']}")
    return sorted(found.values(), key=lambda row: (CLASSES.index(row["class"]), -row["records"], row["league"]))


def _passed(checks: list[dict]) -> list[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for row in checks:
        if row["outcome"] == "passed":
            found.setdefault(row["check_name"], []).append(row["league"])
    return [(name, ", ".join(sorted(leagues))) for name, leagues in sorted(found.items())]


def _all_passed(checks: list[dict]) -> dict:
    names = {row["check_name"] for row in checks}
    leagues = ", ".join(sorted({row["league"] for row in checks}))
    every = {"outcome": "passed", "check_name": f"all {len(names)} checks", "league": leagues, "failing_rows": 0}
    return every | {"severity": "", "error": None, "sample": [], "threshold": 0, "title": "", "mend": ""}


def _plan_table(plan: list[dict]) -> list[dict]:
    """The plan's rows by league; in a league that changes, tables that stay as they are become one last row."""
    shown: list[dict] = []
    for league in dict.fromkeys(row["league"] for row in plan):
        rows = [row for row in plan if row["league"] == league]
        changed = [row for row in rows if any(row[operation] for operation in recorded.CHANGES)]
        rest = [row for row in rows if row not in changed]
        if changed and rest:
            unchanged = sum(row["unchanged"] for row in rest)
            rows = [*changed, {"league": league, "table": "", "unchanged": unchanged}]
        shown += [row | {"first": not number} for number, row in enumerate(rows)]
    return shown


def _plan_sentence(plan: list[dict]) -> str:
    totals = {name: sum(row[name] for row in plan) for name in recorded.OPERATIONS}
    if not any(totals[operation] for operation in recorded.CHANGES):
        return f"The plan is empty: live says what the scrape says, in {counted(totals['unchanged'], 'row')}."
    deleted = f"{totals['delete']:,} that say the same again are deleted" if totals["delete"] else "Nothing is deleted"
    return (
        f"Rows: {totals['insert']:,} new, {totals['update']:,} updated, {totals['deactivate']:,} deactivated,"
        f" {totals['unchanged']:,} unchanged. {deleted}."
    )


def _question(found: Question) -> dict:
    """A question as the page shows it: in words, its candidates, and the commands that answer it."""
    review = found.review
    return {
        "number": found.number, "league": found.league, "is_held": review.is_held, "held_rows": found.held_rows,
        "about": wording.subject(review), "asked": wording.asked(review),
        "candidates": [wording.candidate_in_words(candidate) for candidate in review.candidates],
        "consequence": wording.consequence(review, found.held_rows),
        "commands": wording.commands(found.number, review),
    }  # fmt: skip


def _questions_sentence(asked: list[dict]) -> str:
    held = [question for question in asked if question["is_held"]]
    rows = sum({(found["league"], found["about"]): found["held_rows"] for found in held}.values())
    told = f"{counted(len(asked), 'question')}; rows wait for the answer to {len(held):,} of them, {rows:,} in all."
    return told + (
        f" The first {QUESTIONS} are shown; `rally-etl reviews` lists all." if len(asked) > QUESTIONS else ""
    )


def _fates(rows: list[dict]) -> list[dict]:
    """One row per league and table: how many live and new rows have which fate, and why."""
    found: dict[tuple[str, str], dict] = {}
    for row in rows:
        blank = {"league": row["league"], "table": row["table_name"], "why": []} | dict.fromkeys(recorded.FATES, 0)
        one = found.setdefault((row["league"], row["table_name"]), blank)
        one[row["fate"]] += row["row_count"]
        if row["why"] != "counted":
            one["why"].append(f"{row['row_count']:,} {row['fate']}: {row['why']}")
    leagues = [league for league, _ in found]
    return [one | {"first": one["league"] not in leagues[:place]} for place, one in enumerate(found.values())]


def _checks_sentence(checks: list[dict]) -> str:
    counts: dict[str, int] = {}
    for row in checks:
        counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
    return ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()) + "."


def _quarantine_sentence(rows: list[dict], files: list[dict]) -> str:
    kept, read = sum(row["records"] for row in rows), sum(row["records"] or 0 for row in files)
    faults = sum(row["records"] for row in rows if row["class"] == "fault")
    return f"Kept aside with their original text: {kept:,} of {counted(read, 'record')}, {faults:,} of them damaged."


def _words(value: Any) -> str:
    """A failing row as text: `column value` pairs."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in withheld(value).items())
    return str(value)


def _list(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _verb(names: list[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many
