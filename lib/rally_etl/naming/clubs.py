"""Clubs over all leagues: one key for every spelling that certainly means the same place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rally_etl.errors import UsageError
from rally_etl.naming.text import WORDS, clean_name
from rally_etl.params import read_mapping


def club_key(name: str) -> str:
    """Fold case, punctuation, dashes and blanks, and write & as "and": `Lakeshore S&F` -> `lakeshore s and f`."""
    plain = clean_name(name).casefold().replace("&", " and ").replace("'", "").replace(".", "")
    return " ".join(WORDS.findall(plain))


@dataclass(frozen=True, slots=True)
class Clubs:
    """Spellings of clubs. ``keys``: folded spelling -> key; ``names``: key -> canonical spelling."""

    keys: Mapping[str, str]
    names: Mapping[str, str]

    def key(self, name: str) -> str:
        """Key of the club that *name* spells; an unlisted club is its own."""
        folded = club_key(name)
        return self.keys.get(folded, folded)

    def name(self, key: str) -> str | None:
        """Canonical spelling of the club with *key*; None when it is not listed."""
        return self.names.get(key)


def load_clubs(params_dir: Path) -> Clubs:
    """Read `clubs.yaml`: canonical club name -> its other spellings.

    Raises:
        UsageError: a value is no list of texts, or one spelling stands under two clubs.
    """
    path = params_dir / "clubs.yaml"
    keys: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, spellings in read_mapping(path).items():
        if (
            not isinstance(name, str)
            or not isinstance(spellings, list)
            or not all(isinstance(s, str) for s in spellings)
        ):
            raise UsageError(
                f"{path}: `{name}` has no list of spellings; no club was read\nhint: write {name}: [Spelling]"
            )
        key = club_key(name)
        names[key] = name
        for spelling in (name, *spellings):
            if keys.setdefault(club_key(spelling), key) != key:
                other = names[keys[club_key(spelling)]]
                raise UsageError(
                    f"{path}: `{spelling}` stands under `{other}` and under `{name}`; no club was read\n"
                    "hint: a spelling belongs to one club, or to none when it is not certain"
                )
    return Clubs(keys, names)
