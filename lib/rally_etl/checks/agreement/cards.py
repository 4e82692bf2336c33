"""The names that a match file prints beside the ids of its players; staged rows keep the ids alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import msgspec

from rally_etl.errors import RallyEtlError
from rally_etl.records.match_scores import MatchFields
from rally_etl.records.values import without_marks
from rally_etl.sources import archive

LARGEST_BYTES = 64 * 1024 * 1024
"""A file beyond it is not read a second time for its names: that would take longer than all checks together."""

_SEATS = (("h1", "h1_id"), ("h2", "h2_id"), ("a1", "a1_id"), ("a2", "a2_id"))
_RECORDS = msgspec.json.Decoder(list[msgspec.Raw])
_LINE = msgspec.json.Decoder(MatchFields)


class TooLarge(RallyEtlError):
    """The file is not read for its names."""


def read_cards(archive_dir: Path, sha256: str, size_bytes: int) -> str:
    """One object per id and printed name of an archived match file, as JSON: ``player_id``, ``name``, ``row_count``.

    Names are without the marks of substitutes. A record that is no match line is passed over; staging has said so.

    Raises:
        TooLarge: the file is larger than `LARGEST_BYTES`.
        RallyEtlError: the archive no longer has the file as it was read.
    """
    if size_bytes > LARGEST_BYTES:
        raise TooLarge(f"a file of {size_bytes:,} bytes is not read a second time for its names")
    names: Counter[tuple[str, str]] = Counter()
    for record in _RECORDS.decode(archive.fetch(archive_dir, sha256)):
        try:
            line = _LINE.decode(record)
        except msgspec.MsgspecError:
            continue
        for seat, seat_id in _SEATS:
            name, player_id = getattr(line, seat), getattr(line, seat_id)
            if name and player_id:
                names[player_id.strip(), without_marks(name)] += 1
    return json.dumps(
        [{"player_id": found, "name": name, "row_count": count} for (found, name), count in names.items()]
    )
