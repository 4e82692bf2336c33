"""What reports say of safety and of what users wrote, in words and numbers that a captain understands."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from rally_etl import workbook
from rally_etl.reporting import accounts
from rally_etl.settings import Settings
from userland import RUN_ID, fill, write


def kept(table: str, column: str = "", moment: str = "candidate", **counts: int) -> str:
    """The statement that keeps one account."""
    values = {"row_count": sum(counts.get(name, 0) for name in ("same", "changed", "added"))} | {"same": 0} | counts
    names = ", ".join(values)
    return (
        f"insert into etl.accounts (run_id, moment, table_name, column_name, label, {names}) values"
        f" ('{RUN_ID}', '{moment}', '{table}', '{column}', 'poll', {', '.join(map(str, values.values()))})"
    )


@pytest.fixture
def live(engine: sa.Engine) -> sa.Engine:
    """The league, its users and a run."""
    fill(engine)
    return engine


def rows(engine: sa.Engine) -> list[dict]:
    """What the reports draw from."""
    with engine.connect() as connection:
        return accounts.rows_of(connection, RUN_ID)


def test_all_is_well_in_one_sentence(live):
    """Nothing changed: every row is there, every reference means the same; tables without rows are left out."""
    write(live, kept("polls", moment="baseline", same=4), kept("polls", same=4),
          kept("polls", "team_id", row_count=4, same=4), kept("videos", same=0))  # fmt: skip
    found = rows(live)

    assert ["polls"] == [row["table"] for row in found]
    assert "4 rows of users, all unchanged; all 4 references mean the same" == accounts.sentence(found, "candidate")
    assert "As planned: 4 rows of users, all unchanged; all 4 references mean the same." == accounts.page_sentence(
        found
    )
    assert [("means the same", "", False)] == [
        (line["means"], line["told"], line["bad"]) for line in accounts.page_rows(found)
    ]


def test_what_is_wrong_is_said_with_its_number(live):
    """Lost, moved and emptied references, changed and gone rows: each with how many."""
    write(live, kept("polls", same=1, changed=2, gone=1),
          kept("polls", "team_id", row_count=5, same=1, lost=2, moved=1, renamed=1, emptied=1))  # fmt: skip
    found = rows(live)

    assert (
        "3 rows of users, 1 unchanged, 2 changed, 1 gone; of 6 references 1 mean the same,"
        " 1 the same under another name, 1 would be empty, 2 would point nowhere, 1 would be of something else"
    ) == accounts.sentence(found, "candidate")
    (line,) = accounts.page_rows(found)
    assert line["bad"]
    assert "2 rows changed by the plan; 1 row gone by the plan" == line["told"]


def test_live_comes_before_the_plan(live):
    """After a publish the page speaks of live, and of what users did meanwhile as theirs."""
    write(live, kept("polls", same=4), kept("polls", moment="live", same=3, changed=1, added=1),
          kept("polls", "team_id", moment="live", row_count=4, same=3, lost=1))  # fmt: skip
    found = rows(live)

    assert accounts.page_sentence(found).startswith(
        "After the publish: 5 rows of users, 3 unchanged, 1 changed, 1 added;"
    )
    (line,) = accounts.page_rows(found)
    assert ("1 row changed by users meanwhile; 1 row added by users meanwhile", True) == (line["told"], line["bad"])
    assert "1 points nowhere" == line["means"]


def test_picture_shows_every_fate_as_a_share(live):
    """One bar per kind of row, in percent, with the number behind it."""
    write(live, kept("polls", same=4), kept("polls", "team_id", row_count=4, same=3, moved=1))
    figure = accounts.picture(rows(live), title="x")

    assert {"means the same": (75.0, 3), "would be of something else": (25.0, 1)} == {
        bar.name: (bar.x[0], bar.customdata[0]) for bar in figure.data
    }
    assert ("poll (4)",) == tuple(figure.data[0].y)


def test_notebooks_opened_by_hand_show_what_the_run_found(live, settings: Settings, monkeypatch):
    """Safety, rows of users and practices of the latest run, read from the ledger."""
    measures = (
        "insert into etl.metrics (run_id, league, stage, metric, value, detail) values"
        f" ('{RUN_ID}', '*', 'baseline', 'missing_keys', 1, '[\"clubs has none\"]'),"
        f" ('{RUN_ID}', 'SAMPLE', 'baseline', 'orphans_open', 0, '[]')"
    )
    of_team = {"row_count": 4, "same": 3, "dangling": 1}
    baseline = kept("polls", moment="baseline", same=4), kept("polls", "team_id", "baseline", **of_team)
    write(live, *baseline, measures)
    monkeypatch.setenv("RALLY_HOME", str(settings.root))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    book = workbook.open("baseline")

    assert [{"what": "Unique keys that are missing", "league": "", "count": 1, "named": "clubs has none"}] == (
        book.safety().rows
    )
    assert [(4, 4, 1)] == [(row["rows"], row["references"], row["point at nothing"]) for row in book.user_rows().rows]
    assert [("SAMPLE", "Lakeside 12", 2)] == [
        (row["league"], row["team"], row["practices"]) for row in book.practices().rows
    ]
    write(live, "update etl.metrics set value = 0")
    assert book.safety()._repr_html_().startswith('<p class="note">Nothing is wrong')


def test_run_without_accounts_says_so(live):
    """A run of a former release has no account, and no section."""
    assert ([], "") == (rows(live), accounts.page_sentence(rows(live)))
