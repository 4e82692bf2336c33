"""What life hardly does is told, be it one row: records kept aside, names, careers, charts, meetings, rows that go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from rally_etl import planning
from rally_etl.measures import store_metrics
from rally_etl.planning.improbable import _is_another
from rally_etl.planning.schema import schemas
from scrapes import APTA, TEAMS, Import, Kinds, line, meeting, small

FIRST, SECOND, THIRD, _ = TEAMS
WATCHED = (
    "records_newly_aside", "persons_renamed", "players_to_confirm", "career_figures_shrunk", "ratings_missing_share",
    "charts_lost", "team_names_emptied", "clubs_without_teams", "rows_of_other_seasons", "meetings_unprinted",
    "rows_removed", "rows_strayed",
)  # fmt: skip


def charted() -> Kinds:
    """The small scrape with careers, and a rating chart of the first two persons."""
    scrape = small()
    for record in scrape["players"]:
        record |= {"Career Wins": 20, "Career Losses": 10}
    scrape["player_history"] = [
        {"league_id": APTA, "player_id": record["Player ID"], "name": record["First Name"], "series": "Series 12",
         "rating": "40", "matches": [{"series": "Series 12", "date": "09/20/2025", "end_pti": str(40 + number)}]}
        for number, record in enumerate(scrape["players"][:2])
    ]  # fmt: skip
    return scrape


@pytest.fixture(scope="module")
def importing(module_engine, module_settings) -> Import:
    """Imports into a database where the scrape is published."""
    found = Import(module_engine, module_settings)
    found.load(charted())
    return found


def found(importing: Import, run_id: str) -> dict[str, Any]:
    """Measure -> value, of those watched that are not zero."""
    measures = planning.import_measures(importing.engine, importing.settings, run_id)[APTA]
    return {name: measures[name]["value"] for name in WATCHED if measures[name]["value"]}


def person(scrape: Kinds, **changes: Any) -> Kinds:
    """The scrape with other values for its first person."""
    scrape["players"][0] |= {name.replace("_", " "): value for name, value in changes.items()}
    return scrape


def test_first_load_and_the_same_again_say_nothing(engine, settings, importing):
    """There is nothing to compare with, and nothing that differs."""
    first = Import(engine, settings)

    assert {} == found(first, first.plan(person(charted(), PTI="high")))
    assert {} == found(importing, importing.plan(charted()))


def other_line() -> dict[str, Any]:
    return line("nndz-match7_Line1", FIRST, SECOND)


SCRAPES: dict[str, tuple[Callable[[], Kinds], dict[str, Any]]] = {
    "a record without a first name": (lambda: person(charted(), First_Name=""), {"records_newly_aside": 1}),
    "a rating that is no number": (lambda: person(charted(), PTI="high"), {"records_newly_aside": 1}),
    "an unknown team": (
        lambda: charted() | {"schedules": [*charted()["schedules"], meeting("10/28/2025", FIRST, "Nowhere 77")]},
        {"records_newly_aside": 1},
    ),
    "a bye": (
        lambda: charted() | {"schedules": [*charted()["schedules"], meeting("10/28/2025", FIRST, "BYE")]}, {},
    ),
    "an id that means somebody else": (
        lambda: person(charted(), First_Name="Orla", Last_Name="Quint"), {"persons_renamed": 1},
    ),
    "another last name": (lambda: person(charted(), Last_Name="Quint"), {}),
    "a last name cut short": (lambda: person(charted(), Last_Name="Exa"), {"persons_renamed": 1}),
    "a new id": (lambda: person(charted(), Player_ID="nndz-new"), {"players_to_confirm": 1}),
    "a career that shrinks": (lambda: person(charted(), Career_Wins=19), {"career_figures_shrunk": 1}),
    "a career that grows": (lambda: person(charted(), Career_Wins=21), {}),
    "a career that is not printed": (lambda: person(charted(), Career_Wins="", Career_Losses=""), {}),
    "a rating that is not printed": (lambda: person(charted(), PTI="N/A"), {"ratings_missing_share": 1 / 16}),
    "a chart that is lost": (
        lambda: charted() | {"player_history": charted()["player_history"][:1]}, {"charts_lost": 1},
    ),
    "a meeting of another season": (
        lambda: charted() | {"schedules": [*charted()["schedules"], meeting("04/30/2024", FIRST, THIRD)]},
        {"rows_of_other_seasons": 1},
    ),
    "a meeting three months early": (
        lambda: charted() | {"schedules": [*charted()["schedules"], meeting("05/03/2025", FIRST, THIRD)]}, {},
    ),
    "a meeting that is gone": (
        lambda: charted() | {"schedules": charted()["schedules"][1:]}, {"meetings_unprinted": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SCRAPES)
def test_scrape_is_told(importing, what):
    """One record of a scrape that is otherwise the same: each measure that is not zero."""
    scrape, expected = SCRAPES[what]

    assert expected == found(importing, importing.plan(scrape()))


PLANS = {
    "a reading on another chart": (
        "player_history", "player_id = (select max(id) from public.players)", {"rows_strayed": 1}),
    "a line of another league": (
        "match_scores", "league_id = 77", {"rows_strayed": 1}),
    "a line that is deleted": ("match_scores", "_op = 'delete'", {"rows_removed": 1}),
    "an alias emptied": ("teams", "team_alias = null", {"team_names_emptied": 1}),
    "a display name emptied": ("teams", "display_name = ' '", {"team_names_emptied": 1}),
    "another display name": ("teams", "display_name = 'The Aces'", {}),
    "a club that nobody needs": ("clubs", "id = 999, name = 'Tennaqua 2', _op = 'insert'", {"clubs_without_teams": 1}),
}  # fmt: skip


@pytest.mark.parametrize("what", PLANS)
def test_plan_is_told(importing, what):
    """One row of a plan that is otherwise empty, as a fault of a program would plan it."""
    table, values, expected = PLANS[what]
    run_id = importing.plan(charted())
    plan = schemas(run_id)[0]
    row = f"(select min(id) from public.{table})"
    importing.write(f'insert into "{plan}".{table}_before select * from public.{table} where id = {row}')
    importing.write(
        f"""insert into "{plan}".{table} select *, 'update', array['{APTA}'] from public.{table} where id = {row}"""
    )
    importing.write(f'update "{plan}".{table} set {values}')

    assert expected == found(importing, run_id)


@dataclass
class Names:
    """A person's name before and now."""

    first_before: str
    last_before: str
    first_now: str
    last_now: str


@pytest.mark.parametrize(
    ("names", "is_another"),
    [
        (Names("Galey", "V. Triquox", "Galey V.", "Triquox"), False),
        (Names("Trox", "Breaseth", "Trox", "Breaseth III"), False),
        (Names("Hun", "Lent", "Hun", "Toton"), False),
        (Names("Zoë", "Ström", "ZOE", "STROM"), False),
        (Names("Jon", "Smithson", "John", "Smithsen"), False),
        (Names("Ann", "Hart", "Bob", "Lane"), True),
        (Names("Ann", "Hart", "Ann", "H"), True),
        (Names("Ann", "Hart", "Ann", "Ha"), False),
    ],
)
def test_another_person(names, is_another):
    """A marriage, a suffix, accents, a slip and a name parted elsewhere are one person; no word in common is two."""
    assert is_another is _is_another(names)


def test_rating_that_live_keeps_is_told_as_a_change(importing):
    """It changes no row, so the plan in sentences says it by itself."""
    run_id = importing.plan(person(charted(), PTI="N/A"))
    measures = planning.import_measures(importing.engine, importing.settings, run_id)
    store_metrics(importing.engine, run_id, "import", measures)

    assert ["1 of 16 known ratings are not printed; live keeps them"] == planning.headlines(
        importing.engine, run_id, APTA
    )


def test_question_is_new_until_a_run_that_asks_it_is_published(engine, settings):
    """A refused run does not use it up; after a published one it is no news."""
    importing = Import(engine, settings)
    importing.load(charted())
    scrape = person(charted(), Player_ID="nndz-new")

    assert {"players_to_confirm": 1} == found(importing, importing.plan(scrape))
    run_id = importing.plan(scrape)
    assert {"players_to_confirm": 1} == found(importing, run_id)
    importing.publish(run_id)
    again = importing.plan(scrape)
    with engine.connect() as connection:
        asked = connection.scalar(sa.text("select count(*) from etl.reviews where state = 'open'"))
    assert (1, {}) == (asked, found(importing, again))
