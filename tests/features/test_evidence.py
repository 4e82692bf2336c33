"""What the gate hears of pages: those that break, that could not be asked, that seldom work; and what people read."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY
from copies import change, copy_live, put_back
from rally_etl.errors import UsageError
from rally_etl.features.ask import Answer
from rally_etl.features.evidence import Bounds, feature_measures, load_bounds, measures_of
from rally_etl.features.feature import Feature
from rally_etl.features.pages import FEATURES
from rally_etl.reporting import seen
from userland import RUN_ID, fill

PAGE = Feature(name="roster", title="The roster", route="/roster", subject="team", right="has a player", sql="")
BOUNDS = Bounds(works=0.9)
EXAMPLE = {"subject": "Lakeside 12", "users": 3, "before": "8 players", "after": "0 players", "broken": True}
GOOD = Answer(league="SAMPLE", feature="roster", before=10, works_before=10, after=10, works_after=10, users=30)
BROKEN = replace(GOOD, works_after=9, broken=1, users_affected=3, examples=[EXAMPLE])


def measured(*answers: Answer, is_way_back: bool = False) -> dict[str, float]:
    """Measure -> value, those that are not zero."""
    found = measures_of(answers, BOUNDS, [PAGE], is_way_back)
    return {name: each["value"] for name, each in found.items() if each["value"]}


def test_whole_pages_measure_nothing_but_themselves():
    """Every page works, before and after."""
    assert {"pages_asked": 10} == measured(GOOD)


def test_page_that_breaks_is_told_with_page_subjects_users_and_example():
    """Whoever reads the reason knows which page, for how many, and what the worst one would show."""
    found = measures_of([BROKEN], BOUNDS, [PAGE])

    assert 1 == found["pages_broken"]["value"]
    told = "The roster (roster) of 1 team, 3 users: Lakeside 12 (3 users): now 8 players; then 0 players"
    assert [told] == found["pages_broken"]["detail"]


def test_way_back_takes_pages_back():
    """An undo does not break a page that was not there before its run; it is told all the same."""
    assert {"pages_asked": 10, "pages_taken_back": 1} == measured(BROKEN, is_way_back=True)


@pytest.mark.parametrize("answers", [[], [Answer(league="SAMPLE", feature="roster", error="no such column")]])
def test_page_without_an_answer_was_not_asked(answers):
    """An error is no pass, and neither is silence."""
    assert {"pages_not_asked": 1} == measured(*answers)


def test_page_that_this_database_does_not_have_is_skipped():
    """No table, no page; said, and not an error."""
    assert {"pages_skipped": 1} == measured(Answer(league="SAMPLE", feature="roster", skipped="no table polls"))


def test_page_that_seldom_works_is_low():
    """Below the bound it is told, with how it was before."""
    low = replace(GOOD, works_before=7, works_after=8, examples=[EXAMPLE | {"broken": False}])
    found = measures_of([low], BOUNDS, [PAGE])["pages_low"]

    assert 1 == found["value"]
    assert "works for 8 of 10 teams (80.0%, expected 90%), before for 7 of 10: Lakeside 12" in found["detail"][0]
    assert {"pages_asked": 10} == measured(replace(low, works_after=9))


def test_users_who_lose_all_their_pages_are_a_share():
    """Teams and players come and go; the share counts users, whose pages are named."""
    page = replace(PAGE, subject="user")
    left = replace(GOOD, before=100, works_before=100, after=80, works_after=80, gone=20)
    found = measures_of([left], BOUNDS, [page])["pages_gone_share"]

    assert {"value": 0.2, "detail": ["The roster: 20 of 100 users would have it no more"]} == found
    assert {"pages_asked": 80} == measured(left)


def test_a_few_users_who_leave_are_no_share():
    """Of ten users in a small league two leave in any week."""
    page = replace(PAGE, subject="user")
    found = measures_of([replace(GOOD, after=8, works_after=8, gone=2)], BOUNDS, [page])["pages_gone_share"]

    assert {"value": 0.0, "detail": ["The roster: 2 of 10 users would have it no more"]} == found


def test_bounds_name_pages_that_are_there(tmp_path):
    """The project's own file is read; a page that nobody knows is named."""
    bounds = load_bounds(REPOSITORY / "params")
    name = next(iter(bounds.pages))
    assert bounds.pages[name] == bounds.of("SAMPLE", name)
    assert bounds.works == bounds.of("SAMPLE", "unknown")

    for text in ("works: 0.9\npages: {my_seris: 0.5}", "works: 0.9\nleagues: {NSTF: {my_seris: 0.5}}"):
        (tmp_path / "features.yaml").write_text(text)
        with pytest.raises(UsageError, match="there is no page `my_seris`"):
            load_bounds(tmp_path)


def test_league_has_a_bound_of_its_own():
    """A league's own bound goes before the page's, that before the one for all."""
    bounds = Bounds(works=0.9, pages={"my_series": 0.8}, leagues={"NSTF": {"my_series": 0.5}})

    assert [0.5, 0.8, 0.9] == [
        bounds.of("NSTF", "my_series"), bounds.of("CNSWPL", "my_series"), bounds.of("NSTF", "my_team")
    ]  # fmt: skip


@pytest.fixture(scope="module")
def live(module_engine):
    """A league of two teams with a run whose candidate is what live is."""
    fill(module_engine)
    copy_live(module_engine, RUN_ID)
    return module_engine


@pytest.fixture
def broken(live):
    """The same, with a team whose players would go."""
    change(live, RUN_ID, "update players set team_id = null where id = 1")
    yield live
    put_back(live, RUN_ID, {"players"})


def test_run_measures_pages_and_keeps_the_answers(broken, module_settings):
    """What would break is counted for its league; the ledger keeps an answer for every page."""
    found = feature_measures(broken, module_settings, RUN_ID)["SAMPLE"]

    assert found["pages_broken"]["value"] >= 1
    assert "Teams and players (teams_and_players) of 1 team, 1 user" in " ".join(found["pages_broken"]["detail"])
    with broken.connect() as connection:
        sql = "select count(*), count(distinct feature) from etl.feature_results where run_id = :run"
        stored = connection.execute(sa.text(sql), {"run": RUN_ID}).one()
    assert (len(FEATURES), len(FEATURES)) == tuple(stored)


def test_answers_are_shown_in_words(broken, module_settings):
    """Worst first, with whose page it is, before and after, and an example; the matrix has a field per page."""
    feature_measures(broken, module_settings, RUN_ID)
    with broken.connect() as connection:
        rows = seen.rows_of(connection, RUN_ID)

    assert len(FEATURES) == len(rows)
    assert "would break" == rows[0]["state"]
    shown = next(row for row in seen.page_rows(rows) if row["title"] == "Teams and players")
    assert ("all 2 teams", "1 of 2 teams", 1, True) == (shown["before"], shown["after"], shown["users"], shown["bad"])
    assert ["Lakeside 12 (1 user): now 1 players; then 0 players"] == shown["examples"]
    figure = seen.matrix(rows, title=seen.sentence(rows))
    assert (len(FEATURES), 1) == (len(figure.data[0].y), len(figure.data[0].x))
    words = dict(zip(figure.data[0].y, [row[0] for row in figure.data[0].text], strict=True))
    assert "1 would break" == words["Teams and players"]


def test_names_in_the_matrix_are_text_and_no_markup():
    """Plotly reads HTML; a team's name is none."""
    row = {
        "league": "A<b>", "feature": "my_team", "error": None, "skipped": None, "before": 1, "works_before": 1,
        "after": 1, "works_after": 0, "broken": 1, "mended": 0, "users_affected": 0, "state": "would break",
        "title": "My team", "subject": "team", "whose": "teams", "examples": [EXAMPLE | {"subject": "<script>"}],
    }  # fmt: skip
    figure = seen.matrix([row], title="x")

    assert ("A&lt;b&gt;",) == figure.data[0].x
    assert "<script>" not in str(figure.data[0].customdata)


@pytest.mark.parametrize("page", FEATURES, ids=lambda page: page.name)
def test_page_is_documented(page):
    """The table of docs/features.md has the page, whose it is and what a right answer is, in the words of the code."""
    text = (REPOSITORY / "docs" / "features.md").read_text(encoding="utf-8")
    row = next((line for line in text.splitlines() if line.startswith(f"| {page.title} `{page.name}` ")), "")

    assert [page.subject, page.right] == [cell.strip() for cell in row.split("|")[2:5:2]]
