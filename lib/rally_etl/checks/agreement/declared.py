"""`params/agreement.yaml`: which sources tell the same fact, and how far they may differ."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rally_etl.errors import UsageError
from rally_etl.params import read_model

Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
Kind = Literal["players", "match_scores", "series_stats", "schedules", "player_history"]

SEVERITIES = {"error": "failed", "hold": "held", "warn": "warned"}
"""Severity -> outcome of an agreement whose sources differ by more than its bound; the worst comes first."""

BINDS = frozenset({"league", "league_id", "run_id", "id_prefix", "cards"})
"""Binds that every query may use, beside the `values` of its agreement; `cards.read_cards` says what ``cards`` is."""

_BIND = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_COMMENT = re.compile(r"--[^\n]*")


class Agreement(BaseModel):
    """One fact that two sources tell.

    Attributes:
        files: kinds of files that both have to be in a scrape; without one of them nothing is compared.
        query: name of its file in `params/agreement/`; "" is the agreement's own name.
        values: what the query's binds beside those of every query stand for.
        bounds: severity -> tolerated share of facts that are told differently, 0 to 1; none: measured, never asked.
        leagues: league key -> bounds that are others there.
        least: facts that are there to compare when the files are; fewer are a warning.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    files: Annotated[tuple[Kind, ...], Field(min_length=1)]
    query: str = ""
    values: dict[str, str | int] = {}
    bounds: dict[Literal["error", "hold", "warn"], Share] = {}
    leagues: dict[str, dict[Literal["error", "hold", "warn"], Share]] = {}
    least: Annotated[int, Field(ge=0)] = 1
    owner: Text
    why: Text
    mend: Text
    folder: Path = Path()

    @cached_property
    def sql(self) -> str:
        """The query: one row per fact with ``fact``, ``agrees`` and ``told``, the furthest apart first."""
        return (self.folder / f"{self.query or self.name}.sql").read_text(encoding="utf-8")

    @cached_property
    def binds(self) -> frozenset[str]:
        """Names of the binds that the query uses."""
        return frozenset(_BIND.findall(_COMMENT.sub("", self.sql)))

    def bounds_of(self, league: str) -> dict[str, float]:
        """Severity -> tolerated share in this league, the worst first."""
        found = {**self.bounds, **self.leagues.get(league, {})}
        return {severity: found[severity] for severity in SEVERITIES if severity in found}


class _Agreements(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    agreements: Annotated[tuple[Agreement, ...], Field(min_length=1)]


def read_agreements(params_dir: Path) -> tuple[Agreement, ...]:
    """Read `agreement.yaml` and the queries beside it.

    Raises:
        UsageError: a value is missing, unknown or out of range, a name stands there twice, a query is missing, is of no
            agreement or uses an unknown bind.
    """
    path, folder = params_dir / "agreement.yaml", params_dir / "agreement"
    declared = read_model(path, _Agreements).agreements
    found = tuple(each.model_copy(update={"folder": folder}) for each in declared)
    faults = [
        f"{path}: agreement `{name}` stands there twice"
        for name, count in Counter(each.name for each in found).items()
        if count > 1
    ]
    queries = {query.stem for query in folder.glob("*.sql")}
    asked = {each.query or each.name for each in found}
    faults += [f"{folder / name}.sql is of no agreement in agreement.yaml" for name in sorted(queries - asked)]
    faults += [f"{path}: query {folder / name}.sql is missing" for name in sorted(asked - queries)]
    faults += [
        fault for each in found if (each.query or each.name) in queries and (fault := _fault_of_query(each, folder))
    ]
    if faults:
        raise UsageError("; ".join(faults) + "; nothing was compared\nhint: docs/cross-source.md says how one is added")
    return found


def _fault_of_query(agreement: Agreement, folder: Path) -> str:
    sql = _COMMENT.sub("", agreement.sql)
    name = folder / f"{agreement.query or agreement.name}.sql"
    if not sql.strip() or ";" in sql:
        return f"{name} holds no query, or more than one: `;` ends nothing there"
    unknown = sorted(agreement.binds - BINDS - set(agreement.values))
    return f"{name}: `:{unknown[0]}` is no bind of agreement `{agreement.name}`" if unknown else ""
