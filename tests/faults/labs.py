"""The small worlds of the trials: what is live, and the command that is broken there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from conftest import project
from faults.proxy import Proxy
from faults.trials import Lab
from faults.world import World
from rally_etl import runs
from rally_etl.commands.run import _approved_code as approved_code
from rally_etl.database.engine import connect
from rally_etl.database.references import read_reference_params
from rally_etl.protection import note_users
from rally_etl.sample.attachments import attach
from rally_etl.settings import Settings
from scrapes import Import, Kinds, changed, line, player, small, write

AS_OF = date(2025, 10, 1)
SIGNED = {"by": "Ann Example", "reason": "a trial"}
OTHER = "CNSWPL"
OTHER_NAMES = {
    "APTA_CHICAGO": OTHER,
    "Hinsdale PC II 7 SW": "Lakeside 7",
    "Hinsdale PC I 7 SW": "Hillcrest 7",
    "Series 7 SW": "Series 7",
    "nndz-": "nndz-c",
}
STATE = "select state from etl.run_leagues where run_id = :run"


@contextmanager
def a_run(folder: Path, url: str) -> Iterator[Lab]:
    """A scrape is imported a week later."""
    with _lab(folder, url) as lab:
        lab.act = lab.again = _importing(write(folder / "scrapes" / "next", next_week()))
        lab.learn()
        yield lab


@contextmanager
def two_leagues(folder: Path, url: str) -> Iterator[Lab]:
    """Two leagues are imported at once; each is published by itself."""
    with _lab(folder, url, of_other_league(small())) as lab:
        other = of_other_league(small())
        other["series_stats"][0]["points"] = 15
        source = write(folder / "scrapes" / "next", next_week())
        write(source, other, OTHER)
        lab.act = lab.again = _importing(source)
        lab.learn(*((league, _importing(source, league)) for league in ("APTA_CHICAGO", OTHER)))
        yield lab


@contextmanager
def an_approval(folder: Path, url: str) -> Iterator[Lab]:
    """A held plan is approved: a publish and little else."""
    with _lab(folder, url) as lab:
        scrape = changed()
        scrape["players"].append(player("Skokie122", "Skokie 12", Series="Series 12"))
        source = write(folder / "scrapes" / "next", scrape)
        lab.world.note_ids()
        with lab.command() as settings:
            held = _importing(source)(settings)
        assert "HOLD" == held["decision"], held

        def approve(settings: Settings, run_id: str = held["run_id"]) -> dict[str, Any]:
            document = runs.approve(settings, run_id, SIGNED["by"], SIGNED["reason"])
            return document | {"exit_code": approved_code(list(document["leagues"].values()))}

        def again(settings: Settings) -> dict[str, Any]:
            """Approve what is still held; otherwise import again, and approve that."""
            if ["held"] == _states(lab, held["run_id"]):
                return approve(settings)
            document = _importing(source)(settings)
            return approve(settings, document["run_id"]) if document["decision"] == "HOLD" else document

        lab.act, lab.again = approve, again
        lab.learn(broken=held["run_id"])
        yield lab


@contextmanager
def an_undo(folder: Path, url: str) -> Iterator[Lab]:
    """A published run is taken back."""
    with _lab(folder, url) as lab:
        with lab.command() as settings:
            done = _importing(write(folder / "scrapes" / "next", next_week()))(settings)
        first = write(folder / "scrapes" / "first", small())

        def undo(settings: Settings) -> dict[str, Any]:
            return runs.operate(settings, {"kind": "undo", "run": done["run_id"], **SIGNED}, as_of=AS_OF)

        def again(settings: Settings) -> dict[str, Any]:
            """Undo what is not yet undone; otherwise the scrape before it changes nothing."""
            return _importing(first)(settings) if lab.published() else undo(settings)

        lab.act, lab.again = undo, again
        lab.learn()
        yield lab


@contextmanager
def a_repair(folder: Path, url: str) -> Iterator[Lab]:
    """Two references of users that lost their teams are mended."""
    with _lab(folder, url) as lab:
        params = read_reference_params(lab.settings.params_dir / "references.yaml")
        with lab.world.engine.begin() as connection:
            note_users(connection, params)
        lose = "with lost as (select set_config('session_replication_role', 'replica', true))"
        lab.world.write(f"{lose} update polls set team_id = 999999 from lost where id in (select min(id) from polls)")
        lab.world.write(f"{lose} update captain_messages set team_id = 999999 from lost where id in"
                        " (select max(id) from captain_messages)")  # fmt: skip

        def repair(settings: Settings) -> dict[str, Any]:
            return runs.operate(settings, {"kind": "orphans", **SIGNED}, ["APTA_CHICAGO"], as_of=AS_OF)

        def again(settings: Settings) -> dict[str, Any]:
            """Mend what is not yet mended; otherwise the scrape before it changes nothing."""
            return _importing(folder / "scrapes" / "before")(settings) if lab.published() else repair(settings)

        lab.act, lab.again = repair, again
        lab.learn()
        yield lab


def next_week() -> Kinds:
    """The small scrape a week later, with changes of every kind but a new team, about which a person is asked."""
    scrape = changed()
    scrape["players"] = [*scrape["players"][:-1], player("new", "Winnetka 12")]
    scrape["series_stats"].pop()
    scrape["match_scores"][-1] = line(
        "nndz-match9_Line1", "Tennaqua 12", "Winnetka 12", Date="30-Sep-25", **{"Home Player 1 ID": "nndz-new"}
    )
    return scrape


def of_other_league(kinds: Kinds) -> Kinds:
    """The same records as another league prints them, of other persons and matches."""
    text = json.dumps(kinds)
    for one, other in OTHER_NAMES.items():
        text = text.replace(one, other)
    return json.loads(text)


@contextmanager
def _lab(folder: Path, url: str, other: Kinds | None = None) -> Iterator[Lab]:
    """A database at *url* with users on the small scrape; the command is not chosen yet."""
    settings = project(folder, url)
    engine = connect(settings, application_name="rally-etl tests")
    importing = Import(engine, settings)
    source = write(folder / "scrapes" / "before", small())
    if other:
        write(source, other, OTHER)
    importing.load(source)
    importing.write("update etl.runs set status = 'completed', decision = 'GO', exit_code = 0")
    importing.write("update etl.run_leagues set state = 'verified', decision = 'GO'")
    attach(engine, users_per_team=2)
    engine.dispose()

    def nothing(settings: Settings) -> dict[str, Any]:
        raise NotImplementedError("no command is chosen")

    with World.of(settings) as world, Proxy(world.administration.url) as proxy:
        yield Lab(settings, world, proxy, nothing, nothing)


def _importing(source: Path, *leagues: str) -> Callable[[Settings], dict[str, Any]]:
    return lambda settings: runs.run(settings, runs.Order(source=source, leagues=leagues, as_of=AS_OF))


def _states(lab: Lab, run_id: str) -> list[str]:
    return [row.state for row in lab.world.rows(STATE, run=run_id)]
