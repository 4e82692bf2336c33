"""Each page: it answers on an empty database and on a season, and a damage that users would see breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa

from conftest import CopyOf, Filled, MakeDatabase, first, project
from copies import change, copy_live, put_back
from damages import DAMAGES as TEAM_DAMAGES
from damages_of_people import PEOPLE_DAMAGES
from rally_etl.database.engine import connect
from rally_etl.features.ask import Answer, ask
from rally_etl.features.pages import FEATURES
from rally_etl.sample import season
from rally_etl.sample.attachments import attach
from scrapes import APTA, Import

RUN_ID = "20251003T060000-ab12"
AS_OF = date(2025, 10, 3)
DAMAGES = TEAM_DAMAGES | PEOPLE_DAMAGES
PAGES = {feature.name: feature for feature in FEATURES}
CASES = [case for name, damages in DAMAGES.items() for case in first(1, [(name, what) for what in damages])]


def _fill(importing: Import) -> None:
    importing.load(season.write(importing.settings.root / "season")[0])
    attach(importing.engine, users_per_team=2)
    _archive(importing)
    begin(importing)


def _archive(importing: Import) -> None:
    """The lines of this season were played in the last one, too, and a week later once more."""
    columns = (
        "league_id, home_team, away_team, home_team_id, away_team_id, home_player_1_id, home_player_2_id,"
        " away_player_1_id, away_player_2_id, scores, winner"
    )
    importing.write(
        f"insert into match_scores_previous_seasons (match_date, season, {columns})"
        f" select match_date - days, '2024-2025', {columns} from match_scores, unnest(array[364, 357]) as days"
    )


def begin(importing: Import) -> None:
    """A run of every league there is, with a copy of every table as its candidate."""
    importing.write("insert into etl.runs (run_id, source, as_of) values (:run, 'x', :as_of)", run=RUN_ID, as_of=AS_OF)
    importing.write("insert into etl.run_leagues (run_id, league) select :run, league_id from leagues", run=RUN_ID)
    copy_live(importing.engine, RUN_ID)


@pytest.fixture(scope="module")
def whole(filled: Filled) -> Iterator[str]:
    """The name of a database with the sample season of week 1, its users, and a candidate that changes nothing."""
    with filled(_fill) as name:
        yield name


@pytest.fixture(scope="module")
def played(whole: str, make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    """Imports into a copy of it, which the tests of this file share: each puts back what it has damaged."""
    with make_database(whole) as url:
        settings = project(tmp_path_factory.mktemp("played"), url)
        engine = connect(settings, application_name="rally-etl tests")
        yield Import(engine, settings)
        engine.dispose()


@pytest.fixture
def damaged(played: Import) -> Iterator:
    """Function that damages the candidate; what it damaged is put back after the test."""
    tables: set[str] = set()
    yield lambda sql: tables.update(change(played.engine, RUN_ID, sql))
    put_back(played.engine, RUN_ID, tables)


def answers(importing: Import, *names: str) -> dict[tuple[str, str], Answer]:
    """(League, page) -> answer."""
    asked = [feature for feature in FEATURES if not names or feature.name in names]
    return {(each.league, each.feature): each for each in ask(importing.engine, importing.settings, RUN_ID, asked)}


def test_every_page_has_a_damage():
    """A page that no damage breaks is a check that cannot fail."""
    assert sorted(PAGES) == sorted(DAMAGES)
    assert [] == [name for name, damages in DAMAGES.items() if not damages]


def test_pages_of_the_season_work(played):
    """In a good season every page answers, for both leagues, and none would break."""
    found = answers(played)

    assert [] == [(key, each.error or each.skipped) for key, each in found.items() if each.error or each.skipped]
    assert [] == [key for key, each in found.items() if each.broken or each.mended or each.gone]
    assert [] == [key for key, each in found.items() if each.league == APTA and not each.works_before]
    assert [] == [key for key, each in found.items() if each.before != each.after]


@pytest.mark.parametrize(("name", "what"), CASES, ids=lambda each: str(each).replace(" ", "_"))
def test_damage_breaks_the_page(played, damaged, name, what):
    """The page that worked would not, it says so in other words than before, and the other league does not care."""
    damaged(DAMAGES[name][what])
    found = answers(played, name)
    one, other = found[APTA, name], found["NSTF", name]

    assert one.error is None
    assert one.broken >= 1
    assert one.works_after < one.works_before
    worst = one.examples[0]
    assert worst["broken"] and worst["before"] and worst["after"] != worst["before"]
    assert (0, None) == (other.broken, other.error)


def test_pages_of_an_empty_database(copy_of: CopyOf, template_database):
    """Without a row nobody has a page, and every query runs."""
    importing = copy_of(template_database)
    importing.write("insert into leagues (league_id, league_name) values ('APTA_CHICAGO', 'APTA')")
    begin(importing)
    found = answers(importing)

    assert len(FEATURES) == len(found)
    assert [] == [(each.feature, each.error) for each in found.values() if each.error]
    assert {0} == {each.before + each.after for each in found.values()}


OLDER = (
    "alter table series drop column league_id cascade",
    "drop table series_leagues",
    "alter table series_stats drop column updated_at, drop column lines_for, drop column lines_ret",
    "alter table players drop column starting_pti, drop column updated_at",
    "alter table player_availability drop column user_id",
    "alter table users drop column team_id",
    "drop table food",
    "drop table captain_messages",
)


def test_pages_of_an_older_database(copy_of: CopyOf, template_database):
    """Columns that only some environments have are not needed; a page whose table of users is missing is skipped."""
    importing = copy_of(template_database)
    importing.write("insert into leagues (league_id, league_name) values ('APTA_CHICAGO', 'APTA')")
    for statement in OLDER:
        importing.write(statement)
    begin(importing)
    found = answers(importing)

    assert [] == [(each.feature, each.error) for each in found.values() if each.error]
    assert ["food_and_beer", "notifications"] == sorted(each.feature for each in found.values() if each.skipped)


@pytest.mark.parametrize("name", PAGES)
def test_page_keeps_the_contract(played, name):
    """One row per subject, with the columns and types that are promised, of the league that is asked."""
    feature = PAGES[name]
    binds = {"league_id": 1, "as_of": AS_OF}
    statement = sa.text(feature.sql)
    with played.engine.connect() as connection:
        result = connection.execute(statement, {key: binds[key] for key in statement._bindparams})
        names, rows = list(result.keys()), result.all()

    assert {"subject_id", "works", "shown"} == set(names)
    assert [] == [row for row in rows if type(row.subject_id) is not int or type(row.works) is not bool]
    assert [] == [row for row in rows if not isinstance(row.shown, str)]
    assert len(rows) == len({row.subject_id for row in rows})
    assert ":league_id" in feature.sql
