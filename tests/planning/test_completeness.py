"""Whether a scrape is whole, file by file and series by series, against the last good load and against live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rally_etl import planning
from rally_etl.measures import store_metrics
from scrapes import APTA, TEAMS, Import, Kinds, player, small

FIRST, SECOND, THIRD, FOURTH = TEAMS
ROSTER = 20  # people of a team, so that a series is large enough to be watched


def large() -> Kinds:
    """The small scrape with rosters of twenty."""
    scrape = small()
    scrape["players"] += [player(f"{team.replace(' ', '')}{n}", team) for team in TEAMS for n in range(5, ROSTER + 1)]
    return scrape


def without(scrape: Kinds, kind: str, key: str, *values: str) -> Kinds:
    """The scrape without the records of a kind that say one of *values* under *key*."""
    return scrape | {kind: [record for record in scrape[kind] if record[key] not in values]}


@pytest.fixture(scope="module")
def importing(module_engine, module_settings) -> Import:
    """Imports into a database where the large scrape is published and measured."""
    found = Import(module_engine, module_settings)
    publish(found, large())
    return found


def publish(importing: Import, scrape: Kinds) -> None:
    """Plan, measure and publish a scrape in the order of a run."""
    run_id = importing.plan(scrape)
    measures = planning.import_measures(importing.engine, importing.settings, run_id)
    store_metrics(importing.engine, run_id, "import", measures)
    importing.publish(run_id)


@pytest.fixture
def measured(importing: Import) -> Callable[[Kinds], dict[str, dict[str, Any]]]:
    """Plan a scrape: measure -> value and detail."""

    def measure(scrape: Kinds) -> dict[str, dict[str, Any]]:
        return planning.import_measures(importing.engine, importing.settings, importing.plan(scrape))[APTA]

    return measure


WATCHED = (
    "series_missing", "series_missing_share", "series_drop_share", "active_drop_share", "tables_shrunk",
    "rows_lost_since",
)  # fmt: skip


def test_whole_scrape_lacks_nothing(measured):
    """The same scrape again moves none of the measures, and says how many rows a publish would leave."""
    found = measured(large())

    assert dict.fromkeys(WATCHED, 0) == {name: found[name]["value"] for name in WATCHED}
    assert {"teams": 4, "players": 80, "match_scores": 4, "series_stats": 4, "schedule": 3} == {
        name.removeprefix("rows_after."): each["value"]
        for name, each in found.items()
        if name.startswith("rows_after.")
    }


def test_series_that_is_absent_is_named(measured):
    """A series that the standings still hold and the rosters lost: which file lost it, and how many rows."""
    found = measured(without(large(), "players", "Team", THIRD, FOURTH))

    assert (1, ["players: Series 7 SW (40 rows before)"]) == tuple(found["series_missing"].values())
    assert (0.5, ["players: 1 of 2 series"]) == tuple(found["series_missing_share"].values())
    assert 0.5 == found["active_drop_share"]["value"]
    assert ["players: 40, live has 80"] == found["active_drop_share"]["detail"]


def test_series_that_shrinks_is_seen_though_the_total_does_not(measured):
    """A series loses a third of its people while another one gains as many."""
    scrape = large()
    scrape["players"] = scrape["players"][:-13] + [player(f"new{n}", FIRST) for n in range(13)]

    found = measured(scrape)

    assert 0 == found["volume_drop_share"]["value"]
    assert pytest.approx(13 / 40) == found["series_drop_share"]["value"]
    assert ["players: Series 7 SW 27 of 40 rows"] == found["series_drop_share"]["detail"]


def test_small_series_may_lose_a_team(measured):
    """Two lines of four are half of a series, and no sign of half a scrape; all of them are."""
    scrape = large()
    scrape["match_scores"].pop()
    assert (0, 0) == tuple(measured(scrape)[name]["value"] for name in ("series_drop_share", "series_missing"))

    scrape["match_scores"].pop()
    assert ["match_scores: Series 7 SW (2 rows before)"] == measured(scrape)["series_missing"]["detail"]


def test_kind_that_was_not_scraped_lacks_no_series(measured):
    """A scrape of rosters alone says nothing about the series of other files."""
    found = measured({"players": large()["players"]})

    assert dict.fromkeys(WATCHED, 0) == {name: found[name]["value"] for name in WATCHED}


def test_load_that_was_not_published_is_none_to_compare_with(importing, measured):
    """Half a scrape that nobody published does not make the next half scrape look whole."""
    half = without(large(), "players", "Team", THIRD, FOURTH)
    importing.plan(half)

    assert 1 == measured(half)["series_missing"]["value"]


def test_rows_that_another_program_deleted_are_told(loaded):
    """Live holds fewer lines than the last publish left; the measure is taken before anything is published."""
    publish(loaded, small())
    loaded.write("delete from match_scores where id = (select max(id) from match_scores)")

    found = planning.import_measures(loaded.engine, loaded.settings, loaded.plan(small()))[APTA]

    assert (1, ["match_scores: 3, the last publish left 4"]) == tuple(found["rows_lost_since"].values())
    assert (0, []) == tuple(found["tables_shrunk"].values())


def test_table_that_an_import_would_shrink_is_told(loaded):
    """No import plans this; if one ever did, the gate says NO-GO."""
    run_id = loaded.plan(small() | {"match_scores": [*small()["match_scores"][:3]]})
    plan = planning.schema.schemas(run_id)[0]
    loaded.write(f"insert into {plan}.match_scores_before select * from match_scores limit 1")

    found = planning.import_measures(loaded.engine, loaded.settings, run_id)[APTA]

    assert (1, ["match_scores: 3, live has 4"]) == tuple(found["tables_shrunk"].values())
