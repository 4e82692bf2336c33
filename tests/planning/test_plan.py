"""What a plan does to live rows: ids, names, activity, hand-kept columns, dates and scores."""

from __future__ import annotations

import pytest

from rally_etl.database.catalog import IMPORTED
from rally_etl.planning import schemas
from scrapes import APTA, TEAMS, Import, Kinds, fingerprint, line, meeting, player, small, stats, write

IMPORTED_IDS = {
    "leagues": "league_id", "clubs": "name", "series": "name", "teams": "team_name",
    "players": "tenniscores_player_id || '/' || team_id", "match_scores": "tenniscores_match_id",
    "series_stats": "team", "schedule": "match_date || home_team",
}  # fmt: skip


def ids(importing: Import, table: str) -> dict[str, int]:
    """Natural key -> id of the rows of a live table."""
    return {row.key: row.id for row in importing.rows(f"select {IMPORTED_IDS[table]} as key, id from {table}")}


def last_season() -> Kinds:
    """The small scrape as the season before printed it."""
    scrape = small()
    text = {team: team.replace(" 12", " - 12").replace(" 7 SW", " - 7 SW") for team in TEAMS}
    for record in scrape["players"]:
        record |= {"Team": text[record["Team"]], "Series": record["Series"].replace("Series", "Chicago")}
    for record in scrape["series_stats"]:
        record |= {"team": text[record["team"]], "series": record["series"].replace("Series", "Chicago")}
    for record in scrape["match_scores"]:
        record |= {"Home Team": text[record["Home Team"]], "Away Team": text[record["Away Team"]]}
    for record in scrape["schedules"]:
        record |= {side: text[record[side]] for side in ("home_team", "away_team")}
    return scrape


def test_first_load_takes_every_row_once(loaded):
    """The small scrape gives one live row per thing, and its ids are those that the plan named."""
    assert {
        "leagues": 1,
        "clubs": 3,
        "series": 2,
        "teams": 4,
        "players": 16,
        "match_scores": 4,
        "series_stats": 4,
        "schedule": 3,
    } == {table: len(ids(loaded, table)) for table in IMPORTED_IDS}
    assert [True] * 4 == loaded.column("select is_active from teams")


def test_ids_are_kept_under_another_spelling(importing):
    """A season that spells every team and series anew changes names and no id (rule 3)."""
    importing.load(last_season())
    importing.write(
        "update teams set team_name = replace(team_name, ' 12', ' - 12'),"
        " display_name = replace(display_name, ' 12', ' - 12')"
    )
    importing.write(
        "update series set name = replace(name, 'Series', 'Chicago'), display_name = 'Chicago' where name like '%12'"
    )
    before = {table: sorted(ids(importing, table).values()) for table in IMPORTED_IDS}

    run_id = importing.load(small())

    assert before == {table: sorted(ids(importing, table).values()) for table in IMPORTED_IDS}
    assert {"teams": (0, 2, 0), "series": (0, 1, 0)} == importing.changes(run_id)
    assert set(TEAMS) == set(ids(importing, "teams"))
    assert {"Series 12": "Chicago", "Series 7 SW": "Series 7 SW"} == dict(
        importing.rows("select name, display_name from series")
    )


def test_new_rows_take_the_next_ids_and_known_rows_keep_theirs(loaded):
    """A team that comes gets an id that no row ever had, the one that the plan shows before it is published."""
    last = loaded.column("select last_value from teams_id_seq")[0]
    scrape = small()
    scrape["players"].append(player("Newcomer", "Skokie 12", Series="Series 12"))
    scrape["series_stats"].append(stats("Skokie 12", series="Series 12"))
    before = ids(loaded, "teams")

    run_id = loaded.plan(scrape)
    planned = loaded.column(f'select id from "{schemas(run_id)[0]}".teams')
    loaded.publish(run_id)

    assert [last + 1] == planned
    assert before | {"Skokie 12": last + 1} == ids(loaded, "teams")


def test_what_a_complete_scrape_leaves_out_is_switched_off_and_nothing_is_deleted(loaded):
    """A team in neither roster nor standings becomes inactive with its members; its matches and meetings stay."""
    gone = "Hinsdale PC II 7 SW"
    scrape = small()
    scrape["players"] = [record for record in scrape["players"] if record["Team"] != gone]
    scrape["series_stats"] = [record for record in scrape["series_stats"] if record["team"] != gone]
    scrape["match_scores"] = scrape["match_scores"][:2]
    scrape["schedules"] = scrape["schedules"][:1]
    before = {table: ids(loaded, table) for table in IMPORTED_IDS}

    run_id = loaded.load(scrape)

    assert {"teams": (0, 0, 1), "players": (0, 0, 4)} == loaded.changes(run_id)
    assert before == {table: ids(loaded, table) for table in IMPORTED_IDS}
    assert [gone] == loaded.column("select team_name from teams where not is_active")


@pytest.mark.parametrize("missing", ["players", "series_stats"])
def test_half_a_scrape_switches_no_team_off(loaded, missing):
    """Without rosters or without standings nobody can tell that a team is gone."""
    scrape = small()
    del scrape[missing]
    kept = next(kind for kind in ("players", "series_stats") if kind in scrape)
    scrape[kept] = [record for record in scrape[kept] if "7 SW" not in record.get("Team", record.get("team"))]

    loaded.load(scrape)

    assert [] == loaded.column("select team_name from teams where not is_active")


def test_team_that_comes_back_is_the_same_team(loaded):
    """A team that was switched off and is scraped again is switched on under its old id."""
    before = ids(loaded, "teams"), ids(loaded, "players")
    loaded.write("update teams set is_active = false where team_name = 'Winnetka 12'")
    loaded.write("update players set is_active = false where tenniscores_player_id like '%Winnetka%'")

    run_id = loaded.load(small())

    assert {"teams": (0, 1, 0), "players": (0, 4, 0)} == loaded.changes(run_id)
    assert before == (ids(loaded, "teams"), ids(loaded, "players"))


def test_columns_kept_by_hand_stay(loaded):
    """Logo, address, chosen names and aliases, e-mail and starting PTI survive an import that renames (rule 4)."""
    loaded.write("update clubs set logo_filename = name || '.png', club_address = '1 Example Road'")
    loaded.write(
        "update teams set display_name = 'Our Twelve', team_alias = 'The Old Boys', external_team_id = 'x1',"
        " team_name = 'Tennaqua - 12' where team_name = 'Tennaqua 12'"
    )
    loaded.write("update series set display_name = 'The Twelves', name = 'Chicago 12' where name = 'Series 12'")
    loaded.write("update players set email = 'a@example.org', starting_pti = 33")
    scrape = small()
    for record in scrape["players"]:
        record["PTI"] = "39"

    loaded.load(scrape)

    assert [("Tennaqua.png", "1 Example Road")] == loaded.rows(
        "select logo_filename, club_address from clubs where name = 'Tennaqua'"
    )
    assert [("Our Twelve", "The Old Boys", "x1")] == loaded.rows(
        "select display_name, team_alias, external_team_id from teams where team_name = 'Tennaqua 12'"
    )
    assert ["The Twelves"] == loaded.column("select display_name from series where name = 'Series 12'")
    assert [("a@example.org", 33, 39)] == loaded.rows("select distinct email, starting_pti, pti from players")


def test_empty_rating_and_career_do_not_overwrite(loaded):
    """An empty PTI or career field means "not scraped" (incident 36); a figure that is printed is written."""
    loaded.write(
        "update players set pti = 41, career_wins = 10, career_losses = 5, career_matches = 15,"
        " career_win_percentage = 66.67"
    )
    scrape = small()
    for record in scrape["players"]:
        record["PTI"] = "N/A"
    scrape["players"][0] |= {"PTI": "-3.5", "Career Wins": "11", "Career Losses": 5, "Career Win %": "68.75%"}

    run_id = loaded.load(scrape)

    assert {"players": (0, 1, 0)} == loaded.changes(run_id)
    figures = "select pti, career_wins, career_losses, career_matches, career_win_percentage from players order by pti"
    assert [(-3.5, 11, 5, 16, 68.75)] + 15 * [(41, 10, 5, 15, 66.67)] == [
        tuple(float(value) for value in row) for row in loaded.rows(figures)
    ]


def test_dates_move_forward_only_with_the_schedule(loaded):
    """A later date of a known line is taken only where the schedule has the meeting on it and not on the old one."""
    scrape = small()
    for record in scrape["match_scores"]:
        record["Date"] = "30-Sep-25"
    kept = loaded.plan(scrape)
    assert {} == loaded.changes(kept), "the schedule does not know the new date"

    scrape["schedules"][0]["date"] = "09/30/2025"
    moved = loaded.load(scrape)

    assert {"match_scores": (0, 2, 0), "schedule": (0, 1, 0)} == loaded.changes(moved)
    assert ["2025-09-30", "2025-09-23"] == loaded.column(
        "select distinct match_date::text from match_scores order by 1 desc"
    )
    for record in scrape["match_scores"]:
        record["Date"] = "16-Sep-25"
    assert {} == loaded.changes(loaded.load(scrape)), "nor does a date that the schedule has go back"


def test_scores_are_live_home_first(importing):
    """Whatever side a file prints first, live scores name the home side first."""
    importing.load(small())
    assert ["6-2, 6-4"] == importing.column("select distinct scores from match_scores")

    scrape = small()
    for record in scrape["match_scores"]:
        record["Scores"] = "6-2, 6-4"

    assert {} == importing.changes(importing.plan(scrape)), "the same results printed home first"


def idless() -> Kinds:
    """The small scrape with match lines as the season before printed them: without ids."""
    scrape = small()
    for number, record in enumerate(scrape["match_scores"]):
        del record["match_id"]
        record["Home Player 1 ID"] = f"nndz-Sub{number}"
    return scrape


def test_lines_without_an_id_are_found_again(importing):
    """Lines without match ids are tied to their live rows by what they say; twice is once (rule 7)."""
    importing.load(idless())
    before = sorted(importing.column("select id from match_scores"))
    assert 4 == len(before)
    assert {} == importing.changes(importing.load(idless()))

    corrected = idless()
    corrected["match_scores"][0]["Scores"] = "1-6, 4-6"
    assert {"match_scores": (0, 1, 0)} == importing.changes(importing.load(corrected))

    with_ids = small()
    for number, record in enumerate(with_ids["match_scores"]):
        record["Home Player 1 ID"] = f"nndz-Sub{number}"
    with_ids["match_scores"][0]["Scores"] = "1-6, 4-6"
    assert {"match_scores": (0, 4, 0)} == importing.changes(importing.load(with_ids)), "the lines get their ids"
    assert before == sorted(importing.column("select id from match_scores"))
    assert {} == importing.changes(importing.load(corrected)), "a file without ids means the same lines"


def test_equal_lines_without_an_id_are_counted_not_merged(importing):
    """Two courts with the same teams, players and score are two lines, the second time too; the same bytes are one."""
    scrape = idless()
    again = dict(reversed(scrape["match_scores"][0].items()))
    scrape["match_scores"] += [again, scrape["match_scores"][1]]

    importing.load(scrape)
    assert [5] == importing.column("select count(*) from match_scores")
    assert ["duplicate_record"] == importing.column("select reason from etl.quarantine where kind = 'match_scores'")
    assert {} == importing.changes(importing.load(scrape))


@pytest.mark.parametrize("seat", ["Home Player 1 ID", "Away Player 2 ID"])
def test_respelled_player_id_is_the_known_person(loaded, seat):
    """An id under another prefix is the person that live knows, in rosters and in every seat of a line."""
    scrape = small()
    for record in scrape["match_scores"]:
        record[seat] = "apta_" + record[seat]
    scrape["players"][0]["Player ID"] = "apta_" + scrape["players"][0]["Player ID"]

    assert {} == loaded.changes(loaded.load(scrape))


def test_respelled_person_in_a_new_team_keeps_the_known_id(loaded):
    """A second team of a person is a second row under the id that users refer to."""
    scrape = small()
    scrape["players"].append(player("x", "Winnetka 12", **{"Player ID": "apta_" + scrape["players"][0]["Player ID"]}))

    assert {"players": (1, 0, 0)} == loaded.changes(loaded.load(scrape))
    assert [2] == loaded.column("select count(*) from players where tenniscores_player_id = 'nndz-Tennaqua121'")


def test_practice_rows_are_never_touched(loaded):
    """A practice stands in the schedule like a match; no scrape changes it, not even one that prints it (rule 4)."""
    loaded.write(
        "insert into schedule (league_id, match_date, match_time, home_team, home_team_id)"
        " select league_id, date '2025-09-23', time '20:00', 'Tennaqua Practice - Series 12', id"
        " from teams where team_name = 'Tennaqua 12'"
    )
    practice = "select to_jsonb(s) from schedule as s where home_team like '%Practice%'"
    before = loaded.column(practice)
    scrape = small()
    scrape["schedules"] += [
        {"date": "09/23/2025", "time": "08:00 pm", "Practice": "Tennaqua", "Series": "Series 12"},
        meeting("09/23/2025", "Tennaqua Practice - Series 12", ""),
    ]
    scrape["schedules"][0]["time"] = "07:30 pm"

    run_id = loaded.load(scrape)

    assert {"schedule": (0, 1, 0)} == loaded.changes(run_id)
    assert before == loaded.column(practice)
    assert ["practice_row"] * 2 == loaded.column("select reason from etl.quarantine where kind = 'schedules'")


HOSTILE = (
    "Robert'); drop table teams; -- x",
    "A <script>alert(1)</script> b",
    'All 100% "sure" :really',
    "Back\\slash\\n",
    "O'Neill $$ {club} %s %(x)s end",
)


def test_names_are_text_and_nothing_else(importing):
    """Quotes, percent signs, colons, markup and backslashes in names reach live as they are printed."""
    scrape = {
        "players": [
            player(f"p{n}", f"{club} 12", Series="Series 12", **{"First Name": club}) for n, club in enumerate(HOSTILE)
        ],
        "series_stats": [stats(f"{club} 12", series="Series 12") for club in HOSTILE],
        "schedules": [meeting("09/23/2025", f"{HOSTILE[0]} 12", f"{club} 12", location=club) for club in HOSTILE[1:]],
    }
    for records in scrape.values():
        for record in records:
            record.pop("League", None)
            record.pop("league_id", None)
    folder = write(importing.settings.root / "hostile", scrape, "NEWLEAGUE")

    importing.load(folder)

    assert sorted(f"{club} 12" for club in HOSTILE) == sorted(importing.column("select team_name from teams"))
    assert sorted(HOSTILE) == sorted(importing.column("select first_name from players"))
    assert {} == importing.changes(importing.load(folder), "NEWLEAGUE")


def test_two_spellings_of_one_team_in_one_file_are_one_team(loaded):
    """A file that prints "Tennaqua - 12" and "Tennaqua 12" means one team and two records of each member."""
    scrape = small()
    scrape["players"] += [record | {"Team": "Tennaqua - 12", "Captain": ""} for record in scrape["players"][:2]]
    scrape["players"].append(player("Third", "Tennaqua - 12"))

    run_id = loaded.load(scrape)

    assert {"players": (1, 0, 0)} == loaded.changes(run_id)
    assert {("players", "repeated", "a person printed again in the same team"): 2} == loaded.held(run_id)


def test_rows_of_unknown_teams_wait(loaded):
    """A team that only matches and schedule name makes no team (incident 11): its rows are held and counted."""
    scrape = small()
    scrape["match_scores"].append(line("nndz-m9_Line1", "Tennaqua 12", "Nowhere 12"))
    scrape["schedules"].append(meeting("10/28/2025", "Nowhere 12", "Elsewhere 12"))

    run_id = loaded.load(scrape)

    assert {} == loaded.changes(run_id)
    assert {("match_scores", "unknown_team", "Nowhere 12"): 1, ("schedules", "unknown_team", "Nowhere 12"): 1,
            ("schedules", "unknown_team", "Elsewhere 12"): 1} == loaded.held(run_id)  # fmt: skip


def test_broken_values_are_kept_aside_and_the_rest_goes_on(loaded):
    """The year 1066, a count of 99,999,999,999 and a NUL in a name: none of them stops the other records."""
    scrape = small()
    scrape["players"] += [
        player("Many", "Tennaqua 12", Wins=99_999_999_999),
        player("Nul", "Tennaqua 12", **{"First Name": "A\x00b", "Last Name": "\ttab\nline"}),
    ]
    scrape["match_scores"].append(line("nndz-m9_Line1", "Tennaqua 12", "Winnetka 12", Date="1066-01-01"))
    scrape["schedules"].append(meeting("10/14/1066", "Tennaqua 12", "Winnetka 12"))

    run_id = loaded.load(scrape)

    assert {"players": (1, 0, 0)} == loaded.changes(run_id)
    assert [("Ab", "tab line")] == loaded.rows(
        "select first_name, last_name from players where tenniscores_player_id = 'nndz-Nul'"
    )
    assert {"players": "bad_number", "match_scores": "bad_date", "schedules": "bad_date"} == dict(
        loaded.rows("select kind, reason from etl.quarantine")
    )


def test_league_is_found_under_another_spelling(loaded):
    """A database that calls the league `aptachicago` keeps that row and that name."""
    loaded.write("update leagues set league_id = 'aptachicago'")

    assert {} == loaded.changes(loaded.load(small()))
    assert ["aptachicago"] == loaded.column("select league_id from leagues")


def test_user_rows_are_not_written(loaded):
    """A plan that changes all kinds of imported rows leaves every other table as it was (rule 4)."""
    loaded.write("insert into users (email, password_hash) values ('a@example.org', '!')")
    loaded.write(
        "insert into polls (team_id, created_by, question) select t.id, u.id, 'Who?' from teams as t, users as u"
    )
    before = fingerprint(loaded.engine, without=IMPORTED)
    scrape = small()
    scrape["players"][0]["PTI"] = "12"
    scrape["series_stats"].pop()

    assert loaded.changes(loaded.load(scrape))
    assert before == fingerprint(loaded.engine, without=IMPORTED)
    assert APTA == loaded.column("select league_id from leagues")[0]
