"""What is told when: one incident per cause, no repeats, quiet hours, escalation, the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl.alerts import Alerting, enqueue_due, note
from rally_etl.incidents import acknowledge, raise_incident
from rally_etl.incidents import resolve as close
from rally_etl.settings import Settings

from .conftest import alerting, finding, messages, rows

OPEN = (
    "select cause, state, severity, seen, array(select league from etl.incident_leagues"
    " where incident = number order by 1) from etl.incidents order by number"
)


def tell(engine: sa.Engine, rules: Alerting, now: datetime | None = None) -> None:
    """Put what is due into the spool."""
    enqueue_due(engine, Settings(root=Path("nowhere")), rules, now)


def later(**span: float) -> datetime:
    """An instant in the future."""
    return datetime.now(UTC) + timedelta(**span)


def test_one_cause_is_one_incident_over_leagues_and_runs(ledger, found):
    """It is as bad as in the worst league, and says so of the next one when that is good again."""
    found(finding(league="NSTF"), finding(league="CITA", severity="warn"))
    found(finding(league="NSTF"), finding(league="NSTF", severity="info"))
    assert [("import/few_teams", "open", "error", 2, ["CITA", "NSTF"])] == rows(ledger, OPEN)

    found(mended=("NSTF",))
    assert [("import/few_teams", "open", "warn", 2, ["CITA"])] == rows(ledger, OPEN)

    found(finding("other", league="CITA"), mended=("CITA",))
    assert [("import/few_teams", "resolved"), ("import/other", "open")] == [row[:2] for row in rows(ledger, OPEN)]


def test_what_was_not_looked_for_stands(ledger, found):
    """A run that is no import, and a league that was not in the run, end nothing."""
    found(finding(), finding("lost_rows", cause="repair/lost_rows"))
    found(mended=("CITA",))
    found(mended=("NSTF",))

    assert [("import/few_teams", "resolved"), ("repair/lost_rows", "open")] == [row[:2] for row in rows(ledger, OPEN)]


@pytest.mark.parametrize(("severity", "times"), [("warn", 1), ("error", 3)])
def test_a_cause_that_comes_and_goes_is_one_incident(severity, times, ledger, found):
    """What ended by itself a moment ago is opened again; a warning is not told again within the interval, an error is:
    who heard that it is over must not believe so."""
    hour = timedelta(hours=1)
    for _ in range(3):
        found(finding(severity=severity), reopen_within=hour)
        tell(ledger, alerting())
        found(mended=("NSTF",))
        tell(ledger, alerting())

    assert [("import/few_teams", "resolved", severity, 3, [])] == rows(ledger, OPEN)
    assert ["NSTF: few_teams in NSTF", "NSTF: few teams"] * times == [
        each.split(" ", 1)[1] for each in messages(ledger)
    ]


def test_what_stands_is_told_once(ledger, found):
    """The same finding, however often, is one message; a further league is told after the minimum interval."""
    for _ in range(5):
        found(finding())
        tell(ledger, alerting())
    found(finding(), finding(league="CITA"))
    tell(ledger, alerting())
    assert ["ERROR NSTF: few_teams in NSTF"] == messages(ledger)

    tell(ledger, alerting(), later(minutes=61))
    tell(ledger, alerting(), later(minutes=62))
    assert ["ERROR NSTF: few_teams in NSTF", "ERROR CITA, NSTF: few_teams in CITA"] == messages(ledger)


def test_what_becomes_worse_is_told_at_once(ledger, found):
    """From a warning to an error; not the way back."""
    for severity in ("warn", "error", "warn"):
        found(finding(severity=severity))
        tell(ledger, alerting())

    assert ["WARNING NSTF: few_teams in NSTF", "ERROR NSTF: few_teams in NSTF"] == messages(ledger)


def test_what_is_found_together_is_one_message(ledger, found):
    """Forty causes are one message per channel, the worst first, ten of them spelled out."""
    found(*(finding(f"rule_{n:02}", severity="warn") for n in range(39)), finding("worst"))
    tell(ledger, alerting({"channels": ["a", "b"]}))
    (body, _) = messages(ledger, "body")

    assert ["ERROR NSTF: worst in NSTF (and 39 more)"] * 2 == messages(ledger)
    assert 10 == body.count("to do     look;")
    assert body.endswith("and 30 more incidents: `rally-etl alerts list`")


def test_each_league_is_told_whom_it_touches_there(ledger, found):
    """One is live and two were not published: both are said, also when a later run finds one of them alone."""
    waits = {"whom": "nothing was published", "what": "few_teams"}
    found(finding(league="CITA", **waits), finding(league="NSTF", whom="it is live", what="few_teams"))
    found(finding(league="APTA_CHICAGO", **waits))
    tell(ledger, alerting())
    (body,) = messages(ledger, "body")

    expected = "touches   APTA_CHICAGO, CITA: nothing was published\n          NSTF: it is live\nto do"
    assert expected in body


def test_the_end_of_what_names_a_fault_says_that_it_is_no_more(ledger, found):
    """`feed is silent` would sound as if it were; what rules of the gate say is true again."""
    found(finding(), finding("feed_is_silent", cause="health/feed_is_silent", what="no match came"))
    tell(ledger, alerting())
    with ledger.begin() as connection:
        note(connection, [], {"NSTF": ["import/", "health/"]})
    tell(ledger, alerting())

    body = messages(ledger, "body")[1]
    assert ["few teams (NSTF;", "no more: no match came (NSTF;"] == [
        line.removeprefix("RESOLVED  ").partition(" incident")[0] for line in body.split("\n\n")
    ]


def test_a_message_says_what_since_when_whom_and_what_to_do(ledger, found):
    """One paragraph per incident."""
    found(finding(what="teams are missing: 3", whom="its users see old rows", todo="scrape again"))
    tell(ledger, alerting())
    ((number, since),) = rows(ledger, "select number, opened_at from etl.incidents")

    assert [
        f"ERROR  teams are missing: 3 (incident {number}, opened)\n"
        f"since     {since:%Y-%m-%d %H:%M} UTC\n"
        "touches   NSTF: its users see old rows\n"
        f"to do     scrape again; `rally-etl alerts ack {number} --by WHO` says that you look"
    ] == messages(ledger, "body")


def test_a_channel_hears_of_its_own_leagues(ledger, found):
    """What ends in the league of a channel is over for it, though the incident stands in another league."""
    routes = alerting({"channels": ["a"], "leagues": ["NSTF"]}, {"channels": ["b"], "leagues": ["CITA"]})
    found(finding(league="NSTF"), finding(league="CITA"))
    tell(ledger, routes)
    found(mended=("NSTF",))
    tell(ledger, routes)

    assert [
        ("a", "ERROR NSTF: few_teams in NSTF"),
        ("b", "ERROR CITA: few_teams in CITA"),
        ("a", "RESOLVED NSTF: few teams"),
    ] == rows(ledger, "select channel, subject from etl.alert_messages order by number")


def test_quiet_hours_hold_back_what_may_wait(ledger, found):
    """What opens and ends in the night is never told; what still stands in the morning is; errors wake people."""
    now = datetime.now(UTC)
    night = {"begin": f"{now - timedelta(hours=1):%H:%M}", "end": f"{now + timedelta(hours=1):%H:%M}"}
    quiet = alerting(quiet_hours=night | {"time_zone": "UTC"})
    found(finding("gone", severity="warn"), finding("stays", severity="warn"), finding("bad"))
    tell(ledger, quiet)
    found(finding("stays", severity="warn"), finding("bad"), mended=("NSTF",))
    tell(ledger, quiet)
    assert ["ERROR NSTF: bad in NSTF"] == messages(ledger)

    tell(ledger, quiet, later(hours=2))
    assert ["ERROR NSTF: bad in NSTF", "WARNING NSTF: stays in NSTF"] == messages(ledger)


@pytest.mark.parametrize("is_acknowledged", [False, True])
def test_what_nobody_acknowledges_is_told_to_somebody_else_once(is_acknowledged, ledger, found):
    """After an hour, errors only; whoever was called hears that it is over."""
    rules = alerting(escalation={"channels": ["b"]})
    found(finding(), finding("small", severity="warn"))
    tell(ledger, rules)
    if is_acknowledged:
        with ledger.begin() as connection:
            acknowledge(connection, rows(ledger, "select min(number) from etl.incidents")[0][0], "Ann Example")
    for minutes in (59, 61, 62, 130):
        tell(ledger, rules, later(minutes=minutes))
    calls = "select subject from etl.alert_messages where channel = 'b' order by number"
    called = [] if is_acknowledged else [("ERROR NSTF: nobody has acknowledged: few_teams in NSTF",)]
    assert called == rows(ledger, calls)

    found(mended=("NSTF",))
    tell(ledger, rules, later(minutes=131))
    assert called + ([] if is_acknowledged else [("RESOLVED NSTF: few teams",)]) == rows(ledger, calls)


def test_an_incident_of_one_run_is_told_without_its_words(ledger, found):
    """What the ledger says of it may show rows of persons: the message says where to read it, and when it is over."""
    with ledger.begin() as connection:
        number = raise_incident(connection, "live_equals_candidate", "others saw Ann Example twice", league="NSTF")
    tell(ledger, alerting())
    with ledger.begin() as connection:
        close(connection, number, "Ann Example", "it is over")
    tell(ledger, alerting())

    opened = "ERROR NSTF: live may not be as a run promised (live equals candidate)"
    assert [opened, "RESOLVED NSTF: live equals candidate"] == messages(ledger)
    assert not any("Ann" in body for body in messages(ledger, "body"))
    assert "`rally-etl incidents` tells what happened and what to do" in messages(ledger, "body")[0]


def test_a_control_character_of_a_league_does_not_leave(ledger, found):
    """The name of a folder may hold anything; a mail's subject has one line."""
    found(finding(league="NSTF\n\x1b[31mBcc: x", what="w"))
    tell(ledger, alerting())

    assert ["ERROR NSTF [31mBcc: x: w"] == messages(ledger)
    assert [] == [letter for letter in messages(ledger, "body")[0] if not letter.isprintable() and letter != "\n"]


def test_a_channel_that_is_off_hears_what_stands_when_it_is_on(ledger, found, monkeypatch):
    """Nothing piles up for it; what has ended in between is no news."""
    monkeypatch.delenv("RALLY_TEST_HOOK", raising=False)
    slack = alerting({"channels": ["s"]}, channels={"s": {"kind": "slack", "url_env": "RALLY_TEST_HOOK"}})
    found(finding("ends"), finding("stands"))
    tell(ledger, slack)
    found(finding("stands"), mended=("NSTF",))
    tell(ledger, slack)
    assert [] == messages(ledger)

    monkeypatch.setenv("RALLY_TEST_HOOK", "https://hooks.example.org/x")
    tell(ledger, slack)
    assert ["ERROR NSTF: stands in NSTF"] == messages(ledger)


def test_a_message_is_kept_while_it_is_of_use(ledger, found):
    """For 90 days, longer while its incident stands, and until its end is no news; one that waits stays."""
    found(finding("ends"))
    tell(ledger, alerting())
    found(finding("stands"), mended=("NSTF",))
    tell(ledger, alerting(minimum_interval_minutes=0))
    found(finding("stands"), finding("waits"))
    tell(ledger, alerting(minimum_interval_minutes=0))
    assert 3 == len(messages(ledger))
    with ledger.begin() as connection:
        connection.execute(
            sa.text("update etl.alert_messages set state = 'sent', sent_at = created_at where body not like '%waits%'")
        )

    tell(ledger, alerting(), later(days=89))
    assert 3 == len(messages(ledger))
    tell(ledger, alerting(), later(days=91))
    assert ["stands" in each or "waits" in each for each in messages(ledger, "body")] == [True, True]
