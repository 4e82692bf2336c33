"""The page above all runs: what users see, what is open now, and the list."""

from __future__ import annotations

import json

import sqlalchemy as sa

from histories import LEAGUES, write_history
from rally_etl.incidents import raise_incident
from rally_etl.reporting import write_list
from rally_etl.settings import Settings


def written(engine: sa.Engine, settings) -> str:
    """The text of the page."""
    settings.reports_dir.mkdir(exist_ok=True)
    return write_list(engine, settings).read_text(encoding="utf-8")


def figures(text: str) -> list[dict]:
    """The figures of a page, as data."""
    parts = text.split('<script type="application/json">')[1:]
    return [json.loads(part.split("</script>")[0]) for part in parts]


def test_what_users_see_is_said_of_each_league(engine, settings):
    """A league that was refused last is as of the run before; its mark is red, and it stands first."""
    with engine.begin() as connection:
        write_history(connection, 5, refused={4: "NSTF"})

    text = written(engine, settings)
    outcomes = {trace["name"]: trace for trace in figures(text)[0]["data"]}

    assert "What users see: NSTF is as of 31 May; APTA_CHICAGO, CNSWPL are as of 7 Jun" in text
    assert 14 == len(outcomes["published"]["x"])
    assert (["NSTF"], [4]) == (outcomes["refused"]["y"], outcomes["refused"]["x"])
    assert "NSTF" == figures(text)[0]["layout"]["yaxis"]["categoryarray"][-1]
    assert "Health is lowest in NSTF: 7" in text


def test_open_incidents_stand_on_top_the_worst_first(engine, settings):
    """What is open, since when and what to do; rows that an incident of a run names stay in the ledger."""
    with engine.begin() as connection:
        raise_incident(connection, "late_scrape", "no scrape since 3 days", severity="warn", todo="look at the scraper")
        raise_incident(connection, "published_is_verified", "Ann Example lost a vote", league="NSTF", todo="undo it")

    text = written(engine, settings)

    assert "2 incidents are open, as of 20" in text
    assert text.index("published is verified") < text.index("late scrape")
    assert "undo it" in text
    assert "Ann Example" not in text


def test_without_any_run_or_ledger_the_page_says_so(empty_engine, tmp_path):
    """A database that holds nothing at all."""
    text = written(empty_engine, Settings(root=tmp_path))

    assert "No incident is open" in text
    assert "No run has left a report yet." in text
    assert [] == figures(text)


def test_many_leagues_are_counted(engine, settings):
    """Of a run of forty leagues those that are not GO are named, the others counted; other folders are left out."""
    folder = settings.reports_dir / "20250101t0000_aaaa"
    folder.mkdir(parents=True)
    leagues = {f"LEAGUE_{number:02}": {"decision": "GO", "plan": {}} for number in range(39)}
    leagues["NSTF"] = {"decision": "NO-GO", "plan": {"teams": {"insert": 2, "update": 3, "unchanged": 500}}}
    (folder / "run.json").write_text(json.dumps({"decision": "NO-GO", "health_score": 91.5, "leagues": leagues}))
    (folder / "manifest.json").write_text(json.dumps({"started_at": "2025-01-01 00:00", "source": "scrapes"}))
    (settings.reports_dir / "torn").mkdir()
    (settings.reports_dir / "torn/run.json").write_text("{")

    text = written(engine, settings)

    assert '<span class="tag no-go">NSTF</span> <span class="tag go">39 more GO</span>' in text
    assert "LEAGUE_01" not in text
    assert '<td class="num">5</td>' in text
    assert "1 run, newest first." in text


def test_many_leagues_are_few_rows_of_marks(engine, settings):
    """Twelve leagues are drawn, those first that users see an old state of."""
    leagues = LEAGUES | {f"LEAGUE_{number:02}": 300 for number in range(20)}
    with engine.begin() as connection:
        write_history(connection, 4, leagues, refused={3: "LEAGUE_19"})

    text = written(engine, settings)

    assert (
        "LEAGUE_19 is as of 24 May; 22 leagues are as of 31 May (12 of 23 leagues are drawn, the worst first)" in text
    )
    assert 12 == len(figures(text)[0]["layout"]["yaxis"]["categoryarray"])
