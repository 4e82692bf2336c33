"""What a run tells of: its decisions without names, a failure once, the end when the league is good again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from rally_etl import alerts, gate, recovery
from rally_etl import ledger as runs_ledger
from rally_etl.alerts.ofrepairs import note_over
from rally_etl.errors import Stopped
from rally_etl.outcomes import Outcome, decide, finish
from rally_etl.settings import Settings

from .conftest import messages, rows

NAME = "Ann Example (Tennaqua 12)"
STANDING = (
    "select cause, state, severity, what from etl.incidents order by array_position(array['error', 'warn', 'info'],"
    " severity), cause"
)


def reason(rule: str, severity: str = "error", stage: str = "import", **changes: Any) -> dict[str, Any]:
    """A reason as the gate writes it, with a person's name in its message."""
    told = {"rule": rule, "severity": severity, "stage": stage, "observed": 2, "threshold": 0}
    return told | {"message": f"something: 2 ({NAME})", "names": [NAME]} | changes


NO_GO = ("NO-GO", "refused", [reason("files_are_readable")])


@pytest.fixture
def ended(ledger: sa.Engine, module_settings: Settings) -> Callable[..., list[str]]:
    """Enter a run that has ended and let it tell; answer what it says to the operator."""

    def end(run_id: str, leagues: dict[str, tuple[str, str, list]], **run: Any) -> list[str]:
        values = {"status": "completed", "dry_run": False, "operation": None} | run
        with ledger.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into etl.runs (run_id, source, as_of, status, dry_run, operation)"
                    " values (:run, 'x', now(), :status, :dry_run, cast(:operation as jsonb))"
                ),
                values | {"run": run_id},
            )
            connection.execute(sa.text("alter table etl.run_leagues disable trigger note_state"))
            for league, (decision, state, reasons) in leagues.items():
                connection.execute(
                    sa.text(
                        "insert into etl.run_leagues (run_id, league, decision, state, reasons)"
                        " values (:run, :league, :decision, :state, cast(:reasons as jsonb))"
                    ),
                    {"run": run_id, "league": league, "decision": decision, "state": state}
                    | {"reasons": json.dumps(reasons)},
                )
        told: list[str] = []
        alerts.after_run(ledger, module_settings, run_id, tell=told.append)
        return told

    return end


def test_every_rule_of_the_gate_can_be_told_without_what_it_names(module_settings):
    """The words are those of the rule and its numbers; nothing is left of the place of the detail."""
    rules = gate.read_rules(module_settings.params_dir / "gate.yaml")
    said = {rule.name: alerts.ofruns.worded(rule, reason(rule.name, message=NAME), "NSTF") for rule in rules}

    assert len(rules) == len(said)
    assert [] == [name for name, (what, _) in said.items() if len(what) < 12 or what.strip(" .") != what]
    assert [] == [text for texts in said.values() for text in texts if "{" in text or "()" in text or "Ann" in text]
    assert (
        "files with records that are neither staged nor quarantined: 2",
        "This is a fault of the program: keep the run and report it",
    ) == said["every_record_is_accounted_for"]


def test_a_refused_league_is_an_error_without_names(ended, ledger):
    """What, whom and what to do; the person that the reason names is in no row of incidents and messages."""
    assert [] == ended("r1", {"NSTF": ("NO-GO", "refused", [reason("no_check_fails", stage="validation")])})
    ((dump,),) = rows(
        ledger,
        "select (select jsonb_agg(to_jsonb(i)) from etl.incidents as i)::text"
        " || (select jsonb_agg(to_jsonb(m)) from etl.alert_messages as m)::text"
        " || (select jsonb_agg(to_jsonb(l)) from etl.incident_leagues as l)::text",
    )

    assert ["sent"] == messages(ledger, "state")
    assert messages(ledger)[0].startswith("ERROR NSTF: ")
    assert "nothing of it was published" in dump
    assert "`rally-etl show r1` has the reasons" in dump
    assert "Ann" not in dump
    assert "Tennaqua" not in dump


def test_nothing_of_a_refused_league_waits_for_a_person(ended, ledger):
    """What alone would have held it is told beside the error, and an approval would not help."""
    ended("r1", {"NSTF": ("NO-GO", "refused", [reason("no_check_fails"), reason("few_teams_come", "hold")])})

    whom = "nothing of it was published: its users go on seeing the rows of before"
    assert [(whom,)] * 2 == rows(ledger, "select l.whom from etl.incident_leagues as l")


def test_a_held_league_is_a_warning_until_it_is_approved(ended, ledger):
    """It waits for a person; when its rows are live it does not."""
    held = [reason("few_teams_come", "hold")]
    ended("r1", {"NSTF": ("HOLD", "held", held)})
    assert [("import/few_teams_come", "open", "warn")] == [row[:3] for row in rows(ledger, STANDING)]
    assert "its new rows wait for a person" in messages(ledger, "body")[0]

    ended("r2", {"NSTF": ("HOLD", "verified", held)})
    assert ["resolved"] == [row[1] for row in rows(ledger, STANDING)]
    assert ["WARNING", "RESOLVED"] == [each.split()[0] for each in messages(ledger)]


def test_a_league_that_is_good_again_ends_its_incidents_only(ended, ledger):
    """The other league of the same cause still stands."""
    bad = ("NO-GO", "refused", [reason("no_check_fails", stage="validation"), reason("files_are_readable")])
    ended("r1", {"NSTF": bad, "CITA": bad})
    ended("r2", {"NSTF": ("GO", "verified", [])})
    assert [("open", "CITA")] * 2 == rows(
        ledger, "select i.state, l.league from etl.incidents as i join etl.incident_leagues as l on l.incident = number"
    )

    ended("r3", {"CITA": ("GO", "verified", [])})
    assert ["resolved"] * 2 == [row[1] for row in rows(ledger, STANDING)]


def test_a_refused_league_ends_nothing(ended, ledger):
    """A run that stops early has not looked at what an earlier one found."""
    ended("r1", {"NSTF": ("NO-GO", "refused", [reason("no_check_fails", stage="validation")])})
    ended("r2", {"NSTF": ("NO-GO", "refused", [reason("tables_are_there", stage="baseline")])})

    assert ["open", "open"] == [row[1] for row in rows(ledger, STANDING)]


def test_a_thousand_failing_checks_are_one_message(ended, ledger):
    """In forty leagues: 1,000 checks are what one rule says, and a broken stage takes what follows with it."""
    failing = [reason("no_check_fails", stage="validation", observed=1000, names=[f"check {n}" for n in range(1000)])]
    ended("r1", {f"LEAGUE_{n:02}": ("NO-GO", "refused", failing) for n in range(40)})
    assert 1 == len(messages(ledger))
    assert 1 == len(rows(ledger, STANDING))
    assert len(messages(ledger, "body")[0]) < 4000


def test_a_stage_that_broke_is_one_cause(ended, ledger):
    """The evidence that later stages lack is no cause of its own, nor what could not be compared without it."""
    broken = [
        reason("run_is_complete", stage="import", observed=None),
        *(reason("stage_completed", stage=stage, observed=None) for stage in ("import", "validation", "integration")),
        *(reason("evidence_is_whole", stage=stage, observed=None) for stage in ("import", "validation")),
        reason("few_records_are_damaged", stage="import", observed=None),
    ]
    ended("r1", {"NSTF": ("NO-GO", "failed", broken), "CITA": ("NO-GO", "failed", broken)})

    assert [("run/did_not_end", "open", "error", "a run ended before it could decide, in stage import")] == rows(
        ledger, STANDING
    )


def test_what_is_unusual_is_told_with_its_figures(ended, ledger, module_settings):
    """Figures name nobody: the alert says which one it is, from the ledger, and not from the reason's text."""
    ended("r1", {"NSTF": ("GO", "verified", [reason("figures_are_usual", "warn", "monitoring")])})
    with ledger.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.anomalies (run_id, league, kind, metric, value, expected, low, high, runs, told)"
                " values ('r1', 'NSTF', 'anomaly', 'records', 500, 800, 790, 810, 12, 'the file is small')"
            )
        )

    alerts.after_run(ledger, module_settings, "r1", send=False)

    ((_, _, _, what),) = rows(ledger, STANDING)
    assert "what is unusual beside past good runs: 2 (the file is small)" == what


def test_a_run_that_failed_is_an_error_until_one_ends(ended, ledger):
    """Whatever its error says; the next run that decides, even NO-GO, ends it."""
    ended("r1", {"NSTF": (None, "failed", [])}, status="failed")
    assert [("run/did_not_end", "open", "error", "a run ended before it could decide")] == rows(ledger, STANDING)

    ended("r2", {"NSTF": ("NO-GO", "refused", [reason("no_check_fails", stage="validation")])})
    assert {("run/did_not_end", "resolved"), ("import/no_check_fails", "open")} == {
        row[:2] for row in rows(ledger, STANDING)
    }


def test_a_dry_run_tells_nobody(ended, ledger):
    """Neither an incident nor a message."""
    ended("r1", {"NSTF": ("NO-GO", "refused", [reason("no_check_fails")])}, dry_run=True)

    assert [] == rows(ledger, STANDING)
    assert [] == messages(ledger)


def test_a_repair_ends_nothing_of_an_import(ended, ledger):
    """An undo that is GO has not looked at the scrape."""
    ended("r1", {"NSTF": NO_GO})
    ended("r2", {"NSTF": ("GO", "verified", [])}, operation='{"kind": "undo"}')

    assert ["open"] == [row[1] for row in rows(ledger, STANDING)]


def test_a_late_approval_does_not_bring_back_what_a_later_run_ended(ended, ledger, module_settings):
    """The other league of the old run was NO-GO then, and is good since."""
    ended("r1", {"NSTF": ("HOLD", "held", [reason("few_teams_come", "hold")]), "CITA": NO_GO})
    ended("r2", {"CITA": ("GO", "verified", [])})
    with ledger.begin() as connection:
        connection.execute(sa.text("update etl.run_leagues set state = 'verified' where league = 'NSTF'"))
    alerts.after_run(ledger, module_settings, "r1")

    assert ["resolved", "resolved"] == [row[1] for row in rows(ledger, STANDING)]


def test_an_alert_names_the_checks_that_failed(ended, ledger):
    """Three of them and a count, never their rows: nobody acts on a bare number."""
    ended("r1", {})
    with ledger.begin() as connection:
        for check, outcome in [(f"teams/{name}", "failed") for name in "abcd"] + [("teams/e", "passed")]:
            connection.execute(
                sa.text(
                    "insert into etl.check_results (run_id, league, check_name, severity, outcome, sample)"
                    " values ('r1', 'NSTF', :check, 'error', :outcome, jsonb_build_array(cast(:name as text)))"
                ),
                {"check": check, "outcome": outcome, "name": NAME},
            )
        told = alerts.ofruns._by_name(connection, "r1", "NSTF", "checks_failed")

    assert " (teams/a; teams/b; teams/c; and 1 more)" == told


def test_owners_and_dimensions_are_those_of_the_checks_that_failed(ended, ledger):
    """Routes may go by them."""
    with ledger.begin() as connection:
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of, status) values ('r1', 'x', now(), 'completed')")
        )
        for check, owner, outcome in (("a", "league-ops", "failed"), ("b", "captains", "passed")):
            connection.execute(
                sa.text(
                    "insert into etl.check_results (run_id, league, check_name, severity, outcome, owner, dimension)"
                    " values ('r1', 'NSTF', :check, 'error', :outcome, :owner, 'validity')"
                ),
                {"check": check, "owner": owner, "outcome": outcome},
            )
        assert (("validity",), ("league-ops",)) == alerts.ofruns._of_checks(connection, "r1", "NSTF", "validation")
        assert ((), ()) == alerts.ofruns._of_checks(connection, "r1", "NSTF", "import")


def test_what_goes_wrong_here_is_a_line_and_no_more(ended, ledger, module_settings, tmp_path, monkeypatch):
    """Files that nobody can read, an error of this part: the run goes on, and what it found is noted if it can be."""
    run = {"NSTF": ("NO-GO", "refused", [reason("rules_are_readable", stage="gate", observed=None)])}
    monkeypatch.setattr(alerts.handing, "read_alerting", lambda settings: 1 / 0)
    (told,) = ended("r1", run)
    assert "not everybody was told (ZeroDivisionError: division by zero); `rally-etl alerts send` goes on" == told
    monkeypatch.undo()

    (tmp_path / "params").mkdir()
    broken = Settings(root=tmp_path, database_url=module_settings.database_url)
    lines: list[str] = []
    alerts.after_run(ledger, broken, "r1", tell=lines.append)
    assert [True] == [line.startswith("nobody was told: ") and "alerts.yaml" in line for line in lines]
    what = "params/gate.yaml cannot be read: nothing can be decided"
    assert [("import/rules_are_readable", "open", "error", what)] == rows(ledger, STANDING)


def begun(engine: sa.Engine) -> str:
    """A run of one league that has begun."""
    return runs_ledger.start_run(engine, "x", date(2025, 10, 1), False, ["NSTF"])


def test_a_run_tells_when_it_ends(ledger, module_settings, capsys):
    """Closing a run tells; what it says is in the file, and the operator's terminal has no line more."""
    run_id = begun(ledger)
    refused = {"NSTF": Outcome("NO-GO", [reason("no_check_fails", stage="validation")])}
    decide(ledger, run_id, refused, dry_run=False)
    finish(ledger, module_settings, run_id, refused, dry_run=False)

    assert [("import/no_check_fails", "open", "error", "checks that failed: 2")] == rows(ledger, STANDING)
    lines = (module_settings.root / ".rally/alerts.jsonl").read_text(encoding="utf-8").splitlines()
    assert "ERROR NSTF: checks that failed: 2" == json.loads(lines[-1])["subject"]
    assert "" == capsys.readouterr().err


@pytest.mark.parametrize(("error", "told"), [(ValueError("Ann Example"), 1), (Stopped(2, "Ctrl-C"), 0)])
def test_a_run_that_breaks_tells_unless_somebody_stopped_it(error, told, ledger, module_settings):
    """The exception goes on; its text, which may name a person, does not leave."""
    with pytest.raises(type(error)), recovery.closed_whatever_happens(ledger, module_settings, begun(ledger)):
        raise error

    assert told == len(messages(ledger))
    assert not any("Ann" in body for body in messages(ledger, "body"))


def test_a_run_that_was_killed_is_told_by_the_next_start(ledger, module_settings):
    """It is queued, and goes out with what the next run sends."""
    begun(ledger)
    recovery.close_dead(ledger, module_settings)

    assert ["queued"] == messages(ledger, "state")
    assert ["ERROR NSTF: a run ended before it could decide"] == messages(ledger)


def automatic(problem: str, *, needs_approval: bool = False) -> str:
    """What an automatic repair is asked for."""
    return json.dumps({"kind": "orphans", "problem": problem, "needs_approval": needs_approval})


def test_automatic_repairs_are_told_by_problem(ended, ledger):
    """What waits is a warning of its problem, what was mended news of it; no import and no other repair ends them."""
    waits = [reason("repair_needs_no_approval", "hold", "integration")]
    ended("1", {"NSTF": ("HOLD", "held", waits)}, operation=automatic("rows_gone", needs_approval=True))
    ended("2", {"NSTF": ("GO", "verified", [])}, operation=automatic("links_missing"))
    ended("3", {"NSTF": ("GO", "verified", [])}, operation=json.dumps({"kind": "orphans"}))
    ended("4", {"NSTF": ("GO", "verified", [])})

    told = rows(ledger, STANDING)
    assert [
        ("repairs/rows_gone/repair_needs_no_approval", "open", "warn"),
        ("repairs/links_missing/mended", "open", "info"),
    ] == [row[:3] for row in told]
    assert all(NAME not in row[3] for row in told)
    with ledger.begin() as connection:
        note_over(connection, ["links_missing"])
    ended("5", {"NSTF": ("GO", "verified", [])}, operation=automatic("rows_gone", needs_approval=True))
    assert {
        ("repairs/rows_gone/repair_needs_no_approval", "resolved"),
        ("repairs/links_missing/mended", "resolved"),
        ("repairs/rows_gone/mended", "open"),
    } == {row[:2] for row in rows(ledger, STANDING)}
