"""Trends over past runs: what is drawn, what is marked, and the sentence above it."""

from __future__ import annotations

import datetime as dt
import json

import plotly.graph_objects as go
import pytest
import sqlalchemy as sa

from conftest import REPOSITORY
from histories import FIRST, LEAGUES, write_anomaly, write_history
from rally_etl.errors import UsageError
from rally_etl.reporting.tables import Note
from rally_etl.reporting.trends import TRENDS, trend

RUNS = 20
REFUSED = {RUNS - 1: "NSTF", RUNS - 8: "CNSWPL"}
PARAMS = REPOSITORY / "params"


@pytest.fixture(scope="module")
def past(module_engine):
    """Twenty weekly runs of three leagues: two refusals, found unusual, with an incident each; a season between."""
    with module_engine.begin() as connection:
        run_ids = write_history(connection, RUNS, refused=REFUSED)
        band = {"low": 94.5, "high": 99.0, "told": "health is 74"}
        write_anomaly(connection, run_ids[-1], "NSTF", "health", value=74, **band)
        write_anomaly(connection, run_ids[-8], "CNSWPL", "health", value=74, **band)
        _open_incident(connection, "CNSWPL", run_ids[-8], until=run_ids[-7])
        _open_incident(connection, "NSTF", run_ids[-1])
    with module_engine.connect() as connection:
        yield connection, run_ids


def _open_incident(connection: sa.Connection, league: str, run_id: str, until: str = "") -> None:
    number = connection.scalar(
        sa.text(
            "insert into etl.incidents (run_id, league, rule, severity, what, state, opened_at, resolved_at)"
            " select :run, :league, 'few_records', 'error', 'x', case :until when '' then 'open' else 'resolved' end,"
            " started_at, (select started_at from etl.runs where run_id = :until) from etl.runs where run_id = :run"
            " returning number"
        ),
        {"run": run_id, "league": league, "until": until},
    )
    assert number


def drawn(connection: sa.Connection, name: str, **options) -> go.Figure:
    """The chart; a note in its place fails the test."""
    figure = trend(connection, PARAMS, name, **options)
    assert isinstance(figure, go.Figure), figure
    return figure


def headings(figure: go.Figure) -> list[str]:
    """Texts above the strips, from the top."""
    return [each.text for each in figure.layout.annotations if each.xref == "paper"]


def words(figure: go.Figure, axis: str) -> list[str]:
    """Words at the lines of a strip."""
    return [each.text for each in figure.layout.annotations if each.yref == f"{axis} domain"]


def traces(figure: go.Figure, name: str) -> dict[str, go.Scatter]:
    """Axis -> trace of this name."""
    return {each.yaxis: each for each in figure.data if each.name == name}


def test_title_says_what_is_unusual_now(past):
    """The newest run of NSTF fell out of what is usual; the title says how far, that it was refused, and the others."""
    title = drawn(past[0], "health").layout.title.text

    assert title.startswith("The health score of NSTF fell to 7")
    assert "on 20 Sep (refused), 94.5 to 99 are usual; the other 2 leagues have 9" in title


def test_title_of_what_is_usual_says_the_facts(past):
    """Before that run nothing was unusual: the title tells the range, and what was unusual last."""
    title = drawn(past[0], "health", run_id=past[1][-2]).layout.title.text

    assert title.startswith("The health of 3 leagues is 9")
    assert "; the health score of CNSWPL fell to 7" in title
    assert title.endswith("on 2 Aug (refused)")


def test_worst_stands_first(past):
    """All leagues together, then the one that is unusual now, then the one that was."""
    found = headings(drawn(past[0], "health"))

    assert ["all leagues", "NSTF", "CNSWPL", "APTA_CHICAGO"] == [
        text.split("<b>")[1].split("</b>")[0] for text in found
    ]
    assert found[1].endswith(" (refused)")


def test_every_strip_has_a_scale_of_its_own(past):
    """A league of 17,500 lines does not flatten one of 500."""
    figure = drawn(past[0], "volumes")
    tops = {
        heading: figure.layout[f"yaxis{n}" if n > 1 else "yaxis"].range[1]
        for n, heading in enumerate(headings(figure), 1)
    }
    top = {
        league: next(each for heading, each in tops.items() if heading.startswith(f"<b>{league}: the file of matches"))
        for league in LEAGUES
    }

    assert 17_500 < top["APTA_CHICAGO"] < 30_000
    assert 500 < top["NSTF"] < 800


def test_what_did_not_become_live_is_off_the_line(past):
    """A refused run is a hollow mark; the line goes on without it."""
    figure = drawn(past[0], "health", leagues=["NSTF"])
    line, hollow = traces(figure, "what became live")["y"], traces(figure, "did not become live")["y"]

    assert RUNS - 1 == len(line.y)
    assert 1 == len(hollow.y)
    assert "circle-open" == hollow.marker.symbol
    assert min(line.y) > 94 > hollow.y[0]
    assert "refused" in hollow.hovertext[0]
    assert past[1][-1] in hollow.hovertext[0]


def test_unusual_is_ringed_with_what_is_usual(past):
    """What the monitoring found unusual has a ring, and its hover says what was found."""
    ring = traces(drawn(past[0], "health", leagues=["NSTF"]), "unusual")["y"]

    assert 1 == len(ring.y)
    assert "unusual: health is 74" in ring.hovertext[0]


def test_band_begins_with_enough_runs_and_anew_with_a_season(past):
    """No band in the first eight runs, nor in the eight after a new season came."""
    area = traces(drawn(past[0], "health", leagues=["APTA_CHICAGO"]), "usual, nine times in ten")["y"]
    days = sorted({text[:10] for text in area.x if text})

    assert f"{FIRST + dt.timedelta(weeks=8)}" == days[0]
    assert days[-1] < "2025-08-01"


def test_seasons_and_incidents_are_lines_with_a_word(past):
    """Each league has its own: a new season on 30 August, an incident that opened and was resolved."""
    figure = drawn(past[0], "health")

    assert ["new season", "incident 2"] == words(figure, "y2")
    assert ["incident 1", "1 resolved", "new season"] == words(figure, "y3")
    assert ["new season"] == words(figure, "y4")
    assert {"2025-08-30T12:00"} == {each.x0 for each in figure.layout.shapes if each.line.dash == "dash"}


def test_incident_of_a_replayed_past_stands_at_its_run(engine):
    """Runs that judge an old scrape today: what happened today stands at the day of the scrape."""
    with engine.begin() as connection:
        run_ids = write_history(connection, 4)
        connection.execute(
            sa.text(
                "update etl.runs set started_at = now() - interval '1 day' + (as_of - '2025-01-01') * interval '1 s'"
            )
        )
        _open_incident(connection, "NSTF", run_ids[2])
        lines = drawn(connection, "health", leagues=["NSTF"]).layout.shapes

    assert [f"{FIRST + dt.timedelta(weeks=2)}T12:00"] == [each.x0 for each in lines]


def test_older_run_is_shown_up_to_itself(past):
    """Opened for a run of the past, a notebook shows what was known then."""
    figure = drawn(past[0], "durations", run_id=past[1][9])

    assert {10} == {len(each.x) for each in traces(figure, "what became live").values()}


@pytest.mark.parametrize("name", TRENDS)
@pytest.mark.parametrize("runs", [0, 1, 2])
def test_little_history_is_a_sentence(engine, name, runs):
    """Without three points there is no chart, but a sentence that says so."""
    with engine.begin() as connection:
        write_history(connection, runs)
        found = trend(connection, PARAMS, name)

    assert isinstance(found, Note)
    assert ("No run has measured this yet" if not runs else "no trend") in found.text


def test_no_orphan_is_a_sentence(past):
    """A chart of zeros is none."""
    assert (
        "No row of a user points at nothing, and none did in the 20 runs and looks before."
        == trend(past[0], PARAMS, "orphans").text
    )


def test_orphans_of_a_reference_come_with_their_zeros(engine):
    """A reference is stored only where it has orphans: at all other runs since then it has none."""
    with engine.begin() as connection:
        run_ids = write_history(connection, 6)
        connection.execute(
            sa.text(
                "insert into etl.metrics (run_id, league, stage, metric, subject, value)"
                " select :run, '*', 'metrics', 'orphans', s, 3 from unnest(array['', 'polls.team_id']) as s"
            ),
            {"run": run_ids[3]},
        )
        write_anomaly(
            connection, run_ids[3], "*", "orphans", subject="polls.team_id", value=3, low=0, high=0, told="3 orphans"
        )
        figure = drawn(connection, "orphans")
    number = next(n for n, text in enumerate(headings(figure)) if "polls.team_id" in text)

    assert (3, 0, 0) == traces(figure, "what became live")[f"y{number + 1}" if number else "y"].y


def test_of_many_looks_the_last_of_a_day_is_drawn(engine):
    """Somebody looks every minute: each day has one mark, between the runs of its day and the next."""
    with engine.begin() as connection:
        write_history(connection, 3)
        for hour in range(7, 20):
            look = connection.scalar(
                sa.text(
                    "insert into etl.looks (at, as_of, health_score, level) values"
                    " (cast('2025-05-24 00:00Z' as timestamptz) + :hour * interval '1 hour', '2025-05-24', 90, 'good')"
                    " returning look"
                ),
                {"hour": hour},
            )
            connection.execute(
                sa.text(
                    "insert into etl.metrics (look, league, stage, metric, value)"
                    " values (:look, 'NSTF', 'metrics', 'health', :value)"
                ),
                {"look": look, "value": 70 + hour},
            )
        line = traces(drawn(connection, "health", leagues=["NSTF"]), "what became live")["y"]

    assert 4 == len(line.y)
    assert 89 == line.y[-1]
    assert "a look at live" in line.hovertext[-1]


@pytest.mark.slow
def test_many_leagues_are_few_strips(engine):
    """Forty leagues and two hundred runs: eight strips, the worst first, and a page that a telephone can draw."""
    leagues = LEAGUES | {f"LEAGUE_{number:02}": 300 for number in range(37)}
    with engine.begin() as connection:
        run_ids = write_history(connection, 200, leagues, every_days=1, refused={199: "LEAGUE_30"})
        write_anomaly(connection, run_ids[-1], "LEAGUE_30", "health", value=74, low=94, high=99, told="74")
        for name in ("health", "volumes", "coverage", "freshness", "durations"):
            figure = drawn(connection, name)
            assert len(headings(figure)) <= 8
            assert len(json.dumps(figure.to_plotly_json())) < 600_000
        health = drawn(connection, "health")

    assert headings(health)[1].startswith("<b>LEAGUE_30</b>")
    assert health.layout.title.text.endswith("(8 of 41 are drawn, the worst first)")


def test_unknown_trend_is_refused(past):
    """A name that is no trend is answered with those that are."""
    with pytest.raises(
        UsageError, match="there is no trend 'helth'; nothing was drawn\nhint: there are health, volumes"
    ):
        trend(past[0], PARAMS, "helth")
