"""`rally-etl incidents`, and where else a person reads that one is open: `runs`, `show`, the front page."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from rally_etl import cli, states
from rally_etl.errors import UsageError
from rally_etl.incidents import raise_incident, raise_unverified, read_incidents

RUN = "20251003T060012-1f3a"


@pytest.fixture(scope="module")
def raised(module_engine, module_settings) -> sa.Engine:
    """A run whose league was taken back, another that nobody verified, and an incident of each."""
    with module_engine.begin() as connection:
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'x', now())"), {"run": RUN}
        )
        for league, steps in (
            ("NSTF", ("audited", "published", "undone")),
            ("CITA", ("audited", "published")),
        ):
            connection.execute(
                sa.text("insert into etl.run_leagues (run_id, league, published_at) values (:run, :league, now())"),
                {"run": RUN, "league": league},
            )
            for step in steps:
                states.move(connection, RUN, [league], step, f"{league} is {step}")
        told = {"done": "it was taken back", "todo": "look", "run_id": RUN, "league": "NSTF"}
        raise_incident(connection, "live_equals_candidate", "others saw\x1b[31m 2 rows", **told)
        assert [(RUN, "CITA")] == raise_unverified(connection)
    return module_engine


@pytest.fixture
def rally(raised, module_settings, monkeypatch):
    """Run `rally-etl` in this process; an error of ours is raised."""
    monkeypatch.setenv("DATABASE_URL", module_settings.database_url)
    monkeypatch.setenv("RALLY_HOME", str(module_settings.root))

    def run(*arguments: str):
        done = CliRunner().invoke(cli.app, arguments)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_open_incidents_are_listed(rally):
    """The newest first: what is wrong, what happened to the data, what to do; no control character comes through."""
    done = rally("incidents")

    number, severity, *_ = done.stdout.split()
    assert ("2", "error") == (number, severity)
    assert f"published_is_verified  CITA  run {RUN}\n" in done.stdout
    assert "      is     others saw [31m 2 rows\n      done   it was taken back\n      to do  look\n" in done.stdout
    assert "rally-etl incidents resolve N --by WHO --reason TEXT says that one is over\n" == done.stderr
    found = json.loads(rally("incidents", "--json", "--run", RUN).stdout)["incidents"]
    assert [(2, "CITA", "open"), (1, "NSTF", "open")] == [(e["number"], e["league"], e["state"]) for e in found]


def test_runs_and_show_tell_of_them(rally):
    """`runs` counts them and marks what was taken back; `show` has every step with its cause, and each incident."""
    listed, shown = rally("runs"), rally("show", RUN)
    document = json.loads(rally("show", RUN, "--json").stdout)

    assert "CITA* NSTF-" in listed.stdout
    assert "* published, - published and taken back\n2 open incidents: rally-etl incidents\n" == listed.stderr
    assert "open incident " in shown.stdout and "of NSTF: others saw [31m 2 rows" in shown.stdout
    assert [line.split(maxsplit=4)[3:] for line in shown.stdout.splitlines() if line.startswith("NSTF")] == [
        ["planned"], ["audited", "NSTF is audited"], ["published", "NSTF is published"], ["undone", "NSTF is undone"]
    ]  # fmt: skip
    steps = ["planned", "audited", "published", "undone"]
    assert steps == [each["state"] for each in document["leagues"]["NSTF"]["states"]]
    assert (False, True) == tuple(document["leagues"][key]["published"] for key in ("NSTF", "CITA"))
    assert [2, 1] == [each["number"] for each in document["incidents"]]


def test_an_incident_is_raised_once_and_resolved_once(raised, rally):
    """What is open is not opened again but says what is said last; it is over when somebody says so, for a reason."""
    with raised.begin() as connection:
        assert 1 == raise_incident(connection, "live_equals_candidate", "others saw 3 rows", run_id=RUN, league="NSTF")
        assert [] == raise_unverified(connection), "an incident has told of it"
        assert "others saw 3 rows" == read_incidents(connection)[1].what

    told = ("--by", "Ann Example", "--reason", "the other program is stopped")
    with pytest.raises(UsageError, match=r"there is no incident \d+; nothing was written"):
        rally("incidents", "resolve", "99", *told)
    with pytest.raises(UsageError, match="resolved by somebody, for a reason"):
        rally("incidents", "resolve", "1", "--by", " ", "--reason", "x")
    assert "the other program is stopped\n" == rally("incidents", "resolve", "1", *told).stderr[-29:]
    with pytest.raises(UsageError, match=r"was resolved by Ann Example \(the other program is stopped\)"):
        rally("incidents", "resolve", "1", *told)

    assert [2] == [each["number"] for each in json.loads(rally("incidents", "--json").stdout)["incidents"]]
    assert "resolved by Ann Example: the other program is stopped" in rally("incidents", "--all").stdout
    with raised.begin() as connection:
        assert 1 < raise_incident(connection, "live_equals_candidate", "again", run_id=RUN, league="NSTF")
