"""A finished run in the ledger, with names as a hostile scraper would print them."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

HOSTILE = "<script>alert(1)</script>"
RUN = "20251001t1200_abcd"

LIVE = """
    insert into leagues (league_id, league_name)
        values ('APTA_CHICAGO', 'APTA Chicago'), ('CITA', 'CITA'), ('NSTF', 'NSTF');
    insert into clubs (name) values ('Tennaqua'), (:hostile);
    insert into club_leagues (club_id, league_id) values (1, 1), (2, 1), (1, 3);
    insert into series (name, display_name, league_id) values ('Series 1', 'Series 1', 1), ('Series 2', 'Series 2', 3);
    insert into teams (club_id, series_id, league_id, team_name, display_name)
        values (1, 1, 1, 'Tennaqua 1', 'Tennaqua 1'), (2, 1, 1, :hostile, :hostile),
               (1, 2, 3, 'Tennaqua S2', 'Tennaqua S2');
    insert into players (tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id, pti)
        select 'nndz-' || n, 'First ' || n, 'Last ' || n, 1, 1, 1, 1 + n % 2, n from generate_series(1, 40) as n;
    insert into match_scores (league_id, match_date, home_team, away_team, home_team_id, away_team_id, scores, winner,
                              tenniscores_match_id)
        select 1, date '2025-09-01' + n, 'Tennaqua 1', :hostile, 1, 2, '6-1, 6-2', 'home', 'nndz-m_Line' || n
        from generate_series(1, 20) as n;
    insert into users (email, password_hash) values ('a@example.org', 'x');
    """

PLANS = {
    "APTA_CHICAGO": {
        "teams": {"insert": 1, "update": 2, "deactivate": 1, "unchanged": 490},
        "players": {"insert": 25, "update": 310, "deactivate": 4, "unchanged": 6450},
        "match_scores": {"insert": 1691, "update": 12, "deactivate": 0, "unchanged": 9003},
        "series_stats": {"insert": 0, "update": 480, "deactivate": 0, "unchanged": 14},
        "schedule": {"insert": 6, "update": 2, "deactivate": 0, "unchanged": 5012},
    },
    "CITA": {"teams": {"insert": 0, "update": 0, "deactivate": 0, "unchanged": 12}},
    "NSTF": {
        "teams": {"insert": 0, "update": 2, "deactivate": 0, "unchanged": 26},
        "match_scores": {"insert": 84, "update": 0, "deactivate": 0, "unchanged": 210},
        "clubs": {"insert": 0, "update": 0, "deactivate": 0, "unchanged": 60},
        "leagues": {"insert": 0, "update": 0, "deactivate": 0, "unchanged": 17},
    },
}

REASONS = {
    "APTA_CHICAGO": [],
    "NSTF": [
        {
            "rule": "teams_new_share", "stage": "import", "severity": "warn", "observed": 0.0714, "threshold": 0.05,
            "message": f"2 of 28 teams are new: {HOSTILE}, Tennaqua S9\nhint: approve when the season began",
        }
    ],
    "CITA": [
        {
            "rule": "orientation_unclear", "stage": "import", "severity": "error", "observed": 1, "threshold": 0,
            "message": "match_scores: 61 % of the lines say the first number is the home side's, 39 % the away side's",
        },
        {
            "rule": "fault_share", "stage": "import", "severity": "error", "observed": 0.1134, "threshold": 0.02,
            "message": "1,224 of 10,791 records are damaged, most of them bad_winner ('unknown')",
        },
    ],
}  # fmt: skip


@pytest.fixture
def document() -> dict:
    """The run as `--json` prints it."""
    decisions = {"APTA_CHICAGO": "GO", "NSTF": "HOLD", "CITA": "NO-GO"}
    return {
        "run_id": RUN,
        "decision": "NO-GO",
        "exit_code": 3,
        "health_score": 93.1,
        "quarantined": 1239,
        "report": f"reports/{RUN}/index.html",
        "leagues": {
            league: {
                "decision": decision, "published": decision == "GO", "quarantined": 0, "plan": PLANS[league],
                "reasons": REASONS[league],
            }
            for league, decision in decisions.items()
        },
        "stages": [{"stage": "baseline", "status": "completed", "seconds": 1.2}],
    }  # fmt: skip


@pytest.fixture
def finished_run(engine: sa.Engine, document: dict) -> str:
    """Fill live tables and ledger with one finished run over three leagues (and two older ones for trends)."""
    with engine.begin() as connection:
        connection.execute(sa.text(LIVE), {"hostile": HOSTILE})
        _write_runs(connection)
        for league, found in document["leagues"].items():
            _write_league(connection, league, found)
        _write_files(connection)
        _write_checks(connection)
    return RUN


def _write_runs(connection: sa.Connection) -> None:
    for number, run_id in enumerate(("20250917t1200_aaaa", "20250924t1200_bbbb", RUN)):
        connection.execute(
            sa.text(
                "insert into etl.runs (run_id, started_at, finished_at, source, as_of, status, decision, health_score)"
                " values (:run_id, timestamptz '2025-09-17 12:00Z' + :number * interval '7 days',"
                " timestamptz '2025-09-17 12:00:09Z' + :number * interval '7 days',"
                " 'scrapes/2025-10-01', '2025-10-01', 'completed', 'NO-GO', 93.1)"
            ),
            {"run_id": run_id, "number": number},
        )
        metrics = [("metrics", league, "health", 90 + 2 * number + len(league) % 3) for league in PLANS]
        metrics += [("monitoring", league, "days_behind", 2.5) for league in PLANS]
        metrics += [("baseline", league, "live_rows", 9000 + 500 * number) for league in PLANS]
        metrics += [
            ("baseline", "APTA_CHICAGO", f"rows.{table}", 500 * (place + 1))
            for place, table in enumerate(PLANS["APTA_CHICAGO"])
        ]
        for stage, league, metric, value in metrics:
            connection.execute(
                sa.text("insert into etl.metrics (run_id, league, stage, metric, value) values (:r, :l, :s, :m, :v)"),
                {"r": run_id, "l": league, "s": stage, "m": metric, "v": value},
            )
    for ordinal, stage in enumerate(("baseline", "import", "validation", "integration", "monitoring", "gate"), start=1):
        connection.execute(
            sa.text(
                "insert into etl.stages (run_id, stage, ordinal, status, started_at, finished_at) values"
                " (:r, :s, :o, 'completed', '2025-10-01 12:00Z',"
                " timestamptz '2025-10-01 12:00Z' + :o * interval '0.7 s')"
            ),
            {"r": RUN, "s": stage, "o": ordinal},
        )


def _write_league(connection: sa.Connection, league: str, found: dict) -> None:
    state = {"GO": "verified", "HOLD": "held", "NO-GO": "refused"}[found["decision"]]
    connection.execute(
        sa.text(
            "insert into etl.run_leagues (run_id, league, decision, state, plan_counts, reasons)"
            " values (:r, :l, :d, :s, cast(:p as jsonb), cast(:why as jsonb))"
        ),
        {
            "r": RUN,
            "l": league,
            "d": found["decision"],
            "s": state,
            "p": json.dumps(found["plan"]),
            "why": json.dumps(found["reasons"]),
        },
    )


def _write_files(connection: sa.Connection) -> None:
    for number, (league, kind) in enumerate(
        (league, kind) for league in PLANS for kind in ("players", "match_scores", "series_stats")
    ):
        connection.execute(
            sa.text(
                "insert into etl.source_files (run_id, league, kind, path, sha256, size_bytes, ruleset, records,"
                " staged, quarantined, faults, votes_home, votes_away, orientation)"
                " values (:r, :l, :k, :path, :sha, 1234567, 'rules', 1000, 990,"
                " 10, 8, 500, 2, 'home')"
            ),
            {"r": RUN, "l": league, "k": kind, "path": f"{league}/{kind}.json", "sha": f"{number:064x}"},
        )
        for record, reason in enumerate(
            ("bad_winner", "placeholder", "duplicate_record", "bad_winner")[: 1 + number % 4]
        ):
            connection.execute(
                sa.text(
                    "insert into etl.quarantine values (:sha, 'rules', :l, :k, :no, :reason, '[\"unknown\"]', :text)"
                ),
                {
                    "sha": f"{number:064x}", "l": league, "k": kind, "no": record, "reason": reason,
                    "text": json.dumps({"Home Team": HOSTILE, "Winner": "unknown"}),
                },
            )  # fmt: skip
    connection.execute(
        sa.text("insert into etl.held_rows values (:r, 'APTA_CHICAGO', 'match_scores', 'unknown_team', :name, 4)"),
        {"r": RUN, "name": HOSTILE},
    )


def _write_checks(connection: sa.Connection) -> None:
    rows = [("teams/name_is_unique", "error", "failed", 2), ("players/has_team", "warn", "warned", 7)]
    rows += [(f"match_scores/rule_{number}", "error", "passed", 0) for number in range(12)]
    for league in PLANS:
        for name, severity, outcome, failing in rows:
            kept = "passed" if league == "APTA_CHICAGO" else outcome
            connection.execute(
                sa.text(
                    "insert into etl.check_results (run_id, league, check_name, severity, outcome,"
                    " failing_rows, seconds, sample) values (:r, :l, :n, :s, :o, :f, 0.01, cast(:sample as jsonb))"
                ),
                {
                    "r": RUN, "l": league, "n": name, "s": severity, "o": kept, "f": 0 if kept == "passed" else failing,
                    "sample": json.dumps([] if kept == "passed" else [{"id": 12, "team_name": HOSTILE}] * failing),
                },
            )  # fmt: skip
