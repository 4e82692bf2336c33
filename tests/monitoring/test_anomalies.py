"""What is unusual of a run, from a made-up history of metrics in a real ledger."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

import pytest
import sqlalchemy as sa

from rally_etl.errors import UsageError
from rally_etl.monitoring import metrics
from rally_etl.monitoring.anomaly_params import Thresholds, read_watching
from rally_etl.monitoring.forecast import Coverage
from rally_etl.monitoring.judging import anomaly_measures, back_tested, live_anomalies
from rally_etl.monitoring.metrics import Metric
from rally_etl.settings import Settings

APTA = "APTA_CHICAGO"
BEGIN = dt.date(2025, 9, 25)

Values = Mapping[tuple[str, str], float]


@dataclass(slots=True)
class Story:
    """Runs of one league in the order in which they are told, a week apart unless a day is given."""

    engine: sa.Engine
    settings: Settings
    league: str = APTA
    numbers: count = field(default_factory=lambda: count(1))
    weeks: count = field(default_factory=count)

    def run(
        self,
        values: Values,
        *,
        state: str = "verified",
        dry: bool = False,
        operation: dict | None = None,
        files: str = "",
        day: dt.date | None = None,
        season: int = 2025,
    ) -> str:
        """A run with its metrics; *files*: what its files hold, each run its own unless told."""
        number = next(self.numbers)
        day = day or BEGIN + dt.timedelta(weeks=next(self.weeks))
        run_id = f"{self.league[:4].lower()}-{number:04}"
        kinds = {subject for metric, subject in values if metric == "records"}
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into etl.runs (run_id, source, as_of, started_at, dry_run, status, decision, operation)"
                    " values (:run, 'a test', :day, timestamptz '2025-01-01' + :number * interval '1 hour', :dry,"
                    " 'completed', 'GO', cast(:operation as jsonb))"
                ),
                {"run": run_id, "day": day, "number": number, "dry": dry}
                | {"operation": operation and json.dumps(operation)},
            )
            connection.execute(
                sa.text("insert into etl.run_leagues (run_id, league, state) values (:run, :league, :state)"),
                {"run": run_id, "league": self.league, "state": state},
            )
            for kind in kinds:
                connection.execute(
                    sa.text(
                        "insert into etl.source_files (run_id, league, kind, path, sha256, records, season)"
                        " values (:run, :league, :kind, :kind, :sha, 1, :season)"
                    ),
                    {"run": run_id, "league": self.league, "kind": kind, "sha": files or run_id}
                    | {"season": season if kind in ("match_scores", "schedules") else None},
                )
            metrics.store(
                connection,
                [Metric(league=self.league, metric=m, subject=s, value=v) for (m, s), v in values.items()],
                run_id=run_id,
            )
        return run_id

    def season(self, weeks: int, *, first: int = 0) -> None:
        """So many good weeks."""
        for week in range(first, first + weeks):
            self.run(good(week))

    def told(self, run_id: str, measure: str = "anomalies") -> list[str]:
        """The sentences of a run."""
        found = anomaly_measures(self.engine, self.settings, run_id)[self.league][measure]
        assert found["value"] == len(found["detail"]) or measure == "history_runs"
        return found["detail"]


def good(week: int) -> dict[tuple[str, str], float]:
    """Metrics of a good week: matches grow by about 300 a week, the rest stays but for a little noise."""
    noise = (0, 2, -3, 1, -1, 3, -2)[week % 7]
    series = {("records_of_series", f"players/Series {n}"): 130 + (noise + n) % 3 for n in range(1, 6)}
    return series | {
        ("records", "players"): 6850 + 4 * noise,
        ("records", "match_scores"): 300 * (week + 1) + 5 * noise,
        ("records", "series_stats"): 524,
        ("records_of_series", "players"): sum(series.values()),
        ("quarantined", "players"): 0.010 + 0.0003 * noise,
        ("check_rate", ""): 0.02,
        ("agreement", "teams_of_rosters_and_standings"): 0.98 + 0.001 * noise,
        ("health", ""): 97 + 0.1 * noise,
        ("days_since_match", ""): 2 + week % 3,
    }


@pytest.fixture
def story(engine: sa.Engine, settings: Settings) -> Story:
    """An empty ledger to tell in."""
    return Story(engine, settings)


@pytest.fixture(scope="module")
def twelve_weeks(module_engine: sa.Engine, module_settings: Settings) -> Iterator[Story]:
    """Twelve good weeks, for tests that add a run under test and never a good one."""
    told = Story(module_engine, module_settings)
    told.season(12)
    yield told


def under_test(told: Story, changes: Values, without: tuple[tuple[str, str], ...] = ()) -> str:
    """The thirteenth week, not yet published, with something changed."""
    values = {key: value for key, value in (good(12) | dict(changes)).items() if key not in without}
    return told.run(values, state="audited", day=BEGIN + dt.timedelta(weeks=12))


def test_good_week_says_nothing(twelve_weeks):
    """The week after twelve good ones: no anomaly, no prediction, and the history is as long as it is."""
    run_id = under_test(twelve_weeks, {})

    found = anomaly_measures(twelve_weeks.engine, twelve_weeks.settings, run_id)[APTA]

    assert {"anomalies": (0, []), "predicted": (0, []), "history_runs": (12, [])} == {
        name: (each["value"], each["detail"]) for name, each in found.items()
    }


def test_smaller_file_is_told_with_what_is_usual(twelve_weeks):
    """A players file that lost 8 %, which no fixed threshold notices; its series are in the same sentence."""
    shrunk = {key: value * 0.7 for key, value in good(12).items() if key[0] == "records_of_series"}

    (told,) = twelve_weeks.told(under_test(twelve_weeks, {("records", "players"): 6302} | shrunk))

    assert re.match(
        r"the file of players has 6,302 records; 6,[78]\d\d to 6,9\d\d are usual at this time of the season"
        r" \(12 runs\); the most by Series \d: 9[\d.]+ \(about 13\d usual\), ",
        told,
    )


def test_vanished_series_is_named(twelve_weeks):
    """A series without a row, which the total of the file hardly shows."""
    gone = ("records_of_series", "players/Series 3")

    (told,) = twelve_weeks.told(under_test(twelve_weeks, {}, without=(gone,)))

    assert told.startswith("Series 3 in the file of players is missing; 1")


def test_many_series_are_one_sentence(twelve_weeks):
    """All series of a file by a quarter smaller: one sentence, which names five of them at most."""
    smaller = {key: 97 for key in good(12) if key[0] == "records_of_series" and "/" in key[1]}

    (told,) = twelve_weeks.told(under_test(twelve_weeks, smaller))

    assert told.startswith("5 series of the file of players have less than usual (12 runs): Series")


def test_missing_file_is_told(twelve_weeks):
    """A kind that every scrape had and this one has not; the others of the scrape are there."""
    without = tuple(key for key in good(12) if key[1].partition("/")[0] == "series_stats")

    (told,) = twelve_weeks.told(under_test(twelve_weeks, {}, without=without))

    assert told == "the file of standings is missing; each of the last 8 scrapes had it, with 524 records"


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({("quarantined", "players"): 0.031}, r"the share kept aside of the file of players is 3.1 %; 0.\d+ to 1.\d %"),
        (
            {("check_rate", "players/name_is_whole"): 0.02},
            "the share of rows that fail players/name_is_whole is 2 %; 0",
        ),
        (
            {("agreement", "teams_of_rosters_and_standings"): 0.9},
            "the share of facts that two sources tell alike .teams of rosters",
        ),
        ({("health", ""): 88.0}, r"the health score is 88; 9\d"),
        ({("days_since_match", ""): 19}, r"age of the newest match is 19 days; \d to \d days"),
    ],
    ids=lambda value: next(iter(value))[0] if isinstance(value, dict) else "",
)
def test_each_rate_is_told_in_words(twelve_weeks, changes, begins):
    """One sentence each, with the value, what is usual, and its unit."""
    (told,) = twelve_weeks.told(under_test(twelve_weeks, changes))

    assert re.match(begins, told)


def test_what_was_found_is_kept_once(twelve_weeks):
    """The ledger holds a row per sentence for charts and reports; asking again replaces it."""
    run_id = under_test(twelve_weeks, {("records", "players"): 4000})
    for _ in range(2):
        told = twelve_weeks.told(run_id)
    with twelve_weeks.engine.connect() as connection:
        rows = connection.execute(sa.text("select * from etl.anomalies where run_id = :run"), {"run": run_id}).all()

    assert [(APTA, "anomaly", "records", "players", 4000.0, 12, dt.date(2025, 12, 18))] == [
        (row.league, row.kind, row.metric, row.subject, row.value, row.runs, row.since) for row in rows
    ]
    assert told == [row.told for row in rows]
    assert rows[0].low <= rows[0].expected <= rows[0].high


def test_little_history_says_so_and_nothing_else(story):
    """A league's first run, and its fifth: silent whatever they hold, and the reason is told once."""
    first = story.run(good(0), state="audited")
    assert [] == story.told(first)
    assert ["0 good runs"] == [text[:11] for text in story.told(first, "history_runs")]

    story.season(4)
    fifth = story.run(good(4) | {("records", "players"): 10}, state="audited")
    assert [] == story.told(fifth)
    assert 1 == len(story.told(fifth, "history_runs"))


def test_runs_that_did_not_become_live_teach_nothing(story):
    """Refused, held, undone and dry runs, and repairs: after eight of them with other figures 6,850 stays usual."""
    story.season(10)
    broken = good(9) | {("records", "players"): 3000}
    for state, more in [
        ("refused", {}), ("held", {}), ("undone", {}), ("failed", {}), ("verified", {"dry": True}),
        ("refused", {}), ("undone", {}), ("verified", {"operation": {"kind": "undo"}}),
    ]:  # fmt: skip
        story.run(broken, state=state, **more)

    assert [] == story.told(story.run(good(10), state="audited"))
    (told,) = story.told(story.run(broken | {("records", "match_scores"): 3300}, state="audited"))
    assert re.match(r"the file of players has 3,000 records; 6,[78]\d\d to 6,", told)


def test_anomaly_tells_since_when(story):
    """A feed that stays broken: the day of the first run that showed it, refused runs too."""
    story.season(10)
    for week in (10, 11):
        story.run(good(week) | {("records", "players"): 3000}, state="refused")
    run_id = story.run(good(12) | {("records", "players"): 3000}, state="audited")

    (told,) = story.told(run_id)

    assert told.endswith(f"since {BEGIN + dt.timedelta(weeks=10)}")


def test_repair_has_nothing_unusual(story):
    """A run without a scrape was asked for; its measures are there and 0."""
    story.season(10)
    run_id = story.run(good(9) | {("records", "players"): 5}, state="audited", operation={"kind": "undo"})

    assert [] == story.told(run_id)


def test_same_files_again_are_one_run(story):
    """A season that is over and scraped each day: forty empty plans neither narrow what is usual nor trigger."""
    story.season(9)
    for day in range(40):
        story.run(good(8), files="the same", day=BEGIN + dt.timedelta(weeks=9, days=day))
    last = story.run(good(8), files="the same", state="audited", day=BEGIN + dt.timedelta(weeks=9, days=40))

    found = anomaly_measures(story.engine, story.settings, last)[APTA]

    assert 0 == found["anomalies"]["value"]
    assert 10 == found["history_runs"]["value"]


def test_feed_that_stands_still_is_told_by_its_age(story):
    """The same files while the schedule goes on: volumes say nothing, the age of the newest match does."""
    story.season(9)
    stale = good(8) | {("days_since_match", ""): 16}

    (told,) = story.told(story.run(stale, files="apta-0009", state="audited"))

    assert told.startswith("age of the newest match is 16 days")


def test_break_makes_no_match_old(story):
    """Three weeks over the end of the year without a match and without one due: nothing is late."""
    for week in range(12):
        story.run(good(week) | {("days_behind", ""): 0})
    quiet = good(12) | {("days_since_match", ""): 23, ("days_behind", ""): 0}
    late = good(12) | {("days_since_match", ""): 23, ("days_behind", ""): 16}

    assert [] == story.told(story.run(quiet, state="audited"))
    (told,) = story.told(story.run(late, state="audited"))
    assert told.startswith("matches behind the schedule")


def test_file_that_never_changes_is_missed_too(story):
    """The same schedule each week says nothing new, and is there: only a scrape without it is told."""
    for week in range(10):
        story.run(good(week) | {("records", "schedules"): 1674}, files=f"week {week}")
    with story.engine.begin() as connection:
        connection.execute(sa.text("update etl.source_files set sha256 = 'the same' where kind = 'schedules'"))
    again = story.run(good(10) | {("records", "schedules"): 1674}, state="audited")
    with story.engine.begin() as connection:
        connection.execute(sa.text("update etl.source_files set sha256 = 'the same' where kind = 'schedules'"))

    assert [] == story.told(again)
    (told,) = story.told(story.run(good(10), state="audited"))
    assert told == "the file of schedules is missing; each of the last 8 scrapes had it, with 1,674 records"


def test_new_season_begins_anew(story):
    """The first scrape of a season is compared with none of the last one, and the next ones with those since."""
    for week in range(12):
        story.run(good(week + 20), day=dt.date(2025, 6, 1) + dt.timedelta(days=2 * week), season=2024)
    turn = story.run(good(0), day=dt.date(2025, 7, 20), state="audited", season=2025)

    assert [] == story.told(turn)
    assert 1 == len(story.told(turn, "history_runs"))


def test_two_runs_of_one_day(story):
    """A run that is refused, and its scrape mended two hours later, on one day of the calendar."""
    story.season(10)
    day = BEGIN + dt.timedelta(weeks=10)
    broken = story.run(good(10) | {("records", "players"): 3000}, day=day, state="refused")
    mended = story.run(good(10), day=day, state="audited")

    assert 1 == len(story.told(broken))
    assert [] == story.told(mended)


def test_creeping_rate_is_predicted_before_its_threshold(story):
    """Damage grows by half a point a week: predicted with days left while the gate still tolerates it."""
    for week in range(12):
        story.run(good(week) | {("damaged", "players"): 0.02 + 0.005 * week})
    run_id = story.run(good(12) | {("damaged", "players"): 0.08}, state="audited")

    (told,) = story.told(run_id, "predicted")

    assert told.startswith("the share of damaged records of the file of players is 8 % and grows by 0.5")
    assert re.search(r"points a week: at this pace it crosses 10 % in 2[6-9] days \(13 runs\)", told)


def test_forecasts_of_the_past_are_held_against_what_came(story):
    """Of each figure with a threshold, from the ninth run on; what was refused was never asked."""
    for week in range(14):
        story.run({("health", ""): 97 - 0.1 * (week % 3), ("rows", "players"): 6850})
    story.run({("health", ""): 20}, state="refused")
    run_id = story.run({("health", ""): 97}, state="audited")

    with story.engine.connect() as connection:
        held = back_tested(connection, story.settings, run_id)

    assert {7: Coverage(inside=6, asked=6), 28: Coverage(inside=3, asked=3)} == held


def test_slow_shrink_is_predicted_though_no_week_loses_much(story):
    """Each week 90 of 6,850 players fewer: a fifth below the most of the season is three weeks ahead."""
    for week in range(12):
        story.run(good(week) | {("records", "players"): 6850 - 90 * week})
    run_id = story.run(good(12) | {("records", "players"): 6850 - 90 * 12}, state="audited")

    assert story.told(run_id, "predicted") == [
        "the file of players has 5,770 records and falls by 90 a week: at this pace it crosses 5,480,"
        " the least that is tolerated beside the most of this season, in 23 days (13 runs)"
    ]


def test_health_that_recovers_is_not_predicted_to_cross(story):
    """A score that climbs crosses no threshold that matters."""
    for week in range(12):
        story.run(good(week) | {("health", ""): 60 + week})

    assert [] == story.told(story.run(good(12) | {("health", ""): 72}, state="audited"), "predicted")


def test_look_at_live_is_judged_by_looks_and_runs(story):
    """Outside of runs: what other looks saw is usual; a score that fell is told, and kept with the look."""
    insert = "insert into etl.looks (as_of, health_score, level) values (:day, 97, 'good') returning look"
    for day in range(13):
        size, health = (9e8, 80) if day == 12 else (5e8 + day * 1e5, 97)
        with story.engine.begin() as connection:
            look = connection.scalar(sa.text(insert), {"day": BEGIN + dt.timedelta(days=day)})
            now = [Metric(league="*", metric="database_size", value=size)]
            metrics.store(connection, [*now, Metric(league=APTA, metric="health", value=health)], look=look)

    found = live_anomalies(story.engine, story.settings, look)

    assert ["size of the database is 858 MiB; 4"] == [text[:34] for text in found["*"]]
    assert ["the health score is 80; 9"] == [text[:25] for text in found[APTA]]
    with story.engine.connect() as connection:
        kept = connection.scalars(sa.text("select league from etl.anomalies where look = :look"), {"look": look})
        assert {"*", APTA} == set(kept)


def test_thresholds_stand_where_they_are_judged(settings):
    """No threshold is written twice: they are those of gate.yaml and agreement.yaml."""
    thresholds = Thresholds(settings.params_dir, read_watching(settings.params_dir))

    assert [0.10] == thresholds.of(APTA, "damaged", "players", 1.0)
    assert [75.0] == thresholds.of(APTA, "health", "", 1.0)
    assert [0.95] == thresholds.of(APTA, "agreement", "teams_of_rosters_and_standings", 1.0)
    assert [800.0] == thresholds.of(APTA, "records", "players", 1000.0)
    assert [] == thresholds.of(APTA, "rows", "players", 1000.0)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("tolerance: 1", "tolerance: 0", "key `tolerance`"),
        ("health: {least: 2}", "heath: {least: 2}", "there is no metric `heath`"),
        ("rule: health_is_good", "rule: health_is_god", "params/gate.yaml has no rule health_is_god"),
        ("{rule: health_is_good}", "{}", "it needs either `rule` or `bounds: true`"),
    ],
)
def test_wrong_params_are_refused(settings, tmp_path, old, new, says):
    """A mistake is named with its file and key."""
    text = (settings.params_dir / "anomalies.yaml").read_text(encoding="utf-8")
    folder = tmp_path / "wrong"
    folder.mkdir()
    for name in ("gate.yaml", "agreement.yaml", "agreement"):
        (folder / name).symlink_to(settings.params_dir / name)
    (folder / "anomalies.yaml").write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(UsageError, match=says) as refused:
        Thresholds(folder, read_watching(folder))
    assert "anomalies.yaml" in str(refused.value)
