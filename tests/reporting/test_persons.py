"""Persons in reports: ids in the place of names, whatever form a text has."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from rally_etl.reporting.executed import Scrub
from rally_etl.reporting.persons import Persons, names_a_person, shown_value, withheld, without_persons

RUN = "20251003T073000-ab12"
PEOPLE = [
    (901, "Ann", "Quackenbush"), (902, "Zoë", "O'Hara"), (903, "Mary Jo", "van der Berg"), (904, "john", "smallcaps"),
    (905, "Glen", "Ellyn"), (906, "Will", "Run"), (907, "Ann", "Quackenbush"),
    (908, "Sammy", "Davis Jr."), (909, "Robert (Bob)", "Parenson"), (910, 'Ann "Annie"', "Quoteson"),
    (911, "Mary Ann", "de la Cruz y Sechsen"), (912, "Zoë &", "Max Paar"), (913, "MARYBETH", "ALLCAPS"),
    (914, "Élodie", "d’Été"),
]  # fmt: skip


@pytest.fixture(scope="module")
def persons(module_engine):
    """Players, two of one name and one called like a club, some written oddly, and a user."""
    with module_engine.begin() as connection:
        league = connection.scalar(
            sa.text("insert into leagues (league_id, league_name) values ('L', 'L') returning id")
        )
        club = connection.scalar(sa.text("insert into clubs (name) values ('Glen Ellyn') returning id"))
        series = connection.scalar(
            sa.text("insert into series (name, display_name, league_id) values ('S 2', 'S 2', :league) returning id"),
            {"league": league},
        )
        places = {"league": league, "club": club, "series": series}
        connection.execute(
            sa.text(
                "insert into players (id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id)"
                " values (:id, 'p' || :id, :first, :last, :league, :club, :series)"
            ),
            [places | {"id": number, "first": first, "last": last} for number, first, last in PEOPLE],
        )
        connection.execute(
            sa.text(
                "insert into users (id, email, password_hash, first_name, last_name)"
                " values (31, 'a@b.example', 'x', 'Ursula', 'Usersen')"
            )
        )
    return Persons(module_engine, RUN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ursula Usersen plays", "user 31 plays"),
        ("Zoë O'Hara (Birchwood 2): no page", "player 902 (Birchwood 2): no page"),
        ("<td>Zoë O&#39;Hara</td>", "<td>player 902</td>"),
        ('["Zo\\u00eb O\'Hara"]', '["player 902"]'),
        ("O'Hara, Zoë", "player 902"),
        ("of Mary Jo van der Berg.", "of player 903."),
        ("Ann Quackenbush and Ann Quackenbush", "player 901, 907 and player 901, 907"),
        ("Ann Quackenbush's and Zoë O&#39;Hara&#39;s", "player 901, 907's and player 902&#39;s"),
        ("Sammy Davis Jr. plays", "player 908 plays"),
        ("john smallcaps", "player 904"),
        ("Robert (Bob) Parenson (Birchwood 2)", "player 909 (Birchwood 2)"),
        ('of Ann "Annie" Quoteson', "of player 910"),
        ("of Ann &quot;Annie&quot; Quoteson", "of player 910"),
        ("of Ann &#34;Annie&#34; Quoteson", "of player 910"),
        ('{"name": "Ann \\"Annie\\" Quoteson"}', '{"name": "player 910"}'),
        ("Mary Ann de la Cruz y Sechsen: no page", "player 911: no page"),
        ("<td>Zoë &amp; Max Paar</td>", "<td>player 912</td>"),
        ('"Zo\\u00eb & Max Paar"', '"player 912"'),
        ("Marybeth Allcaps, MARYBETH ALLCAPS", "player 913, player 913"),
        ("Élodie d’Été", "player 914"),
        ("Key (first_name, last_name)=(Zoë, O'Hara) exists", "Key (first_name, last_name)=(player 902) exists"),
        ("what will run next", "what will run next"),
        ("Glen Ellyn 2 v Ann Somebody", "Glen Ellyn 2 v Ann Somebody"),
        ("write to ann@club.example or +1 312 555 0100", "write to <address> or <number>"),
        ("nothing here", "nothing here"),
    ],
)
def test_ids_stand_in_the_place_of_names(persons, text, expected):
    """A name goes in every form in which a page may hold it; words of prose and names of clubs stay."""
    assert expected == persons.replacing([text])(text)


def test_known_persons_are_looked_up_once_for_all_texts(persons, module_engine):
    """A notebook of many texts asks the database once."""
    asked = []
    sa.event.listen(module_engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    replace = persons.replacing(["Ann Quackenbush", "Ursula Usersen"] * 50)

    assert ["player 901, 907", "user 31"] == [replace("Ann Quackenbush"), replace("Ursula Usersen")]
    assert 1 == sum("wanted" in statement for statement in asked)


def test_without_a_database_of_people_texts_stay(empty_engine):
    """A database without tables knows nobody."""
    assert "Ann Quackenbush" == Persons(empty_engine, RUN).replacing(["Ann Quackenbush"])("Ann Quackenbush")


def test_a_row_that_a_database_repeats_is_withheld():
    """Its words about a refused row hold every value of it."""
    said = 'null value in "club_id"\nDETAIL:  Failing row contains (1, $2b$12$hash, (a), Ann).\nhint'

    assert 'null value in "club_id"\nDETAIL:  Failing row contains (…).\nhint' == Scrub(()).text(said)
    assert "no\nLINE 1: where a = '…'\n 'x'" == Scrub(()).text("no\nLINE 1: where a = 'Ann'\n 'x'")


def test_columns_that_say_who_somebody_is_are_withheld():
    """Name columns of failing rows stand with an ellipsis, the others as they are, what is empty too."""
    row = {"first_id": 7, "folded_name": "ann lee", "first_name": None, "email": "a@b.example", "team_name": "Ann 2"}

    assert {
        "first_id": 7, "folded_name": "…", "first_name": None, "email": "…", "team_name": "Ann 2",
    } == withheld(row)  # fmt: skip


def test_originals_lose_what_names_a_person():
    """A record keeps its ids, teams and figures, even where it is cut in the middle of a name."""
    record = (
        '{"Player ID": "nndz-1", "First Name": "Ann", "Home Player 1": "Bo \\"B\\" L", "Team": "T", "Last Name": "Le'
    )

    expected = '{"Player ID": "nndz-1", "First Name": "…", "Home Player 1": "…", "Team": "T", "Last Name": "…"'
    assert expected == without_persons(record)


@pytest.mark.parametrize(
    ("field", "expected"),
    [("First Name", True), ("Home Player 1", True), ("email", True), ("Player ID", False), ("Home Player 1 ID", False),
     ("Team Name", False), ("date", False)],
)  # fmt: skip
def test_fields_that_name_a_person(field, expected):
    """Names and addresses do, ids and names of teams do not."""
    assert expected == names_a_person(field)


def test_a_filler_that_is_no_person_is_shown():
    """What stands in the place of a name and is none says what is wrong; a name does not."""
    filler = {"field": "Last Name", "value": "Court 5 No Player 1", "problem": "is no person but a filler"}
    name = {"field": "Last Name", "value": "Quackenbush", "problem": "is printed twice"}

    assert ["Court 5 No Player 1", "…"] == [shown_value(filler), shown_value(name)]


def test_a_name_in_a_column_of_figures_is_withheld():
    """Columns that are shifted put a name where an id, a date or a score belongs; what is none is shown."""
    shown = [
        shown_value({"field": field, "value": value, "problem": "is no number"})
        for field, value in [("Home Player 1 ID", "Ann Quackenbush"), ("Scores", "Bo LEE"), ("Date", "Sep 31, 2025"),
                             ("Winner", "unknown"), ("Wins", None), ("Home Team", "Glen Ellyn")]
    ]  # fmt: skip

    assert ["…", "…", "Sep 31, 2025", "unknown", None, "Glen Ellyn"] == shown
    record = '{"Player ID": "Ann Quackenbush", "Wins": "Bo LEE", "Club": "Glen Ellyn", "Date": "Sep 31, 2025"}'
    assert '{"Player ID": "…", "Wins": "…", "Club": "Glen Ellyn", "Date": "Sep 31, 2025"}' == without_persons(record)
