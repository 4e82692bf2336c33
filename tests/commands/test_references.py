"""`rally-etl references` prints the map of any database."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from rally_etl.cli import app
from rally_etl.settings import Settings


@pytest.fixture
def invoke(settings, monkeypatch):
    """Run the command on the database of `settings`."""
    monkeypatch.setattr(Settings, "from_env", classmethod(lambda cls: settings))
    return lambda *arguments: CliRunner().invoke(app, ["references", *arguments])


def test_map_is_a_table(engine, invoke):
    """Users' rows come first, then imported ones; what is not covered is told on stderr, the exit code is 0."""
    with engine.begin() as connection:
        connection.execute(sa.text("insert into polls (question) values ('Who?'), ('When?')"))
        connection.execute(sa.text("create table carpools (id serial, driver text)"))
    result = invoke()
    lines = [line.split() for line in result.stdout.splitlines()]

    assert 0 == result.exit_code
    assert ["polls.team_id", "teams.id", "key", "fixed", "required", "0", "2", "poll"] in lines
    assert result.stdout.index("rows of users") < result.stdout.index("polls") < result.stdout.index("imported rows")
    assert result.stderr.startswith("warning: table carpools is in no reference: declare it in params/references.yaml")


def test_json_is_one_document(invoke):
    """The same as JSON, one object per reference."""
    result = invoke("--json")
    document = json.loads(result.stdout)
    found = {(each["table"], each["column"], each["label"]): each for each in document["references"]}

    assert 0 == result.exit_code
    assert [] == document["uncovered"]
    assert "name" == found["schedule", "home_team", "practice time"]["by"]
    assert "teams.id" == found["captain_messages", "team_id", "message"]["target"]
    assert found["schedule", "home_team_id", "practice time"]["rows_of"]


def test_empty_database(make_database, settings, monkeypatch, tmp_path):
    """A database without tables has no references, and that is no fault."""
    with make_database() as url:
        bare = Settings(root=settings.root, database_url=url)
        monkeypatch.setattr(Settings, "from_env", classmethod(lambda cls: bare))
        result = CliRunner().invoke(app, ["references"])

    assert 0 == result.exit_code
    assert "no table of this database points at an imported row\n" == result.stdout
