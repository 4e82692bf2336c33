"""The runbooks of docs/runbooks/: what happened is made to happen, then their commands run in order and mend it.

`RALLY_UPDATE_README=1 pytest tests/test_runbooks.py` writes outputs that differ into the pages; read what it changed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, MakeDatabase, first, project
from inprocess import rally_etl
from rally_etl.database.engine import connect
from rally_etl.sample import season
from rally_etl.settings import Settings
from transcripts import rewrite, shown_commands

RUNBOOKS = REPOSITORY / "docs" / "runbooks"
ANSWER = 'echo "exit code $?"'
TODAY = season.WEEKS[1].as_of.isoformat()
"""The season is made up, and of one year: it is looked at from the day of its second week."""
NOBODY_LISTENS = "postgresql://rally@127.0.0.1:9/rally"


@dataclass(slots=True)
class Site:
    """A project as an operator finds it: a published season, rows of users, a snapshot of the night."""

    settings: Settings
    engine: sa.Engine
    variables: dict[str, str] = field(default_factory=dict)

    def write(self, *statements: str) -> None:
        """Change the database as another program would, without foreign keys."""
        with self.engine.begin() as connection:
            connection.execute(sa.text("set local session_replication_role = replica"))
            for statement in statements:
                connection.execute(sa.text(statement))

    def value(self, sql: str) -> object:
        """The one value of a query."""
        with self.engine.connect() as connection:
            return connection.scalar(sa.text(sql))

    def call(self, line: str) -> list[str]:
        """What a line prints on both streams; RUN is the newest run that is not dry, ID the newest snapshot."""
        command, _, answer = line.partition(" || ")
        assert answer in ("", ANSWER)
        name, *words = shlex.split(command)
        assert "rally-etl" == name
        newest = {
            "RUN": self.value("select max(run_id) from etl.runs where not dry_run"),
            "ID": max((path.name for path in (self.settings.state_dir / "snapshots").glob("*")), default=""),
        }
        if (words[0] in ("health", "run") or "--repair" in words) and "--sample" not in words:
            words += ["--as-of", TODAY]
        done = rally_etl(self.settings, *(newest.get(word, word) for word in words), **self.variables)
        said, code = (done.stdout + done.stderr).rstrip("\n").split("\n"), done.returncode
        assert bool(code) == bool(answer), "\n".join([f"{line}: exit code {code}", *said])
        return [*said, *([f"exit code {code}"] if code else [])]


def health_below_75(site: Site) -> None:
    """A script ran twice and wrote the lines of a day under new ids."""
    site.write(
        "insert into match_scores (league_id, match_date, home_team, away_team, home_team_id, away_team_id,"
        " home_player_1_id, home_player_2_id, away_player_1_id, away_player_2_id, scores, winner, tenniscores_match_id)"
        " select league_id, match_date, home_team, away_team, home_team_id, away_team_id, home_player_1_id,"
        " home_player_2_id, away_player_1_id, away_player_2_id, scores, winner, 'again-' || tenniscores_match_id"
        " from match_scores where match_date = (select max(match_date) from match_scores) order by id"
    )


def import_failed(site: Site) -> None:
    """Half of a file arrived."""
    path = site.settings.root / "scrapes/2025-10-10/APTA_CHICAGO/players.json"
    records = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(records[: len(records) // 2]), encoding="utf-8")
    shutil.copytree(site.settings.root / "weeks/week-2", site.settings.root / "scrapes/2025-10-10-again")


def missing_schedule(site: Site) -> None:
    """A script that deletes old meetings took those of a team with it."""
    site.write("delete from schedule where 'Tennaqua 2' in (home_team, away_team)")


def orphans_found(site: Site) -> None:
    """Another importer issued the id of a team anew, and its users did not follow."""
    team = site.value("select id from teams where team_name = 'Tennaqua 2'")
    moved = (
        "players.team_id", "match_scores.home_team_id", "match_scores.away_team_id", "series_stats.team_id",
        "schedule.home_team_id", "schedule.away_team_id", "user_contexts.team_id", "saved_lineups.team_id",
        "player_season_tracking.team_id", "captain_messages.team_id",
    )  # fmt: skip
    site.write(
        f"update teams set id = 900 where id = {team}",
        *(
            f"update {table} set {column} = 900 where {column} = {team}"
            for table, column in (each.split(".") for each in moved)
        ),
        "select setval('teams_id_seq', 1000)",
    )


def monitoring_silent(site: Site) -> None:
    """The webhook of the channel was taken away; what is told piles up."""
    (site.settings.root / "params").unlink()
    shutil.copytree(REPOSITORY / "params", site.settings.root / "params")
    path = site.settings.params_dir / "alerts.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("channels:\n", "channels:\n  slack:\n    kind: slack\n    url_env: RALLY_SLACK_URL\n", 1)
    text = text.replace("routes:\n", "routes:\n  - channels: [slack]\n", 1)
    path.write_text(text, encoding="utf-8")


def wrong_data_published(site: Site) -> None:
    """A scrape of the wrong week was published."""
    site.call("rally-etl run --source scrapes/2025-10-10")


def database_down(site: Site) -> None:
    """Nobody listens where DATABASE_URL points."""
    site.variables["DATABASE_URL"] = NOBODY_LISTENS


def database_is_back(site: Site) -> None:
    """The server was started."""
    del site.variables["DATABASE_URL"]


HAPPENS: dict[str, Callable[[Site], None]] = {
    "health-below-75": health_below_75,
    "import-failed": import_failed,
    "missing-schedule": missing_schedule,
    "orphans-found": orphans_found,
    "monitoring-silent": monitoring_silent,
    "wrong-data-published": wrong_data_published,
    "database-down": database_down,
}
"""Runbook -> what has happened when somebody opens it."""
MEANWHILE: dict[str, dict[str, Callable[[Site], None]]] = {
    "database-down": {"When it is back": database_is_back},
}
"""Runbook -> heading -> what has happened before its commands."""


@pytest.fixture(scope="module")
def night(
    make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """What every runbook begins with; each has a copy."""
    with make_database(template_database) as url:
        settings = project(tmp_path_factory.mktemp("night"), url)
        engine = connect(settings, application_name="rally-etl tests")
        site = Site(settings, engine)
        site.call("rally-etl run --sample")
        site.call("rally-etl snapshot create --name night")
        shutil.copytree(season.write(settings.root / "weeks")[1], settings.root / "scrapes/2025-10-10")
        site.write(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        engine.dispose()
        yield site


@pytest.fixture
def site(night: Site, make_database: MakeDatabase, tmp_path: Path) -> Iterator[Site]:
    """A copy of it."""
    with make_database(sa.make_url(night.settings.database_url).database) as url:
        root = tmp_path / "rally"
        shutil.copytree(night.settings.root, root, symlinks=True)
        settings = Settings(root=root, database_url=url)
        engine = connect(settings, application_name="rally-etl tests")
        yield Site(settings, engine)
        engine.dispose()


def test_every_runbook_is_tried():
    """Each page of the folder has what happens before it, and is named in the list."""
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}

    assert pages == set(HAPPENS)
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (RUNBOOKS / "README.md").read_text(encoding="utf-8"))
    assert sorted(pages) == sorted(listed)


@pytest.mark.parametrize(
    "name", first(5, sorted(HAPPENS, key=("health-below-75", "wrong-data-published").__contains__))
)
def test_runbook(name, site):
    """Every command prints what the page shows, and what happened is over at its end."""
    page = RUNBOOKS / f"{name}.md"
    HAPPENS[name](site)
    printed: list[list[str]] = []
    shown = []
    for part in re.split(r"^(?=## )", page.read_text(encoding="utf-8"), flags=re.M):
        heading = part.partition("\n")[0].removeprefix("## ")
        MEANWHILE.get(name, {}).get(heading, lambda site: None)(site)
        shown += (commands := shown_commands(part))
        printed += [site.call(each.command) for each in commands]
    if os.environ.get("RALLY_UPDATE_README"):
        rewrite(page, printed)

    assert shown
    for each, lines in zip(shown, printed, strict=True):
        assert each.lines and each.is_printed(lines), "\n".join([f"$ {each.command}", *lines])
