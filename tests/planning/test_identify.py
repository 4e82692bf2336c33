"""Teams under other names, from the scrape to the live tables: ids, clubs, aliases and questions."""

from __future__ import annotations

import pytest

from rally_etl import planning
from rally_etl.database.catalog import quote
from scrapes import APTA, Import, Kinds, player, small, stats


def renamed(old: str, new: str, scrape: Kinds | None = None) -> Kinds:
    """The small scrape with one team called otherwise in every file."""
    scrape = scrape or small()
    fields = {
        "players": ("Team", "Club"),
        "series_stats": ("team",),
        "match_scores": ("Home Team", "Away Team"),
        "schedules": ("home_team", "away_team"),
    }
    for kind, names in fields.items():
        for record in scrape[kind]:
            for name in names:
                if record[name] == old:
                    record[name] = new
    return scrape


def team(imports: Import, name: str) -> int:
    """The id of the live team of this name."""
    return imports.column("select id from teams where team_name = :name", name=name)[0]


def questions(imports: Import) -> list[tuple[str, str, str, bool]]:
    """Entity, kind, name and whether rows wait, of the open reviews."""
    rows = imports.rows("select entity, kind, name, is_held from etl.reviews where state = 'open' order by 1, 3")
    return [tuple(row) for row in rows]


def test_a_team_of_the_same_players_is_renamed(loaded: Import):
    """A club nobody knows, with the players of a team that vanished: the team keeps its id, and no club is made."""
    before = team(loaded, "Tennaqua 12")
    clubs = loaded.column("select count(*) from clubs")
    loaded.load(renamed("Tennaqua 12", "Kestrel Hall 12"))
    assert team(loaded, "Kestrel Hall 12") == before
    assert loaded.column("select count(*) from clubs") == clubs
    assert loaded.column("select count(*) from players where is_active and team_id = :id", id=before) == [4]
    assert questions(loaded) == [("club", "renamed", "Kestrel Hall", False)]


def test_a_team_that_changes_its_club_does_not_rename_it(loaded: Import):
    """One of a club's teams plays under another club's name: its id stays, the club plays on, and a club is made."""
    before = team(loaded, "Hinsdale PC II 7 SW")
    loaded.load(renamed("Hinsdale PC II 7 SW", "Kestrel Hall 7 SW"))
    assert team(loaded, "Kestrel Hall 7 SW") == before
    clubs = loaded.column("select c.name from teams t join clubs c on c.id = t.club_id where t.is_active order by 1")
    assert clubs == ["Hinsdale PC", "Kestrel Hall", "Tennaqua", "Winnetka"]
    assert loaded.column("select spelling from etl.aliases where entity = 'club'") == []


def test_a_misspelled_club_is_known_from_then_on(loaded: Import):
    """A typo in a club's name makes no club, and is an alias for its other teams too."""
    loaded.load(renamed("Hinsdale PC II 7 SW", "Hinsdalle PC II 7 SW"))
    assert loaded.column("select spelling from etl.aliases where entity = 'club'") == ["hinsdalle pc"]
    assert loaded.column("select count(*) from clubs where name like 'Hinsdal%'") == [1]


def test_a_renamed_team_is_known_by_both_names(loaded: Import):
    """After the rename the old name is an alias: a file that still prints it finds the same rows."""
    before = team(loaded, "Tennaqua 12")
    loaded.load(renamed("Tennaqua 12", "Kestrel Hall 12"))
    run_id = loaded.load(small())
    assert team(loaded, "Tennaqua 12") == before
    assert loaded.changes(run_id).get("teams") == (0, 1, 0)
    assert loaded.changes(run_id).get("match_scores") == (0, 2, 0)


def test_an_old_name_over_other_players_is_not_believed(loaded: Import):
    """Another team takes the name that a renamed one had and left: its players say that it is not the renamed one."""
    before = team(loaded, "Tennaqua 12")
    loaded.load(renamed("Tennaqua 12", "Kestrel Hall 12"))
    scrape = small()
    scrape["players"] = [each for each in scrape["players"] if each["Team"] != "Tennaqua 12"]
    scrape["players"] += [player(f"new{n}", "Tennaqua 12") for n in range(4)]
    loaded.load(scrape)
    assert team(loaded, "Kestrel Hall 12") == before
    assert team(loaded, "Tennaqua 12") != before


def test_a_rename_is_in_the_history(loaded: Import):
    """The history tells under which names the team was seen, and which run changed it."""
    before = team(loaded, "Tennaqua 12")
    run_id = loaded.load(renamed("Tennaqua 12", "Kestrel Hall 12"))
    rows = loaded.rows(
        "select name, run_id, ended_run from etl.entity_history where table_name = 'teams' and entity_id = :id"
        " order by valid_from",
        id=before,
    )
    assert [(row.name, row.ended_run) for row in rows] == [("Tennaqua 12", run_id), ("Kestrel Hall 12", None)]


def test_swapped_rosters_are_asked_about(loaded: Import):
    """Two teams whose players are each other's: nobody guesses whether names or rosters were mixed up; both wait."""
    scrape = small()
    names = {"Hinsdale PC I 7 SW": "Hinsdale PC II 7 SW", "Hinsdale PC II 7 SW": "Hinsdale PC I 7 SW"}
    for record in scrape["players"]:
        record["Team"] = names.get(record["Team"], record["Team"])
    before = loaded.rows("select id, team_id, is_active from players order by id")
    run_id = loaded.load(scrape)
    assert questions(loaded) == [
        ("team", "contradiction", "Hinsdale PC I 7 SW", True),
        ("team", "contradiction", "Hinsdale PC II 7 SW", True),
    ]
    assert loaded.rows("select id, team_id, is_active from players order by id") == before
    assert loaded.column("select count(*) from teams where not is_active") == [0]
    assert all(why.startswith(("waits for ", "repeated")) for _, why, _ in loaded.held(run_id))


def test_a_team_that_moves_series_within_the_season_waits(loaded: Import):
    """The players of Tennaqua 12 appear as Tennaqua 13: users know the series, so a person decides; nothing changes."""
    scrape = renamed("Tennaqua 12", "Tennaqua 13")
    for record in (*scrape["players"], *scrape["series_stats"]):
        if "Tennaqua 13" in (record.get("Team"), record.get("team")):
            record |= {"Series": "Series 13"} if "Team" in record else {"series": "Series 13"}
    loaded.load(scrape)
    assert questions(loaded) == [("team", "moved", "Tennaqua 13", True)]
    assert loaded.column("select is_active from teams where team_name = 'Tennaqua 12'") == [True]
    assert loaded.column("select count(*) from players where is_active") == [16]


def test_an_unknown_team_with_unknown_players_is_new(loaded: Import):
    """A new team gets an id of its own, and its fate says why it was made."""
    scrape = small()
    scrape["players"] += [player(f"new{n}", "Skokie 12", Series="Series 12") for n in range(4)]
    scrape["series_stats"].append(stats("Skokie 12", series="Series 12"))
    run_id = loaded.load(scrape)
    fates = loaded.rows(
        "select fate, why, row_count from etl.fates where run_id = :run and table_name = 'teams' order by 1", run=run_id
    )
    assert [tuple(row) for row in fates] == [("kept", "exact", 4), ("new", "new", 1)]
    plan = planning.schemas(run_id)[0]
    why = loaded.column(
        f"select evidence from {quote(plan, 'identified')} where table_name = 'teams' and strategy = 'new'"
    )
    assert why == ["no live team has this name; named in players, series_stats"]


def test_two_live_rows_of_one_team_are_proposed_to_be_merged(loaded: Import):
    """An older importer made the team twice: the import touches neither twin, and asks a person to merge them."""
    loaded.write(
        "insert into teams (club_id, series_id, league_id, team_name, display_name)"
        " select club_id, series_id, league_id, 'Tennaqua - 12', 'Tennaqua - 12' from teams"
        " where team_name = 'Tennaqua 12'"
    )
    run_id = loaded.load(small())
    assert questions(loaded) == [("team", "merge", "Tennaqua 12", False)]
    assert "teams" not in loaded.changes(run_id)


def test_two_spellings_of_a_club_are_proposed_to_be_merged(loaded: Import):
    """Two live clubs that are one by their names (incident 47): asked about, never merged by an import."""
    loaded.write("insert into clubs (name) values ('TENNAQUA')")
    loaded.load(small())
    assert ("club", "merge", "Tennaqua", False) in questions(loaded)
    assert loaded.column("select count(*) from clubs where lower(name) = 'tennaqua'") == [2]


@pytest.mark.parametrize("table", ["teams", "clubs", "series"])
def test_a_merged_row_is_not_found_again(loaded: Import, table: str):
    """After a merge the loser's row is left alone, whatever its name: no import brings it back."""
    into = loaded.column(f"select min(id) from {table}")[0]
    if table == "teams":
        loaded.write(
            "insert into teams (club_id, series_id, league_id, team_name, display_name, is_active)"
            " select club_id, series_id, league_id, 'Tennaqua - 12', 'Tennaqua - 12', false from teams where id = :id",
            id=into,
        )
    elif table == "series":
        loaded.write(
            "insert into series (name, display_name, league_id) select 'Chicago 12', 'Chicago 12', min(id) from leagues"
        )
    else:
        loaded.write("insert into clubs (name) values ('TENNAQUA')")
    loser = loaded.column(f"select max(id) from {table}")[0]
    loaded.write(
        "insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason)"
        " values (:table, :loser, :into, 'r', 'me', 'one thing')",
        table=table, loser=loser, into=into,
    )  # fmt: skip
    before = loaded.rows(f"select * from {table} where id = :id", id=loser)
    run_id = loaded.load(small())
    assert loaded.rows(f"select * from {table} where id = :id", id=loser) == before
    assert table not in loaded.changes(run_id)
    assert questions(loaded) == []


def test_ids_and_fates_add_up(loaded: Import):
    """What the gate reads: every live row has a fate, no id is lost, none is used again."""
    run_id = loaded.plan(renamed("Winnetka 12", "Kestrel Hall 12"))
    measures = planning.import_measures(loaded.engine, loaded.settings, run_id)[APTA]
    assert [measures[name]["value"] for name in ("rows_unaccounted", "ids_lost", "ids_reused")] == [0, 0, 0]
    loaded.write("delete from etl.fates where run_id = :run and table_name = 'teams' and fate = 'updated'", run=run_id)
    measures = planning.import_measures(loaded.engine, loaded.settings, run_id)[APTA]
    assert measures["rows_unaccounted"]["detail"] == ["teams: 4 live rows, 3 of them have a fate"]


def test_an_id_that_something_had_before_is_noticed(loaded: Import):
    """A sequence that was set back would give a new team the id of one that is gone."""
    scrape = small()
    scrape["players"].append(player("new", "Skokie 12", Series="Series 12"))
    scrape["series_stats"].append(stats("Skokie 12", series="Series 12"))
    next_id = loaded.column("select max(id) + 1 from teams")[0]
    loaded.write("select setval(pg_get_serial_sequence('teams', 'id'), :id, false)", id=next_id)
    loaded.write(
        "insert into etl.entity_history (table_name, entity_id, league, name, is_active, valid_to)"
        " values ('teams', :id, 'APTA_CHICAGO', 'Gone 12', false, now())",
        id=next_id,
    )
    run_id = loaded.plan(scrape)
    measures = planning.import_measures(loaded.engine, loaded.settings, run_id)[APTA]
    assert measures["ids_reused"]["detail"] == [f"teams: {next_id}"]
