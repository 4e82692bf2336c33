"""Measures: what a stage found, as one number per league with the texts a person can act on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

DETAIL_TEXTS = 20
"""A detail names this many things; the rest is a count."""

Measures = dict[str, dict[str, dict[str, Any]]]
"""League key (``*`` is the run as a whole) -> measure -> ``{"value": number, "detail": [text]}``."""


def measure(value: float, detail: Iterable[str] = (), most: int = DETAIL_TEXTS) -> dict[str, Any]:
    """One measure; a detail of more than *most* texts is cut and says how many are left out."""
    texts = list(detail)
    shown = texts[:most]
    if left := len(texts) - len(shown):
        shown.append(f"and {left:,} more")
    return {"value": value, "detail": shown}


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun, as people say it: `1 record`, `2,000 records`; *many* where an s makes no plural."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def store_metrics(engine: sa.Engine, run_id: str, stage: str, leagues: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep the measures of a stage for trends, one row per league and measure; a second call replaces the first."""
    rows = [
        {"league": league, "metric": name, "value": float(each["value"]), "detail": each.get("detail", [])}
        for league, measures in leagues.items()
        for name, each in measures.items()
    ]
    with engine.begin() as connection:
        key = {"run_id": run_id, "stage": stage}
        connection.execute(sa.text("delete from etl.metrics where run_id = :run_id and stage = :stage"), key)
        connection.execute(
            sa.text(
                "insert into etl.metrics (run_id, league, stage, metric, value, detail)"
                " select :run_id, r.league, :stage, r.metric, r.value, r.detail"
                " from jsonb_to_recordset(cast(:rows as jsonb))"
                " as r(league text, metric text, value double precision, detail jsonb)"
            ),
            {**key, "rows": json.dumps(rows)},
        )
