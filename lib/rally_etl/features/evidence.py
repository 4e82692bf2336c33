"""Evidence of the stage integration: pages that would break, that could not be asked, that seldom work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, field_validator

from rally_etl.checks.suite import run_facts
from rally_etl.features.ask import Answer, ask
from rally_etl.features.feature import Feature
from rally_etl.features.pages import FEATURES
from rally_etl.features.wording import broken_in_words, gone_in_words, low_in_words
from rally_etl.measures import Measures, measure
from rally_etl.params import read_model
from rally_etl.settings import Settings

FEW_USERS = 10
"""Fewer users than these leave their rosters in any week; in a small league they would be a great share."""

Share = Annotated[float, Field(ge=0, le=1)]


class Bounds(BaseModel):
    """`params/features.yaml`: shares between 0 and 1 of the pages that should work.

    Attributes:
        works: of each page that has none of its own.
        pages: page -> its own share.
        leagues: league key -> page -> the share there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    works: Share
    pages: dict[str, Share] = {}
    leagues: dict[str, dict[str, Share]] = {}

    @field_validator("pages", "leagues")
    @classmethod
    def _are_pages(cls, value: dict[str, Any]) -> dict[str, Any]:
        known = {feature.name for feature in FEATURES}
        for name in [name for each in value.values() for name in each] if _is_nested(value) else value:
            if name not in known:
                raise ValueError(f"there is no page `{name}`")
        return value

    def of(self, league: str, page: str) -> float:
        """The share that is expected of a page in a league."""
        return self.leagues.get(league, {}).get(page, self.pages.get(page, self.works))


def load_bounds(params_dir: Path) -> Bounds:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is missing, unknown or out of range.
    """
    return read_model(params_dir / "features.yaml", Bounds)


def feature_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Ask every page of the run's leagues before and after, keep the answers in the ledger, and count.

    What an undo or a restore takes from a page is counted apart: it brings back what was there before.

    Raises:
        UsageError: the run is unknown, or `params/features.yaml` cannot be read.
    """
    bounds = load_bounds(settings.params_dir)
    answers = ask(engine, settings, run_id, FEATURES)
    store_answers(engine, run_id, answers)
    with engine.connect() as connection:
        facts = run_facts(connection, run_id)
    return {
        league: measures_of([each for each in answers if each.league == league], bounds, FEATURES, facts.is_way_back)
        for league in facts.leagues
    }


def measures_of(
    answers: Sequence[Answer], bounds: Bounds, features: Iterable[Feature], is_way_back: bool = False
) -> dict[str, dict[str, Any]]:
    """The measures of one league; a page of *features* that has no answer was not asked."""
    pages = {feature.name: feature for feature in features}
    asked = {each.feature: each for each in answers}
    known = [each for each in answers if each.error is None and each.skipped is None]
    broken = sorted((each for each in known if each.broken), key=lambda each: (-each.users_affected, -each.broken))
    told = [broken_in_words(pages[each.feature], each) for each in broken]
    total = sum(each.broken for each in broken)
    unasked = [f"{pages[each.feature].title} ({each.feature}): {each.error}" for each in answers if each.error]
    unasked += [f"{page.title} ({name}): it was not asked" for name, page in pages.items() if name not in asked]
    low = [
        low_in_words(pages[each.feature], each, bound)
        for each in known
        if each.after and each.works_after / each.after < (bound := bounds.of(each.league, each.feature))
    ]
    gone = [each for each in known if each.gone and pages[each.feature].subject == "user"]
    return {
        "pages_asked": measure(sum(each.after for each in known)),
        "pages_broken": measure(0 if is_way_back else total, [] if is_way_back else told),
        "pages_taken_back": measure(total if is_way_back else 0, told if is_way_back else []),
        "pages_not_asked": measure(len(unasked), unasked),
        "pages_skipped": measure(
            sum(each.skipped is not None for each in answers),
            [f"{pages[each.feature].title}: {each.skipped}" for each in answers if each.skipped],
        ),
        "pages_low": measure(len(low), low),
        "pages_gone_share": measure(
            max((each.gone / each.works_before for each in gone if each.gone >= FEW_USERS), default=0.0),
            [gone_in_words(pages[each.feature], each) for each in gone],
        ),
    }


def store_answers(engine: sa.Engine, run_id: str, answers: Iterable[Answer]) -> None:
    """Keep the answers of a run in ``etl.feature_results``; a second call replaces the first."""
    rows = [asdict(each) for each in answers]
    with engine.begin() as connection:
        connection.execute(sa.text("delete from etl.feature_results where run_id = :run_id"), {"run_id": run_id})
        connection.execute(
            sa.text(
                "insert into etl.feature_results select * from"
                " jsonb_populate_recordset(null::etl.feature_results, cast(:rows as jsonb))"
            ),
            {"rows": json.dumps([row | {"run_id": run_id} for row in rows])},
        )


def _is_nested(value: dict[str, Any]) -> bool:
    return any(isinstance(each, dict) for each in value.values())
