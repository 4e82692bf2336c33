"""What the operator reads at the end of a run, and the exit code of an approval."""

from __future__ import annotations

import re

import pytest

from rally_etl.commands.run import _approved_code
from rally_etl.commands.terminal import Terminal

RUN = "20251003T060012-1f3a"


def league(decision: str, *, published: bool = False, reasons: list[dict] | None = None) -> dict:
    """One league of a run's document, with one change and two quarantined records."""
    plan = {"teams": {"insert": 1, "update": 0, "deactivate": 0, "unchanged": 26}}
    found = {
        "decision": decision,
        "published": published,
        "quarantined": 2,
        "plan": plan,
        "changes": ["1 new team: A 1"],
    }
    return found | {"reasons": reasons or []}


def reason(severity: str, message: str, stage: str = "import") -> dict:
    """One reason as the gate writes it."""
    return {
        "rule": "some_rule",
        "stage": stage,
        "severity": severity,
        "observed": 1,
        "threshold": 0,
        "message": message,
    }


def told(capsys, leagues: dict, *, decision: str, dry_run: bool = False) -> str:
    """What `conclude` prints on stderr for these leagues."""
    document = {"run_id": RUN, "decision": decision, "dry_run": dry_run, "report": "reports/x", "leagues": leagues}
    Terminal().conclude(document)
    return capsys.readouterr().err


def test_end_of_a_run_as_text(capsys):
    """Decision first, then each league with its reasons and changes, the report, and what to do next."""
    leagues = {
        "APTA_CHICAGO": league("GO", published=True, reasons=[reason("warn", "the newest match is old")]),
        "NSTF": league("HOLD", reasons=[reason("hold", "NSTF: \x1b[31m1 series"), reason("warn", "not worth a line")]),
        "CITA": league("NO-GO", reasons=[reason("error", "CITA: a file is broken")]),
    }

    expected = f"""
NO-GO         run {RUN}
  APTA_CHICAGO  GO, 1 change published, 2 records quarantined
    warn  the newest match is old
    1 new team: A 1
  NSTF          HOLD, 1 change not published, 2 records quarantined
    hold  NSTF:  [31m1 series
    1 new team: A 1
  CITA          NO-GO, 1 change not published, 2 records quarantined
    error CITA: a file is broken
    1 new team: A 1

report: reports/x
hint: rally-etl approve {RUN} --by WHO --reason TEXT publishes NSTF
hint: the live rows of CITA are as they were; mend what the reasons name and run the scrape again
"""
    assert expected == told(capsys, leagues, decision="NO-GO")


def test_dry_run_says_what_would_be_published(capsys):
    """A dry run offers no approval, and names only the leagues that a real run would publish."""
    text = told(capsys, {"NSTF": league("GO"), "CITA": league("HOLD")}, decision="HOLD", dry_run=True)

    assert text.endswith("hint: a dry run publishes nothing; without --dry-run the same command publishes NSTF\n")
    assert "approve" not in text


def test_what_was_taken_back_is_told(capsys):
    """A league that was taken back is neither published nor waiting; open incidents are told with their command."""
    number = 7
    document = {
        "run_id": RUN, "decision": "NO-GO", "dry_run": False, "report": "reports/x",
        "leagues": {
            "NSTF": league("NO-GO", reasons=[reason("error", "others saw 2 rows", "verify")]) | {"state": "undone"},
            "CITA": league("NO-GO", published=True) | {"state": "failed"},
        },
        "incidents": [{"number": number, "league": "NSTF", "what": "others saw 2 rows"}],
    }  # fmt: skip
    Terminal().conclude(document)
    text = capsys.readouterr().err

    assert "NSTF          NO-GO, 1 change published and taken back, 2 records quarantined\n" in text
    assert "CITA          NO-GO, 1 change published and NOT as promised, 2 records quarantined\n" in text
    assert f"open incident {number} of NSTF: others saw 2 rows\n" in text
    assert ["rally-etl incidents tells what happened and what to do; resolve N says that it is over"] == re.findall(
        "^hint: (.*)$", text, re.M
    )


def test_nothing_is_hinted_when_all_is_published(capsys):
    """An operator with nothing to do reads no hint, also after an approval."""
    leagues = {"NSTF": league("GO", published=True), "CITA": league("HOLD", published=True)}

    assert "hint:" not in told(capsys, leagues, decision="HOLD")


@pytest.mark.parametrize(
    ("leagues", "code"),
    [
        ([league("HOLD", published=True)], 0),
        ([league("HOLD", published=True), league("NO-GO", reasons=[reason("error", "moved", "publish")])], 3),
        ([league("HOLD", published=True, reasons=[reason("error", "differs", "verify")])], 1),
        ([league("HOLD", published=True), league("HOLD") | {"state": "held"}], 4),
    ],
    ids=["published", "one refused", "live differs", "live is busy"],
)
def test_exit_code_of_an_approval(leagues, code):
    """Only the leagues that were asked for count: all published, one refused, not as planned, or one waits on."""
    assert code == _approved_code(leagues)


@pytest.mark.parametrize(
    ("queues", "line"),
    [
        ([(11, 300), (1, 40)], "12 questions wait for an answer, 340 rows with them: rally-etl reviews\n"),
        ([(1, 1)], "1 question waits for an answer, 1 row with it: rally-etl reviews\n"),
        ([(3, 0)], "3 questions wait for an answer: rally-etl reviews\n"),
    ],
)
def test_questions_are_one_line(capsys, queues, line):
    """The end of a run counts what waits for a person over all leagues, and names the command that lists it."""
    leagues = {
        f"LEAGUE_{number}": league("GO", published=True) | {"reviews": {"open": asked, "held_rows": rows}}
        for number, (asked, rows) in enumerate(queues)
    }

    assert f"report: reports/x\n{line}" in told(capsys, leagues, decision="GO")


def test_no_question_is_no_line(capsys):
    """Nothing is said about an empty queue."""
    leagues = {"NSTF": league("GO", published=True) | {"reviews": {"open": 0, "held_rows": 0}}}

    assert "question" not in told(capsys, leagues, decision="GO")
