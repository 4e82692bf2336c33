"""Evidence of the stage validation about agreements: how much the sources agree, and which do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.checks.agreement.comparing import Compared
from rally_etl.checks.agreement.declared import read_agreements
from rally_etl.measures import Measures, measure

if TYPE_CHECKING:
    from rally_etl.settings import Settings

PREFIX = "agreement."
"""How the measure of one agreement begins: the share of its facts that are told alike, for trends."""

_ASKED = ("warned", "held", "failed", "errored", "skipped")
_RESULTS = sa.text(
    "select league, name, title, outcome, compared, agreeing, bound, told, seconds, note from etl.agreements"
    " where run_id = :run_id order by name"
)
_LEAGUES = sa.text("select league from etl.run_leagues where run_id = :run_id order by league")


def agreement_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Measures per league from the ledger: agreements that warned, held, failed, and those that could not be measured.

    One that is declared and has no result counts as one that could not be measured. Agreements that were skipped are
    named in a measure of their own. Beside them the share of each agreement that was measured.
    """
    declared = {each.name: each.title for each in read_agreements(settings.params_dir)}
    with engine.connect() as connection:
        leagues = connection.scalars(_LEAGUES, {"run_id": run_id}).all()
        rows = connection.execute(_RESULTS, {"run_id": run_id}).mappings().all()
    found = [Compared(**row) for row in rows]
    return {league: _of_league(declared, [each for each in found if each.league == league]) for league in leagues}


def _of_league(declared: dict[str, str], found: list[Compared]) -> dict[str, dict]:
    measures = {}
    for outcome in _ASKED:
        texts = [_in_words(each) for each in found if each.outcome == outcome]
        if outcome == "errored":
            texts += [f"{title}: not measured" for name, title in declared.items() if name not in _names(found)]
        measures[f"agreements_{outcome}"] = measure(len(texts), texts)
    for each in found:
        if each.compared:
            measures[f"{PREFIX}{each.name}"] = measure(each.share, [_in_words(each), *each.told])
    return measures


def _names(found: list[Compared]) -> set[str]:
    return {each.name for each in found}


def _in_words(each: Compared) -> str:
    """An agreement and what was found, in one line."""
    if not each.compared:
        return f"{each.title}: {each.note}"
    text = f"{each.title}: {each.agreeing:,} of {each.compared:,}"
    if each.bound is not None and each.outcome != "passed":
        text += f", {1 - each.bound:.0%} are expected"
    if each.note:
        text += f" ({each.note})"
    return f"{text}; {each.told[0]}" if each.told and each.outcome != "passed" else text
