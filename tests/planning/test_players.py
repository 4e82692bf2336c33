"""Rosters: one row per person and team, whatever becomes of names and ids."""

from __future__ import annotations

from typing import Any

import pytest

from rally_etl.database.catalog import quote
from rally_etl.planning import persons, schemas
from rally_etl.planning.persons import Absentee, Newcomer, fold_person, pair_by_name
from scrapes import APTA, Import, Kinds, player, small

HEX = "0123456789abcdef"
KNOWN = "nndz-Tennaqua121"
TEAM = "Tennaqua 12"


def roster(importing: Import, person: str = KNOWN) -> dict[str, bool]:
    """Team -> is active, of the live rows of one person; a row without a team is an error."""
    rows = importing.rows(
        "select t.team_name, p.is_active from players as p join teams as t on t.id = p.team_id"
        " where p.tenniscores_player_id = :person",
        person=person,
    )
    found = dict(map(tuple, rows))
    assert len(found) == len(rows), "a person is twice in a team"
    return found


def identified(importing: Import, run_id: str, strategy: str) -> list[tuple[Any, ...]]:
    """Id, confidence and evidence of the players rows that were found in one way."""
    return list(
        map(
            tuple,
            importing.rows(
                f"select id, confidence, evidence from {quote(schemas(run_id)[0], 'identified')}"
                " where table_name = 'players' and league = :league and strategy = :strategy order by id",
                league=APTA,
                strategy=strategy,
            ),
        )
    )


def respelled(new_id: str, **changes: Any) -> Kinds:
    """The small scrape with another id for its first person, named as before."""
    scrape = small()
    scrape["players"][0] |= {"Player ID": new_id, **changes}
    return scrape


def row_of(importing: Import, person: str = KNOWN) -> int:
    """The live id of a person's only row."""
    (found,) = importing.column("select id from players where tenniscores_player_id = :person", person=person)
    return found


def alias(importing: Import, spelling: str, target: str) -> None:
    """Put an alias of a person into force, as a review does."""
    importing.write(
        "insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence)"
        " values (:league, 'player', :spelling, :target, 'review', 1, 'a person said so')",
        league=APTA,
        spelling=spelling,
        target=target,
    )


def test_person_keeps_all_memberships(loaded):
    """A person in three teams has three rows, and each says why it was made."""
    scrape = small()
    for team in ("Winnetka 12", "Hinsdale PC I 7 SW"):
        scrape["players"].append(scrape["players"][0] | {"Team": team, "Series": "", "Captain": "Yes"})

    run_id = loaded.load(scrape)

    assert {TEAM: True, "Winnetka 12": True, "Hinsdale PC I 7 SW": True} == roster(loaded)
    assert ["joined Hinsdale PC I 7 SW beside Tennaqua 12", "joined Winnetka 12 beside Tennaqua 12"] == sorted(
        evidence for _, _, evidence in identified(loaded, run_id, "new")
    )
    assert 16 == len(identified(loaded, run_id, "id"))


def test_person_who_moves_keeps_the_old_row_and_comes_back_to_it(loaded):
    """A move deactivates one row and makes one (incident 31); the way back makes none."""
    old = row_of(loaded)
    scrape = small()
    scrape["players"][0] |= {"Team": "Winnetka 12", "Captain": "Yes"}

    run_id = loaded.load(scrape)

    assert {"players": (1, 0, 1)} == loaded.changes(run_id)
    assert {TEAM: False, "Winnetka 12": True} == roster(loaded)
    assert ["joined Winnetka 12 from Tennaqua 12"] == [why for _, _, why in identified(loaded, run_id, "new")]
    back = loaded.load(small())
    assert {"players": (0, 1, 1)} == loaded.changes(back)
    assert [True] == loaded.column("select is_active from players where id = :id", id=old)
    assert {TEAM: True, "Winnetka 12": False} == roster(loaded)


def test_rating_chart_follows_a_person_who_moves(loaded):
    """The application reads the chart by the row it opens, the active one; there, and on the way back (incident 45)."""
    old = row_of(loaded)
    loaded.write(
        "insert into player_history (player_id, league_id, date, end_pti)"
        " select id, league_id, date '2025-03-01' + n, n from players, generate_series(1, 3) as n where id = :id",
        id=old,
    )
    scrape = small()
    scrape["players"][0] |= {"Team": "Winnetka 12"}
    read_by = (
        "select distinct t.team_name from player_history as h join players as p on p.id = h.player_id"
        " join teams as t on t.id = p.team_id"
    )

    assert {"players": (1, 0, 1), "player_history": (0, 3, 0)} == loaded.changes(loaded.load(scrape))
    assert ["Winnetka 12"] == loaded.column(read_by)
    assert {} == loaded.changes(loaded.load(scrape))
    loaded.load(small())
    assert [old] == loaded.column("select distinct player_id from player_history")
    gone = small()
    gone["players"].pop(0)
    assert "player_history" not in loaded.changes(loaded.load(gone)), "whoever leaves keeps the chart"


def test_new_person_says_so(loaded):
    """A row of somebody whom live has never seen is told from one of a known person."""
    scrape = small()
    scrape["players"].append(player("Stranger", TEAM))

    run_id = loaded.load(scrape)

    assert [(row_of(loaded, "nndz-Stranger"), 1.0, "not seen before")] == identified(loaded, run_id, "new")


def test_respelled_id_is_the_known_person_and_says_so(loaded):
    """The same body under another prefix keeps the row and the id that users refer to."""
    row = row_of(loaded)

    run_id = loaded.load(respelled("apta_nndz-Tennaqua121"))

    assert {} == loaded.changes(run_id)
    said = "apta_nndz-Tennaqua121 is nndz-Tennaqua121 under another prefix"
    assert [(row, 1.0, said)] == identified(loaded, run_id, "id respelled")


@pytest.mark.parametrize(
    ("known", "printed"),
    [
        (KNOWN, "FALLBACK_dXEWpUxb"),
        (KNOWN, f"nndz-{HEX}"),
        (KNOWN, HEX * 2),
        (f"nndz-{HEX}", "nndz-RealOne09"),
        ("FALLBACK_dXEWpUxb", "nndz-RealOne09"),
        ("FALLBACK_dXEWpUxb", f"nndz-{HEX}"),
    ],
)
def test_made_up_id_is_the_known_person_of_that_name(loaded, known, printed):
    """An id that a scraper made up promises nothing: the name in the team says who it is, and the row is kept."""
    row = row_of(loaded)
    loaded.write("update players set tenniscores_player_id = :known where id = :id", known=known, id=row)
    scrape = respelled(printed, **{"First Name": "TENNAQUA'121", "Last Name": "Éxample  (S)", "PTI": "12"})

    run_id = loaded.load(scrape)

    assert {"players": (0, 1, 0)} == loaded.changes(run_id)
    assert [(known, True, 12)] == [
        tuple(found)
        for found in loaded.rows("select tenniscores_player_id, is_active, pti::int from players where id = :i", i=row)
    ]
    ((_, confidence, evidence),) = identified(loaded, run_id, "name")
    made_up = known if "RealOne" in printed else printed
    assert (0.9, f"the same name in the same team; id {made_up} is made up") == (confidence, evidence)
    plan = schemas(run_id)[0]
    assert [(printed.removeprefix("nndz-"), known.removeprefix("nndz-"), "name")] == list(
        map(tuple, loaded.rows(f"select spelling, target, strategy from {quote(plan, 'new_aliases')}"))
    )


def test_lines_name_the_known_person(loaded):
    """A person who was recognised is the same person in every seat, in this run and by the alias in the next."""
    scrape = respelled(f"nndz-{HEX}")
    scrape["match_scores"][0]["Home Player 1 ID"] = f"nndz-{HEX}"

    assert {} == loaded.changes(loaded.load(scrape))
    assert {} == loaded.changes(loaded.load({"match_scores": scrape["match_scores"]}))


def test_made_up_id_in_a_second_team_is_the_same_person(loaded):
    """Who was recognised in one team is the same person in all: the new membership gets the known id."""
    scrape = respelled(f"nndz-{HEX}")
    scrape["players"].append(scrape["players"][0] | {"Team": "Winnetka 12", "Captain": "Yes"})

    assert {"players": (1, 0, 0)} == loaded.changes(loaded.load(scrape))
    assert {TEAM: True, "Winnetka 12": True} == roster(loaded)


def test_namesakes_with_real_ids_stay_apart(loaded):
    """Two real ids under one name are two rows; a person is asked, again in the next run, and no more once told."""
    scrape = respelled("nndz-Other")
    run_id = loaded.load(scrape)

    assert {"players": (1, 0, 1)} == loaded.changes(run_id)
    assert {TEAM: False} == roster(loaded)
    assert {TEAM: True} == roster(loaded, "nndz-Other")
    question = "select kind, spelling, candidates -> 0 ->> 'id', is_held, state from etl.reviews"
    assert [("similar", "Other", "Tennaqua121", False, "open")] == loaded.rows(question)
    assert {} == loaded.changes(loaded.load(scrape))
    assert [("similar", "Other", "Tennaqua121", False, "open")] == loaded.rows(question)

    loaded.write("update etl.reviews set state = 'rejected'")
    assert {} == loaded.changes(loaded.load(scrape))
    assert ["rejected"] == loaded.column("select state from etl.reviews")


def test_question_ends_when_the_known_person_is_back(loaded):
    """Two persons of one name in one scrape are two persons: nothing is left to ask."""
    loaded.load(respelled("nndz-Other"))
    both = respelled("nndz-Other")
    both["players"].append(small()["players"][0])

    loaded.load(both)

    assert ["obsolete"] == loaded.column("select state from etl.reviews where entity = 'player'")
    assert ({TEAM: True}, {TEAM: True}) == (roster(loaded), roster(loaded, "nndz-Other"))


def test_rejected_name_is_not_merged(loaded):
    """Who was said not to be the known person is a new one, made-up id or not."""
    loaded.write(
        "insert into etl.reviews"
        " (league, entity, kind, spelling, name, candidates, is_held, state, first_run, last_run)"
        " values (:league, 'player', 'similar', :new, 'x', '[{\"id\": \"Tennaqua121\"}]', false, 'rejected', 'r', 'r')",
        league=APTA,
        new=HEX,
    )

    assert {"players": (1, 0, 1)} == loaded.changes(loaded.load(respelled(f"nndz-{HEX}")))


def test_filler_without_a_known_name_waits(loaded):
    """An id that the scraper wrote because it found none makes no player: the row is held under its name."""
    scrape = small()
    scrape["players"].append(player("x", TEAM, **{"Player ID": "FALLBACK_dXEWpUxb", "First Name": "Nora"}))

    run_id = loaded.load(scrape)

    assert {} == loaded.changes(run_id)
    assert {("players", "the scraper found no id", "Nora Example"): 1} == loaded.held(run_id)


def test_alias_of_a_person_holds(loaded):
    """A recorded alias maps every membership; printed under both ids the person is one."""
    row = row_of(loaded)
    alias(loaded, "Second", "Between")
    alias(loaded, "Between", "Tennaqua121")
    scrape = respelled("nndz-Second")
    scrape["players"] += [
        scrape["players"][0] | {"Player ID": "nndz-Between"},
        scrape["players"][0] | {"Team": "Winnetka 12", "Captain": "Yes"},
    ]

    run_id = loaded.load(scrape)

    assert {"players": (1, 0, 0)} == loaded.changes(run_id)
    assert {TEAM: True, "Winnetka 12": True} == roster(loaded)
    assert [(row, 1.0, "a person said so")] == identified(loaded, run_id, "alias")
    assert {("players", "repeated", "a person printed again in the same team"): 1} == loaded.held(run_id)
    assert {} == loaded.changes(loaded.load(scrape))


def test_accepted_alias_brings_the_known_row_back(loaded):
    """Two rows that turn out to be one person: the one under the known id is active again, the other switched off."""
    row = row_of(loaded)
    loaded.load(respelled("nndz-Other"))
    alias(loaded, "Other", "Tennaqua121")

    run_id = loaded.load(respelled("nndz-Other"))

    assert {"players": (0, 1, 1)} == loaded.changes(run_id)
    assert [row] == loaded.column("select id from players where is_active and first_name = 'Tennaqua121'")


def test_merged_row_is_no_membership(loaded):
    """A row with a redirect is never found again, whichever id the scrape prints."""
    row = row_of(loaded)
    loaded.load(respelled("nndz-Other"))
    loser = row_of(loaded, "nndz-Other")
    alias(loaded, "Other", "Tennaqua121")
    loaded.write("update players set is_active = (id = :row) where id in (:row, :loser)", row=row, loser=loser)
    loaded.write(
        "insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason)"
        " values ('players', :loser, :row, 'r', 'x', 'x')",
        row=row,
        loser=loser,
    )

    for printed in ("nndz-Other", KNOWN):
        assert {} == loaded.changes(loaded.load(respelled(printed)))


@pytest.mark.parametrize("part", ["First Name", "Last Name"])
def test_marks_are_no_part_of_a_name(loaded, part):
    """A mark behind a name makes neither another name nor another person."""
    scrape = small()
    marks = ("(S)", "(S↑)", "(S ↓)", "(s)", "(Sub)", "[S]", "(Default)", "(Forfeit)", "- Forfeit")
    for record, mark in zip(scrape["players"], marks, strict=False):
        record[part] += f" {mark}"

    assert {} == loaded.changes(loaded.load(scrape))


def substitute(person: str, team: str, **changes: Any) -> dict[str, Any]:
    """A roster record with the mark of a substitute."""
    return player(person, team, **{"Last Name": "Example (S)", "Series": "", **changes})


@pytest.mark.parametrize("printed", [KNOWN, f"nndz-{HEX}"])
def test_substitute_is_no_second_member(loaded, printed):
    """Who is a member somewhere and "(S)" elsewhere gets no second row (incident 30), under a made-up id neither."""
    scrape = small()
    scrape["players"].append(substitute("Tennaqua121", "Winnetka 12", **{"Player ID": printed}))

    run_id = loaded.load(scrape)

    assert {} == loaded.changes(run_id)
    assert {("players", "repeated", "a substitute who is a member of another team"): 1} == loaded.held(run_id)


def test_row_of_a_substitute_is_switched_off(loaded):
    """A second membership that an earlier import made of a substitute ends when the mark is read."""
    scrape = small()
    scrape["players"].append(player("Tennaqua121", "Winnetka 12"))
    loaded.load(scrape)
    scrape["players"][-1] = substitute("Tennaqua121", "Winnetka 12")

    assert {"players": (0, 0, 1)} == loaded.changes(loaded.load(scrape))
    assert {TEAM: True, "Winnetka 12": False} == roster(loaded)


def test_substitute_alone_keeps_one_membership(loaded):
    """A person whom no team names without the mark has one row, the one that live has, however many teams name it."""
    scrape = small()
    scrape["players"].append(substitute("Sub", "Winnetka 12"))
    assert {"players": (1, 0, 0)} == loaded.changes(loaded.load(scrape))
    assert [("Sub", "Example")] == loaded.rows(
        "select first_name, last_name from players where tenniscores_player_id = 'nndz-Sub' and is_active"
    )
    scrape["players"] += [substitute("Sub", team) for team in (TEAM, "Hinsdale PC I 7 SW")]

    assert {} == loaded.changes(loaded.load(scrape))
    assert {"Winnetka 12": True} == roster(loaded, "nndz-Sub")


def test_member_printed_with_and_without_the_mark_is_a_member(loaded):
    """One record without the mark is enough."""
    scrape = small()
    scrape["players"].append(substitute("Tennaqua121", TEAM))

    assert {} == loaded.changes(loaded.load(scrape))


def test_junk_never_becomes_a_player(loaded):
    """Menu entries, fillers and marks without a person are kept aside."""
    scrape = small()
    for changes in (
        {"Player ID": "sharing"},
        {"Last Name": "PTI Algo Description & FAQs"},
        {"First Name": "Court 5", "Last Name": "No Player 1"},
        {"First Name": "Birchwood", "Last Name": "2"},
        {"Last Name": "(Forfeit)"},
        {"Player ID": "unknown_h4a"},
        {"Player ID": ""},
    ):
        scrape["players"].append(player("Junk", TEAM, **changes))

    run_id = loaded.load(scrape)

    assert {} == loaded.changes(run_id)
    assert [7] == loaded.column("select count(*) from etl.quarantine where kind = 'players'")


def test_missing_captain_field_does_not_overwrite(loaded):
    """A file without captains says nothing about them; a new member is none."""
    loaded.write("update players set captain_status = 'C' where tenniscores_player_id = :known", known=KNOWN)
    scrape = small()
    scrape["players"].append(player("Stranger", TEAM))
    for record in scrape["players"]:
        del record["Captain"]

    assert {"players": (1, 0, 0)} == loaded.changes(loaded.load(scrape))
    assert ["C"] == loaded.column("select captain_status from players where id = :id", id=row_of(loaded))
    assert ["false"] == loaded.column("select captain_status from players where tenniscores_player_id like '%Stranger'")


def test_members_of_a_team_in_question_stay(loaded, monkeypatch):
    """While nobody has said which team a live team is, a scrape that lacks it switches none of its members off."""
    (team,) = loaded.column("select id from teams where team_name = :team", team=TEAM)
    scrape = small()
    del scrape["players"][0]
    recognise = persons.recognise
    monkeypatch.setattr(persons, "recognise", lambda scene: (scene.protected.add(team), recognise(scene)))

    assert {} == loaded.changes(loaded.load(scrape))
    monkeypatch.undo()
    assert {"players": (0, 0, 1)} == loaded.changes(loaded.load(scrape))


def is_made_up(key: str) -> bool:
    """In these tests made-up ids are those with a question mark."""
    return key.startswith("?")


def new(key: str, name: str = "Ann Example", is_known: bool = False) -> Newcomer:
    """Somebody new in a team."""
    return Newcomer(key, f"nndz-{key}", name, is_known)


def gone(key: str, name: str = "Ann Example") -> Absentee:
    """Somebody gone from a team."""
    return Absentee(key, f"nndz-{key}", name)


@pytest.mark.parametrize(
    ("teams", "same", "similar"),
    [
        ({1: ([new("?1")], [gone("a")])}, [("?1", "a")], []),
        ({1: ([new("b")], [gone("a")])}, [], [("b", ["a"])]),
        ({1: ([new("?1")], [gone("a", "Bea Example")])}, [], []),
        ({1: ([new("?1")], []), 2: ([], [gone("a")])}, [], []),
        ({1: ([new("?1"), new("b")], [gone("a")])}, [], [("?1", ["a"]), ("b", ["a"])]),
        ({1: ([new("?1")], [gone("a"), gone("b")])}, [], [("?1", ["a", "b"])]),
        ({1: ([new("?1", is_known=True)], [gone("a")])}, [], [("?1", ["a"])]),
        ({1: ([new("?1")], [gone("a")]), 2: ([new("?1")], [gone("a")])}, [("?1", "a")], []),
        ({1: ([new("?1")], [gone("a")]), 2: ([new("?2")], [gone("a")])}, [("?1", "a"), ("?2", "a")], []),
        ({1: ([new("b")], [gone("?1")]), 2: ([new("c")], [gone("?1")])}, [], [("b", ["?1"]), ("c", ["?1"])]),
        ({1: ([new("b")], [gone("?1")]), 2: ([new("b")], [gone("?2")])}, [], [("b", ["?1", "?2"])]),
        ({1: ([new("?1", "!")], [gone("a", "-")])}, [], []),
    ],
)
def test_names_pair_one_to_one(teams, same, similar):
    """Only a pair without a third person in question is one; everybody else of the same name is asked about."""
    found = pair_by_name(teams, is_made_up)

    assert same == [(each.key, old.key) for each, old in found.same]
    assert similar == [(each.key, [old.key for old in olds]) for each, olds, _ in found.similar]


def test_refused_pairs_are_not_asked_again():
    """Of two candidates the one that was rejected is left out."""
    teams = {1: ([new("?1")], [gone("a"), gone("b")])}

    found = pair_by_name(teams, is_made_up, {("?1", "a"), ("?1", "b")})

    assert ([], []) == (found.same, found.similar)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann O'Neill", "ANN ONEILL"),
        ("Ann O’Neill", "Ann O'Neill (S ↑)"),
        ("José  Peña", "Jose Pena"),
        ("Mary-Ann Example", "Mary Ann Example"),
        ("Straße", "STRASSE"),
    ],
)
def test_spelling_of_a_name_does_not_matter(one, other):
    """Case, blanks, apostrophes, accents and marks are spelling."""
    assert fold_person(one) == fold_person(other)


def test_nickname_is_part_of_a_name():
    """What stands in parentheses without being a mark tells people apart."""
    assert fold_person("Ann Example (jw)") != fold_person("Ann Example")


def test_rating_points_are_those_of_the_known_person(loaded):
    """A curve printed under another id of a person is the person's curve, and twice is once."""
    alias(loaded, "Second", "Tennaqua121")
    point = {"date": "04/05/2025", "end_pti": 20.5, "series": "Series 12"}
    scrape = {"player_history": [{"league_id": APTA, "player_id": "nndz-Second", "name": "x", "matches": [point]}]}

    run_id = loaded.load(scrape)

    assert [row_of(loaded)] == loaded.column("select player_id from player_history")
    assert {} == loaded.held(run_id)
    assert {} == loaded.changes(loaded.load(scrape))
