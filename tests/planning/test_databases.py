"""Plans fit the database they meet: environments disagree about keys, columns and tables."""

from __future__ import annotations

import pytest

from rally_etl import planning
from rally_etl.errors import PlanIsStale, RallyEtlError
from scrapes import APTA, TEAMS, Import, Kinds, line, player, small, stats, write

OLD_PLAYERS_KEY = """
    alter table players drop constraint unique_player_in_league_club_series,
    add constraint unique_player_in_league_club_series unique (tenniscores_player_id, league_id, club_id, series_id)
    """
OLD_TEAMS_KEY = """
    alter table teams drop constraint unique_team_name_per_league,
    add constraint unique_team_club_series_league unique (club_id, series_id, league_id)
    """
SHARED_SERIES = """
    alter table series drop constraint uq_series_league_name, drop constraint fk_series_league_id,
    drop column league_id, add constraint series_name_key unique (name)
    """


def in_two_teams(loaded: Import) -> Kinds:
    """The small scrape with a person of "I 7 SW" in "II 7 SW" too."""
    scrape = small()
    scrape["players"].append(player("HinsdalePCI7SW1", "Hinsdale PC II 7 SW"))
    return scrape


def test_key_without_team_has_no_room_for_a_second_membership(loaded):
    """A person in two teams of one club and series is held where the key lacks team_id; with it there are two rows."""
    scrape = in_two_teams(loaded)
    loaded.write(OLD_PLAYERS_KEY)
    run_id = loaded.load(scrape)
    assert {} == loaded.changes(run_id)
    assert {
        ("players", "unique key unique_player_in_league_club_series has no room", "nndz-HinsdalePCI7SW1"): 1
    } == loaded.held(run_id)

    loaded.write("alter table players drop constraint unique_player_in_league_club_series")
    assert {"players": (1, 0, 0)} == loaded.changes(loaded.load(scrape))


def test_first_load_under_a_key_without_team(importing):
    """On an empty database with the old key one membership of each person is taken and the other held."""
    importing.write(OLD_PLAYERS_KEY)

    run_id = importing.load(in_two_teams(importing))

    assert [16] == importing.column("select count(*) from players")
    assert [1] == list(importing.held(run_id).values())
    assert {} == importing.changes(importing.load(in_two_teams(importing)))


def test_key_of_one_team_per_club_and_series_holds_the_second(importing):
    """`unique_team_club_series_league` has no room for "I 7 SW" and "II 7 SW": one is held with its rows."""
    importing.write(OLD_TEAMS_KEY)

    run_id = importing.load(small())

    assert ["Hinsdale PC I 7 SW", "Tennaqua 12", "Winnetka 12"] == importing.column(
        "select team_name from teams order by 1"
    )
    key = ("teams", "unique key unique_team_club_series_league has no room", "Hinsdale PC II 7 SW")
    assert 1 == importing.held(run_id)[key]
    assert 4 == importing.held(run_id)["players", "unknown_team", "Hinsdale PC II 7 SW"]
    assert {} == importing.changes(importing.load(small()))


def test_series_shared_by_name(importing):
    """Where series have no league, two leagues share the series of one name; the junction says whose it is."""
    importing.write(SHARED_SERIES)
    folder = write(importing.settings.root / "both", small())
    write(folder, other_league("Series 12"), "NEWLEAGUE")

    importing.load(folder)

    assert ["Series 12", "Series 7 SW"] == importing.column("select name from series order by 1")
    assert [("APTA_CHICAGO", 2), ("NEWLEAGUE", 1)] == importing.rows(
        "select l.league_id, count(*) from series_leagues as j join leagues as l on l.id = j.league_id"
        " group by 1 order by 1"
    )
    again = importing.load(folder)
    assert ({}, {}) == (importing.changes(again), importing.changes(again, "NEWLEAGUE"))


def test_series_of_a_league_is_not_mistaken_for_that_of_another(importing):
    """A shared series table that holds "Chicago 12" of one league and "Series 12" of another: each keeps its own."""
    first = importing.load(small())
    importing.forget(first)
    importing.write("update series set name = 'Chicago 12', display_name = 'Chicago 12' where name = 'Series 12'")
    importing.write(SHARED_SERIES)
    mine = importing.column("select id from series where name = 'Chicago 12'")
    importing.write("insert into leagues (league_id, league_name) values ('CNSWPL', 'x')")
    importing.write("insert into series (name, display_name) values ('Series 12', 'Series 12')")
    importing.write(
        "insert into series_leagues (series_id, league_id) select s.id, l.id from series as s, leagues as l"
        " where s.name = 'Series 12' and l.league_id = 'CNSWPL'"
    )

    importing.load(small())

    assert mine == importing.column("select distinct series_id from teams where team_name like '%12'")
    assert [2] == importing.column("select count(*) from series where name like '%12'")


def other_league(series: str) -> Kinds:
    """A league that no params file describes, with one club of the small scrape."""
    return {
        "players": [
            player("x1", "Tennaqua 12", Series=series, League="NEWLEAGUE"),
            player("x2", "Newclub 12", Series=series, League="NEWLEAGUE"),
        ],
        "series_stats": [stats(team, series=series, league_id="NEWLEAGUE") for team in ("Tennaqua 12", "Newclub 12")],
    }


def test_late_columns_may_be_missing(importing):
    """Without updated_at, starting_pti, lines_for and the junction of series a load works, twice too."""
    for table in ("leagues", "clubs", "series", "teams", "players", "series_stats"):
        importing.write(f"alter table {table} drop column updated_at")
    importing.write("alter table players drop column starting_pti, drop column career_win_percentage")
    importing.write("alter table series_stats drop column lines_for, drop column lines_ret")
    importing.write("drop table series_leagues")

    importing.load(small())

    assert [4, 16] == importing.column("select count(*) from teams union all select count(*) from players order by 1")
    assert {} == importing.changes(importing.load(small()))


def test_other_columns_and_generated_ones_are_left_alone(loaded):
    """A column that this project does not know keeps its value, and a generated column is not written."""
    loaded.write(
        "alter table teams add column mascot text default 'none',"
        " add column shout text generated always as (upper(team_name)) stored"
    )
    loaded.write("update teams set mascot = 'owl', team_name = 'Tennaqua - 12' where team_name = 'Tennaqua 12'")
    scrape = small()
    scrape["players"].append(player("n", "Skokie 12", Series="Series 12"))
    scrape["series_stats"].append(stats("Skokie 12", series="Series 12"))

    loaded.load(scrape)

    assert [("Skokie 12", "none", "SKOKIE 12"), ("Tennaqua 12", "owl", "TENNAQUA 12")] == loaded.rows(
        "select team_name, mascot, shout from teams where team_name in ('Tennaqua 12', 'Skokie 12') order by 1"
    )


def test_identity_columns(importing):
    """Ids that are identity columns come from their sequences too."""
    for table, when in (("clubs", "always"), ("teams", "by default"), ("match_scores", "always")):
        importing.write(f"alter table {table} alter column id drop default")
        importing.write(f"drop sequence {table}_id_seq")
        importing.write(f"alter table {table} alter column id add generated {when} as identity (start with 500)")

    importing.load(small())

    assert [500, 500, 500] == importing.column(
        "select min(id) from clubs union all select min(id) from teams union all select min(id) from match_scores"
    )


def test_no_key_on_match_ids(loaded):
    """Without a unique index lines are still found by their match id; a partial index does not matter."""
    loaded.write("drop index unique_match_scores_tenniscores_match_id")
    assert {} == loaded.changes(loaded.load(small()))
    loaded.write("create unique index on match_scores (tenniscores_match_id) where tenniscores_match_id is not null")

    scrape = small()
    scrape["match_scores"].append(line("nndz-m9_Line1", "Tennaqua 12", "Winnetka 12"))

    assert {"match_scores": (1, 0, 0)} == loaded.changes(loaded.load(scrape))


def test_missing_table_is_named(importing):
    """A database without an imported table that every run needs is refused with its name."""
    importing.write("drop table player_history")

    with pytest.raises(RallyEtlError, match=r"no table player_history; nothing was planned\nhint: "):
        importing.plan(small())


def test_rows_without_links_are_mended_not_doubled(loaded):
    """Live rows that older importers left without team ids are found by their names, linked, and not inserted again."""
    loaded.write("update schedule set home_team_id = null")
    loaded.write("update series_stats set team_id = null, series_id = null")
    loaded.write("update match_scores set home_team_id = null, away_team_id = null")
    loaded.write("update players set team_id = null where tenniscores_player_id like '%12_'")

    run_id = loaded.load(small())

    assert {
        "players": (0, 8, 0),
        "match_scores": (0, 4, 0),
        "series_stats": (0, 4, 0),
        "schedule": (0, 3, 0),
    } == loaded.changes(run_id)
    assert {} == loaded.changes(loaded.load(small()))


def test_rows_under_an_old_spelling_without_links_are_mended(loaded):
    """The same where the row spells the team as the season before did."""
    loaded.write("update schedule set home_team_id = null, home_team = replace(home_team, ' 12', ' - 12')")
    loaded.write("update series_stats set team_id = null, team = replace(team, ' 12', ' - 12')")

    loaded.load(small())

    assert [3, 4] == loaded.column("select count(*) from schedule union all select count(*) from series_stats")
    assert [True] == loaded.column("select distinct home_team_id is not null from schedule")


def test_standing_stored_twice_is_no_crash(loaded):
    """A second row of one team under a wrong series (incident 27) stays beside the right one."""
    loaded.write(
        "insert into series_stats (league_id, series, team, team_id)"
        " select league_id, 'Series 99', team_name, id from teams limit 1"
    )
    loaded.write("update series_stats set team_id = null where series <> 'Series 99'")

    loaded.load(small())

    assert {} == loaded.changes(loaded.load(small()))


def test_team_that_withdrew_is_still_scheduled(loaded):
    """A team that rosters and standings no longer have keeps its meetings and their links while they are scheduled."""
    gone = "Winnetka 12"
    scrape = small()
    scrape["players"] = [record for record in scrape["players"] if record["Team"] != gone]
    scrape["series_stats"] = [record for record in scrape["series_stats"] if record["team"] != gone]

    assert {"teams": (0, 0, 1), "players": (0, 0, 4)} == loaded.changes(loaded.load(scrape))
    assert {} == loaded.changes(loaded.load(scrape))
    assert [True] == loaded.column(
        "select distinct home_team_id is not null and away_team_id is not null from schedule"
    )


def test_sequence_behind_its_table_is_refused(loaded):
    """A restored dump may leave a sequence behind its rows: the run stops before a new row gets a known row's id."""
    loaded.write("select setval('teams_id_seq', 1)")

    with pytest.raises(
        RallyEtlError, match=r"1 sequences .*nothing was planned\nhint: select setval\('public.teams_id_seq', 4\);"
    ):
        loaded.plan(small())


def test_column_that_must_be_filled_is_the_leagues_own_problem(loaded):
    """A column that nobody knows and that must not be empty stops a publish of new rows, not the plans of all."""
    loaded.write("alter table teams add column mascot text")
    loaded.write("update teams set mascot = 'owl'")
    loaded.write("alter table teams alter column mascot set not null")
    assert {} == loaded.changes(loaded.load(small()))
    scrape = small()
    scrape["series_stats"].append(stats("Skokie 12", series="Series 12"))
    scrape["players"].append(player("new", "Skokie 12", Series="Series 12"))
    run_id = loaded.plan(scrape)

    with pytest.raises(PlanIsStale, match="refused a planned row"):
        loaded.publish(run_id)


def test_team_under_two_spellings_in_live(loaded):
    """Two live rows of one team: the one that is spelled right is kept up, and nothing crashes."""
    loaded.write(
        "insert into teams (club_id, series_id, league_id, team_name, display_name)"
        " select club_id, series_id, league_id, 'Tennaqua - 12', 'x' from teams where team_name = 'Tennaqua 12'"
    )

    run_id = loaded.load(small())

    assert {} == loaded.changes(run_id)
    assert sorted([*TEAMS, "Tennaqua - 12"]) == loaded.column(
        'select team_name from teams order by team_name collate "C"'
    )


def test_club_shared_with_a_league_that_is_not_published(importing):
    """A new club of two leagues goes live with the league that is published; the other finds it when it is approved."""
    folder = write(importing.settings.root / "both", small())
    write(folder, other_league("Series 12"), "NEWLEAGUE")
    run_id = importing.plan(folder)

    planning.publish(importing.engine, run_id, ["NEWLEAGUE"])
    assert ["Newclub", "Tennaqua"] == importing.column("select name from clubs order by 1")
    assert [] == planning.verify(importing.engine, run_id, ["NEWLEAGUE"])

    planning.publish(importing.engine, run_id, [APTA])
    assert [] == planning.verify(importing.engine, run_id, [APTA])
    assert ["Hinsdale PC", "Newclub", "Tennaqua", "Winnetka"] == importing.column("select name from clubs order by 1")


def test_first_load_of_a_league_without_params_is_told(importing):
    """Nobody has described the league: the gate is told, until one of its plans was published."""
    folder = write(importing.settings.root / "new", other_league("Series 12"), "NEWLEAGUE")

    first = importing.plan(folder)
    assert (
        1
        == planning.import_measures(importing.engine, importing.settings, first)["NEWLEAGUE"]["league_unknown"]["value"]
    )

    importing.publish(first)
    second = importing.plan(folder)
    assert (
        0
        == planning.import_measures(importing.engine, importing.settings, second)["NEWLEAGUE"]["league_unknown"][
            "value"
        ]
    )
    assert {} == importing.changes(second, "NEWLEAGUE")


def test_match_id_of_another_league_is_refused_not_moved(loaded):
    """A line whose id another league's line has: the database's key refuses it, and nothing is written."""
    loaded.write("insert into leagues (league_id, league_name) values ('OTHER', 'Other')")
    loaded.write(
        "insert into match_scores (league_id, tenniscores_match_id)"
        " select id, 'nndz-m9_Line1' from leagues where league_id = 'OTHER'"
    )
    scrape = small()
    scrape["match_scores"].append(line("nndz-m9_Line1", "Tennaqua 12", "Winnetka 12"))
    scrape["players"].append(player("late", "Tennaqua 12"))
    run_id = loaded.plan(scrape)

    with pytest.raises(PlanIsStale, match="the database refused a planned row"):
        loaded.publish(run_id)

    assert [4, 16] == loaded.column(
        "select count(*) from match_scores where home_team is not null union all select count(*) from players"
    )
