"""Scrapes, users, undos and undos of undos in any order: rules 2 to 5 hold after every step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from conftest import project
from operating import plan, undo
from rally_etl.database.catalog import IMPORTED
from rally_etl.database.engine import connect
from rally_etl.errors import UsageError
from scrapes import Import, changed, fingerprint, line, player, small, stats

Rows = dict[tuple[str, int], dict[str, Any]]
TOUCHED = ("updated_at",)
NAMES = {"leagues": "league_id", "clubs": "name", "series": "name", "teams": "team_name", "players": "first_name"}


def other() -> dict[str, list[dict[str, Any]]]:
    """Another week: a team and a player of its own, a result corrected, ratings that `changed` moves too."""
    scrape = small()
    scrape["players"][0]["PTI"] = "33.5"
    scrape["players"][1]["Wins"] = "5"
    scrape["players"].append(player("second", "Glenview 12", Series="Series 12"))
    scrape["series_stats"].append(stats("Glenview 12", series="Series 12"))
    scrape["match_scores"].append(
        line("nndz-match8_Line1", "Glenview 12", "Winnetka 12", Date="07-Oct-25", **{"Home Player 1 ID": "nndz-second"})
    )
    scrape["match_scores"][0]["Scores"] = "1-6, 2-6"
    return scrape


def both() -> dict[str, list[dict[str, Any]]]:
    """What `changed` and `other` bring, and a match between the two new teams."""
    first, second = changed(), other()
    for kind, rows in second.items():
        first[kind] += [row for row in rows if row not in first[kind] and "Glenview 12" in json.dumps(row)]
    seats = {"Home Player 1 ID": "nndz-new", "Away Player 1 ID": "nndz-second"}
    first["match_scores"].append(line("nndz-match7_Line1", "Skokie 12", "Glenview 12", Date="14-Oct-25", **seats))
    return first


SCRAPES: dict[str, Callable[[], dict]] = {"small": small, "changed": changed, "other": other, "both": both}
WRITTEN = {
    "teams": "insert into polls (team_id, question) values (:id, 'Who?')",
    "players": "insert into player_availability (player_name, match_date, series_id, player_id)"
    " values ('x', '2025-10-01T00:00:00Z', (select series_id from players where id = :id), :id)",
    "clubs": "insert into food (date, club_id) values ('2025-10-01', :id)",
}
"""What users write about a row, by its table."""
USERS = ("polls", "player_availability", "food", "users")


class Season(RuleBasedStateMachine):
    """One database with the small scrape; `new` makes it."""

    new: ClassVar[Callable[[], contextmanager]]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.live: Import = self.stack.enter_context(type(self).new())
        self.images: dict[str, tuple[Rows, Rows]] = {}  # of a run: before and after its publish
        self.in_force: list[str] = []
        self.undone: dict[str, str] = {}  # undo -> what it took back
        self.meant: dict[tuple[str, int], str] = {}  # what an id has ever stood for
        self.logos: dict[int, str] = {}
        self.numbers = count(1)

    @initialize()
    def begin(self) -> None:
        """What stands there before the first step has its meaning, too."""
        self.look()

    def rows(self) -> Rows:
        """Every imported row."""
        found: Rows = {}
        for table in IMPORTED:
            for row in self.live.rows(f"select id, to_jsonb(t) as image from {table} as t"):
                found[table, row.id] = {key: value for key, value in row.image.items() if key not in TOUCHED}
        return found

    def look(self) -> Rows:
        """Rules 3 to 5: ids mean what they meant, users' rows point at it, and what they set by hand is there."""
        rows = self.rows()
        for (table, number), image in rows.items():
            if table in NAMES:
                assert self.meant.setdefault((table, number), image[NAMES[table]]) == image[NAMES[table]]
        for table, column, target in (
            ("polls", "team_id", "teams"),
            ("player_availability", "player_id", "players"),
            ("food", "club_id", "clubs"),
        ):
            lost = f"select {column} from {table} where {column} not in (select id from {target})"
            assert [] == self.live.column(lost)
        for number, logo in self.logos.items():
            assert logo == rows["clubs", number]["logo_filename"]
        return rows

    def users(self) -> dict[str, str]:
        """A digest of what users wrote."""
        prints = fingerprint(self.live.engine)
        return {name: prints[name] for name in USERS}

    @rule(name=st.sampled_from(sorted(SCRAPES)))
    def publish(self, name: str) -> None:
        """A scrape, whatever stands there; a second plan of it is empty."""
        before, written = self.rows(), self.users()
        run_id = self.live.load(SCRAPES[name]())
        self.images[run_id] = before, self.look()
        self.in_force.append(run_id)
        assert written == self.users()
        assert {} == self.live.changes(self.live.plan(SCRAPES[name]()))

    @rule(table=st.sampled_from(sorted(WRITTEN)), place=st.integers(0, 30))
    def write(self, table: str, place: int) -> None:
        """A user writes about some row, the newest ones first."""
        ids = self.live.column(f"select id from {table} order by id desc")
        self.live.write(WRITTEN[table], id=ids[place % len(ids)])

    @rule(place=st.integers(0, 3))
    def set_logo(self, place: int) -> None:
        """Somebody uploads a club's logo."""
        ids = self.live.column("select id from clubs order by id desc")
        number = ids[place % len(ids)]
        self.logos[number] = f"{next(self.numbers)}.png"
        self.live.write("update clubs set logo_filename = :logo where id = :id", logo=self.logos[number], id=number)

    @rule(place=st.integers(0, 30))
    def set_rating(self, place: int) -> None:
        """Somebody corrects a rating by hand, in a column that imports write."""
        ids = self.live.column("select id from players order by id desc")
        self.live.write("update players set pti = 77 where id = :id", id=ids[place % len(ids)])

    @rule()
    def forget(self) -> None:
        """Users remove all that they wrote about imported rows."""
        for table in USERS[:-1]:
            self.live.write(f"delete from {table}")

    @precondition(lambda self: self.in_force)
    @rule(place=st.integers(0, 9))
    def take_back(self, place: int) -> None:
        """Undo a run or an undo, the newest first: three-way per column, or refused with the name of one in force."""
        run_id = self.in_force[::-1][place % len(self.in_force)]
        live, written, prints = self.rows(), self.users(), fingerprint(self.live.engine)
        try:
            undone = plan(self.live, undo(run_id))
        except UsageError as error:
            named = [each for each in self.in_force if each != run_id and each in str(error)]
            assert named or "could not stand beside" in str(error), str(error)
            assert prints == fingerprint(self.live.engine)
            return
        self.live.publish(undone)
        now = self.look()
        self.images[undone] = live, now
        self.undone[undone] = run_id
        other, is_back = run_id, False
        while other:
            if is_back:
                self.in_force.append(other)
            else:
                self.in_force.remove(other)
            other, is_back = self.undone.get(other), not is_back
        self.in_force.append(undone)
        assert written == self.users()
        in_ledger = "select run_id from etl.run_leagues where published_at is not null and state <> 'undone'"
        assert set(self.in_force) == set(self.live.column(in_ledger)) & self.images.keys()
        self.compare(run_id, undone, live, now)

    def compare(self, run_id: str, undone: str, live: Rows, now: Rows) -> None:
        """What the undo of a run has made of *live*."""
        before, after = self.images[run_id]
        listed = {(kind, int(name.split(":")[0].split(" ")[0])) for kind, _, name in self.live.held(undone)}
        for key in live.keys() | now.keys() | before.keys():
            was, then, image, found = before.get(key), after.get(key), live.get(key), now.get(key)
            if was is None and then is not None and image is not None:
                if found is not None:  # it stays: somebody refers to it, or has changed it
                    assert key in listed, key
                    assert found == image | ({"is_active": False} if "is_active" in image else {}), key
            elif was is not None and then is not None and image is not None:
                back = {
                    name: was[name] if then[name] != was[name] and image[name] == then[name] else image[name]
                    for name in image
                }
                assert back == found, key
            elif was is not None and then is None and image is None:
                assert was == found, key
            else:
                assert image == found, key

    def teardown(self) -> None:
        """The next run works, and a second one has nothing to do."""
        try:
            if self.images:
                self.live.load(both())
                self.look()
                assert {} == self.live.changes(self.live.plan(both()))
        finally:
            self.stack.close()


@pytest.fixture(scope="module")
def machine(make_database, small_database, tmp_path_factory) -> Iterator[type[Season]]:
    """The machine with databases of its own."""

    @contextmanager
    def new() -> Iterator[Import]:
        with make_database(small_database) as url:
            folder: Path = tmp_path_factory.mktemp("machine")
            made = project(folder, url)
            engine = connect(made, application_name="rally-etl tests")
            yield Import(engine, made, count(1000))
            engine.dispose()

    yield type("Machine", (Season,), {"new": staticmethod(new)})


@pytest.mark.parametrize(
    ("examples", "steps"), [(2, 6), pytest.param(60, 14, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_any_order_keeps_the_rules(machine, examples, steps):
    """Publish, write, publish, undo, write, undo of the undo: whatever hypothesis thinks of."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=examples < 10,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
