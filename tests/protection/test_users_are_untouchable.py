"""Whatever sequence of scrapes: rows of users stay bit for bit, and point at the same teams and persons."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from attached import digests, orphans, printed_ids
from conftest import MakeDatabase, project
from planning.test_identity_rules import UNHURRIED, Season, histories
from rally_etl.database.engine import connect
from rally_etl.protection import integration_measures
from rally_etl.sample.attachments import attach
from scrapes import APTA, Import

ACCOUNT = ("references_lost", "references_moved", "user_rows_changed")
PLAYED_FOR = """
    select t.id, split_part(replace(p.tenniscores_player_id, 'nndz-', ''), 'x', 1) as made
    from teams as t join players as p on p.team_id = t.id and p.is_active
"""


@hypothesis_settings(max_examples=2, derandomize=True, **UNHURRIED)
@given(seasons=histories())
def test_users_are_untouched_by_any_sequence_of_scrapes(
    make_database: MakeDatabase, template_database: str, seasons: list[Season]
):
    """Rules 4 and 5, seen by the tests' own SQL after each publish; the product's account says the same."""
    live_through(make_database, template_database, seasons)


@pytest.mark.slow
@hypothesis_settings(max_examples=30, **UNHURRIED)
@given(seasons=histories())
def test_users_are_untouched_by_many_sequences_of_scrapes(
    make_database: MakeDatabase, template_database: str, seasons: list[Season]
):
    """The same with other sequences every time."""
    live_through(make_database, template_database, seasons)


def live_through(make_database: MakeDatabase, template_database: str, seasons: list[Season]) -> None:
    """Attach users to the first scrape, then import the others."""
    with make_database(template_database) as url, TemporaryDirectory() as folder:
        settings = project(Path(folder), url)
        engine = connect(settings, application_name="rally-etl tests")
        imports = Import(engine, settings)
        imports.load(seasons[0].scrape())
        written = attach(engine, users_per_team=2)
        assert written["users"] >= len(seasons[0].teams)
        rows, teams, persons = digests(engine), teams_of(imports), printed_ids(engine)
        certain = set(teams.values())
        for season in seasons[1:]:
            run_id = imports.plan(season.scrape())
            measures = integration_measures(engine, settings, run_id)[APTA]
            assert {} == {name: measures[name]["detail"] for name in ACCOUNT if measures[name]["value"]}
            imports.publish(run_id)
            assert rows == digests(engine)
            assert {} == orphans(engine)
            now = teams_of(imports)
            certain &= season.certain
            kept = {team: made for team, made in teams.items() if made in certain and team in now}
            assert kept == {team: now[team] for team in kept}
            assert persons == {row: person for row, person in printed_ids(engine).items() if row in persons}
        engine.dispose()


def teams_of(imports: Import) -> dict[int, int]:
    """Live team -> the team that most of its players were made up for."""
    players: dict[int, Counter] = {}
    for row in imports.rows(PLAYED_FOR):
        players.setdefault(row.id, Counter())[int(row.made)] += 1
    return {team: made.most_common(1)[0][0] for team, made in players.items()}
