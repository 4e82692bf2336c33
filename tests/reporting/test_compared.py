"""Two runs beside each other: only what differs, the largest first."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from histories import write_anomaly, write_history
from rally_etl import workbook
from rally_etl.errors import EvidenceMissing
from rally_etl.reporting.compared import read_comparison


@pytest.fixture(scope="module")
def runs(module_engine):
    """Two runs, of which the second is refused in NSTF, with checks, a decision and an anomaly of its own."""
    with module_engine.begin() as connection:
        run_ids = write_history(connection, 3, refused={2: "NSTF"})
        write_anomaly(connection, run_ids[2], "NSTF", "health", value=74, low=94, high=99, told="health is 74")
        for run_id, outcome, rows in ((run_ids[1], "passed", 0), (run_ids[2], "failed", 12)):
            for check, same in (("teams/name_is_unique", False), ("players/has_team", True)):
                connection.execute(
                    sa.text(
                        "insert into etl.check_results (run_id, league, check_name, severity, outcome, failing_rows)"
                        " values (:run, 'NSTF', :check, 'error', :outcome, :rows)"
                    ),
                    {"run": run_id, "check": check} | (
                        {"outcome": "passed", "rows": 0} if same else {"outcome": outcome, "rows": rows}
                    ),
                )  # fmt: skip
        connection.execute(
            sa.text(
                """
                update etl.run_leagues set plan_counts = '{"match_scores": {"insert": 10, "update": 2}}',
                    reasons = '[{"rule": "few_records", "stage": "import", "severity": "error"}]'
                where run_id = :run and league = 'NSTF'
                """
            ),
            {"run": run_ids[2]},
        )
    with module_engine.connect() as connection:
        yield connection, run_ids


def test_what_differs_is_told_largest_first(runs):
    """Decisions, health, volumes, checks, plan and anomalies in words; what is the same in both is not there."""
    found = read_comparison(runs[0], *runs[1][1:]).parts

    assert ("GO, verified", "NO-GO, refused", "new: few_records") == tuple(
        getattr(found["Decisions"][0], name) for name in ("before", "after", "told")
    )
    assert "NSTF" == found["Health"][0].league
    assert "fell by 3" in found["Health"][0].told
    assert [each.size for each in found["Health"]] == sorted((each.size for each in found["Health"]), reverse=True)
    assert ["teams/name_is_unique"] == [each.what for each in found["Checks"]]
    assert ("passed", "failed, 12 rows", "12 rows more") == (
        found["Checks"][0].before, found["Checks"][0].after, found["Checks"][0].told,
    )  # fmt: skip
    assert ["insert in match_scores"] == [each.what for each in found["Plan"]]
    assert ("84", "10", "74 fewer") == (found["Plan"][0].before, found["Plan"][0].after, found["Plan"][0].told)
    assert [] == found["Quarantine"]
    assert ["new"] == [each.told for each in found["Anomalies and predictions"]]


def test_volumes_are_told_in_rows_and_percent(runs):
    """A file that brought a third less."""
    volumes = {
        each.what: each for each in read_comparison(runs[0], *runs[1][1:]).parts["Volumes"] if each.league == "NSTF"
    }

    players = volumes["the file of players"]

    assert ("200", "133") == (players.before, players.after)
    assert "fell by 67 (34 %)" == players.told


def test_order_of_the_ids_does_not_matter(runs):
    """The earlier run stands first, however they are given."""
    assert runs[1][1:] == [run["run_id"] for run in read_comparison(runs[0], *runs[1][:0:-1]).runs]


def test_a_run_is_the_same_as_itself(runs):
    """Nothing differs: one sentence, and no chart."""
    found = read_comparison(runs[0], runs[1][1], runs[1][1])

    assert [] == [title for title, differences in found.parts.items() if differences]
    assert "The same in both runs: decisions, health, volumes" in repr(found)
    assert "There is no difference to draw" in found.health_chart().text


def test_charts_are_titled_with_the_largest(runs):
    """The title says the largest difference and how many there are; a fall of health is red."""
    found = read_comparison(runs[0], *runs[1][1:])
    health = found.health_chart()

    assert "NSTF: the health of " in health.layout.title.text
    assert f"the largest of {len(found.parts['Health'])} differences" in health.layout.title.text
    assert "#c8453b" == health.data[0].marker.color[-1]
    assert health.data[0].x[-1] < -20
    assert "Change (percent)" == found.volumes_chart().layout.xaxis.title.text


def test_unknown_run_is_named(runs):
    """A run id that is mistyped."""
    with pytest.raises(EvidenceMissing, match="there is no run nope in this database; nothing was compared\nhint: "):
        read_comparison(runs[0], runs[1][0], "nope")


def test_default_is_the_newest_run_and_the_one_before(runs, module_settings, monkeypatch):
    """Without ids a notebook compares its run with the one before it; the first run has none."""
    monkeypatch.setenv("DATABASE_URL", module_settings.database_url)
    monkeypatch.setenv("RALLY_HOME", str(module_settings.root))

    newest, first = workbook.open("explore"), workbook.open("explore", runs[1][0])

    assert runs[1][1:] == [run["run_id"] for run in newest.compare().runs]
    assert "There are no two runs to compare yet" in first.compare()._repr_html_()
