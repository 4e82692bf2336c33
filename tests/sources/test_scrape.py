"""What a scrape folder holds, and what of it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import REPOSITORY
from rally_etl.errors import UsageError
from rally_etl.naming import load_leagues
from rally_etl.sources import Scrape, read_scrape


@pytest.fixture(scope="module")
def leagues():
    """The leagues of the project's params."""
    return load_leagues(REPOSITORY / "params")


def folder_with(tmp_path: Path, *names: str) -> Path:
    """A scrape folder with these files, each an empty list."""
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("[]")
    return tmp_path


def listed(scrape: Scrape) -> list[tuple[str, str, str]]:
    """League, kind and file name of every file."""
    return [(file.league, file.kind, file.path.name) for file in scrape.files]


def test_kinds_and_leagues_are_read_from_names(tmp_path, leagues):
    """A league folder in any spelling, both names of match files, an undescribed league in capitals."""
    folder = folder_with(
        tmp_path,
        "aptachicago/match_history.json",
        "nsft/match_scores.json",
        "My  New League/players.json",
        ".git/players.json",
    )

    assert [
        ("MY NEW LEAGUE", "players", "players.json"),
        ("APTA_CHICAGO", "match_scores", "match_history.json"),
        ("NSTF", "match_scores", "match_scores.json"),
    ] == listed(read_scrape(folder, leagues))
    assert ("NSTF",) == read_scrape(folder, leagues, ("north shore",)).leagues
    assert ("MY NEW LEAGUE",) == read_scrape(folder, leagues, ("my new league",)).leagues


def test_key_of_a_league_is_the_key_it_is_planned_under(tmp_path, leagues):
    """The ledger's key of a league without a params file is the one under which its rows are planned."""
    folder = folder_with(tmp_path, "Straße  9/players.json")

    (key,) = read_scrape(folder, leagues).leagues

    assert key == leagues.get(key).key


def test_what_is_not_read_is_named(tmp_path, leagues):
    """CSV, other files, loose files and broken links are listed as not read."""
    folder = folder_with(
        tmp_path, "NSTF/players.json", "NSTF/players.csv", "NSTF/players.json.bak", "CITA/schedules.csv", "README.md"
    )
    (folder / "CNSWPL").symlink_to(folder / "gone")

    scrape = read_scrape(folder, leagues)

    assert ("NSTF",) == scrape.leagues
    assert {"NSTF/players.csv", "NSTF/players.json.bak", "CITA/schedules.csv", "README.md", "CNSWPL"} == set(
        scrape.ignored
    )


def test_two_files_of_one_kind_are_a_fault(tmp_path, leagues):
    """Nobody can tell which of `match_scores` and `match_history` is meant; the file is listed with the fault."""
    scrape = read_scrape(folder_with(tmp_path, "NSTF/match_scores.json", "NSTF/match_history.json"), leagues)

    assert ["two files of kind match_scores: match_history.json and match_scores.json; remove one of them"] == [
        file.fault for file in scrape.files
    ]


@pytest.mark.parametrize(
    ("names", "wanted", "telling"),
    [
        (["NSTF/players.json", "nsft/players.json"], (), "two folders of league NSTF"),
        (["NSTF/players.txt"], (), "holds no file of any league"),
        (["players.json"], (), "holds no file of any league"),
        (["NSTF/players.json"], ("CITA", "NSTF"), "holds nothing of CITA"),
        (["*/players.json"], (), "'[*]' is no name of a league"),
        (["a\nb/players.json"], (), "is no name of a league"),
    ],
)  # fmt: skip
def test_folder_that_is_no_scrape_is_wrong_use(tmp_path, leagues, names, wanted, telling):
    """The message says what the folder holds instead."""
    with pytest.raises(UsageError, match=telling):
        read_scrape(folder_with(tmp_path, *names), leagues, wanted)


def test_name_that_is_no_text_is_wrong_use(tmp_path, leagues):
    """A folder name with a byte that is no UTF-8 could stand in no ledger."""
    (tmp_path / "NSTF\udcff").mkdir()

    with pytest.raises(UsageError, match="is no name of a league"):
        read_scrape(tmp_path, leagues)


@pytest.mark.parametrize("where", [".", "NSTF"])
def test_folder_that_may_not_be_listed_is_wrong_use(tmp_path, leagues, monkeypatch, where):
    """Missing permission on a folder is said in one sentence."""
    folder = folder_with(tmp_path, "NSTF/players.json")
    closed, listing = (folder / where).resolve(), Path.iterdir

    def refuse(self: Path):
        if self.resolve() == closed:
            raise PermissionError(13, "Permission denied")
        return listing(self)

    monkeypatch.setattr(Path, "iterdir", refuse)

    with pytest.raises(UsageError, match="cannot be listed: Permission denied"):
        read_scrape(folder, leagues)


def test_missing_folder_is_wrong_use(tmp_path, leagues):
    """No folder, or a file instead of one."""
    for path in (tmp_path / "gone", folder_with(tmp_path, "x.json") / "x.json"):
        with pytest.raises(UsageError, match="is not a folder"):
            read_scrape(path, leagues)
