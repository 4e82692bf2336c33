"""Users attached to real live rows, then every other scrape, good and broken: their rows stay as they wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from attached import REFERENCES, digests, meanings, orphans, printed_ids, rosters
from rally_etl import gate, planning, protection
from rally_etl.database.references import read_reference_params
from rally_etl.sample.attachments import attach
from rally_etl.settings import Settings
from scrapes import Import
from test_real_scrapes import BROKEN, DATA, decide

FIRST = "2025-06-21"
LATER = (
    "scrapes/2025-08-27",
    "broken/2025-08-06_empty_files",
    "broken/2025-08-17_mixed_sides",
    "broken/2025-09-21_empty_rows",
    "scrapes/2025-09-25",
    "scrapes/2025-10-01",
)
OF_USERS = ("dangling", "emptied", "moved", "gone")
PRACTICE_TIMES = (
    "create table practice_times (id serial primary key, team_id integer not null, practice_date date, start_time time,"
    " end_time time, court_number integer, notes text, created_by integer references users(id))"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real scrapes are not beside the project"),
]


@dataclass(slots=True)
class Seen:
    """What a scrape did to a database with users."""

    published: list[str]
    measures: dict[str, dict]
    rows: dict
    names: dict
    lost: dict
    rosters: dict[int, set[str]]
    persons: dict[int, str]
    found: list[str]


@dataclass(slots=True)
class Season:
    """Users on the first load, and what every later scrape left."""

    written: dict[str, int]
    rows: dict
    names: dict
    rosters: dict[int, set[str]]
    persons: dict[int, str]
    seen: dict[str, Seen] = field(default_factory=dict)


@pytest.fixture(scope="module")
def season(module_engine: sa.Engine, module_settings: Settings) -> Iterator[Season]:
    """The first load with users, then each scrape, published where the gate or a person allows it."""
    importing = Import(module_engine, module_settings)
    importing.load(DATA / "scrapes" / FIRST)
    importing.write(PRACTICE_TIMES)
    written = attach(module_engine, users_per_team=4)
    found = Season(
        written, digests(module_engine), meanings(module_engine), rosters(module_engine), printed_ids(module_engine)
    )
    references = read_reference_params(module_settings.params_dir / "references.yaml")
    for name in LATER:
        run_id = importing.plan(DATA / name)
        decided = decide(importing, run_id)
        allowed = [league for league, each in decided.items() if each["decision"] != gate.NO_GO]
        measures = protection.integration_measures(module_engine, module_settings, run_id)
        for league in allowed:
            planning.publish(
                module_engine,
                run_id,
                [league],
                last=lambda connection, run_id=run_id: protection.note_users(connection, references, run_id),
            )
        with module_engine.connect() as connection:
            told = [each.told for each in protection.find_orphans(connection, module_settings, kinds=OF_USERS)]
        rows, names, lost = digests(module_engine), meanings(module_engine), orphans(module_engine)
        found.seen[name] = Seen(
            allowed, measures, rows, names, lost, rosters(module_engine), printed_ids(module_engine), told
        )
    yield found


def test_users_are_on_every_league(season):
    """The start: rows of every kind, and none of them an orphan."""
    assert season.written["users"] > 2000
    assert {reference for reference, names in season.names.items() if not names} == set()
    assert [] == [reference for reference, names in season.names.items() if None in names.values()]


@pytest.mark.parametrize("name", LATER)
def test_rows_of_users_are_the_same_bit_for_bit(season, name):
    """Rule 4: every table of users, and the practice rows within the schedule."""
    assert season.rows == season.seen[name].rows


def renamed(season: Season, name: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Imported table -> value of a reference -> the names before and after, where they are not the same."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for reference, names in season.names.items():
        target = REFERENCES[reference[0]][reference[1]]
        for value, before in names.items():
            if before != (after := season.seen[name].names[reference].get(value)):
                found.setdefault(target, {})[value] = (before, after)
    return found


@pytest.mark.parametrize("name", LATER)
def test_references_mean_the_same(season, name):
    """Rule 5: what an id stands for by name it stands for after each scrape, and none points nowhere.

    Where a name is another one the thing must be the same: a person's printed id, or most of the players of a team,
    more of them than any other team has.
    """
    changed, after = renamed(season, name), season.seen[name]
    persons, teams = changed.pop("players", {}), changed.pop("teams", {})

    assert {} == changed
    assert {} == after.lost
    numbers = [int(value) for value in persons if value.isdigit()]
    assert [season.persons[each] for each in numbers] == [after.persons[each] for each in numbers]
    for team, names in teams.items():
        before = season.rosters[int(team)]
        shared = {each: len(before & roster) for each, roster in after.rosters.items()}
        assert int(team) == max(shared, key=shared.get), names
        assert shared[int(team)] >= len(before) / 2, names


def test_what_bears_another_name_in_the_new_season(season):
    """Seven teams whose club was written otherwise keep their players, and three persons have another last name."""
    changed = renamed(season, "scrapes/2025-10-01")

    assert {"teams", "players"} == changed.keys()
    assert [
        ("prairieclubi34", "prairieclub34"),
        ("saltcreek17sw", "saltcreekii17sw"),
        ("wilmettepd10", "wilmettepdi10"),
        ("wilmettepd33", "wilmettepdii33"),
        ("wilmettepd5", "wilmettepdi5"),
        ("wilmettepdii28", "wilmettepd28"),
        ("winnetkai5", "winnetka5"),
    ] == sorted(changed["teams"].values())
    assert 3 == len(set(changed["players"].values()))


@pytest.mark.parametrize("name", LATER)
def test_account_and_search_say_so_too(season, name):
    """What the product itself counts for each league of the scrape, and looks for afterwards."""
    assert [] == season.seen[name].found
    for league, measures in season.seen[name].measures.items():
        for measure in ("references_lost", "references_moved", "user_rows_changed"):
            assert 0 == measures[measure]["value"], (league, measure, measures[measure]["detail"])


def test_good_scrapes_are_published_and_broken_ones_are_not(season):
    """Else the tests above would say nothing."""
    published = {name: seen.published for name, seen in season.seen.items()}

    assert [] == [name for name in BROKEN if published[f"broken/{name}"]]
    assert [["CNSWPL"], ["APTA_CHICAGO"], ["APTA_CHICAGO"]] == [
        published[name] for name in LATER if name.startswith("scrapes/")
    ]
