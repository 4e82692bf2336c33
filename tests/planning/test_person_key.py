"""A person is the same in SQL and in Python, whatever prefix a league prints."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl.naming import load_leagues
from rally_etl.planning.scene import Scene
from rally_etl.records.values import person_key

LEAGUES = load_leagues(Path(__file__).parents[2] / "params")
IDS = (
    "nndz-abcT09", "apta_nndz-abcT09", "cnswpl_abcT09", "cnswpl_nndz-abcT09", "apta_abc",
    "0123456789abcdef0123456789abcdef", "nndz-", "nndz-nndz-", "nndz-nndz-x", "x-nndz-y",
)  # fmt: skip


@pytest.mark.parametrize("key", [*LEAGUES.keys(), "NOWHERE"])
def test_person_key_is_one_rule(engine, key):
    """What planning strips from live ids is what records strip from printed ones."""
    league = LEAGUES.get(key)
    scene = Scene(None, {}, league, None, frozenset(), None)
    sql = sa.text(
        "select regexp_replace(id, :prefix, '') from unnest(cast(:ids as text[])) with ordinality as i(id, n)"
        " order by n"
    )
    with engine.connect() as connection:
        found = connection.execute(sql, {"prefix": scene.id_prefix, "ids": list(IDS)}).scalars().all()

    assert [person_key(each, league.id_prefixes) for each in IDS] == found
