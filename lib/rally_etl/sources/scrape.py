"""A scrape folder: which leagues and files it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rally_etl.errors import UsageError

if TYPE_CHECKING:
    from rally_etl.naming import Leagues

KIND_OF_STEM = {
    "players": "players",
    "match_scores": "match_scores",
    "match_history": "match_scores",
    "series_stats": "series_stats",
    "schedules": "schedules",
    "player_history": "player_history",
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a scrape, or one of the raw archive that is read again.

    Attributes:
        fault: set when the folder alone already says that the file cannot be used.
        sha256: of an archived file, "" of one of the scrape.
        shown: what people read as its path, `<LEAGUE>/<kind>.json` unless it is archived.
    """

    league: str
    kind: str
    path: Path
    fault: str | None = None
    sha256: str = ""
    shown: str = ""

    @property
    def name(self) -> str:
        """What people read as the file's path."""
        return self.shown or f"{self.path.parent.name}/{self.path.name}"


@dataclass(frozen=True, slots=True)
class Scrape:
    """The files of one folder, by league key; ``ignored`` are names nobody asked for, as league/file."""

    folder: Path
    files: tuple[SourceFile, ...]
    ignored: tuple[str, ...]

    @property
    def leagues(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(file.league for file in self.files))


def read_scrape(folder: Path, leagues: Leagues, wanted: tuple[str, ...] = ()) -> Scrape:
    """List the files under ``folder/<LEAGUE>/<kind>.json``.

    Args:
        wanted: league keys or spellings; empty means all that the folder holds.

    Raises:
        UsageError: the folder is missing or holds no league, or a wanted league is not in it.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder; nothing was read\nhint: give the folder that holds <LEAGUE>/players.json"
        )
    files: list[SourceFile] = []
    ignored: list[str] = []
    for path in _listed(folder):
        if not path.is_dir():
            ignored.append(path.name)
            continue
        key = _league_key(path, leagues)
        found = _league_files(key, path, ignored)
        if any(file.league == key for file in files):
            raise UsageError(f"{folder} holds two folders of league {key}; nothing was read\nhint: keep one of them")
        files.extend(found)
    if not files:
        raise UsageError(
            f"{folder} holds no file of any league; nothing was read\n"
            f"hint: files are <LEAGUE>/<kind>.json, kinds: {', '.join(sorted(set(KIND_OF_STEM)))}"
        )
    if wanted:
        keys = {leagues.get(name).key for name in wanted}
        missing = keys - {file.league for file in files}
        if missing:
            have = ", ".join(dict.fromkeys(file.league for file in files))
            raise UsageError(
                f"{folder} holds nothing of {', '.join(sorted(missing))}; nothing was read\nhint: it holds {have}"
            )
        files = [file for file in files if file.league in keys]
    return Scrape(folder, tuple(files), tuple(ignored))


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be listed: {error.strerror}; nothing was read\nhint: check permissions"
        ) from None


def _league_key(folder: Path, leagues: Leagues) -> str:
    """The key that the ledger, the reports and the plan use; a name that is no text cannot be one."""
    if not folder.name.isprintable() or not any(map(str.isalnum, folder.name)):
        raise UsageError(f"{folder.name!a} is no name of a league; nothing was read\nhint: name the folder like NSTF")
    return leagues.get(folder.name).key


def _league_files(key: str, folder: Path, ignored: list[str]) -> list[SourceFile]:
    by_kind: dict[str, list[Path]] = {}
    for path in _listed(folder):
        kind = KIND_OF_STEM.get(path.stem) if path.suffix == ".json" else None
        if kind is None:
            ignored.append(f"{folder.name}/{path.name}")
        else:
            by_kind.setdefault(kind, []).append(path)
    return [
        SourceFile(key, kind, paths[0], _twice(kind, paths) if len(paths) > 1 else None)
        for kind, paths in by_kind.items()
    ]


def _twice(kind: str, paths: list[Path]) -> str:
    return f"two files of kind {kind}: {' and '.join(path.name for path in paths)}; remove one of them"
