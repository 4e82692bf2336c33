"""Who and what must not be found in files that leave the house: names and addresses of people, secrets."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

PLOTLY = "plotly.min.js"
_PERSONS = sa.text(
    """
    select btrim(first_name) as first, btrim(last_name) as last, 'a player' as who from players
    union select btrim(first_name), btrim(last_name), 'a user' from users
    union select btrim(first_name), btrim(last_name), 'a player of a scrape' from etl.staged_players
    """
)
_ADDRESSES = sa.text("select email from users union select phone_number from users union select email from players")
_PLACES = sa.text("select lower(name) from clubs union select lower(team_name) from teams")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")


def people(engine: sa.Engine) -> dict[str, str]:
    """Name or address -> whose it is; who is called like a club or a team is left out."""
    found: dict[str, str] = {}
    with engine.connect() as connection:
        places = [name for name in connection.scalars(_PLACES) if name]
        for row in connection.execute(_PERSONS):
            if row.first and row.last and not any(f"{row.first} {row.last}".lower() in place for place in places):
                written = (f"{row.first} {row.last}", f"{row.last}, {row.first}", f"{row.first}, {row.last}")
                found |= dict.fromkeys(written, row.who)
        found |= {text: "an address" for text in connection.scalars(_ADDRESSES) if text and len(text) > 5}
        for text in connection.scalars(
            sa.text("select original from etl.quarantine where reason = 'duplicate_record'")
        ):
            record = json.loads(text)
            if record.get("First Name") and record.get("Last Name"):
                found[f"{record['First Name']} {record['Last Name']}"] = "a player that was kept aside"
    return found


def leaks(engine: sa.Engine, folders: Iterable[Path], secrets: Iterable[str] = ()) -> list[str]:
    """One sentence per file and person, address or secret that stands in it in any form."""
    wanted = people(engine) | dict.fromkeys(secrets, "a secret")
    assert wanted
    found = []
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        if path.name != PLOTLY:
            forms = list(_forms(path.read_text(encoding="utf-8", errors="replace")))
            found += [
                f"{path.name}: {who}: {text}" for text, who in wanted.items() if any(text in form for form in forms)
            ]
    return found


def _forms(text: str) -> Iterator[str]:
    """The text, as a browser shows it, and without its tags, so that the cells of a row stand side by side."""
    plain = html.unescape(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text))
    yield text
    yield plain
    yield re.sub(r"(?:\s|\\n|<[^<>]*>)+", " ", plain)
