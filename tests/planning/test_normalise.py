"""Old spellings in live rows become the league's standard: as a plan, with every id where it was."""

from __future__ import annotations

import json

import pytest

from rally_etl import planning
from rally_etl.database.catalog import quote
from rally_etl.database.references import read_reference_params
from rally_etl.errors import UsageError
from rally_etl.naming import is_one_name, load_leagues
from rally_etl.planning import schema
from rally_etl.protection.identity import is_same_thing
from scrapes import APTA, TEAMS, Import, fingerprint, small

OLD_TEAMS = {
    "Tennaqua 12": "Tennaqua - 12",
    "Winnetka 12": "Winnetka - 12",
    "Hinsdale PC I 7 SW": "Hinsdale PC I - 7 SW",
    "Hinsdale PC II 7 SW": "Hinsdale PC II - 7 SW - Series 7 SW",
}
OLD_SERIES = {"Series 12": "Chicago 12", "Series 7 SW": "Division 7 SW"}
NAMES = {
    "series": ("name", "display_name"),
    "teams": ("team_name", "display_name", "team_alias"),
    "series_stats": ("series", "team"),
    "match_scores": ("home_team", "away_team"),
    "schedule": ("home_team", "away_team"),
    "player_history": ("series",),
}


def normalise(importing: Import, league: str = APTA) -> tuple[str, dict[tuple[str, str, str], int]]:
    """Plan the standard names of a league in a run of its own; answer its id and what it leaves alone."""
    run_id = f"20251101T{next(importing.numbers):06}-test"
    operation = json.dumps({"kind": "normalise", "league": league, "by": "Ann", "reason": "old names"})
    importing.write(
        "insert into etl.runs (run_id, source, as_of, operation)"
        " values (:run, '', '2025-11-01', cast(:operation as jsonb))",
        run=run_id,
        operation=operation,
    )
    importing.write("insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=league)
    planning.make_plan(importing.engine, importing.settings, run_id)
    return run_id, importing.held(run_id)


def planned(importing: Import, run_id: str) -> dict[str, int]:
    """Table -> planned rows, where there are any; each of them an update."""
    plan = schema.schemas(run_id)[0]
    counts = {}
    for table in NAMES:
        operations = importing.column(f"select _op from {quote(plan, table)}")
        assert {"update"} >= set(operations)
        if operations:
            counts[table] = len(operations)
    return counts


def add_series(importing: Import, name: str) -> None:
    """One more live series of the league."""
    importing.write(
        "insert into series (name, display_name, league_id) select :name, 'x', league_id from series limit 1", name=name
    )


@pytest.fixture
def old(loaded: Import) -> Import:
    """The small scrape with the names that an older importer wrote, a user's practice row and a rating point."""
    # Numbered names in between, because one statement per name would meet the unique keys of the others.
    for table, columns in NAMES.items():
        for column in columns:
            for new, former in (OLD_TEAMS | OLD_SERIES).items():
                loaded.write(f"update {table} set {column} = :old where {column} = :new", old=former, new=new)
    loaded.write(
        "insert into schedule (league_id, match_date, home_team, home_team_id)"
        " select league_id, '2025-10-02', 'Tennaqua Practice - Chicago 12', id from teams order by id limit 1"
    )
    loaded.write(
        "insert into player_history (player_id, league_id, series, date, end_pti)"
        " select id, league_id, 'Chicago 12', '2025-03-01', 40 from players order by id limit 1"
    )
    return loaded


def test_old_spellings_become_the_standard(old):
    """Every name that stands for something readable is the league's own afterwards; no id and no link has moved."""
    ids = "select 'teams', id, club_id, series_id from teams union all select 'series', id, league_id, 0 from series"
    links = "select id, home_team_id, away_team_id, scores from match_scores order by id"
    before = old.rows(ids), old.rows(links)

    run_id, held = normalise(old)
    assert {
        "series": 2,
        "teams": 4,
        "series_stats": 4,
        "player_history": 1,
        "match_scores": 4,
        "schedule": 3,
    } == planned(old, run_id)
    assert {} == held
    old.publish(run_id)

    assert sorted(TEAMS) == old.column("select team_name from teams order by 1")
    assert sorted(TEAMS) == old.column("select display_name from teams order by 1")
    assert sorted(TEAMS.items()) == [tuple(row) for row in old.rows("select team, series from series_stats order by 1")]
    assert sorted(set(TEAMS.values())) == old.column("select name from series where name = display_name order by 1")
    assert sorted(TEAMS.values()) == sorted(old.column("select team_alias from teams"))
    assert ["Series 12"] == old.column("select distinct series from player_history")
    assert set(TEAMS) == set(old.column("select home_team from match_scores union select away_team from match_scores"))
    assert before == (old.rows(ids), old.rows(links))


def test_twice_is_once(old):
    """A second run has nothing to do."""
    old.publish(normalise(old)[0])
    before = fingerprint(old.engine)

    run_id, held = normalise(old)

    assert ({}, {}) == (planned(old, run_id), held)
    old.publish(run_id)
    assert before == fingerprint(old.engine)


def test_the_next_import_finds_the_same_rows(old):
    """After normalising, the scrape that the rows came from changes nothing of them, nor the points of ratings."""
    points = [{"date": "03/01/2025", "end_pti": 40.0, "series": "Chicago 12"}]
    person = small()["players"][0]
    history = {
        "league_id": APTA, "player_id": person["Player ID"], "name": person["First Name"], "series": "Chicago 12",
        "rating": "40", "matches": points,
    }  # fmt: skip
    old.write("delete from player_history")
    scrape = small() | {"player_history": [history]}
    old.publish(normalise(old)[0])
    old.load(scrape)
    assert ["Series 12"] == old.column("select series from player_history")

    old.write("update player_history set series = 'Chicago 12'")
    assert {} == old.changes(old.plan(scrape))
    old.publish(normalise(old)[0])

    assert {} == old.changes(old.plan(scrape))
    assert ["Series 12"] == old.column("select series from player_history")


def test_practice_rows_and_chosen_names_stay(old):
    """What users wrote, and a display name or an alias that somebody chose, is not a spelling."""
    old.write(
        "update teams set display_name = 'The Twelves', team_alias = 'Dream team' where team_name = 'Tennaqua - 12'"
    )
    old.write("update series set display_name = 'Twelve' where name = 'Chicago 12'")
    practice = old.rows("select * from schedule where home_team ilike '%practice%'")

    run_id, _ = normalise(old)
    old.publish(run_id)

    assert practice == old.rows("select * from schedule where home_team ilike '%practice%'")
    assert 1 == len(practice)
    assert [("Tennaqua 12", "The Twelves", "Dream team")] == old.rows(
        "select team_name, display_name, team_alias from teams where team_name = 'Tennaqua 12'"
    )
    assert ["Twelve"] == old.column("select display_name from series where name = 'Series 12'")


def test_two_rows_that_are_one_are_left_for_a_merge(old):
    """A name that another live row has is not written: both rows stay, and are named."""
    add_series(old, "Series 12")
    old.write(
        "insert into teams (club_id, series_id, league_id, team_name, display_name)"
        " select club_id, series_id, league_id, 'Winnetka 12', 'x' from teams where team_name = 'Winnetka - 12'"
    )
    add_series(old, "Chicago 3")
    add_series(old, "Division 3")

    run_id, held = normalise(old)
    old.publish(run_id)

    merge = {(table, reason, name) for table, reason, name in held if "merge them" in reason}
    assert {
        ("series", "two rows are one series: merge them", "Chicago 12"),
        ("series", "two rows are one series: merge them", "Chicago 3"),
        ("series", "two rows are one series: merge them", "Division 3"),
        ("teams", "two rows are one team: merge them", "Winnetka - 12"),
    } == merge
    assert ["Chicago 12", "Chicago 3", "Division 3", "Series 12", "Series 7 SW"] == old.column(
        "select name from series order by 1"
    )
    assert {"Tennaqua 12", "Winnetka - 12", "Winnetka 12"} < set(old.column("select team_name from teams"))
    # the names in other tables are those of the rows they are linked to
    assert [] == old.rows(
        "select * from series_stats as s join series as e on e.id = s.series_id where e.name <> s.series"
    )
    assert [] == old.rows(
        "select * from series_stats as s join teams as t on t.id = s.team_id where t.team_name <> s.team"
    )


def test_row_that_would_meet_another_stays(old):
    """Standings and meetings that are there in both spellings keep both rows; nothing violates a key."""
    old.write(
        "insert into series_stats (league_id, series, team)"
        " select league_id, 'Series 12', 'Tennaqua 12' from teams limit 1"
    )
    old.write(
        "insert into schedule (league_id, match_date, home_team, away_team) select league_id, match_date,"
        " 'Tennaqua 12', 'Winnetka 12' from schedule where match_date = '2025-10-21'"
    )

    run_id, held = normalise(old)
    old.publish(run_id)

    assert {
        ("series_stats", "another row has the standard name", "Tennaqua - 12 of Chicago 12"): 1,
        ("schedule", "another row has the standard name", "Tennaqua - 12 v Winnetka - 12"): 1,
    } == held


def test_name_that_is_not_read_or_means_another_is_left_alone(old):
    """Names are never guessed: what no form reads, and what says another team than its link, stays and is listed."""
    add_series(old, "Series Legends")
    old.write("update teams set team_name = 'Skokie - 12' where team_name = 'Winnetka - 12'")
    old.write("update match_scores set home_team = 'Tennaqua - 14' where home_team = 'Tennaqua - 12'")
    old.write("update schedule set away_team = '- 9 SW' where away_team = 'Hinsdale PC I - 7 SW'")
    old.write("update player_history set series = 'Chicago 19022'")

    run_id, held = normalise(old)
    old.publish(run_id)

    assert {
        ("series", "the name is not read", "Series Legends"): 1,
        ("teams", "the name is of another one than its id", "Skokie - 12: Winnetka, Series 12"): 1,
        ("series_stats", "the name is of another one than its id", "Winnetka - 12: Skokie - 12"): 1,
        ("match_scores", "the name is of another one than its id", "Tennaqua - 14: Tennaqua 12"): 2,
        ("match_scores", "the name is of another one than its id", "Winnetka - 12: Skokie - 12"): 2,
        ("schedule", "the name is of another one than its id", "Winnetka - 12: Skokie - 12"): 2,
        ("schedule", "the name is not read", "- 9 SW"): 1,
        ("player_history", "the name is not read", "Chicago 19022"): 1,
    } == held
    assert 2 == len(old.rows("select * from match_scores where home_team = 'Tennaqua - 14'"))
    assert 1 == len(old.rows("select * from teams where team_name = 'Skokie - 12'"))


def test_user_rows_still_mean_the_same(old):
    """The accounting of stage integration takes every change of this plan for another spelling of the same thing."""
    run_id, _ = normalise(old)
    plan = schema.schemas(run_id)[0]
    league = load_leagues(old.settings.params_dir).get(APTA)
    words = read_reference_params(old.settings.params_dir / "references.yaml").series_words
    for table, column in (("teams", "team_name"), ("series", "name")):
        pairs = old.rows(
            f"select b.{column}, p.{column} from {quote(plan, table)} as p"
            f" join {quote(plan, f'{table}_before')} as b using (id)"
        )
        assert pairs
        other = [tuple(pair) for pair in pairs if not is_same_thing(table, *pair, words)]
        # a series that is printed twice is more than another spelling of the words: the league's grammar knows
        assert {("Hinsdale PC II - 7 SW - Series 7 SW", "Hinsdale PC II 7 SW")} >= set(other)
        assert [] == [pair for pair in other if not is_one_name(league, *pair)]


def test_league_without_a_standard_is_refused(old):
    """No file, no standard; a league that live does not have has nothing to normalise."""
    before = fingerprint(old.engine)

    for league, telling in (("PADDLE_WEST", "is no league with a standard"), ("NSTF", "live has no league NSTF")):
        with pytest.raises(UsageError, match=telling) as error:
            normalise(old, league)
        assert "nothing was planned\nhint: " in str(error.value)
    assert before == fingerprint(old.engine)


def test_publish_can_be_read_as_changes(old):
    """The plan tells a person what changes, as every plan does."""
    run_id, _ = normalise(old)
    found = planning.changes(old.engine, run_id, "series")

    assert ["display_name: Chicago 12 → Series 12", "name: Chicago 12 → Series 12"] == sorted(
        next(what for what in found["what"] if "Chicago" in what).split(", ")
    )
